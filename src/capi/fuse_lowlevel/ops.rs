// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls into a low-level filesystem: an `Operation` becomes a call of the program's function for it, or libfuse's
//! answer for one that it does not have.
//!
//! Names and data are lent to the function until it returns; the request is the program's from the call on.

use std::ffi::{c_int, c_void};

use libc::size_t;
use parking_lot::Mutex;

use super::super::fuse_common::show;
use super::super::types::{FuseConnInfo, FuseLowlevelOps, FuseReqT};
use super::ops_args::{
    default_statfs, flushing, handle_of, locking, one_buffer, opened, posix_lock, reading, releasing,
    releasing_dir,
};
use crate::errno::Errno;
use crate::log::warning;
use crate::request::Request;
use crate::request::decode::Operation;
use crate::session::Filesystem;
use crate::session::init::{ConnInfo, Has, Remembered, cap};
use crate::wire::{FuseInHeader, Pod};

/// A program's table of operations, and what it wants to be called with.
pub struct CFilesystem {
    ops: FuseLowlevelOps,
    userdata: *mut c_void,
    /// What `init()` was shown: programs keep the pointer.
    shown: Mutex<Option<Box<FuseConnInfo>>>,
}

// SAFETY: the program's functions may be called from several threads by contract (`fuse_session_loop_mt`); `userdata`
// is only handed on to them.
unsafe impl Send for CFilesystem {}
unsafe impl Sync for CFilesystem {}

impl CFilesystem {
    /// Copies as much of the table as both sides know.
    ///
    /// # Safety
    /// `op` is NULL or points to `op_size` bytes.
    pub unsafe fn new(op: *const FuseLowlevelOps, op_size: size_t, userdata: *mut c_void) -> CFilesystem {
        let mut ops = FuseLowlevelOps::default();
        if op_size > size_of::<FuseLowlevelOps>() {
            warning!("fuse: warning: library too old, some operations may not work");
        }
        if !op.is_null() {
            let length = op_size.min(size_of::<FuseLowlevelOps>());
            // SAFETY: as promised by the caller; a null function pointer is None.
            unsafe { std::ptr::copy_nonoverlapping(op.cast::<u8>(), (&raw mut ops).cast::<u8>(), length) };
        }
        CFilesystem { ops, userdata, shown: Mutex::new(None) }
    }
}

impl Filesystem for CFilesystem {
    fn has(&self) -> Has {
        Has {
            getlk: self.ops.getlk.is_some(),
            setlk: self.ops.setlk.is_some(),
            flock: self.ops.flock.is_some(),
            readdir: self.ops.readdir.is_some(),
            readdirplus: self.ops.readdirplus.is_some(),
            write_buf: self.ops.write_buf.is_some(),
        }
    }

    fn init(&self, conn: &mut ConnInfo, remembered: &mut Remembered) {
        let mut place = Box::<FuseConnInfo>::default();
        show(conn, remembered, &mut place, |shown| {
            if let Some(init) = self.ops.init {
                // SAFETY: the program's function, with what its header promises.
                unsafe { init(self.userdata, shown) }
            }
        });
        *self.shown.lock() = Some(place);
    }

    fn destroy(&self) {
        if let Some(destroy) = self.ops.destroy {
            // SAFETY: as for init.
            unsafe { destroy(self.userdata) }
        }
    }

    fn retrieved(&self, request: Request, ino: u64, cookie: usize, offset: u64, data: &[u8]) {
        let Some(function) = self.ops.retrieve_reply else {
            return request.no_reply();
        };
        let mut bufv = one_buffer(data);
        // SAFETY: the program's function; the data is lent to it until it returns.
        unsafe {
            let req = request.into_raw() as FuseReqT;
            function(req, cookie as *mut c_void, ino, offset as i64, &raw mut bufv);
        }
    }

    fn handle(&self, request: Request, header: &FuseInHeader, operation: Operation<'_>, want: u64) {
        let call = Call { ops: &self.ops, request, ino: header.nodeid, want };
        // SAFETY: the program's functions get what `fuse_lowlevel.h` promises: a request, valid strings and data.
        unsafe { call.dispatch(operation) }
    }
}

