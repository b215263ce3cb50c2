// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structures of the public headers as Rust sees them: same members, same places.
//!
//! They are owned by the C program unless a function's documentation says otherwise; the assertions below and the
//! check header of the build hold them to `include/`.
//!
//! With `cfg(soname3)` they are those of libfuse 3.11 to 3.14, for programs that ask for `libfuse3.so.3`: see
//! `docs/soname3.md`.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{flock, off_t, size_t, ssize_t};

/// `struct fuse_req`: never dereferenced, a handle of `request::Request`.
#[repr(C)]
pub struct FuseReq {
    _opaque: [u8; 0],
}

/// `fuse_req_t`.
pub type FuseReqT = *mut FuseReq;
/// `fuse_ino_t`.
pub type FuseInoT = u64;

/// `struct fuse_pollhandle`, opaque to programs.
#[repr(C)]
pub struct FusePollhandle {
    _opaque: [u8; 0],
}

/// `struct libfuse_version`: what the headers of the caller say they are.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LibfuseVersion {
    pub major: u32,
    pub minor: u32,
    pub hotfix: u32,
    pub padding: u32,
}

/// `struct fuse_args`.
#[repr(C)]
pub struct FuseArgs {
    pub argc: c_int,
    pub argv: *mut *mut c_char,
    pub allocated: c_int,
}

/// `struct fuse_file_info`; `flag_bits` holds the bit-field that starts with `writepage`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct FuseFileInfo {
    pub flags: i32,
    pub flag_bits: u32,
    pub padding2: u32,
    pub padding3: u32,
    pub fh: u64,
    pub lock_owner: u64,
    pub poll_events: u32,
    #[cfg(not(soname3))]
    pub backing_id: i32,
    #[cfg(not(soname3))]
    pub compat_flags: u64,
    #[cfg(not(soname3))]
    pub reserved: [u64; 2],
}

impl FuseFileInfo {
    /// The file behind this one, or 0. Where older structures end in padding, what lies there says nothing.
    pub fn backing(&self) -> i32 {
        #[cfg(not(soname3))]
        return self.backing_id.max(0);
        #[cfg(soname3)]
        return 0;
    }
}

/// Bits of `FuseFileInfo::flag_bits`.
pub mod file_info {
    pub const WRITEPAGE: u32 = 1 << 0;
    pub const DIRECT_IO: u32 = 1 << 1;
    pub const KEEP_CACHE: u32 = 1 << 2;
    pub const FLUSH: u32 = 1 << 3;
    pub const NONSEEKABLE: u32 = 1 << 4;
    pub const FLOCK_RELEASE: u32 = 1 << 5;
    pub const CACHE_READDIR: u32 = 1 << 6;
    pub const NOFLUSH: u32 = 1 << 7;
    pub const PARALLEL_DIRECT_WRITES: u32 = if cfg!(soname3) { 0 } else { 1 << 8 };
    pub const KILL_SUIDGID: u32 = if cfg!(soname3) { 0 } else { 1 << 9 };
}

/// `struct fuse_conn_info`; `flag_bits` holds the bit-field that starts with `no_interrupt`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct FuseConnInfo {
    pub proto_major: u32,
    pub proto_minor: u32,
    pub max_write: u32,
    pub max_read: u32,
    pub max_readahead: u32,
    pub capable: u32,
    pub want: u32,
    pub max_background: u32,
    pub congestion_threshold: u32,
    pub time_gran: u32,
    pub max_backing_stack_depth: u32,
    pub flag_bits: u32,
    pub capable_ext: u64,
    pub want_ext: u64,
    pub request_timeout: u16,
    pub reserved: [u16; 31],
}

/// `struct fuse_entry_param`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FuseEntryParam {
    pub ino: FuseInoT,
    pub generation: u64,
    pub attr: libc::stat,
    pub attr_timeout: f64,
    pub entry_timeout: f64,
}

/// `struct fuse_ctx`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct FuseCtx {
    pub uid: libc::uid_t,
    pub gid: libc::gid_t,
    pub pid: libc::pid_t,
    pub umask: libc::mode_t,
}

/// `struct fuse_forget_data`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FuseForgetData {
    pub ino: FuseInoT,
    pub nlookup: u64,
}

/// `struct fuse_buf`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FuseBuf {
    pub size: size_t,
    pub flags: c_uint,
    pub mem: *mut c_void,
    pub fd: c_int,
    pub pos: off_t,
    #[cfg(not(soname3))]
    pub mem_size: size_t,
}

