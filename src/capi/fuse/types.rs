// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structures of `fuse.h` as Rust sees them: same members, same places.
//!
//! A table of operations is the program's, and copied; a configuration is ours, shown to `init()`; a context is ours,
//! one for each thread.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{flock, mode_t, off_t, size_t, ssize_t};

use super::super::types::{FuseBufvec, FuseConnInfo, FuseFileInfo, FusePollhandle};
use super::fs::FuseFs;
use super::main::Fuse;

/// `enum fuse_readdir_flags`.
pub type FuseReaddirFlags = c_uint;
/// `enum fuse_fill_dir_flags`.
pub type FuseFillDirFlags = c_uint;

/// `FUSE_READDIR_PLUS`.
pub const READDIR_PLUS: FuseReaddirFlags = 1;
/// `FUSE_FILL_DIR_PLUS`.
pub const FILL_DIR_PLUS: FuseFillDirFlags = 1 << 1;

/// `fuse_fill_dir_t`.
pub type FuseFillDirT = Option<
    unsafe extern "C" fn(*mut c_void, *const c_char, *const libc::stat, off_t, FuseFillDirFlags) -> c_int,
>;

/// `fuse_module_factory_t`: options, and the layers below, ended by NULL.
pub type FuseModuleFactoryT =
    Option<unsafe extern "C" fn(*mut super::super::types::FuseArgs, *mut *mut FuseFs) -> *mut FuseFs>;

type Path = *const c_char;
type Fi = *mut FuseFileInfo;

/// `struct fuse_operations`: null where the filesystem does not implement an operation.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct FuseOperations {
    pub getattr: Option<unsafe extern "C" fn(Path, *mut libc::stat, Fi) -> c_int>,
    pub readlink: Option<unsafe extern "C" fn(Path, *mut c_char, size_t) -> c_int>,
    pub mknod: Option<unsafe extern "C" fn(Path, mode_t, libc::dev_t) -> c_int>,
    pub mkdir: Option<unsafe extern "C" fn(Path, mode_t) -> c_int>,
    pub unlink: Option<unsafe extern "C" fn(Path) -> c_int>,
    pub rmdir: Option<unsafe extern "C" fn(Path) -> c_int>,
    pub symlink: Option<unsafe extern "C" fn(Path, Path) -> c_int>,
    pub rename: Option<unsafe extern "C" fn(Path, Path, c_uint) -> c_int>,
    pub link: Option<unsafe extern "C" fn(Path, Path) -> c_int>,
    pub chmod: Option<unsafe extern "C" fn(Path, mode_t, Fi) -> c_int>,
    pub chown: Option<unsafe extern "C" fn(Path, libc::uid_t, libc::gid_t, Fi) -> c_int>,
    pub truncate: Option<unsafe extern "C" fn(Path, off_t, Fi) -> c_int>,
    pub open: Option<unsafe extern "C" fn(Path, Fi) -> c_int>,
    pub read: Option<unsafe extern "C" fn(Path, *mut c_char, size_t, off_t, Fi) -> c_int>,
    pub write: Option<unsafe extern "C" fn(Path, *const c_char, size_t, off_t, Fi) -> c_int>,
    pub statfs: Option<unsafe extern "C" fn(Path, *mut libc::statvfs) -> c_int>,
    pub flush: Option<unsafe extern "C" fn(Path, Fi) -> c_int>,
    pub release: Option<unsafe extern "C" fn(Path, Fi) -> c_int>,
    pub fsync: Option<unsafe extern "C" fn(Path, c_int, Fi) -> c_int>,
    pub setxattr: Option<unsafe extern "C" fn(Path, Path, *const c_char, size_t, c_int) -> c_int>,
    pub getxattr: Option<unsafe extern "C" fn(Path, Path, *mut c_char, size_t) -> c_int>,
    pub listxattr: Option<unsafe extern "C" fn(Path, *mut c_char, size_t) -> c_int>,
    pub removexattr: Option<unsafe extern "C" fn(Path, Path) -> c_int>,
    pub opendir: Option<unsafe extern "C" fn(Path, Fi) -> c_int>,
    pub readdir: Option<ReaddirFn>,
    pub releasedir: Option<unsafe extern "C" fn(Path, Fi) -> c_int>,
    pub fsyncdir: Option<unsafe extern "C" fn(Path, c_int, Fi) -> c_int>,
    pub init: Option<unsafe extern "C" fn(*mut FuseConnInfo, *mut FuseConfig) -> *mut c_void>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub access: Option<unsafe extern "C" fn(Path, c_int) -> c_int>,
    pub create: Option<unsafe extern "C" fn(Path, mode_t, Fi) -> c_int>,
    pub lock: Option<unsafe extern "C" fn(Path, Fi, c_int, *mut flock) -> c_int>,
    pub utimens: Option<unsafe extern "C" fn(Path, *const libc::timespec, Fi) -> c_int>,
    pub bmap: Option<unsafe extern "C" fn(Path, size_t, *mut u64) -> c_int>,
    pub ioctl: Option<unsafe extern "C" fn(Path, c_uint, *mut c_void, Fi, c_uint, *mut c_void) -> c_int>,
    pub poll: Option<unsafe extern "C" fn(Path, Fi, *mut FusePollhandle, *mut c_uint) -> c_int>,
    pub write_buf: Option<unsafe extern "C" fn(Path, *mut FuseBufvec, off_t, Fi) -> c_int>,
    pub read_buf: Option<unsafe extern "C" fn(Path, *mut *mut FuseBufvec, size_t, off_t, Fi) -> c_int>,
    pub flock: Option<unsafe extern "C" fn(Path, Fi, c_int) -> c_int>,
    pub fallocate: Option<unsafe extern "C" fn(Path, c_int, off_t, off_t, Fi) -> c_int>,
    pub copy_file_range: Option<CopyFileRangeFn>,
    pub lseek: Option<unsafe extern "C" fn(Path, off_t, c_int, Fi) -> off_t>,
    pub statx: Option<unsafe extern "C" fn(Path, c_int, c_int, *mut libc::statx, Fi) -> c_int>,
}

