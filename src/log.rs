// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of the library itself. They take the same way as `fuse_log` of C programs: to the handler that
//! `fuse_set_log_func` installed, else to stderr or syslog. The text is ours and is only lent to the handler.

use std::ffi::CString;
use std::fmt;

/// The numbers of `enum fuse_log_level`, which are those of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    Error = 3,
    Warning = 4,
    Info = 6,
    Debug = 7,
}

/// One line; the end of line is added here.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    let mut line = message.to_string();
    line.push('\n');
    line.retain(|c| c != '\0');
    if let Ok(line) = CString::new(line) {
        crate::sys::log::line(level as i32, &line);
    }
}

#[allow(unused_macros)] // each level is there for whoever needs it
macro_rules! error {
    ($($arg:tt)*) => { $crate::log::log($crate::log::Level::Error, format_args!($($arg)*)) };
}
#[allow(unused_macros)] // each level is there for whoever needs it
macro_rules! warning {
    ($($arg:tt)*) => { $crate::log::log($crate::log::Level::Warning, format_args!($($arg)*)) };
}
#[allow(unused_macros)] // each level is there for whoever needs it
macro_rules! info {
    ($($arg:tt)*) => { $crate::log::log($crate::log::Level::Info, format_args!($($arg)*)) };
}
#[allow(unused_macros)] // each level is there for whoever needs it
macro_rules! debug {
    ($($arg:tt)*) => { $crate::log::log($crate::log::Level::Debug, format_args!($($arg)*)) };
}
#[allow(unused_imports)]
pub(crate) use {debug, error, info, warning};
