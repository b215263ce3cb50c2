// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers to ioctl, poll and statx. As in `reply`: the request is taken back, and memory passed in is copied before
//! the return.

use std::ffi::{c_int, c_uint, c_void};
use std::io::IoSlice;
use std::slice;

use libc::{iovec, size_t, statx};

use super::super::types::FuseReqT;
use super::reply::{answer, answer_with};
use crate::errno::Errno;
use crate::log::error;
use crate::request::{Request, encode};
use crate::wire::flags::ioctl;
use crate::wire::{FuseIoctlIovec, FuseIoctlOut, FusePollOut, FuseStatxOut, Pod};

/// Refuses an answer that makes no sense; the caller of the system call gets EIO.
fn refuse(request: Request, what: &str) -> Result<(), Errno> {
    error!("fuse: {what}");
    let _ = request.fail(Errno::new(libc::EIO));
    Err(Errno::new(libc::EINVAL))
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_ioctl(
    req: FuseReqT,
    result: c_int,
    buf: *const c_void,
    size: size_t,
) -> c_int {
    let part = iovec { iov_base: buf.cast_mut(), iov_len: size };
    // SAFETY: as promised by the caller: `size` bytes.
    unsafe { fuse_reply_ioctl_iov(req, result, &raw const part, c_int::from(size != 0)) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_ioctl_iov(
    req: FuseReqT,
    result: c_int,
    iov: *const iovec,
    count: c_int,
) -> c_int {
    let out = FuseIoctlOut { result, ..FuseIoctlOut::default() };
    // SAFETY: as promised by the caller; parts with bytes in them are looked at only if they are somewhere.
    unsafe {
        answer(req, "fuse_reply_ioctl", |request| match list(iov, usize::try_from(count).unwrap_or(0)) {
            Some(parts) if parts.iter().all(|part| part.iov_len == 0 || !part.iov_base.is_null()) => {
                let parts = parts.iter().filter(|part| part.iov_len != 0);
                let data = parts.map(|part| slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len));
                let all: Vec<IoSlice<'_>> =
                    std::iter::once(out.as_bytes()).chain(data).map(IoSlice::new).collect();
                request.reply(&all)
            }
            _ => refuse(request, "fuse_reply_ioctl: NULL where data is needed"),
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_ioctl_retry(
    req: FuseReqT,
    in_iov: *const iovec,
    in_count: size_t,
    out_iov: *const iovec,
    out_count: size_t,
) -> c_int {
    let retry = |request: Request| {
        if in_count.saturating_add(out_count) > ioctl::MAX_IOV {
            return refuse(request, "fuse_reply_ioctl_retry: more than 256 places");
        }
        // SAFETY: as promised by the caller.
        let (Some(from), Some(to)) = (unsafe { (list(in_iov, in_count), list(out_iov, out_count)) }) else {
            return refuse(request, "fuse_reply_ioctl_retry: NULL where places are needed");
        };
        let out = FuseIoctlOut {
            flags: ioctl::RETRY,
            in_iovs: in_count as u32,
            out_iovs: out_count as u32,
            ..FuseIoctlOut::default()
        };
        let place = |part: &iovec| FuseIoctlIovec { base: part.iov_base as u64, len: part.iov_len as u64 };
        let places: Vec<FuseIoctlIovec> = from.iter().chain(to).map(place).collect();
        let parts = std::iter::once(out.as_bytes()).chain(places.iter().map(Pod::as_bytes));
        // One part for the places: a writev takes no more than 1024.
        let whole: Vec<u8> = parts.flatten().copied().collect();
        request.reply_bytes(&whole)
    };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_ioctl_retry", retry) }
}

/// A list of the program's; `None` if it is missing though it has elements.
///
/// # Safety
/// `first` is NULL or points to `count` elements.
unsafe fn list<'a>(first: *const iovec, count: usize) -> Option<&'a [iovec]> {
    match (count, first.is_null()) {
        (0, _) => Some(&[]),
        (_, true) => None,
        // SAFETY: as promised by the caller.
        _ => Some(unsafe { slice::from_raw_parts(first, count) }),
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_poll(req: FuseReqT, revents: c_uint) -> c_int {
    let out = FusePollOut { revents, padding: 0 };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_poll", |request| request.reply_bytes(out.as_bytes())) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_statx(
    req: FuseReqT,
    flags: c_int,
    statx: *mut statx,
    attr_timeout: f64,
) -> c_int {
    let reply = |request: Request, attributes: &statx| {
        let (attr_valid, attr_valid_nsec) = encode::timeout(attr_timeout);
        let stat = encode::statx(attributes);
        let out = FuseStatxOut {
            attr_valid,
            attr_valid_nsec,
            flags: flags as u32,
            stat,
            ..FuseStatxOut::default()
        };
        request.reply_bytes(out.as_bytes())
    };
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_statx", statx.cast_const(), reply) }
}
