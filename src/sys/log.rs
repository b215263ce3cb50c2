// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way to the log: C code, since the handlers take a `va_list`, which Rust cannot make.

use std::ffi::{CStr, c_char, c_int};

unsafe extern "C" {
    fn ringfuse_log_line(level: c_int, line: *const c_char);
}

/// Hands one finished line, its `\n` included, to the handler in force.
pub fn line(level: i32, line: &CStr) {
    // SAFETY: the shim passes the string on as the argument of a "%s" and keeps nothing.
    unsafe { ringfuse_log_line(level, line.as_ptr()) }
}
