// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cuse_lowlevel.h` (since 2.8): character devices. A device's session is a session like any other; what differs is
//! how it begins. Descriptions and handlers are copied; `userdata` stays the program's.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};

use libc::{off_t, size_t};
use parking_lot::Mutex;

use super::fuse_common::{LoopConfig as CLoopConfig, show};
use super::fuse_common_process::{fuse_remove_signal_handlers, fuse_set_signal_handlers};
use super::fuse_lowlevel::notify::poll_handle;
use super::fuse_lowlevel::ops_args::{flushing, handle_of, opened, reading, releasing, writing};
use super::fuse_lowlevel::reply::open_out;
use super::fuse_lowlevel::session::fuse_session_destroy;
use super::fuse_opt::{read_args, write_args};
use super::types::{FuseArgs, FuseConnInfo, FuseFileInfo, FusePollhandle, FuseReqT};
use crate::daemonize::daemonize;
use crate::errno::Errno;
use crate::log::error;
use crate::opt::{Act, Args, KEY_DISCARD, Refused, Spec};
use crate::request::Request;
use crate::request::decode::Operation;
use crate::session::cmdline::{self, CmdlineOpts};
use crate::session::cuse::{Announcement, MAX_DESCRIPTION};
use crate::session::init::{ConnInfo, Has, Remembered};
use crate::session::{Filesystem, LoopConfig, Session};
use crate::wire::flags::POLL_SCHEDULE_NOTIFY;
use crate::wire::{FuseInHeader, FuseIoctlIn, FusePollIn, Pod};

const UNRESTRICTED_IOCTL: c_uint = 1;

/// `struct cuse_info`.
#[repr(C)]
pub struct CuseInfo {
    pub dev_major: c_uint,
    pub dev_minor: c_uint,
    pub dev_info_argc: c_uint,
    pub dev_info_argv: *mut *const c_char,
    pub flags: c_uint,
}

type Req = FuseReqT;
type Fi = *mut FuseFileInfo;
type CuseIoctlFn = unsafe extern "C" fn(Req, c_int, *mut c_void, Fi, c_uint, *const c_void, size_t, size_t);

/// `struct cuse_lowlevel_ops`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CuseLowlevelOps {
    pub init: Option<unsafe extern "C" fn(*mut c_void, *mut FuseConnInfo)>,
    pub init_done: Option<unsafe extern "C" fn(*mut c_void)>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub open: Option<unsafe extern "C" fn(Req, Fi)>,
    pub read: Option<unsafe extern "C" fn(Req, size_t, off_t, Fi)>,
    pub write: Option<unsafe extern "C" fn(Req, *const c_char, size_t, off_t, Fi)>,
    pub flush: Option<unsafe extern "C" fn(Req, Fi)>,
    pub release: Option<unsafe extern "C" fn(Req, Fi)>,
    pub fsync: Option<unsafe extern "C" fn(Req, c_int, Fi)>,
    pub ioctl: Option<CuseIoctlFn>,
    pub poll: Option<unsafe extern "C" fn(Req, Fi, *mut FusePollhandle)>,
}

const _: () = assert!(size_of::<CuseLowlevelOps>() == 88 && size_of::<CuseInfo>() == 32);

/// A device of a program's.
struct CuseDevice {
    ops: CuseLowlevelOps,
    userdata: *mut c_void,
    announcement: Announcement,
    /// What `init()` was shown: programs keep the pointer.
    shown: Mutex<Option<Box<FuseConnInfo>>>,
}

// SAFETY: as for a filesystem: its functions may be called from several threads by contract; `userdata` is only handed
// on to them.
unsafe impl Send for CuseDevice {}
unsafe impl Sync for CuseDevice {}

impl Filesystem for CuseDevice {
    fn has(&self) -> Has {
        Has::default()
    }

