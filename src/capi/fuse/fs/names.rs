// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions of `fuse.h` that call a layer's operations on paths. What they point to is the caller's, and is lent
//! to the operation until it returns.

use std::ffi::{c_char, c_int, c_uint};

use libc::{dev_t, gid_t, mode_t, off_t, size_t, timespec, uid_t};

use super::super::super::types::FuseFileInfo;
use super::{FuseFs, forward, layer, trace};

/// Attributes.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_getattr(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *mut libc::stat,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, getattr(path, buf, fi)) }
}

/// Target of a symbolic link.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_readlink(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *mut c_char,
    len: size_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, readlink(path, buf, len)) }
}

/// Makes a node.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_mknod(
    fs: *mut FuseFs,
    path: *const c_char,
    mode: mode_t,
    rdev: dev_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, mknod(path, mode, rdev)) }
}

/// Makes a directory.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_mkdir(fs: *mut FuseFs, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, mkdir(path, mode)) }
}

/// Removes a name.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_unlink(fs: *mut FuseFs, path: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, unlink(path)) }
}

/// Removes a directory.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_rmdir(fs: *mut FuseFs, path: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, rmdir(path)) }
}

/// Makes a symbolic link: its target, its name.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_symlink(
    fs: *mut FuseFs,
    linkname: *const c_char,
    path: *const c_char,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, symlink(linkname, path)) }
}

/// Renames.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_rename(
    fs: *mut FuseFs,
    oldpath: *const c_char,
    newpath: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, rename(oldpath, newpath, flags)) }
}

/// Makes a hard link.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_link(
    fs: *mut FuseFs,
    oldpath: *const c_char,
    newpath: *const c_char,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, link(oldpath, newpath)) }
}

/// Changes permissions.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_chmod(
    fs: *mut FuseFs,
    path: *const c_char,
    mode: mode_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, chmod(path, mode, fi)) }
}

/// Changes owner and group.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_chown(
    fs: *mut FuseFs,
    path: *const c_char,
    uid: uid_t,
    gid: gid_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, chown(path, uid, gid, fi)) }
}

/// Changes the size.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_truncate(
    fs: *mut FuseFs,
    path: *const c_char,
    size: off_t,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, truncate(path, size, fi)) }
}

/// Sets the times.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_utimens(
    fs: *mut FuseFs,
    path: *const c_char,
    tv: *const timespec,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, utimens(path, tv, fi)) }
}

/// Checks permissions.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_access(fs: *mut FuseFs, path: *const c_char, mask: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, access(path, mask)) }
}

/// Sets an extended attribute.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_setxattr(
    fs: *mut FuseFs,
    path: *const c_char,
    name: *const c_char,
    value: *const c_char,
    size: size_t,
    flags: c_int,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, setxattr(path, name, value.cast_mut(), size, flags)) }
}

/// Value of an extended attribute.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_getxattr(
    fs: *mut FuseFs,
    path: *const c_char,
    name: *const c_char,
    value: *mut c_char,
    size: size_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, getxattr(path, name, value, size)) }
}

/// Names of extended attributes.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_listxattr(
    fs: *mut FuseFs,
    path: *const c_char,
    list: *mut c_char,
    size: size_t,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, listxattr(path, list, size)) }
}

/// Removes an extended attribute.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_removexattr(
    fs: *mut FuseFs,
    path: *const c_char,
    name: *const c_char,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, removexattr(path, name)) }
}

/// Attributes for statx(2).
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_statx(
    fs: *mut FuseFs,
    path: *const c_char,
    flags: c_int,
    mask: c_int,
    stxbuf: *mut libc::statx,
    fi: *mut FuseFileInfo,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, statx(path, flags, mask, stxbuf, fi)) }
}

/// Number of a block on the device.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_bmap(
    fs: *mut FuseFs,
    path: *const c_char,
    blocksize: size_t,
    idx: *mut u64,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { forward!(fs, bmap(path, blocksize, idx)) }
}

/// State of the filesystem. A layer that does not know has names of at most 255 bytes.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_statfs(
    fs: *mut FuseFs,
    path: *const c_char,
    buf: *mut libc::statvfs,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        forward!(fs, statfs(path, buf), missing {
            (*buf).f_namemax = 255;
            (*buf).f_bsize = 512;
            0
        })
    }
}
