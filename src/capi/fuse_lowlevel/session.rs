// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sessions: `fuse_session_*`. The program owns a session from `fuse_session_new` until it calls
//! `fuse_session_destroy`, which must be the last thing that anybody does with it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use libc::size_t;

use super::super::fuse_common::{FuseLoopConfig, LoopConfig as CLoopConfig};
use super::super::fuse_opt::{read_args, write_args};
use super::super::types::{FuseArgs, FuseBuf, FuseLoopConfigV1, FuseLowlevelOps, LibfuseVersion};
use super::ops::CFilesystem;
use crate::errno::Errno;
use crate::log::error;
use crate::session::{LoopConfig, Session};

/// `enum fuse_buf_flags`: the buffer is a descriptor.
const FUSE_BUF_IS_FD: u32 = 1 << 1;

/// The session behind a pointer, or `None` with a message for NULL.
///
/// # Safety
/// `se` is NULL or a live session.
pub unsafe fn session<'a>(se: *const Session, caller: &str) -> Option<&'a Session> {
    // SAFETY: as promised by the caller.
    let session = unsafe { se.as_ref() };
    if session.is_none() {
        error!("fuse: {caller}: session is NULL");
    }
    session
}

/// Makes a session of a table of operations, which is copied.
///
/// # Safety
/// `args` is a valid list, `op` points to `op_size` bytes or is NULL.
unsafe fn new_session(
    args: *mut FuseArgs,
    op: *const FuseLowlevelOps,
    op_size: size_t,
    userdata: *mut c_void,
) -> *mut Session {
    // SAFETY: as promised by the caller; a list that was read is written back.
    unsafe {
        let Ok(mut list) = read_args(args) else {
            return null_mut();
        };
        if list.len() == 0 {
            error!("fuse: empty argv passed to fuse_session_new()");
            return null_mut();
        }
        let filesystem = Box::new(CFilesystem::new(op, op_size, userdata));
        let made = Session::new(&mut list, filesystem, userdata as usize);
        if write_args(args, &list).is_err() {
            return null_mut();
        }
        made.map_or(null_mut(), |session| Box::into_raw(Box::new(session)))
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_new_versioned(
    args: *mut FuseArgs,
    op: *const FuseLowlevelOps,
    op_size: size_t,
    _version: *mut LibfuseVersion,
    userdata: *mut c_void,
) -> *mut Session {
    if op.is_null() || op_size == 0 {
        error!("fuse: fuse_session_new: the table of operations is NULL or empty");
        return null_mut();
    }
    // SAFETY: as promised by the caller.
    unsafe { new_session(args, op, op_size, userdata) }
}

/// The form for programs that were built before 3.17 or look the name up; unlike the other it takes no operations.
///
/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_new(
    args: *mut FuseArgs,
    op: *const FuseLowlevelOps,
    op_size: size_t,
    userdata: *mut c_void,
) -> *mut Session {
    // SAFETY: as promised by the caller.
    unsafe { new_session(args, op, op_size, userdata) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_mount(se: *mut Session, mountpoint: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    let Some(session) = (unsafe { session(se, "fuse_session_mount") }) else {
        return -1;
    };
    if mountpoint.is_null() {
        error!("fuse: fuse_session_mount: mountpoint is NULL");
        return -1;
    }
    // SAFETY: a C string.
    let point = unsafe { CStr::from_ptr(mountpoint) };
    match session.mount(point) {
        Ok(()) => 0,
        Err(e) => {
            // Programs print it. What the last system call of a failed mount left there has nothing to do with it.
            // SAFETY: the calling thread's own errno.
            unsafe { *libc::__errno_location() = e.raw() };
            -1
        }
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_unmount(se: *mut Session) {
    // SAFETY: as promised by the caller.
    if let Some(session) = unsafe { session(se, "fuse_session_unmount") } {
        session.unmount();
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_destroy(se: *mut Session) {
    if !se.is_null() {
        // SAFETY: came from Box::into_raw, and is not used afterwards.
        drop(unsafe { Box::from_raw(se) });
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_loop(se: *mut Session) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { session(se, "fuse_session_loop") }.map_or(-libc::EINVAL, Session::run_single)
}

fn run_multi(session: Option<&Session>, config: Result<CLoopConfig, Errno>) -> c_int {
    match (session, config) {
        (None, _) => -libc::EINVAL,
        (_, Err(e)) => {
            error!("fuse: fuse_session_loop_mt: not a configuration from fuse_loop_cfg_create()");
            e.negated()
        }
        (Some(session), Ok(config)) => session.run_multi(LoopConfig {
            clone_fd: config.clone_fd,
            max_idle_threads: config.max_idle_threads,
            max_threads: config.max_threads,
        }),
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_loop_mt_312(se: *mut Session, config: *mut FuseLoopConfig) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { run_multi(session(se, "fuse_session_loop_mt"), CLoopConfig::from_ptr(config)) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_loop_mt_32(se: *mut Session, config: *mut FuseLoopConfigV1) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { run_multi(session(se, "fuse_session_loop_mt"), Ok(CLoopConfig::from_v1(config))) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_loop_mt_31(se: *mut Session, clone_fd: c_int) -> c_int {
    let config = CLoopConfig { clone_fd: clone_fd != 0, ..CLoopConfig::default() };
    // SAFETY: as promised by the caller.
    unsafe { run_multi(session(se, "fuse_session_loop_mt"), Ok(config)) }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_exit(se: *mut Session) {
    // SAFETY: as promised by the caller. No message here: this may be a signal handler.
    if let Some(session) = unsafe { se.as_ref() } {
        session.exit_flag().exit();
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_reset(se: *mut Session) {
    // SAFETY: as promised by the caller.
    if let Some(session) = unsafe { session(se, "fuse_session_reset") } {
        session.exit_flag().reset();
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_exited(se: *mut Session) -> c_int {
    // SAFETY: as promised by the caller. No session is over, too.
    unsafe { se.as_ref() }.is_none_or(|session| session.exit_flag().exited()).into()
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_fd(se: *mut Session) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { session(se, "fuse_session_fd") }.map_or(-1, Session::fd)
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_receive_buf(se: *mut Session, buf: *mut FuseBuf) -> c_int {
    // SAFETY: as promised by the caller.
    let (session, buf) = unsafe { (session(se, "fuse_session_receive_buf"), buf.as_mut()) };
    let (Some(session), Some(buf)) = (session, buf) else {
        return -libc::EINVAL;
    };
    let needed = session.buffer_size();
    if buf.mem.is_null() {
        // SAFETY: plain malloc; the program frees it.
        buf.mem = unsafe { libc::malloc(needed) };
        if buf.mem.is_null() {
            error!("fuse: failed to allocate read buffer");
            return -libc::ENOMEM;
        }
        buf.set_room(needed);
    }
    // A program that brings its own buffer and does not say how large it is promises enough, as it always had to.
    let length = buf.room().map_or(needed, |room| room.min(needed));
    buf.flags = 0;
    // SAFETY: so many bytes are there; they are written before they are read.
    let room = unsafe { std::slice::from_raw_parts_mut(buf.mem.cast::<u8>(), length) };
    match session.receive(room) {
        Ok(length) => {
            buf.size = length;
            length as c_int
        }
        Err(e) => e.negated(),
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_session_process_buf(se: *mut Session, buf: *const FuseBuf) {
    // SAFETY: as promised by the caller.
    let (session, buf) = unsafe { (session(se, "fuse_session_process_buf"), buf.as_ref()) };
    let (Some(session), Some(buf)) = (session, buf) else {
        return;
    };
    if buf.flags & FUSE_BUF_IS_FD != 0 {
        return process_from_fd(session, buf);
    }
    if buf.mem.is_null() {
        return error!("fuse: fuse_session_process_buf: buffer without memory");
    }
    // SAFETY: `size` bytes are there, by contract.
    session.process(unsafe { std::slice::from_raw_parts(buf.mem.cast::<u8>(), buf.size) });
}

/// A message that a program has spliced into a pipe.
fn process_from_fd(session: &Session, buf: &FuseBuf) {
    let mut message = vec![0u8; buf.size.min(session.buffer_size())];
    let mut length = 0;
    while length < message.len() {
        match crate::sys::dev::read(buf.fd, &mut message[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(e) if e.raw() == libc::EINTR => (),
            Err(e) => return error!("fuse: reading a message from a pipe: {e}"),
        }
    }
    session.process(&message[..length]);
}
