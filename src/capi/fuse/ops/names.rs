// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes by name: looking up, making, removing, renaming. Names are the request's, paths the locks'; both are lent
//! to the layer's function until it returns.

use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

use super::super::super::fuse_lowlevel::ops_args::opened;
use super::super::super::fuse_lowlevel::reply::open_out;
use super::super::super::types::FuseFileInfo;
use super::super::fs::{
    fuse_fs_create, fuse_fs_getattr, fuse_fs_link, fuse_fs_mkdir, fuse_fs_mknod, fuse_fs_readlink,
    fuse_fs_release, fuse_fs_rename, fuse_fs_rmdir, fuse_fs_symlink, fuse_fs_unlink,
};
use super::call::{Call, blank, check};
use crate::errno::Errno;
use crate::path::{Found, Locked, Target};
use crate::request::decode::Operation;
use crate::request::encode;
use crate::wire::{FuseCreateIn, FuseEntryOut, Pod};

const RENAME_NOREPLACE: u32 = 1;
const RENAME_EXCHANGE: u32 = 2;

impl<'a> Call<'a> {
    pub(super) fn names(self, operation: Operation<'_>) {
        match operation {
            Operation::Lookup { name } => self.lookup(name),
            Operation::ReadLink => self.readlink(),
            Operation::MkNod { name, mode, rdev, .. } => self.mknod(name, mode, libc::dev_t::from(rdev)),
            // SAFETY: the layer lives, the path is valid for the call.
            Operation::MkDir { name, mode, .. } => {
                self.make(name, |call, path| unsafe { check(fuse_fs_mkdir(call.fs, path, mode)) })
            }
            // SAFETY: the same, and the target.
            Operation::Symlink { name, target } => self
                .make(name, |call, path| unsafe { check(fuse_fs_symlink(call.fs, target.as_ptr(), path)) }),
            Operation::Link { oldnodeid, newname } => self.link(oldnodeid, newname),
            Operation::Unlink { name } => self.unlink(name),
            Operation::RmDir { name } => self.rmdir(name),
            Operation::Rename { name, newdir, newname, flags } => self.rename(name, newdir, newname, flags),
            Operation::Create { name, arg } => self.create(name, &arg),
            _ => self.fail(Errno::new(libc::ENOSYS)),
        }
    }

