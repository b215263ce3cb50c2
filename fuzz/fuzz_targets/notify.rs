// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a conversation about notifications: what a program says, what the kernel answers to it. Each message
//! has to add up, and each answer reaches the filesystem once, with its cookie.
#![no_main]

use std::ffi::{c_char, c_int, c_void};

use libfuzzer_sys::fuzz_target;

type LogFunc = unsafe extern "C" fn(level: c_int, format: *const c_char, arguments: *mut c_void);

unsafe extern "C" {
    fn fuse_set_log_func(func: Option<LogFunc>);
}

/// Printing what is wrong with most inputs would take most of the time.
unsafe extern "C" fn say_nothing(_level: c_int, _format: *const c_char, _arguments: *mut c_void) {}

fuzz_target!(
    // SAFETY: the function stays, and may be called from any thread.
    init: unsafe { fuse_set_log_func(Some(say_nothing)) },
    |bytes: &[u8]| ringfuse::fuzzing::notifications(bytes)
);