    fn device(&self) -> Option<&Announcement> {
        Some(&self.announcement)
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

    fn device_is_there(&self) {
        if let Some(init_done) = self.ops.init_done {
            // SAFETY: as for init.
            unsafe { init_done(self.userdata) }
        }
    }

    fn destroy(&self) {
        if let Some(destroy) = self.ops.destroy {
            // SAFETY: as for init.
            unsafe { destroy(self.userdata) }
        }
    }

    fn handle(&self, request: Request, _header: &FuseInHeader, operation: Operation<'_>, _want: u64) {
        // SAFETY: the program's functions get what `cuse_lowlevel.h` promises: a request, and data until they return.
        unsafe { dispatch(&self.ops, request, operation) }
    }
}

/// Calls a handler with the request and the given arguments, or answers ENOSYS.
macro_rules! call {
    ($ops:ident, $request:ident, $op:ident $(, $arg:expr)*) => {
        match $ops.$op {
            Some(function) => function($request.into_raw() as FuseReqT, $($arg),*),
            None => drop($request.fail(Errno::new(libc::ENOSYS))),
        }
    };
}

unsafe fn dispatch(ops: &CuseLowlevelOps, request: Request, operation: Operation<'_>) {
    // SAFETY: see `handle`.
    unsafe {
        match operation {
            Operation::Open(arg) => {
                let mut fi = opened(arg.flags, arg.open_flags);
                match ops.open {
                    Some(open) => open(request.into_raw() as FuseReqT, &raw mut fi),
                    None => drop(request.reply_bytes(open_out(&fi).as_bytes())),
                }
            }
            Operation::Read(arg) => {
                call!(ops, request, read, arg.size as size_t, arg.offset as i64, &mut reading(&arg));
            }
            Operation::Write { arg, data } => {
                let start = data.as_ptr().cast();
                call!(ops, request, write, start, data.len(), arg.offset as i64, &mut writing(&arg));
            }
            Operation::Flush(arg) => call!(ops, request, flush, &mut flushing(&arg)),
            Operation::Release(arg) => match ops.release {
                Some(_) => call!(ops, request, release, &mut releasing(&arg)),
                None => drop(request.done()),
            },
            Operation::Fsync { fh, datasync } => {
                call!(ops, request, fsync, c_int::from(datasync), &mut handle_of(fh));
            }
            Operation::Ioctl { arg, data } => ioctl(ops, request, &arg, data),
            Operation::Poll(arg) => poll(ops, request, &arg),
            _ => drop(request.fail(Errno::new(libc::ENOSYS))),
        }
    }
}

unsafe fn ioctl(ops: &CuseLowlevelOps, request: Request, arg: &FuseIoctlIn, data: &[u8]) {
    let mut fi = handle_of(arg.fh);
    let input: *const c_void = if data.is_empty() { null() } else { data.as_ptr().cast() };
    // The client's address, which is only a number here.
    let address = arg.arg as usize as *mut c_void;
    let (cmd, size, room) = (arg.cmd as c_int, data.len(), arg.out_size as size_t);
    // SAFETY: see `handle`.
    unsafe { call!(ops, request, ioctl, cmd, address, &raw mut fi, arg.flags, input, size, room) }
}

unsafe fn poll(ops: &CuseLowlevelOps, request: Request, arg: &FusePollIn) {
    let mut fi = handle_of(arg.fh);
    fi.poll_events = arg.events;
    let handle = match request.line() {
        Some(line) if ops.poll.is_some() && arg.flags & POLL_SCHEDULE_NOTIFY != 0 => {
            poll_handle(line, arg.kh)
        }
        _ => null_mut(),
    };
    // SAFETY: see `handle`.
    unsafe { call!(ops, request, poll, &raw mut fi, handle) }
}

/// Copies what a program says of its device; what is wrong has been logged.
///
/// # Safety
/// `ci` is NULL or valid with all its strings.
unsafe fn announcement(ci: *const CuseInfo) -> Result<Announcement, Refused> {
    // SAFETY: as promised.
    let Some(ci) = (unsafe { ci.as_ref() }) else {
        error!("cuse: the description of the device is NULL");
        return Err(Refused);
    };
    if ci.dev_info_argc != 0 && ci.dev_info_argv.is_null() {
        error!("cuse: dev_info_argv is NULL");
        return Err(Refused);
    }
    let mut description = Vec::new();
    for at in 0..ci.dev_info_argc as usize {
        // SAFETY: as promised: so many strings.
        let text = unsafe { *ci.dev_info_argv.add(at) };
        if text.is_null() {
            error!("cuse: NULL within dev_info_argv");
            return Err(Refused);
        }
        // SAFETY: the same.
        description.extend_from_slice(unsafe { CStr::from_ptr(text) }.to_bytes_with_nul());
    }
    if description.len() > MAX_DESCRIPTION {
        error!("cuse: the device's properties take {} bytes, more than {MAX_DESCRIPTION}", description.len());
        return Err(Refused);
    }
    Ok(Announcement {
        major: ci.dev_major,
        minor: ci.dev_minor,
        unrestricted_ioctl: ci.flags & UNRESTRICTED_IOCTL != 0,
        description,
    })
}

/// # Safety
/// As for `cuse_lowlevel_new`.
unsafe fn new_device(
    args: &mut Args,
    ci: *const CuseInfo,
    clop: *const CuseLowlevelOps,
    userdata: *mut c_void,
) -> Result<Session, Refused> {
    // SAFETY: as promised by the caller.
    let (announcement, ops) = unsafe { (announcement(ci)?, clop.as_ref()) };
    let Some(ops) = ops else {
        error!("cuse: the table of operations is NULL");
        return Err(Refused);
    };
    if args.len() == 0 {
        error!("cuse: empty argv");
        return Err(Refused);
    }
    let device = CuseDevice { ops: *ops, userdata, announcement, shown: Mutex::new(None) };
    Session::new(args, Box::new(device), userdata as usize)
}

/// # Safety
/// See `cuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuse_lowlevel_new(
    args: *mut FuseArgs,
    ci: *const CuseInfo,
    clop: *const CuseLowlevelOps,
    userdata: *mut c_void,
) -> *mut Session {
    if args.is_null() {
        error!("cuse: cuse_lowlevel_new: args is NULL");
        return null_mut();
    }
    // SAFETY: as promised by the caller; a list that was read is written back.
    unsafe {
        let made = read_args(args).and_then(|mut list| {
            let made = new_device(&mut list, ci, clop, userdata);
            write_args(args, &list).and(made)
        });
        made.map_or(null_mut(), |session| Box::into_raw(Box::new(session)))
    }
}

