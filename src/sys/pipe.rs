// SPDX-License-Identifier: MIT OR Apache-2.0
//! A pipe for each thread that needs one, to pass a message through on its way to or from splice(2).
//!
//! The thread owns it until it ends. Between two uses it is empty: one that something was left in is thrown away.

use std::cell::RefCell;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::errno::Errno;
use crate::sys::dev;

/// Both ends, and how much fits.
pub struct Pipe {
    from: OwnedFd,
    into: OwnedFd,
    room: usize,
}

thread_local! {
    static PIPE: RefCell<Option<Pipe>> = const { RefCell::new(None) };
}

/// Runs `work` with the thread's pipe if it holds `size` bytes, or can be made to. An error throws the pipe away.
pub fn with_pipe<T>(size: usize, work: impl FnOnce(&Pipe) -> Result<T, Errno>) -> Option<Result<T, Errno>> {
    // Taken out: `work` calls into the program, which may come back here.
    let known = PIPE.take();
    let mut pipe = known.or_else(Pipe::new)?;
    if !pipe.make_room(size) {
        PIPE.set(Some(pipe));
        return None;
    }
    let result = work(&pipe);
    if result.is_ok() {
        PIPE.set(Some(pipe));
    }
    Some(result)
}

impl Pipe {
    fn new() -> Option<Pipe> {
        let mut ends = [-1; 2];
        // SAFETY: room for two descriptors, which are new and ours.
        unsafe {
            if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
                return None;
            }
            Some(Pipe { from: OwnedFd::from_raw_fd(ends[0]), into: OwnedFd::from_raw_fd(ends[1]), room: 0 })
        }
    }

    /// Messages need not start on a page: one more than they fill.
    fn make_room(&mut self, size: usize) -> bool {
        let wanted = size.saturating_add(4096);
        if self.room < wanted {
            let asked = libc::c_int::try_from(wanted).unwrap_or(libc::c_int::MAX);
            // SAFETY: no pointers.
            let got = unsafe { libc::fcntl(self.input(), libc::F_SETPIPE_SZ, asked) };
            self.room = usize::try_from(got).unwrap_or(self.room);
        }
        self.room >= wanted
    }

    /// The end to splice from.
    pub fn output(&self) -> RawFd {
        self.from.as_raw_fd()
    }

    /// The end to splice into.
    pub fn input(&self) -> RawFd {
        self.into.as_raw_fd()
    }

    /// Puts all of the data in, for which there is room.
    pub fn put(&self, data: &[IoSlice<'_>], length: usize) -> Result<(), Errno> {
        match dev::writev(self.input(), data)? {
            written if written == length => Ok(()),
            _ => Err(Errno::new(libc::EIO)),
        }
    }

    /// Takes out what is known to be in it.
    pub fn take(&self, room: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < room.len() {
            match dev::read(self.output(), &mut room[done..])? {
                0 => return Err(Errno::new(libc::EIO)),
                count => done += count,
            }
        }
        Ok(())
    }
}
