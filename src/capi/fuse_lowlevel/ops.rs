// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls into a low-level filesystem: an `Operation` becomes a call of the program's function for it, or libfuse's
//! answer for one that it does not have.
//!
//! Names and data are lent to the function until it returns; the request is the program's from the call on.

use std::ffi::{c_int, c_void};

use libc::size_t;
use parking_lot::Mutex;

use super::super::fuse_common::show;
use super::super::types::{
    FuseBuf, FuseBufvec, FuseConnInfo, FuseFileInfo, FuseForgetData, FuseLowlevelOps, FuseReqT, file_info,
};
use super::reply::open_out;
use crate::errno::Errno;
use crate::log::warning;
use crate::request::Request;
use crate::request::decode::Operation;
use crate::session::Filesystem;
use crate::session::init::{ConnInfo, Has, Remembered, cap};
use crate::wire::flags::{self, fattr};
use crate::wire::{
    FuseFlushIn, FuseInHeader, FuseKstatfs, FuseLkIn, FuseOpenIn, FuseReadIn, FuseReleaseIn, FuseSetattrIn,
    FuseStatfsOut, FuseWriteIn, Pod,
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
struct Call<'a> {
    ops: &'a FuseLowlevelOps,
    request: Request,
    ino: u64,
    want: u64,
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

fn not_implemented(request: Request) {
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
                Operation::CopyFileRange(arg) => {
                    let (mut from, mut to) = (handle_of(arg.fh_in), handle_of(arg.fh_out));
                    let (off_in, off_out) = (arg.off_in as i64, arg.off_out as i64);
                    let (from, to) = (&raw mut from, &raw mut to);
                    let length = arg.len as size_t;
                    let flags = arg.flags as c_int;
                    call!(
                        call,
                        copy_file_range,
                        ino,
                        off_in,
                        from,
                        arg.nodeid_out,
                        off_out,
                        to,
                        length,
                        flags
                    );
                }
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

    /// Opens a file or a directory. Without a function for it every open succeeds, or, if the kernel can do without
    /// asking, ENOSYS tells it so.
    unsafe fn open(
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

    unsafe fn write(self, arg: FuseWriteIn, data: &[u8]) {
        let mut fi = handle_of(arg.fh);
        fi.flags = arg.flags as i32;
        fi.lock_owner = arg.lock_owner;
        set_bit(&mut fi, file_info::WRITEPAGE, arg.write_flags & flags::WRITE_CACHE != 0);
        set_bit(&mut fi, file_info::KILL_SUIDGID, arg.write_flags & flags::WRITE_KILL_SUIDGID != 0);
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

    unsafe fn set_attr(self, arg: &FuseSetattrIn) {
        let mut fi = handle_of(arg.fh);
        let has_file = arg.valid & fattr::FH != 0;
        let file = if has_file { &raw mut fi } else { std::ptr::null_mut() };
        let mut stat = wanted_stat(arg);
        let (ino, call) = (self.ino, self);
        // SAFETY: see `handle`.
        unsafe { call!(call, setattr, ino, &raw mut stat, (arg.valid & SETATTR_KNOWN) as c_int, file) }
    }

    unsafe fn set_lock(self, arg: &FuseLkIn, wait: bool) {
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

    unsafe fn forget_many(self, forgets: impl ExactSizeIterator<Item = (u64, u64)>) {
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
}

/// Data of a request as a vector. A filesystem does not write to it, though the type would let it.
fn one_buffer(data: &[u8]) -> FuseBufvec {
    let mem = data.as_ptr().cast_mut().cast();
    let buf = FuseBuf { size: data.len(), flags: 0, mem, fd: -1, pos: 0, mem_size: data.len() };
    FuseBufvec { count: 1, idx: 0, off: 0, buf: [buf] }
}

type OpenFn = unsafe extern "C" fn(FuseReqT, u64, *mut FuseFileInfo);

fn set_bit(fi: &mut FuseFileInfo, bit: u32, on: bool) {
    if on {
        fi.flag_bits |= bit;
    }
}

fn handle_of(fh: u64) -> FuseFileInfo {
    FuseFileInfo { fh, ..FuseFileInfo::default() }
}

fn opened(flags: u32, kernel_flags: u32) -> FuseFileInfo {
    let mut fi = FuseFileInfo { flags: flags as i32, ..FuseFileInfo::default() };
    set_bit(&mut fi, file_info::KILL_SUIDGID, kernel_flags & flags::OPEN_KILL_SUIDGID != 0);
    fi
}

fn reading(arg: &FuseReadIn) -> FuseFileInfo {
    let lock_owner = if arg.read_flags & flags::READ_LOCKOWNER != 0 { arg.lock_owner } else { 0 };
    FuseFileInfo { flags: arg.flags as i32, fh: arg.fh, lock_owner, ..FuseFileInfo::default() }
}

fn flushing(arg: &FuseFlushIn) -> FuseFileInfo {
    FuseFileInfo {
        fh: arg.fh,
        lock_owner: arg.lock_owner,
        flag_bits: file_info::FLUSH,
        ..FuseFileInfo::default()
    }
}

fn releasing(arg: &FuseReleaseIn) -> FuseFileInfo {
    let mut fi = FuseFileInfo { flags: arg.flags as i32, fh: arg.fh, ..FuseFileInfo::default() };
    fi.lock_owner = arg.lock_owner;
    set_bit(&mut fi, file_info::FLUSH, arg.release_flags & flags::RELEASE_FLUSH != 0);
    set_bit(&mut fi, file_info::FLOCK_RELEASE, arg.release_flags & flags::RELEASE_FLOCK_UNLOCK != 0);
    fi
}

fn releasing_dir(arg: &FuseReleaseIn) -> FuseFileInfo {
    FuseFileInfo { flags: arg.flags as i32, fh: arg.fh, ..FuseFileInfo::default() }
}

fn locking(arg: &FuseLkIn) -> FuseFileInfo {
    FuseFileInfo { fh: arg.fh, lock_owner: arg.owner, ..FuseFileInfo::default() }
}

fn posix_lock(arg: &FuseLkIn) -> libc::flock {
    let to_the_end = arg.lk.end == i64::MAX as u64;
    let length = arg.lk.end.wrapping_sub(arg.lk.start).wrapping_add(1);
    libc::flock {
        l_type: arg.lk.kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: arg.lk.start as i64,
        l_len: if to_the_end { 0 } else { length as i64 },
        l_pid: arg.lk.pid as i32,
    }
}

/// The values that a SETATTR carries; only those named by its `valid` mean anything.
fn wanted_stat(arg: &FuseSetattrIn) -> libc::stat {
    // SAFETY: all-zero is a value of this plain C struct.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    stat.st_mode = arg.mode;
    stat.st_uid = arg.uid;
    stat.st_gid = arg.gid;
    stat.st_size = arg.size as i64;
    (stat.st_atime, stat.st_atime_nsec) = (arg.atime as i64, i64::from(arg.atimensec));
    (stat.st_mtime, stat.st_mtime_nsec) = (arg.mtime as i64, i64::from(arg.mtimensec));
    (stat.st_ctime, stat.st_ctime_nsec) = (arg.ctime as i64, i64::from(arg.ctimensec));
    stat
}

fn default_statfs() -> FuseStatfsOut {
    FuseStatfsOut { st: FuseKstatfs { namelen: 255, bsize: 512, ..FuseKstatfs::default() } }
}
