// SPDX-License-Identifier: MIT OR Apache-2.0
//! A filesystem step by step: `fuse_new`, `fuse_mount`, the loops, `fuse_destroy`.
//!
//! A `struct fuse *` is a `Box<Fuse>` from `fuse_new` to `fuse_destroy`; it owns its session, which `fuse_get_session`
//! lends. The layers belong to the `HighLevel` that session and `Fuse` share.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, OnceLock};

use libc::size_t;

use super::super::fuse_common::FuseLoopConfig;
use super::super::fuse_lowlevel::session::{
    fuse_session_exit, fuse_session_loop, fuse_session_loop_mt_31, fuse_session_loop_mt_32,
    fuse_session_loop_mt_312, fuse_session_mount, fuse_session_unmount,
};
use super::super::fuse_opt::{read_args, write_args};
use super::super::types::{FuseArgs, FuseLoopConfigV1, LibfuseVersion};
use super::config::LibOptions;
use super::fs::fuse_fs_new;
use super::modules::Stack;
use super::ops::{Handle, HighLevel};
use super::program::fuse_lib_help;
use super::types::FuseOperations;
use crate::log::error;
use crate::opt::Refused;
use crate::session::Session as FuseSession;

/// `struct fuse`, opaque to programs.
pub struct Fuse {
    high: OnceLock<Arc<HighLevel>>,
    /// Owned; behind a pointer, since programs hold it as well.
    session: *mut FuseSession,
}

impl Drop for Fuse {
    fn drop(&mut self) {
        if let Some(high) = self.high.get() {
            high.stop_cleanup();
            high.remove_hidden();
        }
        if !self.session.is_null() {
            // SAFETY: from Box::into_raw; the program gave it up together with us.
            drop(unsafe { Box::from_raw(self.session) });
        }
    }
}

impl Fuse {
    /// What is behind a pointer; `None`, logged, for NULL.
    ///
    /// # Safety
    /// `f` is NULL or a live filesystem.
    pub unsafe fn from_ptr<'a>(f: *const Fuse, caller: &str) -> Option<&'a Fuse> {
        // SAFETY: as promised by the caller.
        let fuse = unsafe { f.as_ref() };
        if fuse.is_none() {
            error!("fuse: {caller}: the filesystem is NULL");
        }
        fuse
    }

    pub fn session(&self) -> *mut FuseSession {
        self.session
    }

    pub fn high(&self) -> Option<&HighLevel> {
        self.high.get().map(Arc::as_ref)
    }

    /// Makes a filesystem of a table of operations; what is wrong has been logged.
    ///
    /// # Safety
    /// `args` is a valid list, `op` is NULL or points to `op_size` bytes.
    unsafe fn new(
        args: *mut FuseArgs,
        op: *const FuseOperations,
        op_size: size_t,
        user_data: *mut c_void,
    ) -> Result<Box<Fuse>, Refused> {
        // SAFETY: as promised by the caller; the new layer is the stack's.
        let (options, stack) = unsafe {
            let options = LibOptions::parse(args)?;
            let mut stack = Stack::new(fuse_fs_new(op, op_size, user_data));
            for name in options.modules() {
                stack.push(&name, args)?;
            }
            (options, stack)
        };
        if options.config.debug != 0 {
            stack.set_debug();
        }
        let mut fuse = Box::new(Fuse { high: OnceLock::new(), session: null_mut() });
        let high = HighLevel::new(&raw mut *fuse, stack, options);
        let _ = fuse.high.set(high.clone());
        // SAFETY: as promised by the caller.
        let session = unsafe {
            let mut list = read_args(args)?;
            let made = FuseSession::new(&mut list, Box::new(Handle(high)), &raw mut *fuse as usize);
            write_args(args, &list)?;
            made?
        };
        fuse.session = Box::into_raw(Box::new(session));
        Ok(fuse)
    }
}

/// # Safety
/// As for `Fuse::new`.
unsafe fn new(
    args: *mut FuseArgs,
    op: *const FuseOperations,
    op_size: size_t,
    user_data: *mut c_void,
) -> *mut Fuse {
    // SAFETY: as promised by the caller.
    if args.is_null() || unsafe { (*args).argc } < 1 {
        error!("fuse: fuse_new: empty list of arguments");
        return null_mut();
    }
    // SAFETY: the same.
    unsafe { Fuse::new(args, op, op_size, user_data) }.map_or(null_mut(), Box::into_raw)
}

/// Makes a filesystem that is not mounted yet (since 3.17; before, `fuse_new` was a function).
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _fuse_new_31(
    args: *mut FuseArgs,
    op: *const FuseOperations,
    op_size: size_t,
    _version: *mut LibfuseVersion,
    user_data: *mut c_void,
) -> *mut Fuse {
    // SAFETY: as promised by the caller.
    unsafe { new(args, op, op_size, user_data) }
}