impl FuseBuf {
    /// Memory of so many bytes, all of them in use.
    pub fn memory(mem: *mut c_void, size: size_t) -> FuseBuf {
        FuseBuf {
            size,
            flags: 0,
            mem,
            fd: -1,
            pos: 0,
            #[cfg(not(soname3))]
            mem_size: size,
        }
    }

    /// How much memory there is, if its owner said so.
    pub fn room(&self) -> Option<size_t> {
        #[cfg(not(soname3))]
        return Some(self.mem_size).filter(|&size| size != 0);
        #[cfg(soname3)]
        return None;
    }

    pub fn set_room(&mut self, _size: size_t) {
        #[cfg(not(soname3))]
        {
            self.mem_size = _size;
        }
    }
}

/// `struct fuse_bufvec`: `count` buffers follow, the first of them in place.
#[repr(C)]
pub struct FuseBufvec {
    pub count: size_t,
    pub idx: size_t,
    pub off: size_t,
    pub buf: [FuseBuf; 1],
}

/// `struct fuse_custom_io`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct FuseCustomIo {
    pub writev: Option<unsafe extern "C" fn(c_int, *mut libc::iovec, c_int, *mut c_void) -> ssize_t>,
    pub read: Option<unsafe extern "C" fn(c_int, *mut c_void, size_t, *mut c_void) -> ssize_t>,
    pub splice_receive: Option<SpliceFn>,
    pub splice_send: Option<SpliceFn>,
    pub clone_fd: Option<unsafe extern "C" fn(c_int) -> c_int>,
}

/// As splice(2), and the program's pointer.
pub type SpliceFn =
    unsafe extern "C" fn(c_int, *mut off_t, c_int, *mut off_t, size_t, c_uint, *mut c_void) -> ssize_t;

/// `struct fuse_cmdline_opts` (the 3.0 form ends before `max_threads`).
#[repr(C)]
pub struct FuseCmdlineOpts {
    pub singlethread: c_int,
    pub foreground: c_int,
    pub debug: c_int,
    pub nodefault_subtype: c_int,
    pub mountpoint: *mut c_char,
    pub show_version: c_int,
    pub show_help: c_int,
    pub clone_fd: c_int,
    pub max_idle_threads: c_uint,
    pub max_threads: c_uint,
}

/// `struct fuse_loop_config_v1`: the public form before API 3.12.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FuseLoopConfigV1 {
    pub clone_fd: c_int,
    pub max_idle_threads: c_uint,
}

type Req = FuseReqT;
type Ino = FuseInoT;
type Fi = *mut FuseFileInfo;
type Name = *const c_char;

