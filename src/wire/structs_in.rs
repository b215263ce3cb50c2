// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel sends: the request header and the fixed first argument of each request. Names, data and
//! directory contents follow those structs and have no type of their own.

use std::mem::offset_of;

use super::pod::wire_struct;

/// `SETXATTR` carries only `size` and `flags` unless `SETXATTR_EXT` was agreed on.
pub const COMPAT_SETXATTR_IN_SIZE: usize = 8;

wire_struct! {
    /// In front of every request. `len` counts this header, all arguments and the extensions.
    FuseInHeader: 40 {
        len: u32,
        opcode: u32,
        unique: u64,
        nodeid: u64,
        uid: u32,
        gid: u32,
        pid: u32,
        /// Length of the extensions at the end of the request, in units of eight bytes (since 7.38).
        total_extlen: u16,
        padding: u16,
    }

    FuseForgetIn: 8 { nlookup: u64 }

    /// One element of the array behind `FuseBatchForgetIn`.
    FuseForgetOne: 16 { nodeid: u64, nlookup: u64 }

    FuseBatchForgetIn: 8 { count: u32, dummy: u32 }

    /// `fh` means something only with `GETATTR_FH`.
    FuseGetattrIn: 16 { getattr_flags: u32, dummy: u32, fh: u64 }

    FuseStatxIn: 24 {
        getattr_flags: u32,
        reserved: u32,
        fh: u64,
        sx_flags: u32,
        sx_mask: u32,
    }

    FuseMknodIn: 16 { mode: u32, rdev: u32, umask: u32, padding: u32 }

    FuseMkdirIn: 8 { mode: u32, umask: u32 }

    FuseRenameIn: 8 { newdir: u64 }

    FuseRename2In: 16 { newdir: u64, flags: u32, padding: u32 }

    FuseLinkIn: 8 { oldnodeid: u64 }

    /// Which fields count is said by the `FATTR_*` bits in `valid`.
    FuseSetattrIn: 88 {
        valid: u32,
        padding: u32,
        fh: u64,
        size: u64,
        lock_owner: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atimensec: u32,
        mtimensec: u32,
        ctimensec: u32,
        mode: u32,
        unused4: u32,
        uid: u32,
        gid: u32,
        unused5: u32,
    }

    /// `flags` are those of open(2), `open_flags` are `OPEN_*`.
    FuseOpenIn: 8 { flags: u32, open_flags: u32 }

    FuseCreateIn: 16 { flags: u32, mode: u32, umask: u32, open_flags: u32 }

    FuseReleaseIn: 24 { fh: u64, flags: u32, release_flags: u32, lock_owner: u64 }

    FuseFlushIn: 24 { fh: u64, unused: u32, padding: u32, lock_owner: u64 }

    /// Also of `READDIR` and `READDIRPLUS`.
    FuseReadIn: 40 {
        fh: u64,
        offset: u64,
        size: u32,
        read_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }

    FuseWriteIn: 40 {
        fh: u64,
        offset: u64,
        size: u32,
        write_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }

    FuseFsyncIn: 16 { fh: u64, fsync_flags: u32, padding: u32 }

    FuseSetxattrIn: 16 { size: u32, flags: u32, setxattr_flags: u32, padding: u32 }

    /// Also of `LISTXATTR`.
    FuseGetxattrIn: 8 { size: u32, padding: u32 }

    FuseFileLock: 24 { start: u64, end: u64, kind: u32, pid: u32 }

    FuseLkIn: 48 { fh: u64, owner: u64, lk: FuseFileLock, lk_flags: u32, padding: u32 }

    FuseAccessIn: 8 { mask: u32, padding: u32 }

    /// Kernels before 7.36 send the first four fields only.
    FuseInitIn: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        flags2: u32,
        unused: [u32; 11],
    }

    CuseInitIn: 16 { major: u32, minor: u32, unused: u32, flags: u32 }

    /// `unique` is that of the request to interrupt.
    FuseInterruptIn: 8 { unique: u64 }

    FuseBmapIn: 16 { block: u64, blocksize: u32, padding: u32 }

    FuseIoctlIn: 32 {
        fh: u64,
        flags: u32,
        cmd: u32,
        arg: u64,
        in_size: u32,
        out_size: u32,
    }

    FusePollIn: 24 { fh: u64, kh: u64, flags: u32, events: u32 }

    FuseFallocateIn: 32 { fh: u64, offset: u64, length: u64, mode: u32, padding: u32 }

    /// The answer to a retrieve notification. As large as `FuseWriteIn`, and the data follows in the same way.
    FuseNotifyRetrieveIn: 40 {
        dummy1: u64,
        offset: u64,
        size: u32,
        dummy2: u32,
        dummy3: u64,
        dummy4: u64,
    }

    FuseLseekIn: 24 { fh: u64, offset: u64, whence: u32, padding: u32 }

    FuseCopyFileRangeIn: 56 {
        fh_in: u64,
        off_in: u64,
        nodeid_out: u64,
        fh_out: u64,
        off_out: u64,
        len: u64,
        flags: u64,
    }

    FuseSetupmappingIn: 40 { fh: u64, foffset: u64, len: u64, flags: u64, moffset: u64 }

    FuseRemovemappingIn: 4 { count: u32 }

    FuseRemovemappingOne: 16 { moffset: u64, len: u64 }

    FuseSyncfsIn: 8 { padding: u64 }

    /// One security context; its name and its label follow.
    FuseSecctx: 8 { size: u32, padding: u32 }

    /// An extension of security contexts: the second word is their number, at most `MAX_NR_SECCTX`.
    FuseSecctxHeader: 8 { size: u32, nr_secctx: u32 }

    /// In front of each extension. `size` counts this header.
    FuseExtHeader: 8 { size: u32, kind: u32 }

    /// The extension of type `EXT_GROUPS`; that many group ids follow.
    FuseSuppGroups: 4 { nr_groups: u32 }
}

const _: () = {
    assert!(offset_of!(FuseInHeader, unique) == 8);
    assert!(offset_of!(FuseInHeader, pid) == 32);
    assert!(offset_of!(FuseInHeader, total_extlen) == 36);
    assert!(offset_of!(FuseStatxIn, sx_mask) == 20);
    assert!(offset_of!(FuseSetattrIn, lock_owner) == 24);
    assert!(offset_of!(FuseSetattrIn, atimensec) == 56);
    assert!(offset_of!(FuseSetattrIn, mode) == 68);
    assert!(offset_of!(FuseSetattrIn, uid) == 76);
    assert!(offset_of!(FuseReadIn, lock_owner) == 24);
    assert!(offset_of!(FuseWriteIn, write_flags) == 20);
    assert!(offset_of!(FuseLkIn, lk) == 16);
    assert!(offset_of!(FuseLkIn, lk_flags) == 40);
    assert!(offset_of!(FuseInitIn, flags2) == 16);
    assert!(offset_of!(FuseIoctlIn, in_size) == 24);
    assert!(offset_of!(FuseCopyFileRangeIn, len) == 40);
    assert!(size_of::<FuseNotifyRetrieveIn>() == size_of::<FuseWriteIn>());
};
