// SPDX-License-Identifier: MIT OR Apache-2.0
//! POSIX locks and those of flock(2).

use std::ffi::{c_char, c_int};

use super::super::super::fuse_lowlevel::ops_args::{locking, posix_lock};
use super::super::super::types::FuseFileInfo;
use super::super::fs::{fuse_fs_flock, fuse_fs_lock};
use super::call::{Call, check, pointer};
use crate::path::Lock;
use crate::wire::flags::LK_FLOCK;
use crate::wire::{FuseFileLock, FuseLkIn, FuseLkOut};

/// The last byte of any file.
const END: u64 = i64::MAX as u64;

fn noted(arg: &FuseLkIn) -> Lock {
    Lock { kind: arg.lk.kind as i32, start: arg.lk.start, end: arg.lk.end, pid: arg.lk.pid, owner: arg.owner }
}

fn found(lock: &libc::flock) -> FuseFileLock {
    let kind = i32::from(lock.l_type);
    if kind == libc::F_UNLCK {
        return FuseFileLock { kind: kind as u32, ..FuseFileLock::default() };
    }
    // A length of 0 reaches to the end of any file.
    let end = match lock.l_len {
        0 => END,
        length => lock.l_start.wrapping_add(length).wrapping_sub(1) as u64,
    };
    FuseFileLock { start: lock.l_start as u64, end, kind: kind as u32, pid: lock.l_pid as u32 }
}

impl Call<'_> {
    pub(super) fn get_lock(self, arg: &FuseLkIn) {
        let conflict = self.id().map(|id| self.table().locks.conflict(id, &noted(arg)));
        let lk = match conflict {
            Err(e) => Err(e),
            Ok(Some(other)) => Ok(FuseFileLock {
                start: other.start,
                end: other.end,
                kind: other.kind as u32,
                pid: other.pid,
            }),
            Ok(None) => self.path_of_file().and_then(|path| {
                let (mut fi, mut lock) = (locking(arg), posix_lock(arg));
                let (fi, place) = (&raw mut fi, &raw mut lock);
                // SAFETY: the layer lives, path, file and lock are valid for the call.
                check(unsafe { fuse_fs_lock(self.fs, pointer(&path), fi, libc::F_GETLK, place) })?;
                Ok(found(&lock))
            }),
        };
        self.reply_with(lk.map(|lk| FuseLkOut { lk }));
    }

    pub(super) fn set_lock(self, arg: &FuseLkIn, wait: bool) {
        if arg.lk_flags & LK_FLOCK != 0 {
            return self.flock(arg, wait);
        }
        let result = self.path_of_file().and_then(|path| {
            let (mut fi, mut lock) = (locking(arg), posix_lock(arg));
            let cmd = if wait { libc::F_SETLKW } else { libc::F_SETLK };
            // SAFETY: the layer lives, path, file and lock are valid for the call.
            check(unsafe { fuse_fs_lock(self.fs, pointer(&path), &raw mut fi, cmd, &raw mut lock) })?;
            self.table().locks.set(self.id()?, noted(arg));
            Ok(())
        });
        self.finish(result);
    }

    fn flock(self, arg: &FuseLkIn, wait: bool) {
        let how = match arg.lk.kind as c_int {
            libc::F_RDLCK => libc::LOCK_SH,
            libc::F_WRLCK => libc::LOCK_EX,
            _ => libc::LOCK_UN,
        };
        let how = if wait { how } else { how | libc::LOCK_NB };
        let result = self.path_of_file().and_then(|path| {
            let mut fi = locking(arg);
            // SAFETY: the layer lives, path and file are valid for the call.
            check(unsafe { fuse_fs_flock(self.fs, pointer(&path), &raw mut fi, how) })
        });
        self.finish(result);
    }

    /// Gives back all POSIX locks of an owner who closes the file. False if the filesystem has none.
    pub(super) fn unlock_all(&self, path: *const c_char, fi: &mut FuseFileInfo) -> bool {
        let mut all = libc::flock {
            l_type: libc::F_UNLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // SAFETY: the layer lives, path, file and lock are valid for the call.
        let result = unsafe { fuse_fs_lock(self.fs, path, fi, libc::F_SETLK, &raw mut all) };
        if result == -libc::ENOSYS {
            return false;
        }
        if let Ok(id) = self.id() {
            let unlock = Lock { kind: libc::F_UNLCK, start: 0, end: END, pid: 0, owner: fi.lock_owner };
            self.table().locks.set(id, unlock);
        }
        true
    }
}
