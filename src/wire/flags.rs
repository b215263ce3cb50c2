// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bits and codes of the protocol, by the field they appear in.

/// `FuseInitIn` and `FuseInitOut`: bits 0 to 31 travel in `flags`, 32 to 63 in `flags2`.
pub mod init {
    pub const ASYNC_READ: u64 = 1 << 0;
    pub const POSIX_LOCKS: u64 = 1 << 1;
    pub const FILE_OPS: u64 = 1 << 2;
    pub const ATOMIC_O_TRUNC: u64 = 1 << 3;
    pub const EXPORT_SUPPORT: u64 = 1 << 4;
    pub const BIG_WRITES: u64 = 1 << 5;
    pub const DONT_MASK: u64 = 1 << 6;
    pub const SPLICE_WRITE: u64 = 1 << 7;
    pub const SPLICE_MOVE: u64 = 1 << 8;
    pub const SPLICE_READ: u64 = 1 << 9;
    pub const FLOCK_LOCKS: u64 = 1 << 10;
    pub const HAS_IOCTL_DIR: u64 = 1 << 11;
    pub const AUTO_INVAL_DATA: u64 = 1 << 12;
    pub const DO_READDIRPLUS: u64 = 1 << 13;
    pub const READDIRPLUS_AUTO: u64 = 1 << 14;
    pub const ASYNC_DIO: u64 = 1 << 15;
    pub const WRITEBACK_CACHE: u64 = 1 << 16;
    pub const NO_OPEN_SUPPORT: u64 = 1 << 17;
    pub const PARALLEL_DIROPS: u64 = 1 << 18;
    pub const HANDLE_KILLPRIV: u64 = 1 << 19;
    pub const POSIX_ACL: u64 = 1 << 20;
    pub const ABORT_ERROR: u64 = 1 << 21;
    pub const MAX_PAGES: u64 = 1 << 22;
    pub const CACHE_SYMLINKS: u64 = 1 << 23;
    pub const NO_OPENDIR_SUPPORT: u64 = 1 << 24;
    pub const EXPLICIT_INVAL_DATA: u64 = 1 << 25;
    pub const MAP_ALIGNMENT: u64 = 1 << 26;
    pub const SUBMOUNTS: u64 = 1 << 27;
    pub const HANDLE_KILLPRIV_V2: u64 = 1 << 28;
    pub const SETXATTR_EXT: u64 = 1 << 29;
    /// `flags2` is there and means something.
    pub const INIT_EXT: u64 = 1 << 30;
    pub const INIT_RESERVED: u64 = 1 << 31;
    pub const SECURITY_CTX: u64 = 1 << 32;
    pub const HAS_INODE_DAX: u64 = 1 << 33;
    pub const CREATE_SUPP_GROUP: u64 = 1 << 34;
    pub const HAS_EXPIRE_ONLY: u64 = 1 << 35;
    pub const DIRECT_IO_ALLOW_MMAP: u64 = 1 << 36;
    pub const PASSTHROUGH: u64 = 1 << 37;
    pub const NO_EXPORT_SUPPORT: u64 = 1 << 38;
    pub const HAS_RESEND: u64 = 1 << 39;
    pub const ALLOW_IDMAP: u64 = 1 << 40;
    pub const OVER_IO_URING: u64 = 1 << 41;
    pub const REQUEST_TIMEOUT: u64 = 1 << 42;
}

/// `CuseInitIn` and `CuseInitOut`.
pub mod cuse_init {
    pub const UNRESTRICTED_IOCTL: u32 = 1 << 0;
}

/// `FuseSetattrIn::valid`.
pub mod fattr {
    pub const MODE: u32 = 1 << 0;
    pub const UID: u32 = 1 << 1;
    pub const GID: u32 = 1 << 2;
    pub const SIZE: u32 = 1 << 3;
    pub const ATIME: u32 = 1 << 4;
    pub const MTIME: u32 = 1 << 5;
    pub const FH: u32 = 1 << 6;
    pub const ATIME_NOW: u32 = 1 << 7;
    pub const MTIME_NOW: u32 = 1 << 8;
    pub const LOCKOWNER: u32 = 1 << 9;
    pub const CTIME: u32 = 1 << 10;
    pub const KILL_SUIDGID: u32 = 1 << 11;
}

