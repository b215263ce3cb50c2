// SPDX-License-Identifier: MIT OR Apache-2.0
//! One request on its way: its paths, and its reply. The request is answered once, by value; locks on paths are given
//! back before that, as a rule.

use std::ffi::{c_char, c_int};
use std::io::IoSlice;
use std::ptr::{NonNull, null};

use super::super::fs::FuseFs;
use super::{HighLevel, data, intr};
use crate::errno::Errno;
use crate::log::error;
use crate::path::{Locked, Settings, Table, Target};
use crate::request::Request;
use crate::request::decode::Operation;
use crate::wire::Pod;

/// Errors beyond this are not errno values; the kernel would not take them.
const FIRST_BAD_ERROR: i64 = 1000;

/// One request: whom it goes to and what it is about.
pub struct Call<'a> {
    pub high: &'a HighLevel,
    pub settings: &'a Settings,
    /// The topmost layer, which lives at least as long as requests are handled.
    pub fs: *mut FuseFs,
    pub request: Request,
    pub nodeid: u64,
    pub watch: Option<intr::Watch>,
}

/// What a layer's function returned: 0 or an error.
pub fn check(result: c_int) -> Result<(), Errno> {
    count(i64::from(result)).and_then(|count| if count == 0 { Ok(()) } else { Err(bad(count)) })
}

/// What a layer's function returned: a number of bytes or the like, or an error.
pub fn count(result: i64) -> Result<i64, Errno> {
    match result {
        0.. => Ok(result),
        _ if result > -FIRST_BAD_ERROR => Err(Errno::new(-result as i32)),
        _ => Err(bad(result)),
    }
}

fn bad(result: i64) -> Errno {
    error!("fuse: bad error value: {result}");
    Errno::new(libc::ERANGE)
}

/// A plain C structure of zeros.
pub fn blank<T: Blank>() -> T {
    // SAFETY: see `Blank`.
    unsafe { std::mem::zeroed() }
}

/// # Safety
/// All-zero is a value of the type.
pub unsafe trait Blank {}
// SAFETY: plain C structures of numbers.
unsafe impl Blank for libc::stat {}
// SAFETY: the same.
unsafe impl Blank for libc::statvfs {}
// SAFETY: the same.
unsafe impl Blank for libc::statx {}

/// The path as a layer's function gets it; NULL if there is none.
pub fn pointer(path: &Option<Locked<'_>>) -> *const c_char {
    path.as_ref().map_or(null(), |path| path.path(0).as_ptr())
}

impl<'a> Call<'a> {
    pub fn dispatch(self, operation: Operation<'_>) {
        match operation {
            Operation::Lookup { .. }
            | Operation::ReadLink
            | Operation::MkNod { .. }
            | Operation::MkDir { .. }
            | Operation::Symlink { .. }
            | Operation::Link { .. }
            | Operation::Unlink { .. }
            | Operation::RmDir { .. }
            | Operation::Rename { .. }
            | Operation::Create { .. } => self.names(operation),
            Operation::Open(_)
            | Operation::Read(_)
            | Operation::Write { .. }
            | Operation::Flush(_)
            | Operation::Release(_)
            | Operation::Fsync { .. }
            | Operation::FAllocate(_)
            | Operation::LSeek(_)
            | Operation::CopyFileRange(_)
            | Operation::CopyFileRange64(_)
            | Operation::GetLk(_)
            | Operation::SetLk(_)
            | Operation::SetLkW(_) => self.files(operation),
            Operation::OpenDir(arg) => self.opendir(&arg),
            Operation::ReadDir(arg) => self.readdir(&arg, false),
            Operation::ReadDirPlus(arg) => self.readdir(&arg, true),
            Operation::ReleaseDir(arg) => self.releasedir(&arg),
            Operation::FsyncDir { fh, datasync } => self.fsyncdir(fh, datasync),
            _ => self.attributes(operation),
        }
    }

    pub fn table(&self) -> &'a Table {
        &self.high.table
    }

    /// The request's node.
    pub fn id(&self) -> Result<u32, Errno> {
        self.table().id(self.nodeid)
    }

    /// The path of the request's node, under its locks.
    pub fn path(&self) -> Result<Locked<'a>, Errno> {
        self.table().lock(Target { id: self.id()?, name: None, exclusive: false }, None)
    }

    /// The path of an open file; none if it has none any more, or the filesystem can do without.
    pub fn path_of_file(&self) -> Result<Option<Locked<'a>>, Errno> {
        self.path_of_open(self.nodeid)
    }

    pub fn path_of_open(&self, nodeid: u64) -> Result<Option<Locked<'a>>, Errno> {
        if self.settings.nullpath_ok {
            return Ok(None);
        }
        let target = Target { id: self.table().id(nodeid)?, name: None, exclusive: false };
        match self.table().lock(target, None) {
            Err(e) if e.raw() == libc::ESTALE => Ok(None),
            locked => locked.map(Some),
        }
    }

    /// The path of the node: if the request is about an open file, as `path_of_file`.
    pub fn path_or_file(&self, is_file: bool) -> Result<Option<Locked<'a>>, Errno> {
        if is_file { self.path_of_file() } else { self.path().map(Some) }
    }

    pub fn finish(self, result: Result<(), Errno>) {
        match result {
            Ok(()) => drop(self.reply(&[])),
            Err(e) => self.fail(e),
        }
    }

    pub fn fail(mut self, error: Errno) {
        self.watch = None;
        let _ = self.request.fail(error);
    }

    /// An error if the kernel did not take the reply.
    pub fn reply(mut self, data: &[&[u8]]) -> Result<(), Errno> {
        self.watch = None;
        match data {
            [] => self.request.done(),
            [one] => self.request.reply_bytes(one),
            [one, two] => self.request.reply(&[IoSlice::new(one), IoSlice::new(two)]),
            many => self.request.reply(&many.iter().map(|part| IoSlice::new(part)).collect::<Vec<_>>()),
        }
    }

    pub fn reply_with<T: Pod>(self, result: Result<T, Errno>) {
        match result {
            Ok(value) => drop(self.reply(&[value.as_bytes()])),
            Err(e) => self.fail(e),
        }
    }

    /// Replies with what `fill` writes to `size` bytes of room: where the transport sends them from, if it has such
    /// a place. Nothing that came with the request may be used any more, since the room may be where that was. An
    /// error if the kernel did not take the reply.
    pub fn reply_filled(
        mut self,
        size: usize,
        fill: impl FnOnce(&Call<'a>, NonNull<u8>) -> Result<usize, Errno>,
    ) -> Result<(), Errno> {
        if let Some(room) = self.request.room(size) {
            let filled = fill(&self, room);
            self.watch = None;
            return match filled {
                Ok(length) => self.request.reply_in_room(length.min(size)),
                Err(e) => self.request.fail(e),
            };
        }
        let Some(mut buffer) = data::scratch(size) else {
            self.fail(Errno::new(libc::ENOMEM));
            return Ok(());
        };
        let room = NonNull::new(buffer.as_mut_ptr()).unwrap_or(NonNull::dangling());
        let sent = match fill(&self, room) {
            Ok(length) => self.reply(&[&buffer[..length.min(size)]]),
            Err(e) => {
                self.fail(e);
                Ok(())
            }
        };
        data::give_back(buffer);
        sent
    }
}
