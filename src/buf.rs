// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copying between buffer vectors, the core of `fuse_buf_copy`: each buffer is memory or a file descriptor.
//!
//! The vectors and what they point to belong to the caller, for the length of the call. A vector remembers how far it
//! got (`idx`, `off`), so that a copy can go on where the last one ended; a short copy is not an error.

use std::os::fd::RawFd;

use crate::errno::Errno;
use crate::sys::splice::{Memory, splice, with_scratch};

/// The bits of `enum fuse_buf_copy_flags`.
pub const NO_SPLICE: u32 = 1 << 1;
pub const FORCE_SPLICE: u32 = 1 << 2;
pub const SPLICE_MOVE: u32 = 1 << 3;
pub const SPLICE_NONBLOCK: u32 = 1 << 4;

/// How much of a file passes through memory at a time where splice cannot do it.
const SCRATCH: usize = 4096;

/// A descriptor as source or destination.
#[derive(Clone, Copy, Debug)]
pub struct File {
    pub fd: RawFd,
    /// Where to read or write; the descriptor's own position is used, and moved, without it.
    pub pos: Option<i64>,
    /// Go on after a short read or write, until an error or the end.
    pub retry: bool,
}

impl File {
    fn at(&self, off: usize) -> Option<i64> {
        self.pos.map(|pos| pos.wrapping_add(off as i64))
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    Memory(Memory),
    File(File),
}

/// One buffer.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub size: usize,
    pub place: Place,
}

/// The buffers of a vector, wherever they are kept.
pub trait Pieces {
    fn count(&self) -> usize;
    /// For every `index` below `count`.
    fn piece(&self, index: usize) -> Option<Piece>;
}

/// Buffers, and how far they are used up.
#[derive(Debug)]
pub struct Vector<P> {
    pub pieces: P,
    pub idx: usize,
    pub off: usize,
}

impl<P: Pieces> Vector<P> {
    fn current(&self) -> Option<Piece> {
        if self.idx < self.pieces.count() { self.pieces.piece(self.idx) } else { None }
    }

    /// False at the end of the last buffer. There `off` stays, as callers may look at it.
    fn advance(&mut self, len: usize) -> bool {
        let Some(piece) = self.current() else {
            return false;
        };
        self.off = self.off.saturating_add(len);
        if self.off >= piece.size {
            self.idx += 1;
            if self.idx >= self.pieces.count() {
                return false;
            }
            self.off = 0;
        }
        true
    }
}

/// All bytes of a vector, also those that are used up. A buffer of `usize::MAX` bytes makes the sum just that.
pub fn size(pieces: &impl Pieces) -> usize {
    (0..pieces.count()).filter_map(|i| pieces.piece(i)).fold(0, |sum, piece| piece.size.saturating_add(sum))
}

/// Copies until one of the vectors ends, or less comes through than was asked for. An error counts only if nothing
/// was copied before it.
pub fn copy<D: Pieces, S: Pieces>(
    dst: &mut Vector<D>,
    src: &mut Vector<S>,
    flags: u32,
) -> Result<usize, Errno> {
    let mut copied = 0;
    while let (Some(to), Some(from)) = (dst.current(), src.current()) {
        let len = from.size.saturating_sub(src.off).min(to.size.saturating_sub(dst.off));
        let step = match copy_one(to.place, dst.off, from.place, src.off, len, flags) {
            Ok(step) => step,
            Err(error) if copied == 0 => return Err(error),
            Err(_) => break,
        };
        copied += step;
        // At the end of the source the destination stays where it was: that is what C callers are used to.
        if !src.advance(step) || !dst.advance(step) || step < len {
            break;
        }
    }
    Ok(copied)
}

fn copy_one(
    to: Place,
    to_off: usize,
    from: Place,
    from_off: usize,
    len: usize,
    flags: u32,
) -> Result<usize, Errno> {
    match (to, from) {
        (Place::Memory(to), Place::Memory(from)) => {
            Ok(to.part(to_off, len)?.copy_from(&from.part(from_off, len)?))
        }
        (Place::Memory(to), Place::File(from)) => read(&to.part(to_off, len)?, &from, from_off),
        (Place::File(to), Place::Memory(from)) => write(&to, to_off, &from.part(from_off, len)?),
        (Place::File(to), Place::File(from)) if flags & NO_SPLICE != 0 => {
            through_memory(&to, to_off, &from, from_off, len)
        }
        (Place::File(to), Place::File(from)) => spliced(&to, to_off, &from, from_off, len, flags),
    }
}

/// Repeats `step` (given what is done so far) for `len` bytes, or once without `retry`.
fn repeat(
    len: usize,
    retry: bool,
    mut step: impl FnMut(usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        match step(done) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        if !retry {
            break;
        }
    }
    Ok(done)
}

fn read(to: &Memory, from: &File, off: usize) -> Result<usize, Errno> {
    repeat(to.size(), from.retry, |done| {
        to.part(done, to.size() - done)?.read_from(from.fd, from.at(off + done))
    })
}

fn write(to: &File, off: usize, from: &Memory) -> Result<usize, Errno> {
    repeat(from.size(), to.retry, |done| {
        from.part(done, from.size() - done)?.write_to(to.fd, to.at(off + done))
    })
}

/// From file to file by read and write. Ends at the first piece that did not come through whole.
fn through_memory(
    to: &File,
    to_off: usize,
    from: &File,
    from_off: usize,
    len: usize,
) -> Result<usize, Errno> {
    with_scratch::<SCRATCH, _>(|scratch| {
        let mut copied = 0;
        while copied < len {
            let wanted = SCRATCH.min(len - copied);
            let step = read(&scratch.part(0, wanted)?, from, from_off + copied)
                .and_then(|got| Ok((got, write(to, to_off + copied, &scratch.part(0, got)?)?)));
            match step {
                Err(error) if copied == 0 => return Err(error),
                Err(_) => break,
                Ok((_, put)) => {
                    copied += put;
                    if put < wanted {
                        break;
                    }
                }
            }
        }
        Ok(copied)
    })
}

/// From file to file by splice, which needs a pipe at one end; without one the kernel says EINVAL.
fn spliced(
    to: &File,
    to_off: usize,
    from: &File,
    from_off: usize,
    len: usize,
    flags: u32,
) -> Result<usize, Errno> {
    let mut how = 0;
    if flags & SPLICE_MOVE != 0 {
        how |= libc::SPLICE_F_MOVE;
    }
    if flags & SPLICE_NONBLOCK != 0 {
        how |= libc::SPLICE_F_NONBLOCK;
    }
    let result = repeat(len, from.retry || to.retry, |done| {
        let (source, target) = ((from.fd, from.at(from_off + done)), (to.fd, to.at(to_off + done)));
        splice(source, target, len - done, how)
    });
    match result {
        Err(error) if error.raw() == libc::EINVAL && flags & FORCE_SPLICE == 0 => {
            through_memory(to, to_off, from, from_off, len)
        }
        result => result,
    }
}
