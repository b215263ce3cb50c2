// SPDX-License-Identifier: MIT OR Apache-2.0
//! Directories. A filesystem delivers entries with offsets, which go straight into the reply, or all at once, and then
//! they are kept until the directory is rewound or closed.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::slice;
use std::sync::Arc;

use libc::off_t;
use parking_lot::Mutex;

use super::super::super::fuse_lowlevel::ops_args::{handle_of, opened, releasing_dir};
use super::super::super::fuse_lowlevel::reply::open_out;
use super::super::fs::{fuse_fs_fsyncdir, fuse_fs_opendir, fuse_fs_readdir, fuse_fs_releasedir};
use super::super::types::{FILL_DIR_PLUS, FuseFillDirFlags, READDIR_PLUS};
use super::call::{Call, check, pointer};
use crate::errno::Errno;
use crate::log::error;
use crate::path::{Entry, Listing};
use crate::request::encode;
use crate::wire::{FuseEntryOut, FuseOpenIn, FuseReadIn, FuseReleaseIn, Pod};

/// The inode number of what has none that is known.
const UNKNOWN_INO: u64 = u32::MAX as u64;

/// An open directory.
pub struct Directory {
    /// The filesystem's own handle.
    fh: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    listing: Listing,
    /// The listing is what the filesystem delivered since the last rewind.
    complete: bool,
}

/// What the filler function works on, for the time of one call of readdir.
struct Filler<'a, 'c> {
    call: &'a Call<'c>,
    parent: u32,
    plus: bool,
    room: &'a mut [u8],
    used: usize,
    listing: &'a mut Listing,
    /// Entries came with offsets.
    direct: bool,
    error: Option<Errno>,
    /// Nodes whose lookup this reply counts.
    counted: &'a mut Vec<u32>,
}

impl Call<'_> {
    pub(super) fn opendir(self, arg: &FuseOpenIn) {
        let mut fi = opened(arg.flags, arg.open_flags);
        let locked = match self.path() {
            Ok(locked) => locked,
            Err(e) => return self.fail(e),
        };
        let path = locked.path(0).as_ptr();
        // SAFETY: the layer lives, path and file are valid for the call.
        if let Err(e) = check(unsafe { fuse_fs_opendir(self.fs, path, &raw mut fi) }) {
            drop(locked);
            return self.fail(e);
        }
        let directory = Directory { fh: fi.fh, kept: Mutex::default() };
        let (high, fs) = (self.high, self.fs);
        let mut out = open_out(&fi);
        out.fh = high.dirs.add(directory);
        if self.reply(&[out.as_bytes()]).is_err() {
            // Nobody will close it.
            high.dirs.remove(out.fh);
            // SAFETY: as above.
            unsafe { fuse_fs_releasedir(fs, path, &raw mut fi) };
        }
    }

    /// An open directory's own handle.
    pub(super) fn directory(&self, number: u64) -> Result<Arc<Directory>, Errno> {
        self.high.dirs.get(number).ok_or(Errno::new(libc::EBADF))
    }

    pub(super) fn releasedir(self, arg: &FuseReleaseIn) {
        let Some(directory) = self.high.dirs.remove(arg.fh) else {
            return self.fail(Errno::new(libc::EBADF));
        };
        let mut fi = releasing_dir(arg);
        fi.fh = directory.fh;
        let path = self.path_of_file().unwrap_or(None);
        // SAFETY: the layer lives, path and file are valid for the call.
        unsafe { fuse_fs_releasedir(self.fs, pointer(&path), &raw mut fi) };
        drop(path);
        self.finish(Ok(()));
    }

    pub(super) fn fsyncdir(self, fh: u64, datasync: bool) {
        let result = self.directory(fh).and_then(|directory| {
            let path = self.path_of_file()?;
            let (mut fi, datasync) = (handle_of(directory.fh), c_int::from(datasync));
            // SAFETY: the layer lives, path and file are valid for the call.
            check(unsafe { fuse_fs_fsyncdir(self.fs, pointer(&path), datasync, &raw mut fi) })
        });
        self.finish(result);
    }

    pub(super) fn readdir(self, arg: &FuseReadIn, plus: bool) {
        let (size, offset) = (arg.size as usize, arg.offset);
        let directory = match self.directory(arg.fh) {
            Ok(directory) => directory,
            Err(e) => return self.fail(e),
        };
        let (table, mut counted) = (self.table(), Vec::new());
        let sent = self.reply_filled(size, |call, room| {
            // SAFETY: so many bytes of room, which are ours until the reply.
            let room = unsafe { slice::from_raw_parts_mut(room.as_ptr(), size) };
            call.list(&directory, offset, plus, room, &mut counted)
        });
        if sent.is_err() {
            counted.into_iter().for_each(|id| table.forget(id.into(), 1));
        }
    }

    /// Fills the room with entries from an offset on; returns how much of it.
    fn list(
        &self,
        directory: &Directory,
        offset: u64,
        plus: bool,
        room: &mut [u8],
        counted: &mut Vec<u32>,
    ) -> Result<usize, Errno> {
        let mut kept = directory.kept.lock();
        let Kept { listing, complete } = &mut *kept;
        let fresh = offset == 0 || !*complete;
        *complete &= !fresh;
        if fresh {
            listing.clear();
        }
        let (parent, error) = (self.id()?, None);
        let mut filler =
            Filler { call: self, parent, plus, room, used: 0, listing, direct: false, error, counted };
        if fresh {
            self.ask(directory.fh, offset, &mut filler)?;
        }
        if !filler.direct {
            filler.deliver(offset);
        }
        let (used, direct) = (filler.used, filler.direct);
        // Nothing behind an offset is the end of a directory that is read in pieces, not a whole one that is empty.
        *complete = !direct && (offset == 0 || !filler.listing.is_empty());
        Ok(used)
    }

    /// Has the filesystem call the filler function.
    fn ask(&self, fh: u64, offset: u64, filler: &mut Filler<'_, '_>) -> Result<(), Errno> {
        let mut fi = handle_of(fh);
        let flags = if filler.plus { READDIR_PLUS } else { 0 };
        let path = self.path_of_file()?;
        let (path, file, buf) = (pointer(&path), &raw mut fi, std::ptr::from_mut(filler).cast());
        // SAFETY: the layer lives; path, file and filler are valid for the call.
        let result = unsafe { fuse_fs_readdir(self.fs, path, buf, Some(fill), offset as off_t, file, flags) };
        check(result)?;
        filler.error.map_or(Ok(()), Err)
    }
}

