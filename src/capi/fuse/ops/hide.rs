// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that are removed while they are open: they get a hidden name, which goes with the last close, or with the
//! filesystem.

use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

use super::super::context::RequestContext;
use super::super::fs::{FuseFs, fuse_fs_getattr, fuse_fs_rename, fuse_fs_unlink};
use super::HighLevel;
use super::call::{blank, check, count};
use crate::errno::Errno;
use crate::path::{Locked, Target};

/// How many names are tried.
const ATTEMPTS: u32 = 10;

impl HighLevel {
    /// Moves what `name` is, path `index` of the locked ones, out of the way. The caller holds its write lock.
    pub(super) fn hide(
        &self,
        locked: &Locked<'_>,
        index: usize,
        (parent, name): (u32, &CStr),
        id: u32,
    ) -> Result<(), Errno> {
        let fs = self.stack.top();
        let (hidden, path) = self.hidden_name(fs, locked.path(index), parent, name, id)?;
        // SAFETY: the layer lives, paths are valid for the call.
        check(unsafe { fuse_fs_rename(fs, locked.path(index).as_ptr(), path.as_ptr(), 0) })?;
        self.table.rename(locked, (parent, name), (parent, &hidden), false);
        if self.table.hide(id) {
            // Closed meanwhile (with nullpath_ok a release needs no lock).
            // SAFETY: as above.
            check(unsafe { fuse_fs_unlink(fs, path.as_ptr()) })?;
            self.table.remove_name(locked, parent, &hidden);
        }
        Ok(())
    }

    /// A name in the same directory that nobody has, and its path.
    fn hidden_name(
        &self,
        fs: *mut FuseFs,
        path: &CStr,
        parent: u32,
        name: &CStr,
        id: u32,
    ) -> Result<(CString, CString), Errno> {
        let path = path.to_bytes();
        let directory = &path[..path.len().saturating_sub(name.count_bytes())];
        for _ in 0..ATTEMPTS {
            let number = self.hidden.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            let hidden = format!(".fuse_hidden{id:08x}{number:08x}");
            if self.table.peek(parent, hidden.as_bytes()).is_some() {
                continue;
            }
            let whole = [directory, hidden.as_bytes()].concat();
            let (Ok(hidden), Ok(whole)) = (CString::new(hidden), CString::new(whole)) else {
                break;
            };
            let mut stat: libc::stat = blank();
            // SAFETY: the layer lives, the path is valid for the call.
            let result = unsafe { fuse_fs_getattr(fs, whole.as_ptr(), &raw mut stat, null_mut()) };
            match count(result.into()) {
                Err(e) if e.raw() == libc::ENOENT => return Ok((hidden, whole)),
                Err(e) => return Err(e),
                Ok(_) => (),
            }
        }
        Err(Errno::new(libc::EBUSY))
    }

    /// An open file ends; a hidden one goes with the last.
    pub(super) fn close(&self, fs: *mut FuseFs, id: u32) {
        if self.table.close(id) {
            self.remove_hidden_file(fs, id);
        }
    }

    fn remove_hidden_file(&self, fs: *mut FuseFs, id: u32) {
        while let Some((parent, name)) = self.table.name_of(id) {
            let target = Target { id: parent, name: Some(&name), exclusive: true };
            let Ok(locked) = self.table.lock(target, None) else {
                return;
            };
            // Another name by now: look again.
            if locked.writer(0) == Some(id) {
                // SAFETY: the layer lives, the path is valid for the call.
                if unsafe { fuse_fs_unlink(fs, locked.path(0).as_ptr()) } == 0 {
                    self.table.remove_name(&locked, parent, &name);
                }
                return;
            }
        }
    }

    /// Removes all that is still hidden, at the filesystem's end.
    pub fn remove_hidden(&self) {
        let fs = self.stack.top();
        if fs.is_null() {
            return;
        }
        let _context = self.enter(RequestContext::default());
        for id in self.table.hidden() {
            self.remove_hidden_file(fs, id);
        }
    }
}
