// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operations of a translating layer: each translates its paths and calls the layer below. Everything else that
//! is pointed to is the caller's, and is handed on as it is.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use libc::{dev_t, gid_t, mode_t, off_t, size_t, ssize_t, timespec, uid_t};

use super::super::super::types::{FuseBufvec, FuseFileInfo, FusePollhandle};
use super::super::fs::*;
use super::super::types::{FuseFillDirFlags, FuseFillDirT, FuseOperations, FuseReaddirFlags};
use super::{Layer, Translate};

type Path = *const c_char;
type Fi = *mut FuseFileInfo;

/// An operation on one path.
macro_rules! hand_on {
    ($($name:ident => $next:ident ( $($arg:ident : $type:ty),* ) -> $result:ty;)*) => { $(
        unsafe extern "C" fn $name(path: Path $(, $arg: $type)*) -> $result {
            // SAFETY: an operation of ours, with what `fuse_fs_*` was given.
            unsafe {
                let layer = Layer::current();
                match layer.path(path) {
                    Ok(path) => $next(layer.below, path.as_ptr() $(, $arg)*),
                    Err(e) => <$result>::from(e.negated()),
                }
            }
        }
    )* };
}

hand_on! {
    getattr => fuse_fs_getattr(buf: *mut libc::stat, fi: Fi) -> c_int;
    access => fuse_fs_access(mask: c_int) -> c_int;
    mknod => fuse_fs_mknod(mode: mode_t, rdev: dev_t) -> c_int;
    mkdir => fuse_fs_mkdir(mode: mode_t) -> c_int;
    unlink => fuse_fs_unlink() -> c_int;
    rmdir => fuse_fs_rmdir() -> c_int;
    chmod => fuse_fs_chmod(mode: mode_t, fi: Fi) -> c_int;
    chown => fuse_fs_chown(uid: uid_t, gid: gid_t, fi: Fi) -> c_int;
    truncate => fuse_fs_truncate(size: off_t, fi: Fi) -> c_int;
    utimens => fuse_fs_utimens(tv: *const timespec, fi: Fi) -> c_int;
    create => fuse_fs_create(mode: mode_t, fi: Fi) -> c_int;
    open => fuse_fs_open(fi: Fi) -> c_int;
    read_buf => fuse_fs_read_buf(bufp: *mut *mut FuseBufvec, size: size_t, off: off_t, fi: Fi) -> c_int;
    write_buf => fuse_fs_write_buf(buf: *mut FuseBufvec, off: off_t, fi: Fi) -> c_int;
    statfs => fuse_fs_statfs(buf: *mut libc::statvfs) -> c_int;
    flush => fuse_fs_flush(fi: Fi) -> c_int;
    release => fuse_fs_release(fi: Fi) -> c_int;
    fsync => fuse_fs_fsync(datasync: c_int, fi: Fi) -> c_int;
    setxattr => fuse_fs_setxattr(name: Path, value: Path, size: size_t, flags: c_int) -> c_int;
    getxattr => fuse_fs_getxattr(name: Path, value: *mut c_char, size: size_t) -> c_int;
    listxattr => fuse_fs_listxattr(list: *mut c_char, size: size_t) -> c_int;
    removexattr => fuse_fs_removexattr(name: Path) -> c_int;
    lock => fuse_fs_lock(fi: Fi, cmd: c_int, lock: *mut libc::flock) -> c_int;
    flock => fuse_fs_flock(fi: Fi, op: c_int) -> c_int;
    bmap => fuse_fs_bmap(blocksize: size_t, idx: *mut u64) -> c_int;
    ioctl => fuse_fs_ioctl(cmd: c_uint, arg: *mut c_void, fi: Fi, flags: c_uint, data: *mut c_void) -> c_int;
    poll => fuse_fs_poll(fi: Fi, ph: *mut FusePollhandle, reventsp: *mut c_uint) -> c_int;
    fallocate => fuse_fs_fallocate(mode: c_int, offset: off_t, length: off_t, fi: Fi) -> c_int;
    lseek => fuse_fs_lseek(off: off_t, whence: c_int, fi: Fi) -> off_t;
    statx => fuse_fs_statx(flags: c_int, mask: c_int, stxbuf: *mut libc::statx, fi: Fi) -> c_int;
    opendir => fuse_fs_opendir(fi: Fi) -> c_int;
    fsyncdir => fuse_fs_fsyncdir(datasync: c_int, fi: Fi) -> c_int;
    releasedir => fuse_fs_releasedir(fi: Fi) -> c_int;
}

/// An operation on two paths.
unsafe fn two(first: Path, second: Path, call: impl FnOnce(*mut FuseFs, Path, Path) -> c_int) -> c_int {
    // SAFETY: an operation of ours, with what `fuse_fs_*` was given.
    unsafe {
        let layer = Layer::current();
        match (layer.path(first), layer.path(second)) {
            (Ok(first), Ok(second)) => call(layer.below, first.as_ptr(), second.as_ptr()),
            (Err(e), _) | (_, Err(e)) => e.negated(),
        }
    }
}

unsafe extern "C" fn rename(from: Path, to: Path, flags: c_uint) -> c_int {
    // SAFETY: translated paths of ours.
    unsafe { two(from, to, |below, from, to| fuse_fs_rename(below, from, to, flags)) }
}

