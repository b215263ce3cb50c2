// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sessions that are a character device instead of a filesystem: `/dev/cuse` in the place of a mount, CUSE_INIT in that
//! of INIT, and never a ring. The session owns the device it opened; a program's own (custom I/O) stays the program's.

use std::fs::OpenOptions;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::errno::Errno;
use crate::log::{error, info};
use crate::request::Request;
use crate::request::decode::Proto;
use crate::session::Session;
use crate::session::init::{BUFFER_HEADER_SIZE, ConnInfo, Negotiated, Remembered, RingReason};
use crate::session::initialise::first_buffer_size;
use crate::transport::dev::Device;
use crate::wire::flags::cuse_init::UNRESTRICTED_IOCTL;
use crate::wire::{CuseInitIn, CuseInitOut, KERNEL_MINOR_VERSION, KERNEL_VERSION, Pod};

const PATH: &str = "/dev/cuse";
/// The first protocol with devices (Linux 2.6.31).
const MIN_MINOR_VERSION: u32 = 11;
/// Reads are not asked about: this is what libfuse allows.
const MAX_READ: u32 = 128 << 10;
const MIN_MAX_WRITE: u32 = 4096;
/// What the kernel takes as a description.
pub const MAX_DESCRIPTION: usize = 4096;

/// A device as it is announced to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    pub major: u32,
    pub minor: u32,
    /// ioctls may ask for data from anywhere in their caller.
    pub unrestricted_ioctl: bool,
    /// `KEY=VALUE`, each with a NUL behind it.
    pub description: Vec<u8>,
}

impl Session {
    /// Opens `/dev/cuse`; what is wrong has been logged.
    pub fn open_device(&self) -> Result<(), Errno> {
        let opened = OpenOptions::new().read(true).write(true).open(PATH).map_err(Errno::from);
        let device = opened.inspect_err(|e| match e.raw() {
            libc::ENOENT | libc::ENODEV | libc::ENXIO => {
                error!("cuse: {PATH}: {e}: no such device, try `modprobe cuse' first");
            }
            _ => error!("cuse: failed to open {PATH}: {e}"),
        })?;
        let device = Arc::new(OwnedFd::from(device));
        self.connect(device.as_raw_fd(), Arc::new(Device), Some(device.clone()));
        self.place.lock().device = Some(device);
        Ok(())
    }

    /// Answers CUSE_INIT.
    pub fn initialise_device(&self, request: Request, raw: &[u8], device: &Announcement) {
        let sent = CuseInitIn::read_padded(raw);
        if self.debug() {
            info!("CUSE_INIT: {}.{}, flags={:#x}", sent.major, sent.minor, sent.flags);
        }
        if sent.major != KERNEL_VERSION || sent.minor < MIN_MINOR_VERSION {
            let (major, minor) = (sent.major, sent.minor);
            return self.refuse(
                request,
                format_args!("cuse: the kernel speaks protocol {major}.{minor}, 7.11 is needed"),
            );
        }
        if self.init_called.swap(true, Ordering::SeqCst) {
            let _ = request.fail(Errno::new(libc::EIO));
            return;
        }
        let room = first_buffer_size() - BUFFER_HEADER_SIZE;
        let mut conn = ConnInfo {
            proto_major: sent.major,
            proto_minor: sent.minor,
            max_write: u32::try_from(room).unwrap_or(u32::MAX),
            max_readahead: u32::MAX,
            time_gran: 1,
            ..ConnInfo::default()
        };
        let most = conn.max_write;
        self.filesystem.init(&mut conn, &mut Remembered::default());
        conn.max_write = conn.max_write.clamp(MIN_MAX_WRITE, most);
        self.announce(request, &conn, room, device);
    }

    fn announce(&self, request: Request, conn: &ConnInfo, room: usize, device: &Announcement) {
        let out = CuseInitOut {
            major: KERNEL_VERSION,
            minor: KERNEL_MINOR_VERSION,
            flags: if device.unrestricted_ioctl { UNRESTRICTED_IOCTL } else { 0 },
            max_read: MAX_READ,
            max_write: conn.max_write,
            dev_major: device.major,
            dev_minor: device.minor,
            ..CuseInitOut::default()
        };
        let _ = self.negotiated.set(Negotiated {
            proto: Proto { minor: conn.proto_minor.min(KERNEL_MINOR_VERSION), setxattr_ext: false },
            max_write: conn.max_write,
            max_pages: 0,
            buffer_size: room + BUFFER_HEADER_SIZE,
            payload_size: room,
            ring: false,
            ring_reason: RingReason::NotOffered,
            no_interrupt: conn.no_interrupt,
            capable_ext: 0,
            want_ext: 0,
        });
        let parts = [IoSlice::new(out.as_bytes()), IoSlice::new(&device.description)];
        if let Err(e) = request.reply(&parts) {
            error!("cuse: the kernel does not take the device: {e}");
            return;
        }
        self.filesystem.device_is_there();
    }
}
