// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calls that take more than their arguments: defaults that depend on the connection, variants of one function,
//! data.

use std::ffi::{c_int, c_void};

use libc::size_t;

use super::super::types::{FuseFileInfo, FuseForgetData, FuseLowlevelOps, FuseReqT};
use super::notify::poll_handle;
use super::ops::{Call, call, not_implemented};
use super::ops_args::{handle_of, locking, one_buffer, opened, posix_lock, wanted_stat, writing};
use super::reply::open_out;
use crate::errno::Errno;
use crate::session::init::cap;
use crate::wire::flags::{self, fattr};
use crate::wire::{
    FuseCopyFileRangeIn, FuseIoctlIn, FuseLkIn, FuseOpenIn, FusePollIn, FuseSetattrIn, FuseStatxIn,
    FuseWriteIn, Pod,
};

/// The bits of `valid` in a SETATTR that the header has names for.
const SETATTR_KNOWN: u32 = fattr::MODE
    | fattr::UID
    | fattr::GID
    | fattr::SIZE
    | fattr::ATIME
    | fattr::MTIME
    | fattr::ATIME_NOW
    | fattr::MTIME_NOW
    | fattr::CTIME
    | fattr::KILL_SUIDGID;

type OpenFn = unsafe extern "C" fn(FuseReqT, u64, *mut FuseFileInfo);

impl Call<'_> {
    /// Opens a file or a directory. Without a function for it every open succeeds, or, if the kernel can do without
    /// asking, ENOSYS tells it so.
    pub unsafe fn open(
        self,
        arg: FuseOpenIn,
        unneeded: u64,
        function: impl Fn(&FuseLowlevelOps) -> Option<OpenFn>,
    ) {
        let mut fi = opened(arg.flags, arg.open_flags);
        match function(self.ops) {
            // SAFETY: see `handle`.
            Some(open) => unsafe { open(self.request.into_raw() as FuseReqT, self.ino, &raw mut fi) },
            None if self.want & unneeded != 0 => not_implemented(self.request),
            None => drop(self.request.reply_bytes(open_out(&fi).as_bytes())),
        }
    }

    pub unsafe fn write(self, arg: FuseWriteIn, data: &[u8]) {
        let mut fi = writing(&arg);
        let (ino, call, offset) = (self.ino, self, arg.offset as i64);
        // SAFETY: see `handle`; a filesystem does not write to the data, though write_buf's type would let it.
        unsafe {
            if call.ops.write_buf.is_none() {
                return call!(call, write, ino, data.as_ptr().cast(), data.len(), offset, &raw mut fi);
            }
            let mut bufv = one_buffer(data);
            call!(call, write_buf, ino, &raw mut bufv, offset, &raw mut fi);
        }
    }

    pub unsafe fn set_attr(self, arg: &FuseSetattrIn) {
        let mut fi = handle_of(arg.fh);
        let has_file = arg.valid & fattr::FH != 0;
        let file = if has_file { &raw mut fi } else { std::ptr::null_mut() };
        let mut stat = wanted_stat(arg);
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe { call!(call, setattr, ino, &raw mut stat, (arg.valid & SETATTR_KNOWN) as c_int, file) }
    }

    pub unsafe fn set_lock(self, arg: &FuseLkIn, wait: bool) {
        let mut fi = locking(arg);
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe {
            if arg.lk_flags & flags::LK_FLOCK == 0 {
                let mut lock = posix_lock(arg);
                return call!(call, setlk, ino, &raw mut fi, &raw mut lock, c_int::from(wait));
            }
            let how = match arg.lk.kind as c_int {
                libc::F_RDLCK => libc::LOCK_SH,
                libc::F_WRLCK => libc::LOCK_EX,
                _ => libc::LOCK_UN,
            };
            let how = if wait { how } else { how | libc::LOCK_NB };
            call!(call, flock, ino, &raw mut fi, how);
        }
    }

    pub unsafe fn forget_many(self, forgets: impl ExactSizeIterator<Item = (u64, u64)>) {
        let mut list: Vec<FuseForgetData> =
            forgets.map(|(ino, nlookup)| FuseForgetData { ino, nlookup }).collect();
        let call = self;
        // SAFETY: see `handle`. A function for single forgets answers a request for each of them.
        unsafe {
            if call.ops.forget_multi.is_some() {
                return call!(call, forget_multi, list.len(), list.as_mut_ptr());
            }
            if let Some(forget) = call.ops.forget {
                for one in &list {
                    let Some(request) = call.request.another() else {
                        break;
                    };
                    forget(request.into_raw() as FuseReqT, one.ino, one.nlookup);
                }
            }
            call.request.no_reply();
        }
    }
    pub unsafe fn copy_range(self, arg: &FuseCopyFileRangeIn) {
        let (mut from, mut to) = (handle_of(arg.fh_in), handle_of(arg.fh_out));
        let (from, to) = (&raw mut from, &raw mut to);
        let (off_in, off_out) = (arg.off_in as i64, arg.off_out as i64);
        let (length, flags) = (arg.len as size_t, arg.flags as c_int);
        let (ino, out, call) = (self.ino, arg.nodeid_out, self);
        // SAFETY: see `handle`.
        unsafe { call!(call, copy_file_range, ino, off_in, from, out, off_out, to, length, flags) }
    }

    pub unsafe fn statx(self, arg: &FuseStatxIn) {
        let mut fi = handle_of(arg.fh);
        let has_file = arg.getattr_flags & flags::GETATTR_FH != 0;
        let file = if has_file { &raw mut fi } else { std::ptr::null_mut() };
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe { call!(call, statx, ino, arg.sx_flags as c_int, arg.sx_mask as c_int, file) }
    }

    /// A directory's ioctl is for those who asked for it (they do, by default).
    pub unsafe fn ioctl(self, arg: &FuseIoctlIn, data: &[u8]) {
        if arg.flags & flags::ioctl::DIR != 0 && self.want & cap::IOCTL_DIR == 0 {
            let _ = self.request.fail(Errno::new(libc::ENOTTY));
            return;
        }
        let mut fi = handle_of(arg.fh);
        let input: *const c_void = if data.is_empty() { std::ptr::null() } else { data.as_ptr().cast() };
        let address = arg.arg as usize as *mut c_void;
        let (room, ino, call) = (arg.out_size as size_t, self.ino, self);
        // SAFETY: see `handle`; the address is the client's, and only a number here.
        unsafe { call!(call, ioctl, ino, arg.cmd, address, &raw mut fi, arg.flags, input, data.len(), room) }
    }

    /// The poll handle becomes the program's, if the kernel wants to hear of changes.
    pub unsafe fn poll(self, arg: &FusePollIn) {
        if self.ops.poll.is_none() {
            return not_implemented(self.request);
        }
        let mut fi = handle_of(arg.fh);
        fi.poll_events = arg.events;
        let handle = match self.request.line() {
            Some(line) if arg.flags & flags::POLL_SCHEDULE_NOTIFY != 0 => poll_handle(line, arg.kh),
            _ => std::ptr::null_mut(),
        };
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe { call!(call, poll, ino, &raw mut fi, handle) }
    }
}
