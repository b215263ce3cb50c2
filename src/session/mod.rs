// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session: one filesystem, one mount, and its state from `fuse_session_new` to `fuse_session_destroy`.
//!
//! The session owns everything that requests may still refer to after a loop has ended: the device, the slots, the
//! ring's entries. It is freed last, by its owner, when no thread uses it any more.
#![allow(unsafe_code)]

pub mod cmdline;
pub mod conn_opts;
pub mod cuse;
pub mod init;
mod initialise;
mod notify;
pub mod options;
pub mod retrieve;
mod run;
mod serve;

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::log::error;
use crate::mount::{Mount, MountOptions, mount};
use crate::opt::{Args, Refused};
use crate::request::Request;
use crate::request::decode::Operation;
use crate::session::cuse::Announcement;
use crate::session::init::{ConnInfo, Has, Negotiated, Remembered};
use crate::session::options::SessionOptions;
use crate::session::retrieve::Retrieves;
use crate::transport::dev::{Channel, Device, Io, Received};
use crate::transport::exit::ExitFlag;
use crate::transport::registry::Registry;
use crate::transport::threads::{Runs, spawn};
use crate::transport::uring::single::Single;
use crate::transport::uring::{Owner, Pool};
use crate::wire::FuseInHeader;

pub use notify::Name;
pub use run::LoopConfig;

/// What a filesystem is to the session. The C edge implements it with a table of callbacks.
pub trait Filesystem: Send + Sync {
    /// Which of the operations that decide about defaults there are.
    fn has(&self) -> Has;
    /// Shows the offer of the kernel and takes the filesystem's wishes. `remembered` follows the feature functions.
    fn init(&self, conn: &mut ConnInfo, remembered: &mut Remembered);
    /// Serves one operation. Whoever gets the request answers it. `want` are the `FUSE_CAP_*` that were settled on.
    fn handle(&self, request: Request, header: &FuseInHeader, operation: Operation<'_>, want: u64);
    /// Data that a notification has asked for with `cookie`; it gets no reply.
    fn retrieved(&self, request: Request, _ino: u64, _cookie: usize, _offset: u64, _data: &[u8]) {
        request.no_reply();
    }
    /// For what is no filesystem: how it is announced to the kernel.
    fn device(&self) -> Option<&Announcement> {
        None
    }
    /// The kernel has taken the device.
    fn device_is_there(&self) {}
    /// The session is over; called once, if `init` was.
    fn destroy(&self);
}

/// See the module.
pub struct Session {
    filesystem: Box<dyn Filesystem>,
    registry: Box<Registry>,
    exit: ExitFlag,
    options: SessionOptions,
    mount_options: MountOptions,
    /// Who started the daemon (for `allow_root`).
    owner_uid: u32,
    place: Mutex<Place>,
    fd: AtomicI32,
    negotiated: OnceLock<Negotiated>,
    /// The filesystem's `init` was called; an INIT that failed after that is not tried again.
    init_called: AtomicBool,
    destroyed: AtomicBool,
    /// A loop of ours runs.
    looping: AtomicBool,
    /// What notifications asked for and has not come yet.
    pub retrieves: Mutex<Retrieves>,
    /// The ring, once there is one; closed when the session unmounts, freed with it.
    pools: Mutex<Vec<Arc<Pool>>>,
    /// The ring's thread state under `fuse_session_loop`, between loops.
    single: Mutex<Option<Box<Single>>>,
}

/// Where the session is mounted, and the device it got for it.
#[derive(Default)]
struct Place {
    /// The mount point from the root on.
    path: Option<CString>,
    device: Option<Arc<OwnedFd>>,
    mount: Option<Mount>,
}

impl Session {
    /// Takes the session's and the mount's options out of `args`; what is wrong with them has been logged.
    pub fn new(
        args: &mut Args,
        filesystem: Box<dyn Filesystem>,
        userdata: usize,
    ) -> Result<Session, Refused> {
        let options = options::parse(args)?;
        let mount_options = MountOptions::parse(args)?;
        options::refuse_leftovers(args)?;
        let exit = ExitFlag::new().map_err(|e| {
            error!("fuse: failed to create the session's exit event: {e}");
            Refused
        })?;
        Ok(Session {
            filesystem,
            registry: Registry::new(userdata, options.debug),
            exit,
            options,
            mount_options,
            // SAFETY: no arguments.
            owner_uid: unsafe { libc::getuid() },
            place: Mutex::default(),
            fd: AtomicI32::new(-1),
            negotiated: OnceLock::new(),
            init_called: AtomicBool::new(false),
            destroyed: AtomicBool::new(false),
            looping: AtomicBool::new(false),
            retrieves: Mutex::default(),
            pools: Mutex::default(),
            single: Mutex::new(None),
        })
    }

    /// Mounts; what is wrong has been logged.
    pub fn mount(&self, point: &CStr) -> Result<(), Errno> {
        let mut place = self.place.lock();
        if place.device.is_some() || self.registry.line().is_open() {
            error!("fuse: the session is mounted already");
            return Err(Errno::new(libc::EBUSY));
        }
        initialise::check_required_ring(&self.options)?;
        // Before the daemon changes its directory.
        place.path = absolute(point);
        let (device, mount) = mount(point, &self.mount_options)?;
        let device = Arc::new(device);
        self.connect(device.as_raw_fd(), Arc::new(Device), device.clone());
        place.device = Some(device);
        place.mount = Some(mount);
        Ok(())
    }

