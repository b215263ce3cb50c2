// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions of `fuse_common.h` that concern the whole process: the background, and signals (since 2.5; the
//! failure handlers since 3.17). The session stays the caller's, and has to live until its handlers are removed.

use std::ffi::c_int;

use crate::daemonize;
use crate::errno::Errno;
use crate::log::error;
use crate::session::Session as FuseSession;
use crate::signals;
use crate::transport::exit::ExitFlag;

fn status(result: Result<(), Errno>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}

/// The exit flag of a session; None, logged, when there is no session.
///
/// # Safety
/// `se` is NULL or a session that lives for as long as the flag is used.
unsafe fn flag_of(se: *mut FuseSession, caller: &str) -> Option<&'static ExitFlag> {
    // SAFETY: as promised by the caller.
    let flag = unsafe { se.as_ref() }.map(FuseSession::exit_flag);
    if flag.is_none() {
        error!("fuse: {caller}: no session");
    }
    flag
}

/// Puts the process into the background unless `foreground` is set. Returns 0, or -1 on failure.
///
/// # Safety
/// None needed beyond what fork(2) asks of a program with threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_daemonize(foreground: c_int) -> c_int {
    status(daemonize::daemonize(foreground != 0))
}

/// Lets HUP, INT and TERM end the session, and ignores PIPE. Returns 0, or -1 on failure.
///
/// # Safety
/// `se` is a session that lives until `fuse_remove_signal_handlers`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_set_signal_handlers(se: *mut FuseSession) -> c_int {
    // SAFETY: the same promise.
    match unsafe { flag_of(se, "fuse_set_signal_handlers") } {
        Some(flag) => status(signals::install(flag)),
        None => -1,
    }
}

/// Has fatal signals reported to the log before the process dies of them. Returns 0, or -1 on failure.
///
/// # Safety
/// `se` is a valid session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_set_fail_signal_handlers(se: *mut FuseSession) -> c_int {
    // SAFETY: the same promise; only looked at here.
    match unsafe { flag_of(se, "fuse_set_fail_signal_handlers") } {
        Some(_) => status(signals::install_fail()),
        None => -1,
    }
}

/// Gives the signals their defaults back.
///
/// # Safety
/// `se` is a valid session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_remove_signal_handlers(se: *mut FuseSession) {
    // SAFETY: the same promise; only compared here.
    if let Some(flag) = unsafe { flag_of(se, "fuse_remove_signal_handlers") } {
        signals::remove(flag);
    }
}