const SUBTYPE: &[Spec<()>] = &[Spec::new("subtype=", Act::Key(KEY_DISCARD))];

/// # Safety
/// See `cuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuse_lowlevel_setup(
    argc: c_int,
    argv: *mut *mut c_char,
    ci: *const CuseInfo,
    clop: *const CuseLowlevelOps,
    multithreaded: *mut c_int,
    userdata: *mut c_void,
) -> *mut Session {
    let args = FuseArgs { argc, argv, allocated: 0 };
    let mut opts = CmdlineOpts::default();
    // SAFETY: as promised by the caller.
    let made = unsafe { read_args(&raw const args) }.and_then(|mut list| {
        cmdline::parse(&mut list, &mut opts)?;
        // Of the program's name, which means nothing here.
        list.parse(&mut (), SUBTYPE, &mut |(), _, _, _| Ok(true))?;
        // SAFETY: the same.
        let session = unsafe { new_device(&mut list, ci, clop, userdata)? };
        session.open_device().map_err(|_| Refused)?;
        Ok(session)
    });
    // SAFETY: NULL or valid, by contract.
    if let Some(multithreaded) = unsafe { multithreaded.as_mut() } {
        *multithreaded = c_int::from(!opts.singlethread);
    }
    let Ok(session) = made else {
        return null_mut();
    };
    let session = Box::into_raw(Box::new(session));
    // SAFETY: just made; given up where it is of no use.
    unsafe {
        if fuse_set_signal_handlers(session) != 0 {
            fuse_session_destroy(session);
            return null_mut();
        }
        if daemonize(opts.foreground).is_err() {
            cuse_lowlevel_teardown(session);
            return null_mut();
        }
    }
    session
}

/// # Safety
/// See `cuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuse_lowlevel_teardown(se: *mut Session) {
    if !se.is_null() {
        // SAFETY: as promised by the caller.
        unsafe {
            fuse_remove_signal_handlers(se);
            fuse_session_destroy(se);
        }
    }
}

/// # Safety
/// See `cuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuse_lowlevel_main(
    argc: c_int,
    argv: *mut *mut c_char,
    ci: *const CuseInfo,
    clop: *const CuseLowlevelOps,
    userdata: *mut c_void,
) -> c_int {
    let mut multithreaded = 0;
    // SAFETY: as promised by the caller.
    unsafe {
        let se = cuse_lowlevel_setup(argc, argv, ci, clop, &raw mut multithreaded, userdata);
        let Some(session) = se.as_ref() else {
            return 1;
        };
        let CLoopConfig { clone_fd, max_idle_threads, max_threads } = CLoopConfig::default();
        let ended = match multithreaded {
            0 => session.run_single(),
            _ => session.run_multi(LoopConfig { clone_fd, max_idle_threads, max_threads }),
        };
        cuse_lowlevel_teardown(se);
        c_int::from(ended < 0)
    }
}