unsafe extern "C" fn link(from: Path, to: Path) -> c_int {
    // SAFETY: translated paths of ours.
    unsafe { two(from, to, |below, from, to| fuse_fs_link(below, from, to)) }
}

unsafe extern "C" fn symlink(target: Path, path: Path) -> c_int {
    // SAFETY: an operation of ours, with what `fuse_fs_*` was given.
    unsafe {
        let layer = Layer::current();
        match (layer.translate.target(CStr::from_ptr(target)), layer.path(path)) {
            (Ok(target), Ok(path)) => fuse_fs_symlink(layer.below, target.as_ptr(), path.as_ptr()),
            (Err(e), _) | (_, Err(e)) => e.negated(),
        }
    }
}

unsafe extern "C" fn readlink(path: Path, buf: *mut c_char, size: size_t) -> c_int {
    // SAFETY: an operation of ours, with what `fuse_fs_*` was given.
    unsafe {
        let layer = Layer::current();
        let path = match layer.path(path) {
            Ok(path) => path,
            Err(e) => return e.negated(),
        };
        let result = fuse_fs_readlink(layer.below, path.as_ptr(), buf, size);
        if result != 0 || size == 0 {
            return result;
        }
        let target = match layer.translate.target_of(path.0.as_deref().unwrap_or(c""), CStr::from_ptr(buf)) {
            Ok(target) => target,
            Err(e) => return e.negated(),
        };
        let length = target.count_bytes().min(size - 1);
        std::ptr::copy_nonoverlapping(target.as_ptr(), buf, length);
        *buf.add(length) = 0;
        0
    }
}

unsafe extern "C" fn copy_file_range(
    path_in: Path,
    fi_in: Fi,
    off_in: off_t,
    path_out: Path,
    fi_out: Fi,
    off_out: off_t,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: an operation of ours, with what `fuse_fs_*` was given.
    unsafe {
        let layer = Layer::current();
        match (layer.path(path_in), layer.path(path_out)) {
            (Ok(from), Ok(to)) => fuse_fs_copy_file_range(
                layer.below,
                from.as_ptr(),
                fi_in,
                off_in,
                to.as_ptr(),
                fi_out,
                off_out,
                len,
                flags,
            ),
            (Err(e), _) | (_, Err(e)) => e.negated() as ssize_t,
        }
    }
}

/// What stands between the filler above and the layer below, for the time of one readdir.
struct Filling<'a> {
    translate: &'a dyn Translate,
    filler: FuseFillDirT,
    buf: *mut c_void,
}

/// Names that can't be translated are left out: nobody above could ask for them.
unsafe extern "C" fn fill(
    filling: *mut c_void,
    name: *const c_char,
    stat: *const libc::stat,
    off: off_t,
    flags: FuseFillDirFlags,
) -> c_int {
    // SAFETY: what `readdir` below handed down, and what the layer below says.
    unsafe {
        let filling = &*filling.cast::<Filling>();
        let (Some(filler), Ok(name)) = (filling.filler, filling.translate.entry(CStr::from_ptr(name))) else {
            return 0;
        };
        filler(filling.buf, name.as_ptr(), stat, off, flags)
    }
}

unsafe extern "C" fn readdir(
    path: Path,
    buf: *mut c_void,
    filler: FuseFillDirT,
    off: off_t,
    fi: Fi,
    flags: FuseReaddirFlags,
) -> c_int {
    // SAFETY: an operation of ours, with what `fuse_fs_*` was given.
    unsafe {
        let layer = Layer::current();
        let path = match layer.path(path) {
            Ok(path) => path,
            Err(e) => return e.negated(),
        };
        if layer.translate.keeps_entries() {
            return fuse_fs_readdir(layer.below, path.as_ptr(), buf, filler, off, fi, flags);
        }
        let mut filling = Filling { translate: &*layer.translate, filler, buf };
        fuse_fs_readdir(layer.below, path.as_ptr(), (&raw mut filling).cast(), Some(fill), off, fi, flags)
    }
}

/// All operations but read and write, which arrive as read_buf and write_buf.
pub static TABLE: FuseOperations = FuseOperations {
    getattr: Some(getattr),
    access: Some(access),
    mknod: Some(mknod),
    mkdir: Some(mkdir),
    unlink: Some(unlink),
    rmdir: Some(rmdir),
    chmod: Some(chmod),
    chown: Some(chown),
    truncate: Some(truncate),
    utimens: Some(utimens),
    create: Some(create),
    open: Some(open),
    read_buf: Some(read_buf),
    write_buf: Some(write_buf),
    statfs: Some(statfs),
    flush: Some(flush),
    release: Some(release),
    fsync: Some(fsync),
    setxattr: Some(setxattr),
    getxattr: Some(getxattr),
    listxattr: Some(listxattr),
    removexattr: Some(removexattr),
    lock: Some(lock),
    flock: Some(flock),
    bmap: Some(bmap),
    ioctl: Some(ioctl),
    poll: Some(poll),
    fallocate: Some(fallocate),
    lseek: Some(lseek),
    statx: Some(statx),
    opendir: Some(opendir),
    fsyncdir: Some(fsyncdir),
    releasedir: Some(releasedir),
    rename: Some(rename),
    link: Some(link),
    symlink: Some(symlink),
    readlink: Some(readlink),
    copy_file_range: Some(copy_file_range),
    readdir: Some(readdir),
    init: Some(super::init),
    destroy: Some(super::destroy),
    read: None,
    write: None,
};
