// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading and writing. Data is read where the transport sends it from; what is written lies where it was received.

use std::cell::RefCell;
use std::ffi::c_char;
use std::io::IoSlice;
use std::ptr::null_mut;
use std::slice;

use super::super::super::fuse_common::{BUF_IS_FD, fuse_buf_copy, fuse_buf_size};
use super::super::super::fuse_lowlevel::ops_args::{one_buffer, reading, writing};
use super::super::super::types::{FuseBuf, FuseBufvec};
use super::super::fs::{free_bufvec, fuse_fs_read, fuse_fs_read_buf, fuse_fs_write_buf};
use super::call::{Call, check, count, pointer};
use crate::errno::Errno;
use crate::wire::{FuseGetxattrOut, FuseReadIn, FuseWriteIn, FuseWriteOut};

/// `FUSE_BUF_SPLICE_MOVE`.
const SPLICE_MOVE: u32 = 1 << 3;
/// Larger buffers are not kept for the next request.
const LARGEST_KEPT: usize = 256 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Room for a reply on a transport that has none: of this thread, until `give_back`.
pub fn scratch(size: usize) -> Option<Vec<u8>> {
    let mut buffer = SCRATCH.try_with(|spare| std::mem::take(&mut *spare.borrow_mut())).unwrap_or_default();
    if buffer.len() < size.max(1) {
        buffer.try_reserve_exact(size.max(1) - buffer.len()).ok()?;
        buffer.resize(size.max(1), 0);
    }
    Some(buffer)
}

pub fn give_back(buffer: Vec<u8>) {
    if buffer.len() <= LARGEST_KEPT {
        let _ = SCRATCH.try_with(|spare| *spare.borrow_mut() = buffer);
    }
}

impl Call<'_> {
    pub(super) fn read(self, arg: &FuseReadIn) {
        // SAFETY: the layer lives.
        if unsafe { &*self.fs }.operations().read_buf.is_some() {
            return self.read_pieces(arg);
        }
        let (size, off, mut fi) = (arg.size as usize, arg.offset as i64, reading(arg));
        let _ = self.reply_filled(size, |call, room| {
            let path = call.path_of_file()?;
            let (path, room) = (pointer(&path), room.as_ptr().cast());
            // SAFETY: the layer lives, path, room and file are valid for the call.
            let result = unsafe { fuse_fs_read(call.fs, path, room, size, off, &raw mut fi) };
            count(result.into()).map(|length| length as usize)
        });
    }

    fn read_pieces(self, arg: &FuseReadIn) {
        let (size, off, mut fi) = (arg.size as usize, arg.offset as i64, reading(arg));
        let mut pieces: *mut FuseBufvec = null_mut();
        let result = self.path_of_file().and_then(|path| {
            let (path, place) = (pointer(&path), &raw mut pieces);
            // SAFETY: the layer lives, path and file are valid for the call.
            check(unsafe { fuse_fs_read_buf(self.fs, path, place, size, off, &raw mut fi) })
        });
        // SAFETY: what read_buf has delivered is ours, and freed once.
        unsafe {
            match result {
                Err(e) => self.fail(e),
                Ok(()) if pieces.is_null() => self.finish(Ok(())),
                Ok(()) => self.reply_pieces(pieces),
            }
            free_bufvec(pieces);
        }
    }

    /// # Safety
    /// `pieces` is a valid vector, with all its buffers.
    unsafe fn reply_pieces(mut self, pieces: *mut FuseBufvec) {
        // SAFETY: as promised; the room has `size` bytes.
        unsafe {
            let all = slice::from_raw_parts((&raw const (*pieces).buf).cast::<FuseBuf>(), (*pieces).count);
            let whole = (*pieces).idx == 0 && (*pieces).off == 0;
            if whole && all.iter().all(|piece| piece.flags & BUF_IS_FD == 0 && !piece.mem.is_null()) {
                let part = |piece: &FuseBuf| slice::from_raw_parts(piece.mem.cast::<u8>(), piece.size);
                self.watch = None;
                let _ = match all {
                    [one] => self.request.reply_bytes(part(one)),
                    many => {
                        let parts: Vec<_> = many.iter().map(|piece| IoSlice::new(part(piece))).collect();
                        self.request.reply(&parts)
                    }
                };
                return;
            }
            let size = fuse_buf_size(pieces);
            let _ = self.reply_filled(size, |_, room| {
                let mem = room.as_ptr().cast();
                let mut place = FuseBufvec { count: 1, idx: 0, off: 0, buf: [FuseBuf::memory(mem, size)] };
                let copied = fuse_buf_copy(&raw mut place, pieces, SPLICE_MOVE);
                count(copied as i64).map(|length| length as usize)
            });
        }
    }

    pub(super) fn write(self, arg: &FuseWriteIn, data: &[u8]) {
        let (off, mut fi) = (arg.offset as i64, writing(arg));
        let result = self.path_of_file().and_then(|path| {
            let mut pieces = one_buffer(data);
            let (path, pieces) = (pointer(&path), &raw mut pieces);
            // SAFETY: the layer lives, path, data and file are valid for the call; data is not written to.
            count(unsafe { fuse_fs_write_buf(self.fs, path, pieces, off, &raw mut fi) }.into())
        });
        self.reply_with(result.map(|size| FuseWriteOut { size: size as u32, padding: 0 }));
    }

    /// Replies with a value that the layer writes: its bytes, or only their number if none are wanted.
    pub(super) fn reply_value(
        self,
        size: u32,
        get: impl FnOnce(&Self, *mut c_char, usize) -> Result<i64, Errno>,
    ) {
        let size = size as usize;
        if size == 0 {
            let out = |length: i64| FuseGetxattrOut { size: length as u32, padding: 0 };
            let length = get(&self, null_mut(), 0);
            return self.reply_with(length.map(out));
        }
        // The name that was asked for may lie where the transport's room is.
        let Some(mut buffer) = scratch(size) else {
            return self.fail(Errno::new(libc::ENOMEM));
        };
        match get(&self, buffer.as_mut_ptr().cast(), size) {
            Ok(length) if length as usize <= size => drop(self.reply(&[&buffer[..length as usize]])),
            Ok(_) => self.fail(Errno::new(libc::ERANGE)),
            Err(e) => self.fail(e),
        }
        give_back(buffer);
    }
}