/// The same for programs of API 3.0, which leave `-h` to it: prints help then, and returns NULL.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _fuse_new_30(
    args: *mut FuseArgs,
    op: *const FuseOperations,
    op_size: size_t,
    _version: *mut LibfuseVersion,
    user_data: *mut c_void,
) -> *mut Fuse {
    // SAFETY: as promised by the caller.
    unsafe {
        match LibOptions::take_help(args) {
            Err(Refused) => null_mut(),
            Ok(true) => {
                fuse_lib_help(args);
                null_mut()
            }
            Ok(false) => new(args, op, op_size, user_data),
        }
    }
}

/// `fuse_new` of programs that were built for 3.1 to 3.16.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_new_31(
    args: *mut FuseArgs,
    op: *const FuseOperations,
    op_size: size_t,
    user_data: *mut c_void,
) -> *mut Fuse {
    // SAFETY: as promised by the caller.
    unsafe { new(args, op, op_size, user_data) }
}

/// `fuse_new` of programs that were built for 3.0.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_new_30(
    args: *mut FuseArgs,
    op: *const FuseOperations,
    op_size: size_t,
    user_data: *mut c_void,
) -> *mut Fuse {
    // SAFETY: as promised by the caller.
    unsafe { _fuse_new_30(args, op, op_size, null_mut(), user_data) }
}

/// Removes what is hidden, ends the layers, releases everything.
///
/// # Safety
/// `f` comes from `fuse_new` and is not used afterwards; NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_destroy(f: *mut Fuse) {
    if !f.is_null() {
        // SAFETY: came from Box::into_raw, and is not used afterwards.
        drop(unsafe { Box::from_raw(f) });
    }
}

/// The session below a filesystem; it stays the filesystem's.
///
/// # Safety
/// `f` is a live filesystem.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_get_session(f: *mut Fuse) -> *mut FuseSession {
    // SAFETY: as promised by the caller.
    unsafe { Fuse::from_ptr(f, "fuse_get_session") }.map_or(null_mut(), |fuse| fuse.session)
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_mount(f: *mut Fuse, mountpoint: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { fuse_session_mount(fuse_get_session(f), mountpoint) }
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_unmount(f: *mut Fuse) {
    // SAFETY: as promised by the caller.
    unsafe { fuse_session_unmount(fuse_get_session(f)) }
}

/// # Safety
/// See `fuse.h`. May be called in a signal handler, hence without a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_exit(f: *mut Fuse) {
    // SAFETY: as promised by the caller.
    if let Some(fuse) = unsafe { f.as_ref() } {
        // SAFETY: the session lives as long as its filesystem.
        unsafe { fuse_session_exit(fuse.session) }
    }
}

/// Runs a loop while remembered nodes are dropped beside it.
///
/// # Safety
/// `f` is NULL or a live filesystem.
unsafe fn run(f: *mut Fuse, caller: &str, run_loop: impl FnOnce(*mut FuseSession) -> c_int) -> c_int {
    // SAFETY: as promised by the caller.
    let Some((fuse, high)) =
        (unsafe { Fuse::from_ptr(f, caller) }).and_then(|fuse| fuse.high().map(|high| (fuse, high)))
    else {
        return -1;
    };
    if let Err(e) = high.start_cleanup() {
        error!("fuse: error creating thread: {e}");
        return -1;
    }
    let result = run_loop(fuse.session);
    high.stop_cleanup();
    result
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop(f: *mut Fuse) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { run(f, "fuse_loop", |session| fuse_session_loop(session)) }
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_mt_312(f: *mut Fuse, config: *mut FuseLoopConfig) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { run(f, "fuse_loop_mt", |session| fuse_session_loop_mt_312(session, config)) }
}

/// # Safety
/// See `fuse.h` at FUSE_USE_VERSION 32 to 311.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_mt_32(f: *mut Fuse, config: *mut FuseLoopConfigV1) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { run(f, "fuse_loop_mt", |session| fuse_session_loop_mt_32(session, config)) }
}

/// # Safety
/// See `fuse.h` at FUSE_USE_VERSION up to 31.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_mt_31(f: *mut Fuse, clone_fd: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { run(f, "fuse_loop_mt", |session| fuse_session_loop_mt_31(session, clone_fd)) }
}

/// The filesystem's own part, for the functions below.
///
/// # Safety
/// `f` is NULL or a live filesystem.
unsafe fn high<'a>(f: *mut Fuse, caller: &str) -> Option<&'a HighLevel> {
    // SAFETY: as promised by the caller.
    unsafe { Fuse::from_ptr(f, caller) }.and_then(Fuse::high)
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_start_cleanup_thread(fuse: *mut Fuse) -> c_int {
    // SAFETY: as promised by the caller.
    match unsafe { high(fuse, "fuse_start_cleanup_thread") }.map(HighLevel::start_cleanup) {
        Some(Ok(())) => 0,
        Some(Err(e)) => {
            error!("fuse: error creating thread: {e}");
            -1
        }
        None => -1,
    }
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_stop_cleanup_thread(fuse: *mut Fuse) {
    // SAFETY: as promised by the caller.
    if let Some(high) = unsafe { high(fuse, "fuse_stop_cleanup_thread") } {
        high.stop_cleanup();
    }
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_clean_cache(fuse: *mut Fuse) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { high(fuse, "fuse_clean_cache") }.map_or(-1, HighLevel::clean_cache)
}