/// One call: whom it goes to and what it is about.
pub struct Call<'a> {
    pub ops: &'a FuseLowlevelOps,
    pub request: Request,
    pub ino: u64,
    /// The capabilities that were settled on.
    pub want: u64,
}

/// Calls an operation with the request and the given arguments, or answers ENOSYS.
macro_rules! call {
    ($call:ident, $op:ident $(, $arg:expr)*) => {
        match $call.ops.$op {
            Some(function) => function($call.request.into_raw() as FuseReqT, $($arg),*),
            None => not_implemented($call.request),
        }
    };
}
pub(super) use call;

pub fn not_implemented(request: Request) {
    let _ = request.fail(Errno::new(libc::ENOSYS));
}

impl Call<'_> {
    unsafe fn dispatch(self, operation: Operation<'_>) {
        // SAFETY: see `handle`.
        unsafe {
            match operation {
                Operation::Lookup { .. }
                | Operation::ReadLink
                | Operation::Symlink { .. }
                | Operation::MkNod { .. }
                | Operation::MkDir { .. }
                | Operation::Unlink { .. }
                | Operation::RmDir { .. }
                | Operation::Rename { .. }
                | Operation::Link { .. }
                | Operation::Create { .. }
                | Operation::TmpFile { .. } => self.names(operation),
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
                | Operation::Ioctl { .. }
                | Operation::Poll(_)
                | Operation::GetLk(_)
                | Operation::SetLk(_)
                | Operation::SetLkW(_) => self.files(operation),
                Operation::OpenDir(_)
                | Operation::ReadDir(_)
                | Operation::ReadDirPlus(_)
                | Operation::ReleaseDir(_)
                | Operation::FsyncDir { .. } => self.directories(operation),
                _ => self.others(operation),
            }
        }
    }

    /// What goes by name.
    unsafe fn names(self, operation: Operation<'_>) {
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe {
            match operation {
                Operation::Lookup { name } => call!(call, lookup, ino, name.as_ptr()),
                Operation::ReadLink => call!(call, readlink, ino),
                Operation::Symlink { name, target } => {
                    call!(call, symlink, target.as_ptr(), ino, name.as_ptr())
                }
                Operation::MkNod { name, mode, rdev, .. } => {
                    call!(call, mknod, ino, name.as_ptr(), mode, libc::dev_t::from(rdev))
                }
                Operation::MkDir { name, mode, .. } => call!(call, mkdir, ino, name.as_ptr(), mode),
                Operation::Unlink { name } => call!(call, unlink, ino, name.as_ptr()),
                Operation::RmDir { name } => call!(call, rmdir, ino, name.as_ptr()),
                Operation::Rename { name, newdir, newname, flags } => {
                    call!(call, rename, ino, name.as_ptr(), newdir, newname.as_ptr(), flags)
                }
                Operation::Link { oldnodeid, newname } => call!(call, link, oldnodeid, ino, newname.as_ptr()),
                Operation::Create { name, arg } => {
                    let mut fi = opened(arg.flags, arg.open_flags);
                    call!(call, create, ino, name.as_ptr(), arg.mode, &raw mut fi);
                }
                Operation::TmpFile { arg, .. } => {
                    let mut fi = opened(arg.flags, arg.open_flags);
                    call!(call, tmpfile, ino, arg.mode, &raw mut fi);
                }
                _ => not_implemented(call.request),
            }
        }
    }

    /// What goes by open file.
    unsafe fn files(self, operation: Operation<'_>) {
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe {
            match operation {
                Operation::Open(arg) => call.open(arg, cap::NO_OPEN_SUPPORT, |ops| ops.open),
                Operation::Read(arg) => {
                    call!(call, read, ino, arg.size as size_t, arg.offset as i64, &mut reading(&arg));
                }
                Operation::Write { arg, data } => call.write(arg, data),
                Operation::Flush(arg) => call!(call, flush, ino, &mut flushing(&arg)),
                Operation::Release(arg) => match call.ops.release {
                    Some(_) => call!(call, release, ino, &mut releasing(&arg)),
                    None => drop(call.request.done()),
                },
                Operation::Fsync { fh, datasync } => {
                    call!(call, fsync, ino, c_int::from(datasync), &mut handle_of(fh));
                }
                Operation::FAllocate(arg) => {
                    let mut fi = handle_of(arg.fh);
                    call!(
                        call,
                        fallocate,
                        ino,
                        arg.mode as c_int,
                        arg.offset as i64,
                        arg.length as i64,
                        &raw mut fi
                    );
                }
                Operation::LSeek(arg) => {
                    let mut fi = handle_of(arg.fh);
                    call!(call, lseek, ino, arg.offset as i64, arg.whence as c_int, &raw mut fi);
                }
                // The newer one differs in its reply, which `fuse_reply_write` sees to.
                Operation::CopyFileRange(arg) | Operation::CopyFileRange64(arg) => call.copy_range(&arg),
                Operation::Ioctl { arg, data } => call.ioctl(&arg, data),
                Operation::Poll(arg) => call.poll(&arg),
                Operation::GetLk(arg) => {
                    let mut lock = posix_lock(&arg);
                    call!(call, getlk, ino, &mut locking(&arg), &raw mut lock);
                }
                Operation::SetLk(arg) => call.set_lock(&arg, false),
                Operation::SetLkW(arg) => call.set_lock(&arg, true),
                _ => not_implemented(call.request),
            }
        }
    }

    unsafe fn directories(self, operation: Operation<'_>) {
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe {
            match operation {
                Operation::OpenDir(arg) => call.open(arg, cap::NO_OPENDIR_SUPPORT, |ops| ops.opendir),
                Operation::ReadDir(arg) => {
                    call!(call, readdir, ino, arg.size as size_t, arg.offset as i64, &mut handle_of(arg.fh));
                }
                Operation::ReadDirPlus(arg) => {
                    call!(
                        call,
                        readdirplus,
                        ino,
                        arg.size as size_t,
                        arg.offset as i64,
                        &mut handle_of(arg.fh)
                    );
                }
                Operation::ReleaseDir(arg) => match call.ops.releasedir {
                    Some(_) => call!(call, releasedir, ino, &mut releasing_dir(&arg)),
                    None => drop(call.request.done()),
                },
                Operation::FsyncDir { fh, datasync } => {
                    call!(call, fsyncdir, ino, c_int::from(datasync), &mut handle_of(fh));
                }
                _ => not_implemented(call.request),
            }
        }
    }

    unsafe fn others(self, operation: Operation<'_>) {
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe {
            match operation {
                Operation::Forget { nlookup } => match call.ops.forget {
                    Some(_) => call!(call, forget, ino, nlookup),
                    None => call.request.no_reply(),
                },
                Operation::BatchForget(forgets) => call.forget_many(forgets.iter()),
                Operation::GetAttr { fh } => {
                    let mut fi = handle_of(fh.unwrap_or(0));
                    let fi = if fh.is_some() { &raw mut fi } else { std::ptr::null_mut() };
                    call!(call, getattr, ino, fi);
                }
                Operation::SetAttr(arg) => call.set_attr(&arg),
                Operation::Statx(arg) => call.statx(&arg),
                Operation::StatFs => match call.ops.statfs {
                    Some(_) => call!(call, statfs, ino),
                    None => drop(call.request.reply_bytes(default_statfs().as_bytes())),
                },
                Operation::SetXattr { name, value, flags, .. } => {
                    let (start, size) = (value.as_ptr().cast(), value.len());
                    call!(call, setxattr, ino, name.as_ptr(), start, size, flags as c_int);
                }
                Operation::GetXattr { name, size } => {
                    call!(call, getxattr, ino, name.as_ptr(), size as size_t)
                }
                Operation::ListXattr { size } => call!(call, listxattr, ino, size as size_t),
                Operation::RemoveXattr { name } => call!(call, removexattr, ino, name.as_ptr()),
                Operation::Access { mask } => call!(call, access, ino, mask as c_int),
                Operation::BMap { block, blocksize } => call!(call, bmap, ino, blocksize as size_t, block),
                _ => not_implemented(call.request),
            }
        }
    }
}
