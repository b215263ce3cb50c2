// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the arguments of a request are in C: `struct fuse_file_info` and its like, made for one call and lent to it.

use super::super::types::{FuseBuf, FuseBufvec, FuseFileInfo, file_info};
use crate::wire::flags;
use crate::wire::{
    FuseFlushIn, FuseKstatfs, FuseLkIn, FuseReadIn, FuseReleaseIn, FuseSetattrIn, FuseStatfsOut, FuseWriteIn,
};

/// Data of a request as a vector. A filesystem does not write to it, though the type would let it.
pub fn one_buffer(data: &[u8]) -> FuseBufvec {
    let mem = data.as_ptr().cast_mut().cast();
    FuseBufvec { count: 1, idx: 0, off: 0, buf: [FuseBuf::memory(mem, data.len())] }
}

fn set_bit(fi: &mut FuseFileInfo, bit: u32, on: bool) {
    if on {
        fi.flag_bits |= bit;
    }
}

pub fn handle_of(fh: u64) -> FuseFileInfo {
    FuseFileInfo { fh, ..FuseFileInfo::default() }
}

pub fn opened(flags: u32, kernel_flags: u32) -> FuseFileInfo {
    let mut fi = FuseFileInfo { flags: flags as i32, ..FuseFileInfo::default() };
    set_bit(&mut fi, file_info::KILL_SUIDGID, kernel_flags & flags::OPEN_KILL_SUIDGID != 0);
    fi
}

pub fn reading(arg: &FuseReadIn) -> FuseFileInfo {
    let lock_owner = if arg.read_flags & flags::READ_LOCKOWNER != 0 { arg.lock_owner } else { 0 };
    FuseFileInfo { flags: arg.flags as i32, fh: arg.fh, lock_owner, ..FuseFileInfo::default() }
}

pub fn writing(arg: &FuseWriteIn) -> FuseFileInfo {
    let mut fi = handle_of(arg.fh);
    fi.flags = arg.flags as i32;
    fi.lock_owner = arg.lock_owner;
    set_bit(&mut fi, file_info::WRITEPAGE, arg.write_flags & flags::WRITE_CACHE != 0);
    set_bit(&mut fi, file_info::KILL_SUIDGID, arg.write_flags & flags::WRITE_KILL_SUIDGID != 0);
    fi
}

pub fn flushing(arg: &FuseFlushIn) -> FuseFileInfo {
    FuseFileInfo {
        fh: arg.fh,
        lock_owner: arg.lock_owner,
        flag_bits: file_info::FLUSH,
        ..FuseFileInfo::default()
    }
}

pub fn releasing(arg: &FuseReleaseIn) -> FuseFileInfo {
    let mut fi = FuseFileInfo { flags: arg.flags as i32, fh: arg.fh, ..FuseFileInfo::default() };
    fi.lock_owner = arg.lock_owner;
    set_bit(&mut fi, file_info::FLUSH, arg.release_flags & flags::RELEASE_FLUSH != 0);
    set_bit(&mut fi, file_info::FLOCK_RELEASE, arg.release_flags & flags::RELEASE_FLOCK_UNLOCK != 0);
    fi
}

pub fn releasing_dir(arg: &FuseReleaseIn) -> FuseFileInfo {
    FuseFileInfo { flags: arg.flags as i32, fh: arg.fh, ..FuseFileInfo::default() }
}

pub fn locking(arg: &FuseLkIn) -> FuseFileInfo {
    FuseFileInfo { fh: arg.fh, lock_owner: arg.owner, ..FuseFileInfo::default() }
}

pub fn posix_lock(arg: &FuseLkIn) -> libc::flock {
    let to_the_end = arg.lk.end == i64::MAX as u64;
    let length = arg.lk.end.wrapping_sub(arg.lk.start).wrapping_add(1);
    libc::flock {
        l_type: arg.lk.kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: arg.lk.start as i64,
        l_len: if to_the_end { 0 } else { length as i64 },
        l_pid: arg.lk.pid as i32,
    }
}

/// The values that a SETATTR carries; only those named by its `valid` mean anything.
pub fn wanted_stat(arg: &FuseSetattrIn) -> libc::stat {
    // SAFETY: all-zero is a value of this plain C struct.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    stat.st_mode = arg.mode;
    stat.st_uid = arg.uid;
    stat.st_gid = arg.gid;
    stat.st_size = arg.size as i64;
    (stat.st_atime, stat.st_atime_nsec) = (arg.atime as i64, i64::from(arg.atimensec));
    (stat.st_mtime, stat.st_mtime_nsec) = (arg.mtime as i64, i64::from(arg.mtimensec));
    (stat.st_ctime, stat.st_ctime_nsec) = (arg.ctime as i64, i64::from(arg.ctimensec));
    stat
}

pub fn default_statfs() -> FuseStatfsOut {
    FuseStatfsOut { st: FuseKstatfs { namelen: 255, bsize: 512, ..FuseKstatfs::default() } }
}
