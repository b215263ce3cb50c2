// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers: `fuse_reply_*`. Each takes the request back from the program, whatever it returns; memory passed in is
//! copied before the return.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::io::IoSlice;
use std::slice;

use libc::{flock, iovec, off_t, size_t, stat, statvfs};

use super::super::fuse_common::{fuse_buf_copy, fuse_buf_size};
use super::super::types::{FuseBuf, FuseBufvec, FuseEntryParam, FuseFileInfo, FuseReqT, file_info};
use crate::errno::Errno;
use crate::log::error;
use crate::request::{Request, encode};
use crate::wire::flags::fopen;
use crate::wire::{
    FuseAttrOut, FuseBmapOut, FuseCopyFileRangeOut, FuseEntryOut, FuseFileLock, FuseGetxattrOut, FuseLkOut,
    FuseLseekOut, FuseOpenOut, FuseStatfsOut, FuseWriteOut, Opcode, Pod,
};

/// Errors beyond this are not errno values; the kernel would not take them.
const FIRST_BAD_ERROR: c_int = 1000;

/// Takes the request back and answers it; 0 or -errno.
///
/// # Safety
/// `req` is NULL or from a session that was not destroyed.
pub(super) unsafe fn answer(
    req: FuseReqT,
    caller: &str,
    how: impl FnOnce(Request) -> Result<(), Errno>,
) -> c_int {
    // SAFETY: as promised by the caller.
    match unsafe { Request::from_raw(req as u64, caller) } {
        Some(request) => how(request).map_or_else(Errno::negated, |()| 0),
        None => -libc::EINVAL,
    }
}

/// Answers with what a pointer gives, or EIO if it is NULL.
///
/// # Safety
/// As for `answer`; `value` is NULL or valid.
pub(super) unsafe fn answer_with<T>(
    req: FuseReqT,
    caller: &str,
    value: *const T,
    how: impl FnOnce(Request, &T) -> Result<(), Errno>,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        answer(req, caller, |request| match value.as_ref() {
            Some(value) => how(request, value),
            None => {
                error!("fuse: {caller}: NULL where a value is needed");
                let _ = request.fail(Errno::new(libc::EIO));
                Err(Errno::new(libc::EINVAL))
            }
        })
    }
}

/// An entry as the kernel wants it.
pub fn entry_out(e: &FuseEntryParam) -> FuseEntryOut {
    let (entry_valid, entry_valid_nsec) = encode::timeout(e.entry_timeout);
    let (attr_valid, attr_valid_nsec) = encode::timeout(e.attr_timeout);
    FuseEntryOut {
        nodeid: e.ino,
        generation: e.generation,
        entry_valid,
        attr_valid,
        entry_valid_nsec,
        attr_valid_nsec,
        attr: encode::attr(&e.attr),
    }
}

