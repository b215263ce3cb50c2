// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuse_log.h` (since 3.7; the syslog functions since 3.13). `fuse_log` itself is variadic and lives in
//! `log_shim.c`, together with the handler. The handler and the syslog ident stay the caller's and must live for as
//! long as they are in force, as with openlog(3).

use std::ffi::{c_char, c_int, c_void};

/// `fuse_log_func_t`; its third parameter is a `va_list`, which only C code looks into.
pub type LogFunc = Option<unsafe extern "C" fn(level: c_int, fmt: *const c_char, ap: *mut c_void)>;

unsafe extern "C" {
    fn ringfuse_log_set_handler(handler: LogFunc);
    fn ringfuse_log_to_syslog();
}

/// Installs a handler for all messages; NULL brings the default back.
///
/// # Safety
/// `func` is callable from any thread until another one is installed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_set_log_func(func: LogFunc) {
    // SAFETY: the shim stores the pointer atomically.
    unsafe { ringfuse_log_set_handler(func) }
}

/// Sends messages to syslog instead of stderr, unless a handler is installed.
///
/// # Safety
/// `ident` is NULL or a string that stays valid until syslog is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_log_enable_syslog(ident: *const c_char, option: c_int, facility: c_int) {
    // SAFETY: openlog(3) with the caller's own arguments.
    unsafe {
        ringfuse_log_to_syslog();
        libc::openlog(ident, option, facility);
    }
}

/// Closes the connection to syslog.
///
/// # Safety
/// None needed; the type follows the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_log_close_syslog() {
    // SAFETY: closelog(3) may be called at any time.
    unsafe { libc::closelog() }
}