    /// The path of a name below the request's node.
    fn path_of_name(&self, name: &CStr, exclusive: bool) -> Result<Locked<'a>, Errno> {
        self.table().lock(Target { id: self.id()?, name: Some(name), exclusive }, None)
    }

    /// What the kernel is told of a node whose lookup was just counted.
    pub(super) fn entry(&self, found: Found, stat: &mut libc::stat) -> FuseEntryOut {
        if self.settings.auto_cache.is_some() {
            self.table().watch.update(found.id, stat);
        }
        self.settings.apply(found.id, stat);
        let (entry_valid, entry_valid_nsec) = encode::timeout(self.settings.entry_timeout);
        let (attr_valid, attr_valid_nsec) = encode::timeout(self.settings.attr_timeout);
        FuseEntryOut {
            nodeid: found.id.into(),
            generation: found.generation.into(),
            entry_valid,
            attr_valid,
            entry_valid_nsec,
            attr_valid_nsec,
            attr: encode::attr(stat),
        }
    }

    /// Asks for the attributes of a path and counts a lookup of its name.
    fn entry_of(
        &self,
        name: &CStr,
        path: *const c_char,
        fi: *mut FuseFileInfo,
    ) -> Result<FuseEntryOut, Errno> {
        let mut stat = blank();
        // SAFETY: the layer lives, the path is valid for the call.
        check(unsafe { fuse_fs_getattr(self.fs, path, &raw mut stat, fi) })?;
        let found = self.table().find(self.id()?, name.to_bytes())?;
        Ok(self.entry(found, &mut stat))
    }

    /// Replies with an entry. If the kernel does not take it, the lookup does not count.
    fn reply_entry(self, entry: Result<FuseEntryOut, Errno>) {
        match entry {
            Err(e) => self.fail(e),
            Ok(entry) => {
                let table = self.table();
                if self.reply(&[entry.as_bytes()]).is_err() && entry.nodeid != 0 {
                    table.forget(entry.nodeid, 1);
                }
            }
        }
    }

    fn lookup(self, name: &CStr) {
        let entry = match name.to_bytes() {
            b"." => self.id().and_then(|id| self.entry_by_id(id)),
            b".." => {
                let parent = self.id().and_then(|id| self.table().parent(id).ok_or(Errno::new(libc::ESTALE)));
                parent.and_then(|parent| self.entry_by_id(parent))
            }
            _ => {
                let path = self.path_of_name(name, false);
                path.and_then(|path| self.entry_of(name, path.path(0).as_ptr(), null_mut()))
            }
        };
        let negative = self.settings.negative_timeout;
        let entry = match entry {
            Err(e) if e.raw() == libc::ENOENT && negative != 0.0 => {
                let (entry_valid, entry_valid_nsec) = encode::timeout(negative);
                Ok(FuseEntryOut { entry_valid, entry_valid_nsec, ..FuseEntryOut::default() })
            }
            entry => entry,
        };
        self.reply_entry(entry);
    }

    /// For the kernel's own `.` and `..`, when a mount is exported.
    fn entry_by_id(&self, id: u32) -> Result<FuseEntryOut, Errno> {
        let path = self.table().lock(Target { id, name: None, exclusive: false }, None)?;
        let mut stat = blank();
        // SAFETY: the layer lives, the path is valid for the call.
        check(unsafe { fuse_fs_getattr(self.fs, path.path(0).as_ptr(), &raw mut stat, null_mut()) })?;
        let found = self.table().find_by_id(id).ok_or(Errno::new(libc::ESTALE))?;
        Ok(self.entry(found, &mut stat))
    }

    fn readlink(self) {
        let mut target = [0u8; libc::PATH_MAX as usize + 1];
        let result = self.path().and_then(|path| {
            let (path, room) = (path.path(0).as_ptr(), target.as_mut_ptr().cast());
            // SAFETY: the layer lives, path and buffer are valid for the call.
            check(unsafe { fuse_fs_readlink(self.fs, path, room, target.len()) })
        });
        target[libc::PATH_MAX as usize] = 0;
        match (result, CStr::from_bytes_until_nul(&target)) {
            (Ok(()), Ok(target)) => drop(self.reply(&[target.to_bytes()])),
            (Err(e), _) => self.fail(e),
            (_, Err(_)) => self.fail(Errno::new(libc::EIO)),
        }
    }

    /// Makes something and replies with its entry.
    fn make(self, name: &CStr, how: impl FnOnce(&Call<'a>, *const c_char) -> Result<(), Errno>) {
        let entry = self.path_of_name(name, false).and_then(|path| {
            let path = path.path(0).as_ptr();
            how(&self, path)?;
            self.entry_of(name, path, null_mut())
        });
        self.reply_entry(entry);
    }

    fn mknod(self, name: &CStr, mode: u32, rdev: libc::dev_t) {
        let entry = self.path_of_name(name, false).and_then(|path| {
            let path = path.path(0).as_ptr();
            let is_regular = mode & libc::S_IFMT == libc::S_IFREG;
            if let Some(made) = is_regular.then(|| self.make_by_create(name, path, mode)).flatten() {
                return made;
            }
            // SAFETY: the layer lives, the path is valid for the call.
            check(unsafe { fuse_fs_mknod(self.fs, path, mode, rdev) })?;
            self.entry_of(name, path, null_mut())
        });
        self.reply_entry(entry);
    }

    /// A regular file is made by create, if the filesystem has that.
    fn make_by_create(
        &self,
        name: &CStr,
        path: *const c_char,
        mode: u32,
    ) -> Option<Result<FuseEntryOut, Errno>> {
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
        let mut fi = FuseFileInfo { flags, ..FuseFileInfo::default() };
        // SAFETY: the layer lives, path and file are valid for the calls.
        match check(unsafe { fuse_fs_create(self.fs, path, mode, &raw mut fi) }) {
            Err(e) if e.raw() == libc::ENOSYS => None,
            Err(e) => Some(Err(e)),
            Ok(()) => {
                let entry = self.entry_of(name, path, &raw mut fi);
                // SAFETY: as above.
                unsafe { fuse_fs_release(self.fs, path, &raw mut fi) };
                Some(entry)
            }
        }
    }

    fn link(self, old: u64, newname: &CStr) {
        let locked = self.table().id(old).and_then(|old| {
            let new = Target { id: self.id()?, name: Some(newname), exclusive: false };
            self.table().lock(Target { id: old, name: None, exclusive: false }, Some(new))
        });
        let entry = locked.and_then(|locked| {
            let (old, new) = (locked.path(0).as_ptr(), locked.path(1).as_ptr());
            // SAFETY: the layer lives, paths are valid for the call.
            check(unsafe { fuse_fs_link(self.fs, old, new) })?;
            self.entry_of(newname, new, null_mut())
        });
        self.reply_entry(entry);
    }

    fn unlink(self, name: &CStr) {
        let result = self.id().and_then(|parent| {
            let locked = self.path_of_name(name, true)?;
            let open = locked.writer(0).filter(|&id| self.table().is_open(id));
            if let Some(id) = open.filter(|_| !self.settings.hard_remove) {
                return self.high.hide(&locked, 0, (parent, name), id);
            }
            // SAFETY: the layer lives, the path is valid for the call.
            check(unsafe { fuse_fs_unlink(self.fs, locked.path(0).as_ptr()) })?;
            self.table().remove_name(&locked, parent, name);
            Ok(())
        });
        self.finish(result);
    }

    fn rmdir(self, name: &CStr) {
        let result = self.id().and_then(|parent| {
            let locked = self.path_of_name(name, true)?;
            // SAFETY: the layer lives, the path is valid for the call.
            check(unsafe { fuse_fs_rmdir(self.fs, locked.path(0).as_ptr()) })?;
            self.table().remove_name(&locked, parent, name);
            Ok(())
        });
        self.finish(result);
    }

    fn rename(self, name: &CStr, newdir: u64, newname: &CStr, flags: u32) {
        let result = self.id().and_then(|olddir| {
            let newdir = self.table().id(newdir)?;
            let from = Target { id: olddir, name: Some(name), exclusive: true };
            let to = Target { id: newdir, name: Some(newname), exclusive: true };
            let locked = self.table().lock(from, Some(to))?;
            let replaces = flags & (RENAME_EXCHANGE | RENAME_NOREPLACE) == 0 && !self.settings.hard_remove;
            let open = locked.writer(1).filter(|&id| replaces && self.table().is_open(id));
            if let Some(id) = open {
                self.high.hide(&locked, 1, (newdir, newname), id)?;
            }
            let (old, new) = (locked.path(0).as_ptr(), locked.path(1).as_ptr());
            // SAFETY: the layer lives, paths are valid for the call.
            check(unsafe { fuse_fs_rename(self.fs, old, new, flags) })?;
            let exchange = flags & RENAME_EXCHANGE != 0;
            self.table().rename(&locked, (olddir, name), (newdir, newname), exchange);
            Ok(())
        });
        self.finish(result);
    }

    fn create(self, name: &CStr, arg: &FuseCreateIn) {
        let mut fi = opened(arg.flags, arg.open_flags);
        let locked = match self.path_of_name(name, false) {
            Ok(locked) => locked,
            Err(e) => return self.fail(e),
        };
        let path = locked.path(0).as_ptr();
        let entry = match self.create_and_look(name, path, arg.mode, &mut fi) {
            Ok(entry) => entry,
            Err(e) => {
                drop(locked);
                return self.fail(e);
            }
        };
        let id = entry.nodeid as u32;
        self.open_flags(id, path, &mut fi);
        self.opened(id, fi.fh);
        let (high, fs, table) = (self.high, self.fs, self.table());
        if self.reply(&[entry.as_bytes(), open_out(&fi).as_bytes()]).is_err() {
            // Nobody will close it.
            table.opens.remove(id, fi.fh);
            // SAFETY: the layer lives, path and file are valid for the call.
            unsafe { fuse_fs_release(fs, path, &raw mut fi) };
            drop(locked);
            high.close(fs, id);
            table.forget(entry.nodeid, 1);
        }
    }

    fn create_and_look(
        &self,
        name: &CStr,
        path: *const c_char,
        mode: u32,
        fi: &mut FuseFileInfo,
    ) -> Result<FuseEntryOut, Errno> {
        // SAFETY: the layer lives, path and file are valid for the call.
        check(unsafe { fuse_fs_create(self.fs, path, mode, fi) })?;
        let entry = self.entry_of(name, path, fi).and_then(|entry| {
            if entry.attr.mode & libc::S_IFMT == libc::S_IFREG {
                return Ok(entry);
            }
            self.table().forget(entry.nodeid, 1);
            Err(Errno::new(libc::EIO))
        });
        if entry.is_err() {
            // SAFETY: as above.
            unsafe { fuse_fs_release(self.fs, path, fi) };
        }
        entry
    }
}
