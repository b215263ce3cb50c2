// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes by open file, but for data and locks.

use std::ffi::{c_char, c_int};

use super::super::super::fuse_lowlevel::ops_args::{flushing, handle_of, opened, releasing};
use super::super::super::fuse_lowlevel::reply::open_out;
use super::super::super::types::{FuseFileInfo, file_info};
use super::super::fs::{
    fuse_fs_copy_file_range, fuse_fs_fallocate, fuse_fs_flush, fuse_fs_fsync, fuse_fs_getattr, fuse_fs_lseek,
    fuse_fs_open, fuse_fs_release,
};
use super::call::{Call, blank, check, count, pointer};
use crate::errno::Errno;
use crate::path::Target;
use crate::request::decode::Operation;
use crate::wire::{
    FuseCopyFileRangeIn, FuseCopyFileRangeOut, FuseFallocateIn, FuseFlushIn, FuseLseekIn, FuseLseekOut,
    FuseOpenIn, FuseReleaseIn, FuseWriteOut, Pod,
};

impl Call<'_> {
    pub(super) fn files(self, operation: Operation<'_>) {
        match operation {
            Operation::Open(arg) => self.open(&arg),
            Operation::Read(arg) => self.read(&arg),
            Operation::Write { arg, data } => self.write(&arg, data),
            Operation::Flush(arg) => self.flush(&arg),
            Operation::Release(arg) => self.release(&arg),
            Operation::Fsync { fh, datasync } => self.fsync(fh, datasync),
            Operation::FAllocate(arg) => self.fallocate(&arg),
            Operation::LSeek(arg) => self.lseek(&arg),
            Operation::CopyFileRange(arg) => self.copy_file_range(&arg, false),
            Operation::CopyFileRange64(arg) => self.copy_file_range(&arg, true),
            Operation::GetLk(arg) => self.get_lock(&arg),
            Operation::SetLk(arg) => self.set_lock(&arg, false),
            Operation::SetLkW(arg) => self.set_lock(&arg, true),
            _ => self.fail(Errno::new(libc::ENOSYS)),
        }
    }

    fn open(self, arg: &FuseOpenIn) {
        let mut fi = opened(arg.flags, arg.open_flags);
        let (id, locked) = match self.id().and_then(|id| Ok((id, self.path()?))) {
            Ok(found) => found,
            Err(e) => return self.fail(e),
        };
        let path = locked.path(0).as_ptr();
        // SAFETY: the layer lives, path and file are valid for the call.
        if let Err(e) = check(unsafe { fuse_fs_open(self.fs, path, &raw mut fi) }) {
            drop(locked);
            return self.fail(e);
        }
        self.open_flags(id, path, &mut fi);
        self.opened(id, fi.fh);
        let (high, fs) = (self.high, self.fs);
        if self.reply(&[open_out(&fi).as_bytes()]).is_err() {
            // Nobody will close it.
            high.table.opens.remove(id, fi.fh);
            // SAFETY: as above.
            unsafe { fuse_fs_release(fs, path, &raw mut fi) };
            drop(locked);
            high.close(fs, id);
        }
    }

    /// Counts an open file.
    pub(super) fn opened(&self, id: u32, fh: u64) {
        self.table().open(id);
        if self.settings.hard_remove {
            self.table().opens.add(id, fh);
        }
    }

    /// What the configuration says about a file that was just opened.
    pub(super) fn open_flags(&self, id: u32, path: *const c_char, fi: &mut FuseFileInfo) {
        let settings = self.settings;
        let mut set = |on: bool, bit: u32| {
            if on {
                fi.flag_bits |= bit;
            }
        };
        set(settings.direct_io, file_info::DIRECT_IO);
        set(settings.kernel_cache, file_info::KEEP_CACHE);
        set(settings.parallel_direct_writes, file_info::PARALLEL_DIRECT_WRITES);
        let read_only = fi.flags & libc::O_ACCMODE == libc::O_RDONLY;
        if settings.no_rofd_flush && read_only {
            fi.flag_bits |= file_info::NOFLUSH;
        }
        if let Some(trust) = settings.auto_cache {
            let watch = &self.table().watch;
            let mut stat: libc::stat = blank();
            let now = watch.is_stale(id, trust).then(|| {
                // SAFETY: the layer lives, path and file are valid for the call.
                let result = unsafe { fuse_fs_getattr(self.fs, path, &raw mut stat, fi) };
                (result == 0).then_some(&stat)
            });
            if watch.open(id, now) {
                fi.flag_bits |= file_info::KEEP_CACHE;
            }
        }
    }

    /// What a close does: the filesystem hears of it, and the owner's locks go.
    fn flush_file(&self, path: *const c_char, fi: &mut FuseFileInfo) -> Result<(), Errno> {
        // SAFETY: the layer lives, path and file are valid for the call.
        let flushed = check(unsafe { fuse_fs_flush(self.fs, path, fi) });
        if !self.unlock_all(path, fi) {
            return flushed;
        }
        // A filesystem with locks has to be asked at each close.
        match flushed {
            Err(e) if e.raw() == libc::ENOSYS => Ok(()),
            flushed => flushed,
        }
    }

    fn flush(self, arg: &FuseFlushIn) {
        let mut fi = flushing(arg);
        let result = self.path_of_file().and_then(|path| self.flush_file(pointer(&path), &mut fi));
        self.finish(result);
    }

    fn release(self, arg: &FuseReleaseIn) {
        let mut fi = releasing(arg);
        let path = self.path_of_file().unwrap_or(None);
        let flushed = match fi.flag_bits & file_info::FLUSH {
            0 => Ok(()),
            _ => self.flush_file(pointer(&path), &mut fi),
        };
        if let Ok(id) = self.id() {
            self.table().opens.remove(id, arg.fh);
        }
        // SAFETY: the layer lives, path and file are valid for the call.
        unsafe { fuse_fs_release(self.fs, pointer(&path), &raw mut fi) };
        drop(path);
        if let Ok(id) = self.id() {
            self.high.close(self.fs, id);
        }
        self.finish(flushed.or_else(|e| if e.raw() == libc::ENOSYS { Ok(()) } else { Err(e) }));
    }

    fn fsync(self, fh: u64, datasync: bool) {
        let result = self.path_of_file().and_then(|path| {
            let mut fi = handle_of(fh);
            let datasync = c_int::from(datasync);
            // SAFETY: the layer lives, path and file are valid for the call.
            check(unsafe { fuse_fs_fsync(self.fs, pointer(&path), datasync, &raw mut fi) })
        });
        self.finish(result);
    }

    fn fallocate(self, arg: &FuseFallocateIn) {
        let result = self.path_of_file().and_then(|path| {
            let mut fi = handle_of(arg.fh);
            let (mode, off, len) = (arg.mode as c_int, arg.offset as i64, arg.length as i64);
            // SAFETY: the layer lives, path and file are valid for the call.
            check(unsafe { fuse_fs_fallocate(self.fs, pointer(&path), mode, off, len, &raw mut fi) })
        });
        self.finish(result);
    }

    fn lseek(self, arg: &FuseLseekIn) {
        let result = self.path_of_file().and_then(|path| {
            let mut fi = handle_of(arg.fh);
            let (off, whence) = (arg.offset as i64, arg.whence as c_int);
            // SAFETY: the layer lives, path and file are valid for the call.
            count(unsafe { fuse_fs_lseek(self.fs, pointer(&path), off, whence, &raw mut fi) })
        });
        self.reply_with(result.map(|offset| FuseLseekOut { offset: offset as u64 }));
    }

    fn copy_file_range(self, arg: &FuseCopyFileRangeIn, wide: bool) {
        let result = self.copy(arg);
        if wide {
            return self.reply_with(result.map(|bytes_copied| FuseCopyFileRangeOut { bytes_copied }));
        }
        self.reply_with(result.map(|size| FuseWriteOut { size: size as u32, padding: 0 }));
    }

    fn copy(&self, arg: &FuseCopyFileRangeIn) -> Result<u64, Errno> {
        let target = |id| Target { id, name: None, exclusive: false };
        let (source, sink) = (self.id()?, self.table().id(arg.nodeid_out)?);
        // All locks at once if both files have paths, else those of the one that has.
        let both = match self.settings.nullpath_ok {
            true => None,
            false => self.table().lock(target(source), Some(target(sink))).ok(),
        };
        let one = if both.is_none() { self.path_of_open(self.nodeid)? } else { None };
        let alone = both.is_none() && one.is_none();
        let two = if alone { self.path_of_open(arg.nodeid_out)? } else { None };
        let (path_in, path_out) = match &both {
            Some(both) => (both.path(0).as_ptr(), both.path(1).as_ptr()),
            None => (pointer(&one), pointer(&two)),
        };
        let (mut fi_in, mut fi_out) = (handle_of(arg.fh_in), handle_of(arg.fh_out));
        let (fi_in, fi_out) = (&raw mut fi_in, &raw mut fi_out);
        let (off_in, off_out) = (arg.off_in as i64, arg.off_out as i64);
        let (len, flags) = (arg.len as usize, arg.flags as c_int);
        // SAFETY: the layer lives, paths and files are valid for the call.
        let copied = unsafe {
            fuse_fs_copy_file_range(self.fs, path_in, fi_in, off_in, path_out, fi_out, off_out, len, flags)
        };
        count(copied as i64).map(|copied| copied as u64)
    }
}
