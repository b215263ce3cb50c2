// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stdout of C, which is not that of Rust.

use std::ffi::CStr;

/// Prints to C's stdout, whose buffer holds what the program printed before.
pub fn print(text: &CStr) {
    // SAFETY: two NUL-terminated strings, the first a format for the second.
    unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) };
}

/// The C library's text for an errno value, without Rust's "(os error N)".
pub fn errno(value: i32) -> String {
    let mut text = [0 as libc::c_char; 128];
    // SAFETY: the XSI strerror_r fills at most the buffer, with a terminated string.
    unsafe {
        if libc::strerror_r(value, text.as_mut_ptr(), text.len()) != 0 {
            return format!("error {value}");
        }
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}
