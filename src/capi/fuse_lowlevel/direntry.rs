// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filling the buffer of a directory listing. The buffer is the program's.

use std::ffi::{CStr, c_char};
use std::slice;

use libc::{off_t, size_t, stat};

use super::super::types::{FuseEntryParam, FuseReqT};
use super::reply::entry_out;
use crate::log::error;
use crate::request::encode;
use crate::wire::{FuseEntryOut, Pod};

/// Adds an entry if there is room; returns its size in any case, and 0 for an entry that can't be.
///
/// # Safety
/// `buf` is NULL or has `bufsize` bytes, `name` is NULL or a string.
unsafe fn add(
    buf: *mut c_char,
    bufsize: size_t,
    name: *const c_char,
    lead: &[u8],
    stat: &stat,
    off: off_t,
) -> size_t {
    if name.is_null() {
        error!("fuse: fuse_add_direntry: name is NULL");
        return 0;
    }
    // SAFETY: as promised by the caller.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let size = encode::dirent_size(lead.len(), name);
    if !buf.is_null() && size <= bufsize {
        // SAFETY: `size` bytes are inside the buffer, and only written to.
        let room = unsafe { slice::from_raw_parts_mut(buf.cast::<u8>(), size) };
        encode::dirent(room, lead, stat.st_ino, stat.st_mode, off, name);
    }
    size
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_add_direntry(
    _req: FuseReqT,
    buf: *mut c_char,
    bufsize: size_t,
    name: *const c_char,
    stbuf: *const stat,
    off: off_t,
) -> size_t {
    // SAFETY: as promised by the caller; without attributes they are only asked for their size.
    unsafe {
        let none: stat = std::mem::zeroed();
        let buf = if stbuf.is_null() { std::ptr::null_mut() } else { buf };
        add(buf, bufsize, name, &[], stbuf.as_ref().unwrap_or(&none), off)
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_add_direntry_plus(
    _req: FuseReqT,
    buf: *mut c_char,
    bufsize: size_t,
    name: *const c_char,
    e: *const FuseEntryParam,
    off: off_t,
) -> size_t {
    // SAFETY: as promised by the caller.
    unsafe {
        match e.as_ref() {
            Some(e) => add(buf, bufsize, name, entry_out(e).as_bytes(), &e.attr, off),
            None => {
                let (none, lead): (stat, _) = (std::mem::zeroed(), FuseEntryOut::default());
                add(std::ptr::null_mut(), 0, name, lead.as_bytes(), &none, off)
            }
        }
    }
}