type ReaddirFn = unsafe extern "C" fn(Path, *mut c_void, FuseFillDirT, off_t, Fi, FuseReaddirFlags) -> c_int;
type CopyFileRangeFn = unsafe extern "C" fn(Path, Fi, off_t, Path, Fi, off_t, size_t, c_int) -> ssize_t;

/// `struct fuse_config`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FuseConfig {
    pub set_gid: i32,
    pub gid: u32,
    pub set_uid: i32,
    pub uid: u32,
    pub set_mode: i32,
    pub umask: u32,
    pub entry_timeout: f64,
    pub negative_timeout: f64,
    pub attr_timeout: f64,
    pub intr: i32,
    pub intr_signal: i32,
    pub remember: i32,
    pub hard_remove: i32,
    pub use_ino: i32,
    pub readdir_ino: i32,
    pub direct_io: i32,
    pub kernel_cache: i32,
    pub auto_cache: i32,
    #[cfg(soname3)]
    pub no_rofd_flush: i32,
    pub ac_attr_timeout_set: i32,
    pub ac_attr_timeout: f64,
    pub nullpath_ok: i32,
    pub show_help: i32,
    /// From malloc; owned by the `LibOptions` that it came with.
    pub modules: *mut c_char,
    pub debug: i32,
    /// The structure of the program ends here: what follows is ours.
    #[cfg(soname3)]
    pub end: u32,
    pub fmask: u32,
    pub dmask: u32,
    #[cfg(not(soname3))]
    pub no_rofd_flush: i32,
    pub parallel_direct_writes: i32,
    pub flags: u32,
    pub reserved: [u64; 48],
}

/// `struct fuse_context`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FuseContext {
    pub fuse: *mut Fuse,
    pub uid: libc::uid_t,
    pub gid: libc::gid_t,
    pub pid: libc::pid_t,
    pub private_data: *mut c_void,
    pub umask: mode_t,
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<FuseOperations>() == 344 && offset_of!(FuseOperations, init) == 216);
    assert!(offset_of!(FuseOperations, write_buf) == 288 && offset_of!(FuseOperations, statx) == 336);
    assert!(offset_of!(FuseConfig, auto_cache) == 80);
    #[cfg(not(soname3))]
    assert!(size_of::<FuseConfig>() == 520 && offset_of!(FuseConfig, ac_attr_timeout) == 88);
    #[cfg(not(soname3))]
    assert!(offset_of!(FuseConfig, modules) == 104 && offset_of!(FuseConfig, flags) == 132);
    #[cfg(soname3)]
    assert!(offset_of!(FuseConfig, no_rofd_flush) == 84 && offset_of!(FuseConfig, ac_attr_timeout) == 96);
    #[cfg(soname3)]
    assert!(offset_of!(FuseConfig, modules) == 112 && offset_of!(FuseConfig, fmask) == 128);
    assert!(size_of::<FuseContext>() == 40 && offset_of!(FuseContext, private_data) == 24);
};
