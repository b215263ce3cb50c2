// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel gets: the reply header, the fixed part of each reply, notifications, and the arguments of the
//! device's ioctls.

use std::mem::offset_of;

use super::pod::wire_struct;
use super::structs_in::FuseFileLock;

/// The reply to `INIT` grew twice: this is what a kernel before 7.5 takes, and what one before 7.23 takes.
pub const COMPAT_INIT_OUT_SIZE: usize = 8;
pub const COMPAT_22_INIT_OUT_SIZE: usize = 24;

wire_struct! {
    /// In front of every reply (`error` is 0 or negative) and every notification (`unique` is 0, `error` the code).
    FuseOutHeader: 16 { len: u32, error: i32, unique: u64 }

    FuseAttr: 88 {
        ino: u64,
        size: u64,
        blocks: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atimensec: u32,
        mtimensec: u32,
        ctimensec: u32,
        mode: u32,
        nlink: u32,
        uid: u32,
        gid: u32,
        rdev: u32,
        blksize: u32,
        flags: u32,
    }

    FuseSxTime: 16 { tv_sec: i64, tv_nsec: u32, reserved: i32 }

    /// Laid out like the kernel's `struct statx`.
    FuseStatx: 256 {
        mask: u32,
        blksize: u32,
        attributes: u64,
        nlink: u32,
        uid: u32,
        gid: u32,
        mode: u16,
        spare0: [u16; 1],
        ino: u64,
        size: u64,
        blocks: u64,
        attributes_mask: u64,
        atime: FuseSxTime,
        btime: FuseSxTime,
        ctime: FuseSxTime,
        mtime: FuseSxTime,
        rdev_major: u32,
        rdev_minor: u32,
        dev_major: u32,
        dev_minor: u32,
        spare2: [u64; 14],
    }

    FuseStatxOut: 288 {
        attr_valid: u64,
        attr_valid_nsec: u32,
        flags: u32,
        spare: [u64; 2],
        stat: FuseStatx,
    }

    FuseEntryOut: 128 {
        nodeid: u64,
        generation: u64,
        entry_valid: u64,
        attr_valid: u64,
        entry_valid_nsec: u32,
        attr_valid_nsec: u32,
        attr: FuseAttr,
    }

    FuseAttrOut: 104 { attr_valid: u64, attr_valid_nsec: u32, dummy: u32, attr: FuseAttr }

    FuseOpenOut: 16 { fh: u64, open_flags: u32, backing_id: i32 }

    FuseWriteOut: 8 { size: u32, padding: u32 }

    FuseKstatfs: 80 {
        blocks: u64,
        bfree: u64,
        bavail: u64,
        files: u64,
        ffree: u64,
        bsize: u32,
        namelen: u32,
        frsize: u32,
        padding: u32,
        spare: [u32; 6],
    }

    FuseStatfsOut: 80 { st: FuseKstatfs }

    FuseGetxattrOut: 8 { size: u32, padding: u32 }

    FuseLkOut: 24 { lk: FuseFileLock }

    FuseInitOut: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        max_background: u16,
        congestion_threshold: u16,
        max_write: u32,
        time_gran: u32,
        max_pages: u16,
        map_alignment: u16,
        flags2: u32,
        max_stack_depth: u32,
        request_timeout: u16,
        unused: [u16; 11],
    }

    CuseInitOut: 72 {
        major: u32,
        minor: u32,
        unused: u32,
        flags: u32,
        max_read: u32,
        max_write: u32,
        dev_major: u32,
        dev_minor: u32,
        spare: [u32; 10],
    }

    FuseBmapOut: 8 { block: u64 }

    FuseIoctlIovec: 16 { base: u64, len: u64 }

    FuseIoctlOut: 16 { result: i32, flags: u32, in_iovs: u32, out_iovs: u32 }

    FusePollOut: 8 { revents: u32, padding: u32 }

    FuseLseekOut: 8 { offset: u64 }

    /// The reply to `COPY_FILE_RANGE_64`; `COPY_FILE_RANGE` is answered with `FuseWriteOut`.
    FuseCopyFileRangeOut: 8 { bytes_copied: u64 }

    /// A directory entry; the name follows without terminator, then room up to the next multiple of eight.
    FuseDirent: 24 { ino: u64, off: u64, namelen: u32, kind: u32 }

    FuseDirentplus: 152 { entry_out: FuseEntryOut, dirent: FuseDirent }

    FuseNotifyPollWakeupOut: 8 { kh: u64 }

    FuseNotifyInvalInodeOut: 24 { ino: u64, off: i64, len: i64 }

    FuseNotifyInvalEntryOut: 16 { parent: u64, namelen: u32, flags: u32 }

    FuseNotifyDeleteOut: 24 { parent: u64, child: u64, namelen: u32, padding: u32 }

    FuseNotifyStoreOut: 24 { nodeid: u64, offset: u64, size: u32, padding: u32 }

    FuseNotifyRetrieveOut: 32 {
        notify_unique: u64,
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }

    /// That many node ids follow.
    FuseNotifyPruneOut: 16 { count: u32, padding: u32, spare: u64 }

    /// Argument of the ioctl that makes a file usable as the backing of another.
    FuseBackingMap: 16 { fd: i32, flags: u32, padding: u64 }
}

const _: () = {
    assert!(offset_of!(FuseAttr, atimensec) == 48);
    assert!(offset_of!(FuseAttr, mode) == 60);
    assert!(offset_of!(FuseAttr, flags) == 84);
    assert!(offset_of!(FuseStatx, mode) == 28);
    assert!(offset_of!(FuseStatx, ino) == 32);
    assert!(offset_of!(FuseStatx, atime) == 64);
    assert!(offset_of!(FuseStatx, rdev_major) == 128);
    assert!(offset_of!(FuseStatxOut, stat) == 32);
    assert!(offset_of!(FuseEntryOut, attr) == 40);
    assert!(offset_of!(FuseAttrOut, attr) == 16);
    assert!(offset_of!(FuseOpenOut, backing_id) == 12);
    assert!(offset_of!(FuseInitOut, max_background) == 16);
    assert!(offset_of!(FuseInitOut, max_write) == 20);
    assert!(offset_of!(FuseInitOut, max_pages) == 28);
    assert!(offset_of!(FuseInitOut, flags2) == 32);
    assert!(offset_of!(FuseInitOut, request_timeout) == 40);
    assert!(offset_of!(FuseDirentplus, dirent) == 128);
};
