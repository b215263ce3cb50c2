// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading and writing: a layer may do it with plain memory or with vectors of buffers, and is asked in either way.
//!
//! What `fuse_fs_read_buf` delivers is the caller's: the vector and its memory come from malloc. What is written is
//! the caller's all along.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use libc::{off_t, size_t};

use super::super::super::fuse_common::{BUF_IS_FD, fuse_buf_copy, fuse_buf_size};
use super::super::super::types::{FuseBuf, FuseBufvec, FuseFileInfo};
use super::{FuseFs, layer, trace};
use crate::log::error;

/// A vector of one buffer in memory.
fn memory(mem: *mut c_void, size: size_t) -> FuseBufvec {
    let mut buf = FuseBuf::memory(mem, size);
    // As FUSE_BUFVEC_INIT has it.
    buf.set_room(0);
    FuseBufvec { count: 1, idx: 0, off: 0, buf: [buf] }
}

/// Frees what a layer's read_buf delivered: each buffer in memory, and the vector.
///
/// # Safety
/// `bufv` is NULL, or a vector from malloc with such buffers.
pub unsafe fn free_bufvec(bufv: *mut FuseBufvec) {
    if bufv.is_null() {
        return;
    }
    // SAFETY: as promised; no reference is made, since only the first buffer is within the type.
    unsafe {
        let first = (&raw mut (*bufv).buf).cast::<FuseBuf>();
        for index in 0..(*bufv).count {
            let buffer = *first.add(index);
            if buffer.flags & BUF_IS_FD == 0 {
                libc::free(buffer.mem);
            }
        }
        libc::free(bufv.cast());
    }
}

/// No more than was asked for: the rest would be written where nobody expects it.
fn at_most(result: c_int, size: size_t, what: &str) -> c_int {
    if usize::try_from(result).is_ok_and(|length| length > size) {
        error!("fuse: {what} too many bytes: {result} instead of {size}");
        return -libc::EIO;
    }
    result
}

impl FuseFs {
    /// Logs a call of one of the functions below.
    fn traced(&self, operation: &str, shown: &[trace::Shown], call: impl FnOnce() -> c_int) -> c_int {
        if !self.debug() {
            return self.within(call);
        }
        trace::begin(operation, shown);
        let result = self.within(call);
        trace::end(operation, i64::from(result));
        result
    }
}

/// Reads into memory, through read_buf if there is one.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_read(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *mut c_char,
    size: size_t,
    off: off_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    use trace::Show;
    // SAFETY: as promised by the caller.
    unsafe {
        let Some(layer) = layer(fs, "fuse_fs_read") else {
            return -libc::EINVAL;
        };
        let shown = if layer.debug() {
            [path.show(), size.show(), off.show(), fi.show()]
        } else {
            [const { None }; 4]
        };
        let (read_buf, read) = (layer.ops.read_buf, layer.ops.read);
        let result = layer.traced("read", &shown, || match (read_buf, read) {
            (Some(read_buf), _) => {
                let mut from: *mut FuseBufvec = null_mut();
                let mut result = read_buf(path, &raw mut from, size, off, fi);
                if result == 0 && !from.is_null() {
                    let mut to = memory(buf.cast(), size);
                    result = fuse_buf_copy(&raw mut to, from, 0) as c_int;
                }
                free_bufvec(from);
                result
            }
            (None, Some(read)) => read(path, buf, size, off, fi),
            (None, None) => -libc::ENOSYS,
        });
        at_most(result, size, "read")
    }
}