/// What an open says about the file. Also used where the library answers for the filesystem.
pub fn open_out(fi: &FuseFileInfo) -> FuseOpenOut {
    let flags = [
        (file_info::DIRECT_IO, fopen::DIRECT_IO),
        (file_info::KEEP_CACHE, fopen::KEEP_CACHE),
        (file_info::NONSEEKABLE, fopen::NONSEEKABLE),
        (file_info::CACHE_READDIR, fopen::CACHE_DIR),
        (file_info::NOFLUSH, fopen::NOFLUSH),
        (file_info::PARALLEL_DIRECT_WRITES, fopen::PARALLEL_DIRECT_WRITES),
    ];
    let set = |flags: u32, (from, to): (u32, u32)| {
        if fi.flag_bits & from != 0 { flags | to } else { flags }
    };
    let mut open_flags = flags.into_iter().fold(0, set);
    let backing_id = fi.backing();
    if backing_id != 0 {
        open_flags |= fopen::PASSTHROUGH;
    }
    FuseOpenOut { fh: fi.fh, open_flags, backing_id }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_err(req: FuseReqT, err: c_int) -> c_int {
    let reply = |request: Request| match err {
        0 => request.done(),
        1..FIRST_BAD_ERROR => request.fail(Errno::new(err)),
        _ => {
            error!("fuse: bad error value: {err}");
            request.fail(Errno::new(libc::ERANGE))
        }
    };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_err", reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_none(req: FuseReqT) {
    // SAFETY: as promised by the caller.
    if let Some(request) = unsafe { Request::from_raw(req as u64, "fuse_reply_none") } {
        request.no_reply();
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_entry(req: FuseReqT, e: *const FuseEntryParam) -> c_int {
    let reply = |request: Request, e: &FuseEntryParam| request.reply_bytes(entry_out(e).as_bytes());
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_entry", e, reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_create(
    req: FuseReqT,
    e: *const FuseEntryParam,
    fi: *const FuseFileInfo,
) -> c_int {
    let none = FuseFileInfo::default();
    // SAFETY: as promised by the caller.
    let fi = unsafe { fi.as_ref() }.unwrap_or(&none);
    let reply = |request: Request, e: &FuseEntryParam| {
        let (entry, open) = (entry_out(e), open_out(fi));
        request.reply(&[IoSlice::new(entry.as_bytes()), IoSlice::new(open.as_bytes())])
    };
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_create", e, reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_attr(req: FuseReqT, attr: *const stat, attr_timeout: f64) -> c_int {
    let reply = |request: Request, attr: &stat| {
        let (attr_valid, attr_valid_nsec) = encode::timeout(attr_timeout);
        let out = FuseAttrOut { attr_valid, attr_valid_nsec, dummy: 0, attr: encode::attr(attr) };
        request.reply_bytes(out.as_bytes())
    };
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_attr", attr, reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_readlink(req: FuseReqT, link: *const c_char) -> c_int {
    // SAFETY: as promised by the caller: a string, unless NULL.
    unsafe {
        answer_with(req, "fuse_reply_readlink", link, |request, link| {
            request.reply_bytes(CStr::from_ptr(link).to_bytes())
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_open(req: FuseReqT, fi: *const FuseFileInfo) -> c_int {
    let reply = |request: Request, fi: &FuseFileInfo| request.reply_bytes(open_out(fi).as_bytes());
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_open", fi, reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_write(req: FuseReqT, count: size_t) -> c_int {
    let reply = |request: Request| {
        let wide = request.details().is_some_and(|d| d.header.opcode == Opcode::COPY_FILE_RANGE_64.0);
        match wide {
            true => request.reply_bytes(FuseCopyFileRangeOut { bytes_copied: count as u64 }.as_bytes()),
            false => request.reply_bytes(FuseWriteOut { size: count as u32, padding: 0 }.as_bytes()),
        }
    };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_write", reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_buf(req: FuseReqT, buf: *const c_char, size: size_t) -> c_int {
    if size == 0 {
        // SAFETY: as promised by the caller.
        return unsafe { answer(req, "fuse_reply_buf", Request::done) };
    }
    // SAFETY: as promised by the caller: `size` bytes, unless NULL.
    unsafe {
        answer_with(req, "fuse_reply_buf", buf, |request, start| {
            request.reply_bytes(slice::from_raw_parts(std::ptr::from_ref(start).cast(), size))
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_iov(req: FuseReqT, iov: *const iovec, count: c_int) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        // SAFETY: as promised by the caller.
        return unsafe { answer(req, "fuse_reply_iov", Request::done) };
    }
    // SAFETY: as promised by the caller; IoSlice has the layout of iovec.
    unsafe {
        answer_with(req, "fuse_reply_iov", iov, |request, first| {
            request.reply(slice::from_raw_parts(std::ptr::from_ref(first).cast(), count))
        })
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_data(req: FuseReqT, bufv: *mut FuseBufvec, flags: c_uint) -> c_int {
    // SAFETY: as promised by the caller; `start` has room for `size` bytes.
    unsafe {
        answer_with(req, "fuse_reply_data", bufv, |request, _| {
            let size = fuse_buf_size(bufv);
            request.reply_filled(size, |start, size| {
                let mut place = one_buffer(start.as_ptr(), size);
                let copied = fuse_buf_copy(&raw mut place, bufv, flags);
                usize::try_from(copied).map_err(|_| Errno::new(copied as i32))
            })
        })
    }
}

fn one_buffer(start: *mut u8, size: usize) -> FuseBufvec {
    FuseBufvec { count: 1, idx: 0, off: 0, buf: [FuseBuf::memory(start.cast(), size)] }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_statfs(req: FuseReqT, stbuf: *const statvfs) -> c_int {
    let reply = |request: Request, stat: &statvfs| {
        request.reply_bytes(FuseStatfsOut { st: encode::statfs(stat) }.as_bytes())
    };
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_statfs", stbuf, reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_xattr(req: FuseReqT, count: size_t) -> c_int {
    let out = FuseGetxattrOut { size: count as u32, padding: 0 };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_xattr", |request| request.reply_bytes(out.as_bytes())) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_lock(req: FuseReqT, lock: *const flock) -> c_int {
    let reply = |request: Request, lock: &flock| {
        let mut lk = FuseFileLock { kind: u32::from(lock.l_type as u16), ..FuseFileLock::default() };
        if i32::from(lock.l_type) != libc::F_UNLCK {
            lk.start = lock.l_start as u64;
            // A length of 0 reaches to the end of any file.
            lk.end = match lock.l_len {
                0 => i64::MAX as u64,
                length => (lock.l_start.wrapping_add(length).wrapping_sub(1)) as u64,
            };
            lk.pid = lock.l_pid as u32;
        }
        request.reply_bytes(FuseLkOut { lk }.as_bytes())
    };
    // SAFETY: as promised by the caller.
    unsafe { answer_with(req, "fuse_reply_lock", lock, reply) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_bmap(req: FuseReqT, idx: u64) -> c_int {
    let out = FuseBmapOut { block: idx };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_bmap", |request| request.reply_bytes(out.as_bytes())) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_reply_lseek(req: FuseReqT, off: off_t) -> c_int {
    let out = FuseLseekOut { offset: off as u64 };
    // SAFETY: as promised by the caller.
    unsafe { answer(req, "fuse_reply_lseek", |request| request.reply_bytes(out.as_bytes())) }
}