/// `struct fuse_lowlevel_ops`: null where the filesystem does not implement an operation.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct FuseLowlevelOps {
    pub init: Option<unsafe extern "C" fn(*mut c_void, *mut FuseConnInfo)>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub lookup: Option<unsafe extern "C" fn(Req, Ino, Name)>,
    pub forget: Option<unsafe extern "C" fn(Req, Ino, u64)>,
    pub getattr: Option<unsafe extern "C" fn(Req, Ino, Fi)>,
    pub setattr: Option<unsafe extern "C" fn(Req, Ino, *mut libc::stat, c_int, Fi)>,
    pub readlink: Option<unsafe extern "C" fn(Req, Ino)>,
    pub mknod: Option<unsafe extern "C" fn(Req, Ino, Name, libc::mode_t, libc::dev_t)>,
    pub mkdir: Option<unsafe extern "C" fn(Req, Ino, Name, libc::mode_t)>,
    pub unlink: Option<unsafe extern "C" fn(Req, Ino, Name)>,
    pub rmdir: Option<unsafe extern "C" fn(Req, Ino, Name)>,
    pub symlink: Option<unsafe extern "C" fn(Req, Name, Ino, Name)>,
    pub rename: Option<unsafe extern "C" fn(Req, Ino, Name, Ino, Name, c_uint)>,
    pub link: Option<unsafe extern "C" fn(Req, Ino, Ino, Name)>,
    pub open: Option<unsafe extern "C" fn(Req, Ino, Fi)>,
    pub read: Option<unsafe extern "C" fn(Req, Ino, size_t, off_t, Fi)>,
    pub write: Option<unsafe extern "C" fn(Req, Ino, *const c_char, size_t, off_t, Fi)>,
    pub flush: Option<unsafe extern "C" fn(Req, Ino, Fi)>,
    pub release: Option<unsafe extern "C" fn(Req, Ino, Fi)>,
    pub fsync: Option<unsafe extern "C" fn(Req, Ino, c_int, Fi)>,
    pub opendir: Option<unsafe extern "C" fn(Req, Ino, Fi)>,
    pub readdir: Option<unsafe extern "C" fn(Req, Ino, size_t, off_t, Fi)>,
    pub releasedir: Option<unsafe extern "C" fn(Req, Ino, Fi)>,
    pub fsyncdir: Option<unsafe extern "C" fn(Req, Ino, c_int, Fi)>,
    pub statfs: Option<unsafe extern "C" fn(Req, Ino)>,
    pub setxattr: Option<unsafe extern "C" fn(Req, Ino, Name, *const c_char, size_t, c_int)>,
    pub getxattr: Option<unsafe extern "C" fn(Req, Ino, Name, size_t)>,
    pub listxattr: Option<unsafe extern "C" fn(Req, Ino, size_t)>,
    pub removexattr: Option<unsafe extern "C" fn(Req, Ino, Name)>,
    pub access: Option<unsafe extern "C" fn(Req, Ino, c_int)>,
    pub create: Option<unsafe extern "C" fn(Req, Ino, Name, libc::mode_t, Fi)>,
    pub getlk: Option<unsafe extern "C" fn(Req, Ino, Fi, *mut flock)>,
    pub setlk: Option<unsafe extern "C" fn(Req, Ino, Fi, *mut flock, c_int)>,
    pub bmap: Option<unsafe extern "C" fn(Req, Ino, size_t, u64)>,
    pub ioctl: Option<IoctlFn>,
    pub poll: Option<unsafe extern "C" fn(Req, Ino, Fi, *mut FusePollhandle)>,
    pub write_buf: Option<unsafe extern "C" fn(Req, Ino, *mut FuseBufvec, off_t, Fi)>,
    pub retrieve_reply: Option<unsafe extern "C" fn(Req, *mut c_void, Ino, off_t, *mut FuseBufvec)>,
    pub forget_multi: Option<unsafe extern "C" fn(Req, size_t, *mut FuseForgetData)>,
    pub flock: Option<unsafe extern "C" fn(Req, Ino, Fi, c_int)>,
    pub fallocate: Option<unsafe extern "C" fn(Req, Ino, c_int, off_t, off_t, Fi)>,
    pub readdirplus: Option<unsafe extern "C" fn(Req, Ino, size_t, off_t, Fi)>,
    pub copy_file_range: Option<CopyFileRangeFn>,
    pub lseek: Option<unsafe extern "C" fn(Req, Ino, off_t, c_int, Fi)>,
    pub tmpfile: Option<unsafe extern "C" fn(Req, Ino, libc::mode_t, Fi)>,
    pub statx: Option<unsafe extern "C" fn(Req, Ino, c_int, c_int, Fi)>,
}

type IoctlFn = unsafe extern "C" fn(Req, Ino, c_uint, *mut c_void, Fi, c_uint, *const c_void, size_t, size_t);
type CopyFileRangeFn = unsafe extern "C" fn(Req, Ino, off_t, Fi, Ino, off_t, Fi, size_t, c_int);

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<FuseArgs>() == 24);
    assert!(size_of::<FuseFileInfo>() == if cfg!(soname3) { 40 } else { 64 });
    assert!(offset_of!(FuseFileInfo, fh) == 16 && offset_of!(FuseFileInfo, poll_events) == 32);
    assert!(size_of::<FuseConnInfo>() == 128 && offset_of!(FuseConnInfo, capable_ext) == 48);
    assert!(offset_of!(FuseConnInfo, flag_bits) == 44 && offset_of!(FuseConnInfo, request_timeout) == 64);
    assert!(size_of::<FuseEntryParam>() == 176 && offset_of!(FuseEntryParam, attr_timeout) == 160);
    assert!(size_of::<FuseCtx>() == 16 && size_of::<FuseForgetData>() == 16);
    assert!(size_of::<FuseBuf>() == if cfg!(soname3) { 40 } else { 48 });
    assert!(offset_of!(FuseBuf, pos) == 32 && offset_of!(FuseBufvec, buf) == 24);
    assert!(size_of::<FuseCustomIo>() == 40 && size_of::<FuseCmdlineOpts>() == 48);
    #[cfg(not(soname3))]
    assert!(offset_of!(FuseFileInfo, backing_id) == 36 && offset_of!(FuseBuf, mem_size) == 40);
    assert!(size_of::<FuseLowlevelOps>() == 368 && offset_of!(FuseLowlevelOps, write_buf) == 288);
    assert!(offset_of!(FuseLowlevelOps, statx) == 360 && size_of::<LibfuseVersion>() == 16);
};