/// `FuseOpenOut::open_flags`.
pub mod fopen {
    pub const DIRECT_IO: u32 = 1 << 0;
    pub const KEEP_CACHE: u32 = 1 << 1;
    pub const NONSEEKABLE: u32 = 1 << 2;
    pub const CACHE_DIR: u32 = 1 << 3;
    pub const STREAM: u32 = 1 << 4;
    pub const NOFLUSH: u32 = 1 << 5;
    pub const PARALLEL_DIRECT_WRITES: u32 = 1 << 6;
    pub const PASSTHROUGH: u32 = 1 << 7;
}

/// `FuseOpenIn::open_flags` and `FuseCreateIn::open_flags`.
pub const OPEN_KILL_SUIDGID: u32 = 1 << 0;

/// `FuseReleaseIn::release_flags`.
pub const RELEASE_FLUSH: u32 = 1 << 0;
pub const RELEASE_FLOCK_UNLOCK: u32 = 1 << 1;

/// `FuseGetattrIn::getattr_flags`.
pub const GETATTR_FH: u32 = 1 << 0;

/// `FuseLkIn::lk_flags`.
pub const LK_FLOCK: u32 = 1 << 0;

/// `FuseWriteIn::write_flags`.
pub const WRITE_CACHE: u32 = 1 << 0;
pub const WRITE_LOCKOWNER: u32 = 1 << 1;
pub const WRITE_KILL_SUIDGID: u32 = 1 << 2;

/// `FuseReadIn::read_flags`.
pub const READ_LOCKOWNER: u32 = 1 << 1;

/// `FuseIoctlIn::flags` and `FuseIoctlOut::flags`.
pub mod ioctl {
    pub const COMPAT: u32 = 1 << 0;
    pub const UNRESTRICTED: u32 = 1 << 1;
    pub const RETRY: u32 = 1 << 2;
    pub const THIRTYTWO_BIT: u32 = 1 << 3;
    pub const DIR: u32 = 1 << 4;
    pub const COMPAT_X32: u32 = 1 << 5;

    /// Input and output vectors of one retry, together.
    pub const MAX_IOV: usize = 256;
}

/// `FusePollIn::flags`.
pub const POLL_SCHEDULE_NOTIFY: u32 = 1 << 0;

/// `FuseFsyncIn::fsync_flags`.
pub const FSYNC_FDATASYNC: u32 = 1 << 0;

/// `FuseAttr::flags`.
pub const ATTR_SUBMOUNT: u32 = 1 << 0;
pub const ATTR_DAX: u32 = 1 << 1;

/// `FuseSetxattrIn::setxattr_flags`.
pub const SETXATTR_ACL_KILL_SGID: u32 = 1 << 0;

/// `FuseNotifyInvalEntryOut::flags`.
pub const EXPIRE_ONLY: u32 = 1 << 0;

/// `FuseExtHeader::kind`: up to the first it is a number of security contexts.
pub const MAX_NR_SECCTX: u32 = 31;
pub const EXT_GROUPS: u32 = 32;

/// `FuseSetupmappingIn::flags`.
pub const SETUPMAPPING_WRITE: u64 = 1 << 0;
pub const SETUPMAPPING_READ: u64 = 1 << 1;

/// Set in `FuseInHeader::unique` of a request that is sent again.
pub const UNIQUE_RESEND: u64 = 1 << 63;

/// In `FuseInHeader::{uid, gid}` when an id has no mapping in the mount.
pub const INVALID_UIDGID: u32 = u32::MAX;

/// `FuseOutHeader::error` of a notification.
pub mod notify {
    pub const POLL: i32 = 1;
    pub const INVAL_INODE: i32 = 2;
    pub const INVAL_ENTRY: i32 = 3;
    pub const STORE: i32 = 4;
    pub const RETRIEVE: i32 = 5;
    pub const DELETE: i32 = 6;
    pub const RESEND: i32 = 7;
    pub const INC_EPOCH: i32 = 8;
    pub const PRUNE: i32 = 9;
}

/// ioctls of the device: the numbers that `_IOR(229, 0, u32)` and its like make.
pub mod dev_ioctl {
    pub const CLONE: u32 = 0x8004_E500;
    pub const BACKING_OPEN: u32 = 0x4010_E501;
    pub const BACKING_CLOSE: u32 = 0x4004_E502;
}
