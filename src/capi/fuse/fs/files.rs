// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions of `fuse.h` that call a layer's operations on open files and directories. What they point to is the
//! caller's, and is lent to the operation until it returns.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{mode_t, off_t, size_t, ssize_t};

use super::super::super::types::{FuseFileInfo, FusePollhandle};
use super::super::types::{FuseFillDirT, FuseReaddirFlags};
use super::{FuseFs, forward, layer, trace};

/// Opens; nothing to do where the layer does not care.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_open(fs: *mut FuseFs, path: *const c_char, fi: *mut FuseFileInfo) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, open(path, fi), missing 0) }
}

/// Makes a regular file and opens it.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_create(
    fs: *mut FuseFs,
    path: *const c_char,
    mode: mode_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, create(path, mode, fi)) }
}

/// A descriptor is closed.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_flush(fs: *mut FuseFs, path: *const c_char, fi: *mut FuseFileInfo) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, flush(path, fi)) }
}

/// The open file ends.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_release(
    fs: *mut FuseFs,
    path: *const c_char,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, release(path, fi), missing 0) }
}

/// Makes data permanent.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_fsync(
    fs: *mut FuseFs,
    path: *const c_char,
    datasync: c_int,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, fsync(path, datasync, fi)) }
}

/// POSIX locks.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_lock(
    fs: *mut FuseFs,
    path: *const c_char,
    fi: *mut FuseFileInfo,
    cmd: c_int,
    lock: *mut libc::flock,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, lock(path, fi, cmd, lock)) }
}

/// Locks of flock(2).
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_flock(
    fs: *mut FuseFs,
    path: *const c_char,
    fi: *mut FuseFileInfo,
    op: c_int,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, flock(path, fi, op)) }
}

/// ioctl(2).
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_ioctl(
    fs: *mut FuseFs,
    path: *const c_char,
    cmd: c_uint,
    arg: *mut c_void,
    fi: *mut FuseFileInfo,
    flags: c_uint,
    data: *mut c_void,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, ioctl(path, cmd, arg, fi, flags, data)) }
}

/// Whether an open file is ready.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_poll(
    fs: *mut FuseFs,
    path: *const c_char,
    fi: *mut FuseFileInfo,
    ph: *mut FusePollhandle,
    reventsp: *mut c_uint,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, poll(path, fi, ph, reventsp)) }
}

/// Reserves or releases space.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_fallocate(
    fs: *mut FuseFs,
    path: *const c_char,
    mode: c_int,
    offset: off_t,
    length: off_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, fallocate(path, mode, offset, length, fi)) }
}

/// Copies between files.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_copy_file_range(
    fs: *mut FuseFs,
    path_in: *const c_char,
    fi_in: *mut FuseFileInfo,
    off_in: off_t,
    path_out: *const c_char,
    fi_out: *mut FuseFileInfo,
    off_out: off_t,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, copy_file_range(path_in, fi_in, off_in, path_out, fi_out, off_out, len, flags)) }
}

/// Finds data or a hole.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_lseek(
    fs: *mut FuseFs,
    path: *const c_char,
    off: off_t,
    whence: c_int,
    fi: *mut FuseFileInfo,
) -> off_t {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, lseek(path, off, whence, fi)) }
}

/// Opens a directory; nothing to do where the layer does not care.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_opendir(
    fs: *mut FuseFs,
    path: *const c_char,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, opendir(path, fi), missing 0) }
}

/// Entries of a directory.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_readdir(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *mut c_void,
    filler: FuseFillDirT,
    off: off_t,
    fi: *mut FuseFileInfo,
    flags: FuseReaddirFlags,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, readdir(path, buf, filler, off, fi, flags)) }
}

/// The open directory ends.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_releasedir(
    fs: *mut FuseFs,
    path: *const c_char,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, releasedir(path, fi), missing 0) }
}

/// Makes a directory permanent.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_fsyncdir(
    fs: *mut FuseFs,
    path: *const c_char,
    datasync: c_int,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, fsyncdir(path, datasync, fi)) }
}
