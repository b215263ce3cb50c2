// SPDX-License-Identifier: MIT OR Apache-2.0
//! `/dev/fuse`: reading messages, writing replies. It carries everything until a ring is ready, and FORGET and
//! INTERRUPT for ever.
//!
//! A `Channel` is a descriptor of the connection and lives until the last request that came through it is answered;
//! the session's own descriptor is only borrowed by it. Messages lie in a buffer of the thread that reads.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::MmapMut;

use crate::errno::Errno;
use crate::log::error;
use crate::sys::dev;
use crate::transport::registry::Registry;
use crate::transport::slot::{Route, Slot};
use crate::transport::{Incoming, Service};
use crate::wire::{FuseInHeader, FuseOutHeader, Pod};

/// What one writev(2) takes.
const MOST_PARTS: usize = libc::UIO_MAXIOV as usize;

/// How bytes get to and from the kernel, or what a program put in its place (`fuse_session_custom_io`).
pub trait Io: Send + Sync {
    fn read(&self, fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno>;
    fn writev(&self, fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno>;
    /// A descriptor of its own for a thread (`clone_fd`), if there is such a thing.
    fn clone_fd(&self, fd: RawFd) -> Result<OwnedFd, Errno>;
    /// Reading can be tried without waiting.
    fn is_device(&self) -> bool;
    /// Whether data can be spliced: into it, and from it.
    fn splices(&self) -> (bool, bool) {
        (true, true)
    }
    /// What INIT settled on: `FUSE_CAP_*`.
    fn settled(&self, _want: u64) {}
}

/// The real thing.
pub struct Device;

impl Io for Device {
    fn read(&self, fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
        dev::read(fd, buffer)
    }

    fn writev(&self, fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno> {
        dev::writev(fd, data)
    }

    fn clone_fd(&self, fd: RawFd) -> Result<OwnedFd, Errno> {
        dev::clone_device(fd)
    }

    fn is_device(&self) -> bool {
        true
    }
}

/// What a read came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// So many bytes of a message; at least a header.
    Message(usize),
    /// Nothing there (EAGAIN), or a signal came (EINTR).
    Nothing(Errno),
    /// Unmounted or aborted.
    Over,
    Failed(Errno),
}

/// See the module.
pub struct Channel {
    pub fd: RawFd,
    io: Arc<dyn Io>,
    _own: Option<OwnedFd>,
}

impl Channel {
    /// Borrows the session's descriptor.
    pub fn new(fd: RawFd, io: Arc<dyn Io>) -> Arc<Channel> {
        Arc::new(Channel { fd, io, _own: None })
    }

    /// A channel with a descriptor of its own.
    pub fn duplicate(&self) -> Result<Arc<Channel>, Errno> {
        let own = self.io.clone_fd(self.fd)?;
        Ok(Arc::new(Channel { fd: own.as_raw_fd(), io: self.io.clone(), _own: Some(own) }))
    }

    pub fn is_device(&self) -> bool {
        self.io.is_device()
    }

    pub fn io(&self) -> &dyn Io {
        &*self.io
    }

    /// Reads one message into the buffer.
    pub fn receive(&self, buffer: &mut [u8]) -> Received {
        loop {
            return match self.io.read(self.fd, buffer) {
                Ok(0) => Received::Over,
                Ok(length) if length < size_of::<FuseInHeader>() => {
                    error!("fuse: short read on fuse device");
                    Received::Failed(Errno::new(libc::EIO))
                }
                Ok(length) => Received::Message(length),
                Err(e) => match e.raw() {
                    // A request that was interrupted before we got it.
                    libc::ENOENT => continue,
                    libc::EINTR | libc::EAGAIN => Received::Nothing(e),
                    libc::ENODEV | libc::ECONNABORTED | libc::ENOTCONN => Received::Over,
                    _ => Received::Failed(e),
                },
            };
        }
    }

    /// Writes a reply or, with `unique` 0, a notification whose code is in `error`.
    pub fn send(&self, unique: u64, error: i32, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        let length: usize = data.iter().map(|part| part.len()).sum();
        let header = FuseOutHeader { len: (size_of::<FuseOutHeader>() + length) as u32, error, unique };
        let header = IoSlice::new(header.as_bytes());
        let written = match data {
            [] => self.io.writev(self.fd, &[header]),
            [one] => self.io.writev(self.fd, &[header, IoSlice::new(one)]),
            many if many.len() >= MOST_PARTS => {
                let whole: Vec<u8> = many.iter().flat_map(|part| part.iter().copied()).collect();
                self.io.writev(self.fd, &[header, IoSlice::new(&whole)])
            }
            many => {
                let all: Vec<IoSlice<'_>> =
                    std::iter::once(header).chain(many.iter().map(|part| IoSlice::new(part))).collect();
                self.io.writev(self.fd, &all)
            }
        };
        written.map(drop)
    }
}

/// Memory to read messages into. That it can't be had is an error, not the end of the process.
pub fn buffer(size: usize) -> Result<MmapMut, Errno> {
    Ok(MmapMut::map_anon(size)?)
}

/// Hands what a read brought to the session.
pub fn deliver(channel: &Arc<Channel>, registry: &Registry, service: &dyn Service, message: &[u8]) {
    let Some((header, payload)) = message.split_at_checked(size_of::<FuseInHeader>()) else {
        return error!("fuse: a message of {} bytes has no header", message.len());
    };
    let header = FuseInHeader::read_padded(header);
    let slot: NonNull<Slot> = registry.take();
    // SAFETY: the registry keeps its slots.
    let handle = unsafe { slot.as_ref() }.activate(&header, Route::Device(channel.clone()));
    let payload_size = payload.len() as u32;
    service.serve(Incoming { header, op_in: None, payload_size, payload, handle });
}
