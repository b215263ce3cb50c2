// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one error type below the C edge: a positive errno value.

use std::fmt;

/// A system error number, always positive (`EIO` is 5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(i32);

impl Errno {
    /// Takes either sign, as C code hands around both; 0 and nonsense become `EIO`.
    pub fn new(value: i32) -> Errno {
        match value.checked_abs() {
            Some(n) if n != 0 => Errno(n),
            _ => Errno(libc::EIO),
        }
    }

    /// What the last failed system call of this thread left behind.
    pub fn last() -> Errno {
        Errno::from(std::io::Error::last_os_error())
    }

    /// The positive number.
    pub fn raw(self) -> i32 {
        self.0
    }

    /// The negative number that C callers expect from functions returning `-errno`.
    pub fn negated(self) -> i32 {
        -self.0
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Errno {
        Errno::new(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::sys::text::errno(self.0))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({})", self.0)
    }
}
