// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages to the kernel on the filesystem's own account: `fuse_lowlevel_notify_*`, and poll handles.
//!
//! Names and data are the program's and are used until the call returns. A poll handle is a box that the program owns
//! from the poll handler's call to `fuse_pollhandle_destroy`; it may outlive its session.

use std::borrow::Cow;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::io::IoSlice;
use std::ptr;
use std::slice;
use std::sync::Arc;

use libc::{off_t, size_t};

use super::super::fuse_common::{fuse_buf_copy, fuse_buf_size};
use super::super::types::{FuseBuf, FuseBufvec, FuseInoT, FusePollhandle};
use super::session::session;
use crate::errno::Errno;
use crate::session::{Name, Session};
use crate::transport::line::Line;
use crate::wire::flags::notify;
use crate::wire::{FuseNotifyPollWakeupOut, Pod};

/// `enum fuse_buf_flags`: the buffer is a descriptor.
const FUSE_BUF_IS_FD: c_uint = 1 << 1;

/// What a program holds as `struct fuse_pollhandle`.
struct PollHandle {
    line: Arc<Line>,
    /// The kernel's name for the open file.
    kh: u64,
}

/// A handle for the program to keep, until `fuse_pollhandle_destroy`.
pub fn poll_handle(line: Arc<Line>, kh: u64) -> *mut FusePollhandle {
    Box::into_raw(Box::new(PollHandle { line, kh })).cast()
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_poll(ph: *mut FusePollhandle) -> c_int {
    // SAFETY: NULL, or made by `poll_handle` and not destroyed yet, by contract.
    let Some(handle) = (unsafe { ph.cast::<PollHandle>().as_ref() }) else {
        return 0;
    };
    let out = FuseNotifyPollWakeupOut { kh: handle.kh };
    result(handle.line.notify(notify::POLL, &[IoSlice::new(out.as_bytes())]))
}

/// # Safety
/// See `fuse_common.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_pollhandle_destroy(ph: *mut FusePollhandle) {
    if !ph.is_null() {
        // SAFETY: made by `poll_handle`, and not used afterwards, by contract.
        drop(unsafe { Box::from_raw(ph.cast::<PollHandle>()) });
    }
}

fn result(sent: Result<(), Errno>) -> c_int {
    sent.map_or_else(Errno::negated, |()| 0)
}

/// Sends a message of a session; EINVAL without one.
///
/// # Safety
/// `se` is NULL or a live session.
unsafe fn tell(se: *mut Session, caller: &str, how: impl FnOnce(&Session) -> Result<(), Errno>) -> c_int {
    // SAFETY: as promised by the caller.
    let session = unsafe { session(se, caller) };
    result(session.ok_or(Errno::new(libc::EINVAL)).and_then(how))
}

/// The bytes of a name; EINVAL for NULL.
///
/// # Safety
/// `name` is NULL or `length` bytes, which stay as they are during the call of the caller.
unsafe fn name_of<'a>(name: *const c_char, length: size_t) -> Result<&'a [u8], Errno> {
    if name.is_null() || isize::try_from(length).is_err() {
        return Err(Errno::new(libc::EINVAL));
    }
    // SAFETY: as promised by the caller.
    Ok(unsafe { slice::from_raw_parts(name.cast(), length) })
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_inval_inode(
    se: *mut Session,
    ino: FuseInoT,
    off: off_t,
    len: off_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        tell(se, "fuse_lowlevel_notify_inval_inode", |session| session.notify_inval_inode(ino, off, len))
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_increment_epoch(se: *mut Session) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { tell(se, "fuse_lowlevel_notify_increment_epoch", Session::notify_increment_epoch) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_inval_entry(
    se: *mut Session,
    parent: FuseInoT,
    name: *const c_char,
    namelen: size_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        tell(se, "fuse_lowlevel_notify_inval_entry", |session| {
            session.notify_entry(parent, name_of(name, namelen)?, Name::Invalidate)
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_expire_entry(
    se: *mut Session,
    parent: FuseInoT,
    name: *const c_char,
    namelen: size_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        tell(se, "fuse_lowlevel_notify_expire_entry", |session| {
            session.notify_entry(parent, name_of(name, namelen)?, Name::Expire)
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_delete(
    se: *mut Session,
    parent: FuseInoT,
    child: FuseInoT,
    name: *const c_char,
    namelen: size_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        tell(se, "fuse_lowlevel_notify_delete", |session| {
            session.notify_delete(parent, child, name_of(name, namelen)?)
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_store(
    se: *mut Session,
    ino: FuseInoT,
    offset: off_t,
    bufv: *mut FuseBufvec,
    flags: c_uint,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        tell(se, "fuse_lowlevel_notify_store", |session| {
            session.notify_store(ino, offset as u64, &data_of(bufv, flags)?)
        })
    }
}

/// The data of a vector, in one piece: where it lies, or gathered.
///
/// # Safety
/// `bufv` is NULL or valid, with what it points to, during the call of the caller.
unsafe fn data_of<'a>(bufv: *mut FuseBufvec, flags: c_uint) -> Result<Cow<'a, [u8]>, Errno> {
    // SAFETY: as promised by the caller.
    unsafe {
        let vector = bufv.as_ref().ok_or(Errno::new(libc::EINVAL))?;
        let size = fuse_buf_size(bufv);
        let [first] = &vector.buf;
        let plain = vector.count == 1 && vector.idx == 0 && vector.off == 0;
        if plain && first.flags & FUSE_BUF_IS_FD == 0 && !first.mem.is_null() && size <= isize::MAX as usize {
            return Ok(Cow::Borrowed(slice::from_raw_parts(first.mem.cast(), size)));
        }
        let mut gathered = Vec::new();
        gathered.try_reserve_exact(size).map_err(|_| Errno::new(libc::ENOMEM))?;
        gathered.resize(size, 0);
        let mem = gathered.as_mut_ptr().cast();
        let mut place = FuseBufvec { count: 1, idx: 0, off: 0, buf: [FuseBuf::memory(mem, size)] };
        let copied = fuse_buf_copy(&raw mut place, bufv, flags);
        let length = usize::try_from(copied).map_err(|_| Errno::new(copied as i32))?;
        gathered.truncate(length);
        Ok(Cow::Owned(gathered))
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_retrieve(
    se: *mut Session,
    ino: FuseInoT,
    size: size_t,
    offset: off_t,
    cookie: *mut c_void,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        tell(se, "fuse_lowlevel_notify_retrieve", |session| {
            session.notify_retrieve(ino, offset as u64, size, cookie as usize)
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_notify_prune(
    se: *mut Session,
    nodeids: *mut FuseInoT,
    count: u32,
) -> c_int {
    // SAFETY: as promised by the caller: so many numbers, unless there are none.
    unsafe {
        tell(se, "fuse_lowlevel_notify_prune", |session| match (nodeids.is_null(), count) {
            (_, 0) => session.notify_prune(&[]),
            (true, _) => Err(Errno::new(libc::EINVAL)),
            (false, _) => {
                session.notify_prune(slice::from_raw_parts(ptr::from_ref(&*nodeids), count as usize))
            }
        })
    }
}
