// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuse_session_custom_io`: a program's own functions in place of read(2), writev(2) and splice(2) on the device.
//!
//! A program that has a function for splicing gets to use it as far as INIT settled on it: messages come through a pipe
//! of the thread that receives or sends.

use std::ffi::{c_int, c_void};
use std::io::IoSlice;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{size_t, ssize_t};

use super::super::types::{FuseCustomIo, SpliceFn};
use super::session::session;
use crate::errno::Errno;
use crate::log::{error, warning};
use crate::session::Session;
use crate::session::init::cap;
use crate::sys::pipe::with_pipe;
use crate::transport::dev::Io;

/// What a custom I/O had before `clone_fd` joined it.
const SIZE_BEFORE_317: size_t = 32;

/// The functions, copied, and what they are called with.
struct CustomIo {
    read: unsafe extern "C" fn(c_int, *mut c_void, size_t, *mut c_void) -> ssize_t,
    writev: unsafe extern "C" fn(c_int, *mut libc::iovec, c_int, *mut c_void) -> ssize_t,
    splice_receive: Option<SpliceFn>,
    splice_send: Option<SpliceFn>,
    clone_fd: Option<unsafe extern "C" fn(c_int) -> c_int>,
    userdata: *mut c_void,
    /// The `FUSE_CAP_*` that INIT settled on, none before.
    want: AtomicU64,
}

/// Replies from this size on are worth a pipe.
const WORTH_SPLICING: usize = 8192;

impl CustomIo {
    fn wants(&self, what: u64) -> bool {
        self.want.load(Ordering::Relaxed) & what != 0
    }

    /// Receives through the thread's pipe. `None`: it is too small for what may come.
    fn receive_spliced(
        &self,
        splice: SpliceFn,
        fd: RawFd,
        buffer: &mut [u8],
    ) -> Option<Result<usize, Errno>> {
        let (none, length) = (std::ptr::null_mut(), buffer.len());
        with_pipe(length, |pipe| {
            // SAFETY: the program's function, called as splice(2) is; positions are left out.
            let moved = checked(unsafe { splice(fd, none, pipe.input(), none, length, 0, self.userdata) })?;
            let room = buffer.get_mut(..moved).ok_or(Errno::new(libc::EIO))?;
            pipe.take(room).map(|()| moved)
        })
    }

    /// Sends through the thread's pipe. `None`: it is too small.
    fn send_spliced(
        &self,
        splice: SpliceFn,
        fd: RawFd,
        data: &[IoSlice<'_>],
        length: usize,
    ) -> Option<Result<usize, Errno>> {
        let none = std::ptr::null_mut();
        let flags = if self.wants(cap::SPLICE_MOVE) { libc::SPLICE_F_MOVE } else { 0 };
        with_pipe(length, |pipe| {
            pipe.put(data, length)?;
            // SAFETY: as above.
            let sent = unsafe { splice(pipe.output(), none, fd, none, length, flags, self.userdata) };
            match checked(sent)? {
                sent if sent == length => Ok(sent),
                _ => Err(Errno::new(libc::EIO)),
            }
        })
    }
}

// SAFETY: the functions are called from several threads by contract; `userdata` is only handed on to them.
unsafe impl Send for CustomIo {}
unsafe impl Sync for CustomIo {}

fn checked(result: ssize_t) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::last())
}

impl Io for CustomIo {
    fn read(&self, fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let spliced = match self.splice_receive {
            Some(splice) if self.wants(cap::SPLICE_READ) => self.receive_spliced(splice, fd, buffer),
            _ => None,
        };
        if let Some(result) = spliced {
            return result;
        }
        // SAFETY: the buffer is writable for its length.
        let length =
            checked(unsafe { (self.read)(fd, buffer.as_mut_ptr().cast(), buffer.len(), self.userdata) })?;
        // A function that claims more than it was given room for is not believed.
        if length > buffer.len() { Err(Errno::new(libc::EIO)) } else { Ok(length) }
    }

    fn writev(&self, fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let length = data.iter().map(|part| part.len()).sum();
        let spliced = match self.splice_send {
            Some(splice) if length >= WORTH_SPLICING && self.wants(cap::SPLICE_WRITE) => {
                self.send_spliced(splice, fd, data, length)
            }
            _ => None,
        };
        if let Some(result) = spliced {
            return result;
        }
        let parts = data.as_ptr().cast_mut().cast::<libc::iovec>();
        // SAFETY: IoSlice has the layout of iovec; the function only reads through it, by contract.
        checked(unsafe { (self.writev)(fd, parts, data.len() as c_int, self.userdata) })
    }

    fn clone_fd(&self, fd: RawFd) -> Result<OwnedFd, Errno> {
        let clone = self.clone_fd.ok_or(Errno::new(libc::ENOSYS))?;
        // SAFETY: the function gives us a descriptor of our own.
        unsafe {
            match clone(fd) {
                own if own >= 0 => Ok(OwnedFd::from_raw_fd(own)),
                _ => Err(Errno::last()),
            }
        }
    }

    fn is_device(&self) -> bool {
        false
    }

    fn splices(&self) -> (bool, bool) {
        (self.splice_send.is_some(), self.splice_receive.is_some())
    }

    fn settled(&self, want: u64) {
        self.want.store(want, Ordering::Relaxed);
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_custom_io_317(
    se: *mut Session,
    io: *const FuseCustomIo,
    op_size: size_t,
    fd: c_int,
) -> c_int {
    // SAFETY: as promised by the caller.
    let Some(session) = (unsafe { session(se, "fuse_session_custom_io") }) else {
        return -libc::EINVAL;
    };
    if fd < 0 {
        error!("fuse: invalid file descriptor value {fd} passed to fuse_session_custom_io()");
        return -libc::EBADF;
    }
    if io.is_null() {
        error!("fuse: fuse_session_custom_io: no functions passed");
        return -libc::EINVAL;
    }
    if op_size > size_of::<FuseCustomIo>() {
        warning!("fuse: warning: library too old, some operations may not work");
    }
    let mut copy = FuseCustomIo::default();
    // SAFETY: `op_size` bytes are there; all-zero is a table without functions.
    unsafe {
        let length = op_size.min(size_of::<FuseCustomIo>());
        std::ptr::copy_nonoverlapping(io.cast::<u8>(), (&raw mut copy).cast::<u8>(), length);
    }
    let (Some(read), Some(writev)) = (copy.read, copy.writev) else {
        error!("fuse: fuse_session_custom_io: both read and writev must be given");
        return -libc::EINVAL;
    };
    if session.fd() >= 0 {
        error!("fuse: fuse_session_custom_io: the session has a device already");
        return -libc::EBUSY;
    }
    let io = CustomIo {
        read,
        writev,
        splice_receive: copy.splice_receive,
        splice_send: copy.splice_send,
        clone_fd: copy.clone_fd,
        userdata: session.userdata() as *mut c_void,
        want: AtomicU64::new(0),
    };
    // SAFETY: from here on the descriptor is the session's, as the header says.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    session.custom_io(fd, Arc::new(io));
    0
}

/// The form before 3.17.
///
/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_custom_io_30(
    se: *mut Session,
    io: *const FuseCustomIo,
    fd: c_int,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { fuse_session_custom_io_317(se, io, SIZE_BEFORE_317, fd) }
}
