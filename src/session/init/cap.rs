// SPDX-License-Identifier: MIT OR Apache-2.0
//! Capabilities: the bits of `capable_ext` and `want_ext`, and the INIT flags they stand for.

use super::{Config, Has, Kernel};
use crate::wire::flags::init as flag;

pub const ASYNC_READ: u64 = 1 << 0;
pub const POSIX_LOCKS: u64 = 1 << 1;
pub const ATOMIC_O_TRUNC: u64 = 1 << 3;
pub const EXPORT_SUPPORT: u64 = 1 << 4;
pub const DONT_MASK: u64 = 1 << 6;
pub const SPLICE_WRITE: u64 = 1 << 7;
pub const SPLICE_MOVE: u64 = 1 << 8;
pub const SPLICE_READ: u64 = 1 << 9;
pub const FLOCK_LOCKS: u64 = 1 << 10;
pub const IOCTL_DIR: u64 = 1 << 11;
pub const AUTO_INVAL_DATA: u64 = 1 << 12;
pub const READDIRPLUS: u64 = 1 << 13;
pub const READDIRPLUS_AUTO: u64 = 1 << 14;
pub const ASYNC_DIO: u64 = 1 << 15;
pub const WRITEBACK_CACHE: u64 = 1 << 16;
pub const NO_OPEN_SUPPORT: u64 = 1 << 17;
pub const PARALLEL_DIROPS: u64 = 1 << 18;
pub const POSIX_ACL: u64 = 1 << 19;
pub const HANDLE_KILLPRIV: u64 = 1 << 20;
pub const HANDLE_KILLPRIV_V2: u64 = 1 << 21;
pub const CACHE_SYMLINKS: u64 = 1 << 23;
pub const NO_OPENDIR_SUPPORT: u64 = 1 << 24;
pub const EXPLICIT_INVAL_DATA: u64 = 1 << 25;
pub const EXPIRE_ONLY: u64 = 1 << 26;
pub const SETXATTR_EXT: u64 = 1 << 27;
pub const DIRECT_IO_ALLOW_MMAP: u64 = 1 << 28;
pub const PASSTHROUGH: u64 = 1 << 29;
pub const NO_EXPORT_SUPPORT: u64 = 1 << 30;
pub const OVER_IO_URING: u64 = 1 << 31;

/// What the kernel makes of it when the filesystem wants a capability.
enum Reply {
    /// The flag is sent back.
    Echo,
    /// Nothing: the flag only tells what the kernel can do.
    Silent,
}
use Reply::{Echo, Silent};

/// The ring's flag is not echoed by this table: whether it is used is for `finish` to decide.
const TABLE: &[(u64, u64, Reply)] = &[
    (ASYNC_READ, flag::ASYNC_READ, Echo),
    (POSIX_LOCKS, flag::POSIX_LOCKS, Echo),
    (ATOMIC_O_TRUNC, flag::ATOMIC_O_TRUNC, Echo),
    (EXPORT_SUPPORT, flag::EXPORT_SUPPORT, Echo),
    (DONT_MASK, flag::DONT_MASK, Echo),
    (FLOCK_LOCKS, flag::FLOCK_LOCKS, Echo),
    (AUTO_INVAL_DATA, flag::AUTO_INVAL_DATA, Echo),
    (READDIRPLUS, flag::DO_READDIRPLUS, Echo),
    (READDIRPLUS_AUTO, flag::READDIRPLUS_AUTO, Echo),
    (ASYNC_DIO, flag::ASYNC_DIO, Echo),
    (WRITEBACK_CACHE, flag::WRITEBACK_CACHE, Echo),
    (NO_OPEN_SUPPORT, flag::NO_OPEN_SUPPORT, Silent),
    (PARALLEL_DIROPS, flag::PARALLEL_DIROPS, Echo),
    (POSIX_ACL, flag::POSIX_ACL, Echo),
    (HANDLE_KILLPRIV, flag::HANDLE_KILLPRIV, Echo),
    (HANDLE_KILLPRIV_V2, flag::HANDLE_KILLPRIV_V2, Echo),
    (CACHE_SYMLINKS, flag::CACHE_SYMLINKS, Echo),
    (NO_OPENDIR_SUPPORT, flag::NO_OPENDIR_SUPPORT, Silent),
    (EXPLICIT_INVAL_DATA, flag::EXPLICIT_INVAL_DATA, Echo),
    (EXPIRE_ONLY, flag::HAS_EXPIRE_ONLY, Silent),
    (SETXATTR_EXT, flag::SETXATTR_EXT, Echo),
    (DIRECT_IO_ALLOW_MMAP, flag::DIRECT_IO_ALLOW_MMAP, Echo),
    (PASSTHROUGH, flag::PASSTHROUGH, Echo),
    (NO_EXPORT_SUPPORT, flag::NO_EXPORT_SUPPORT, Echo),
    (OVER_IO_URING, flag::OVER_IO_URING, Silent),
];

/// What can be had: by the kernel's flags, by its version, and by what the channel can do.
pub(super) fn capable(kernel: &Kernel, config: &Config) -> u64 {
    let mut caps =
        TABLE.iter().filter(|(_, flag, _)| kernel.flags & flag != 0).fold(0, |caps, (cap, _, _)| caps | cap);
    if kernel.minor >= 14 && config.splice_send {
        caps |= SPLICE_WRITE | SPLICE_MOVE;
    }
    if kernel.minor >= 14 && config.splice_receive {
        caps |= SPLICE_READ;
    }
    if kernel.minor >= 18 {
        caps |= IOCTL_DIR;
    }
    if kernel.minor >= 38 {
        caps |= EXPIRE_ONLY;
    }
    caps & config.allowed
}

/// What a filesystem gets that says nothing.
pub(super) fn default_want(has: &Has) -> u64 {
    let when = |condition: bool, caps: u64| if condition { caps } else { 0 };
    ASYNC_READ
        | ATOMIC_O_TRUNC
        | IOCTL_DIR
        | AUTO_INVAL_DATA
        | ASYNC_DIO
        | OVER_IO_URING
        | when(has.getlk && has.setlk, POSIX_LOCKS)
        | when(has.flock, FLOCK_LOCKS)
        | when(has.write_buf, SPLICE_READ)
        | when(has.readdirplus, READDIRPLUS)
        | when(has.readdirplus && has.readdir, READDIRPLUS_AUTO)
}

/// The INIT flags with which the kernel is told of what is wanted.
pub(super) fn reply_flags(want: u64) -> u64 {
    let echoed = TABLE.iter().filter(|(cap, _, reply)| want & cap != 0 && matches!(reply, Echo));
    echoed.fold(0, |flags, (_, flag, _)| flags | flag)
}