/// Reads into buffers, which are made here if the layer has only read. Returns 0 or a negative error number.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_read_buf(
    fs: *mut FuseFs,
    path: *const c_char,
    bufp: *mut *mut FuseBufvec,
    size: size_t,
    off: off_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    use trace::Show;
    // SAFETY: as promised by the caller.
    unsafe {
        let Some(layer) = layer(fs, "fuse_fs_read_buf").filter(|_| !bufp.is_null()) else {
            return -libc::EINVAL;
        };
        let shown = if layer.debug() {
            [path.show(), size.show(), off.show(), fi.show()]
        } else {
            [const { None }; 4]
        };
        let (read_buf, read) = (layer.ops.read_buf, layer.ops.read);
        let result = layer.traced("read", &shown, || match (read_buf, read) {
            (Some(read_buf), _) => read_buf(path, bufp, size, off, fi),
            (None, Some(read)) => {
                let into = allocate(size);
                if into.is_null() {
                    return -libc::ENOMEM;
                }
                *bufp = into;
                let mem = (*into).buf[0].mem;
                let result = at_most(read(path, mem.cast(), size, off, fi), size, "read");
                (*into).buf[0].size = usize::try_from(result).unwrap_or(0);
                result
            }
            (None, None) => -libc::ENOSYS,
        });
        if result < 0 {
            return result;
        }
        if !(*bufp).is_null() && fuse_buf_size(*bufp) > size {
            error!("fuse: read_buf delivered more than {size} bytes");
            return -libc::EIO;
        }
        0
    }
}

/// A vector with one buffer of `size` bytes, both from malloc; NULL without memory.
unsafe fn allocate(size: size_t) -> *mut FuseBufvec {
    // SAFETY: what malloc delivered is checked, and written before it is read.
    unsafe {
        let bufv = libc::malloc(size_of::<FuseBufvec>()).cast::<FuseBufvec>();
        let mem = libc::malloc(size.max(1));
        if bufv.is_null() || mem.is_null() {
            libc::free(mem);
            libc::free(bufv.cast());
            return null_mut();
        }
        bufv.write(memory(mem, size));
        bufv
    }
}

/// Writes from memory, through write_buf if there is one.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_write(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *const c_char,
    size: size_t,
    off: off_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    let mut from = memory(buf.cast_mut().cast(), size);
    // SAFETY: as promised by the caller.
    unsafe { fuse_fs_write_buf(fs, path, &raw mut from, off, fi) }
}

/// Writes from buffers, which are joined in memory if the layer has only write.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_write_buf(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *mut FuseBufvec,
    off: off_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    use trace::Show;
    // SAFETY: as promised by the caller.
    unsafe {
        let Some(layer) = layer(fs, "fuse_fs_write_buf").filter(|_| !buf.is_null()) else {
            return -libc::EINVAL;
        };
        let size = fuse_buf_size(buf);
        let shown = if layer.debug() {
            [path.show(), size.show(), off.show(), fi.show()]
        } else {
            [const { None }; 4]
        };
        let (write_buf, write) = (layer.ops.write_buf, layer.ops.write);
        let result = layer.traced("write", &shown, || match (write_buf, write) {
            (Some(write_buf), _) => write_buf(path, buf, off, fi),
            (None, Some(write)) => with_flat(buf, size, |mem, length| write(path, mem, length, off, fi)),
            (None, None) => -libc::ENOSYS,
        });
        at_most(result, size, "wrote")
    }
}

/// Calls `write` with the bytes of a vector in one piece.
///
/// # Safety
/// `bufv` is valid, with all its buffers.
unsafe fn with_flat(
    bufv: *mut FuseBufvec,
    size: size_t,
    write: impl FnOnce(*const c_char, size_t) -> c_int,
) -> c_int {
    // SAFETY: as promised; the vector for the copy refers to memory that lives until `write` has returned.
    unsafe {
        let first = (*bufv).buf[0];
        if (*bufv).count == 1 && first.flags & BUF_IS_FD == 0 {
            return write(first.mem.cast(), first.size);
        }
        let mut bytes: Vec<u8> = Vec::new();
        if bytes.try_reserve_exact(size).is_err() {
            return -libc::ENOMEM;
        }
        let mut into = memory(bytes.as_mut_ptr().cast(), size);
        match fuse_buf_copy(&raw mut into, bufv, 0) {
            copied @ 0.. => write(bytes.as_ptr().cast(), copied as size_t),
            error => error as c_int,
        }
    }
}
