// SPDX-License-Identifier: MIT OR Apache-2.0
//! Moving data between descriptors and memory of C programs.
//!
//! # Safety
//! A [`Memory`] is lent by a C caller for the length of one call: whoever makes one vouches that it is valid that
//! long. Nothing is known of its contents or of other pointers to it, so it is never turned into a reference.

use std::os::fd::RawFd;
use std::ptr;

use libc::c_void;

use crate::errno::Errno;

/// A piece of memory of the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    start: *mut u8,
    len: usize,
}

impl Memory {
    /// # Safety
    /// `start` has to be null, or valid for reading `len` bytes, and for writing them where the value is used as a
    /// destination, as long as the value is in use. It may overlap others.
    pub unsafe fn new(start: *mut u8, len: usize) -> Memory {
        Memory { start, len }
    }

    pub fn size(&self) -> usize {
        self.len
    }

    /// `len` bytes from `from` on; EFAULT when that is not all inside, or nowhere.
    pub fn part(&self, from: usize, len: usize) -> Result<Memory, Errno> {
        let inside = from.checked_add(len).is_some_and(|end| end <= self.len);
        if !inside || (self.start.is_null() && len > 0) {
            return Err(Errno::new(libc::EFAULT));
        }
        Ok(Memory { start: self.start.wrapping_add(from), len })
    }

    /// Copies as much as both hold; they may overlap.
    pub fn copy_from(&self, source: &Memory) -> usize {
        let len = self.len.min(source.len);
        if len > 0 {
            // SAFETY: both are valid for `len` bytes by the promise of `new`, and `copy` allows any overlap.
            unsafe { ptr::copy(source.start, self.start, len) };
        }
        len
    }

    /// One read(2), or pread(2) with a position.
    pub fn read_from(&self, fd: RawFd, at: Option<i64>) -> Result<usize, Errno> {
        let start = self.start.cast::<c_void>();
        // SAFETY: the kernel writes at most `len` bytes to memory that is valid by the promise of `new`.
        counted(unsafe {
            match at {
                Some(at) => libc::pread(fd, start, self.len, at),
                None => libc::read(fd, start, self.len),
            }
        })
    }

    /// One write(2), or pwrite(2) with a position.
    pub fn write_to(&self, fd: RawFd, at: Option<i64>) -> Result<usize, Errno> {
        let start = self.start.cast::<c_void>();
        // SAFETY: the kernel reads at most `len` bytes of memory that is valid by the promise of `new`.
        counted(unsafe {
            match at {
                Some(at) => libc::pwrite(fd, start, self.len, at),
                None => libc::write(fd, start, self.len),
            }
        })
    }
}

/// Runs `work` with `SIZE` bytes on the stack to pass data through.
pub fn with_scratch<const SIZE: usize, T>(work: impl FnOnce(Memory) -> T) -> T {
    let mut scratch = [0u8; SIZE];
    // SAFETY: the array outlives the call, and nothing else refers to it meanwhile.
    work(unsafe { Memory::new(scratch.as_mut_ptr(), SIZE) })
}

/// splice(2); a position is given for descriptors that have one, and is not moved.
pub fn splice(
    from: (RawFd, Option<i64>),
    to: (RawFd, Option<i64>),
    len: usize,
    flags: u32,
) -> Result<usize, Errno> {
    let (mut from_at, mut to_at) = (from.1, to.1);
    let position = |at: &mut Option<i64>| at.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: the positions are null or point to locals that live until the call returns.
    counted(unsafe { libc::splice(from.0, position(&mut from_at), to.0, position(&mut to_at), len, flags) })
}

fn counted(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::last())
}