fn is_dot(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

impl Filler<'_, '_> {
    /// One entry from the filesystem. False: there is no more room.
    fn take(&mut self, entry: &Entry<'_>, offset: off_t) -> bool {
        if offset == 0 {
            return self.listing.add(entry);
        }
        if !self.listing.is_empty() {
            error!("fuse: readdir gives some entries with and some without an offset");
            self.error = Some(Errno::new(libc::EIO));
            return false;
        }
        self.direct = true;
        self.put(entry, offset)
    }

    /// Writes an entry to the reply, if it still fits.
    fn put(&mut self, entry: &Entry<'_>, offset: off_t) -> bool {
        let lead_size = if self.plus { size_of::<FuseEntryOut>() } else { 0 };
        let size = encode::dirent_size(lead_size, entry.name);
        let Some(room) = self.room.get_mut(self.used..).filter(|room| size <= room.len()) else {
            return false;
        };
        let (mut ino, mut mode) = (entry.ino, entry.mode);
        let lead = self.plus.then(|| {
            let looked_up = entry.stat.filter(|_| !is_dot(entry.name)).and_then(|stat| {
                let found = self.call.table().find(self.parent, entry.name).ok()?;
                self.counted.push(found.id);
                Some(self.call.entry(found, &mut { *stat }))
            });
            if let Some(out) = &looked_up {
                (ino, mode) = (out.attr.ino, out.attr.mode);
            }
            looked_up.unwrap_or_default()
        });
        let lead = lead.as_ref().map_or(&[][..], FuseEntryOut::as_bytes);
        encode::dirent(room, lead, ino, mode, offset, entry.name);
        self.used += size;
        true
    }

    /// Writes entries that are kept, from position `offset` on.
    fn deliver(&mut self, offset: u64) {
        // Taken out for the time, since each entry borrows from it.
        let listing = std::mem::take(self.listing);
        let mut index = usize::try_from(offset).unwrap_or(usize::MAX);
        while let Some(entry) = listing.get(index) {
            index += 1;
            if !self.put(&entry, index as off_t) {
                break;
            }
        }
        *self.listing = listing;
    }
}

/// The filler function. What it gets is the filesystem's, and copied.
unsafe extern "C" fn fill(
    buf: *mut c_void,
    name: *const c_char,
    stat: *const libc::stat,
    offset: off_t,
    flags: FuseFillDirFlags,
) -> c_int {
    // SAFETY: what `ask` gave to the filesystem, which is not used after readdir has returned; the rest by contract.
    let (filler, name, stat) = unsafe {
        let Some(filler) = buf.cast::<Filler<'_, '_>>().as_mut() else {
            return 1;
        };
        if name.is_null() || flags & !FILL_DIR_PLUS != 0 {
            error!("fuse: readdir's filler function: name is NULL, or flags are wrong");
            filler.error = Some(Errno::new(libc::EIO));
            return 1;
        }
        (filler, CStr::from_ptr(name).to_bytes(), stat.as_ref())
    };
    let settings = filler.call.settings;
    let known = match (settings.use_ino, settings.readdir_ino) {
        (true, _) => stat.map(|stat| stat.st_ino),
        (false, true) => filler.call.table().peek(filler.parent, name).map(u64::from),
        (false, false) => None,
    };
    let entry = Entry {
        name,
        ino: known.unwrap_or(UNKNOWN_INO),
        mode: stat.map_or(0, |stat| stat.st_mode),
        stat: stat.filter(|_| flags & FILL_DIR_PLUS != 0),
    };
    c_int::from(!filler.take(&entry, offset))
}

impl Directory {
    pub fn fh(&self) -> u64 {
        self.fh
    }
}