    /// Uses a descriptor that the program brings, instead of a mount. It is closed with the session.
    pub fn custom_io(&self, device: OwnedFd, io: Arc<dyn Io>) {
        self.connect(device.as_raw_fd(), io, Arc::new(device));
    }

    fn connect(&self, fd: RawFd, io: Arc<dyn Io>, device: Arc<OwnedFd>) {
        self.registry.line().open(Channel::new(fd, io), device);
        self.fd.store(fd, Ordering::SeqCst);
    }

    /// Ends the connection: late replies fail from here on.
    pub fn unmount(&self) {
        if self.looping.load(Ordering::SeqCst) {
            self.exit.exit();
        }
        drop(self.single.lock().take());
        // Closed, not freed: requests that were never answered may still be referred to.
        for pool in &*self.pools.lock() {
            pool.close();
        }
        let place = std::mem::take(&mut *self.place.lock());
        let mut left = None;
        if let Some(device) = place.device {
            self.registry.line().close();
            self.fd.store(-1, Ordering::SeqCst);
            left = place.mount.and_then(|mount| mount.disconnect(device));
        }
        // The end of the connection answers them, and an unmount waits for that.
        let mut settled = true;
        for pool in &*self.pools.lock() {
            settled &= pool.kicker.settle();
        }
        if let Some(mount) = left {
            unmount_aside(mount, settled);
        }
    }

    /// The device's descriptor, or -1.
    pub fn fd(&self) -> RawFd {
        self.fd.load(Ordering::SeqCst)
    }

    fn mountpoint(&self) -> Option<CString> {
        let place = self.place.lock();
        place.mount.as_ref().and_then(Mount::point).and_then(|_| place.path.clone())
    }

    pub fn exit_flag(&self) -> &ExitFlag {
        &self.exit
    }

    pub fn debug(&self) -> bool {
        self.options.debug
    }

    /// What the program gave to `fuse_session_new`.
    pub fn userdata(&self) -> usize {
        self.registry.userdata()
    }

    /// How large a buffer must be that takes any message.
    pub fn buffer_size(&self) -> usize {
        self.negotiated.get().map_or_else(initialise::first_buffer_size, |n| n.buffer_size)
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        self.registry.line().connection().ok().map(|connection| connection.channel)
    }

    /// Reads one message for a program that runs the loop itself. 0: the session is over.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let Some(channel) = self.channel() else {
            return Err(Errno::new(libc::EBADF));
        };
        if self.exit.exited() {
            return Ok(0);
        }
        match channel.receive(buffer) {
            Received::Message(length) => Ok(length),
            Received::Nothing(why) => Err(why),
            Received::Over => {
                self.exit.exit();
                Ok(0)
            }
            Received::Failed(e) => Err(e),
        }
    }

    /// Serves one message that `receive` (or the program itself) has read.
    pub fn process(&self, message: &[u8]) {
        match self.channel() {
            Some(channel) => crate::transport::dev::deliver(&channel, &self.registry, self, message),
            None => error!("fuse: a message for a session that has no device"),
        }
    }

    /// For what brings its messages itself (`transport::memory`).
    #[cfg(test)]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn owner(&self) -> Owner {
        let service: &dyn crate::transport::Service = self;
        // SAFETY: only the lifetime is forgotten; pools end before their session (see Owner).
        let service = unsafe {
            std::mem::transmute::<
                NonNull<dyn crate::transport::Service + '_>,
                NonNull<dyn crate::transport::Service>,
            >(NonNull::from(service))
        };
        Owner { service, registry: NonNull::from(&*self.registry) }
    }
}

/// Unmounts on a thread of its own. Where the calling thread had the ring of `fuse_session_loop`, the kernel ends that ring, and
/// with it the connection, only while this thread can be interrupted; and the unmount, which can't be, may wait for somebody
/// who asks the filesystem (sync(2), ustat(2)) until the connection ends.
fn unmount_aside(mount: Mount, wait: bool) {
    let job = Arc::new(Mutex::new(Some(mount)));
    let taken = job.clone();
    let body = move || taken.lock().take().into_iter().for_each(Mount::unmount);
    match spawn("fuse-unmount", Runs::Library, body) {
        Ok(thread) if wait => drop(thread.join()),
        Ok(_) => (),
        Err(_) => job.lock().take().into_iter().for_each(Mount::unmount),
    }
}

fn absolute(point: &CStr) -> Option<CString> {
    let path = std::fs::canonicalize(OsStr::from_bytes(point.to_bytes())).ok()?;
    CString::new(path.into_os_string().into_vec()).ok()
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.single.get_mut().take());
        for pool in &*self.pools.get_mut() {
            pool.close();
        }
        self.call_destroy();
        self.registry.line().close();
        self.place.get_mut().device.take();
    }
}
