// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuse_session_custom_io`: a program's own functions in place of read(2) and writev(2) on the device.

use std::ffi::{c_int, c_void};
use std::io::IoSlice;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use libc::{size_t, ssize_t};

use super::super::types::FuseCustomIo;
use super::session::session;
use crate::errno::Errno;
use crate::log::{error, warning};
use crate::session::Session;
use crate::transport::dev::Io;

/// What a custom I/O had before `clone_fd` joined it.
const SIZE_BEFORE_317: size_t = 32;

/// The functions, copied, and what they are called with.
struct CustomIo {
    read: unsafe extern "C" fn(c_int, *mut c_void, size_t, *mut c_void) -> ssize_t,
    writev: unsafe extern "C" fn(c_int, *mut libc::iovec, c_int, *mut c_void) -> ssize_t,
    clone_fd: Option<unsafe extern "C" fn(c_int) -> c_int>,
    userdata: *mut c_void,
}

// SAFETY: the functions are called from several threads by contract; `userdata` is only handed on to them.
unsafe impl Send for CustomIo {}
unsafe impl Sync for CustomIo {}

fn checked(result: ssize_t) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::last())
}

impl Io for CustomIo {
    fn read(&self, fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is writable for its length.
        let length =
            checked(unsafe { (self.read)(fd, buffer.as_mut_ptr().cast(), buffer.len(), self.userdata) })?;
        // A function that claims more than it was given room for is not believed.
        if length > buffer.len() { Err(Errno::new(libc::EIO)) } else { Ok(length) }
    }

    fn writev(&self, fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno> {
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
    let userdata = session.userdata() as *mut c_void;
    // SAFETY: from here on the descriptor is the session's, as the header says.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    session.custom_io(fd, Arc::new(CustomIo { read, writev, clone_fd: copy.clone_fd, userdata }));
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
