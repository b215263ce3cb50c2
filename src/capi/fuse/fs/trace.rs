// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `-d` says about the calls of the topmost layer: the operation with its arguments, and its result.

use std::ffi::{CStr, c_char, c_void};

use super::super::super::types::{FuseBufvec, FuseFileInfo, FusePollhandle};
use super::super::types::FuseFillDirT;
use crate::errno::Errno;
use crate::log::debug;

/// An argument in a line of the log; `None` where it would tell nothing.
pub type Shown = Option<String>;

/// How an argument is shown.
///
/// Arguments are what the caller of a `fuse_fs_` function promises: NULL, or valid.
pub trait Show {
    fn show(&self) -> Shown;
}

/// A path or a name. Text that a `char *` points to may be data, so what is no `const char *` is not shown.
impl Show for *const c_char {
    fn show(&self) -> Shown {
        if self.is_null() {
            return Some("NULL".to_owned());
        }
        // SAFETY: a string, see the trait.
        Some(unsafe { CStr::from_ptr(*self) }.to_string_lossy().into_owned())
    }
}

impl Show for *mut FuseFileInfo {
    fn show(&self) -> Shown {
        // SAFETY: NULL or valid, see the trait.
        let fi = unsafe { self.as_ref() }?;
        Some(format!("fh={} flags={:#x}", fi.fh, fi.flags))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Show for $number {
            fn show(&self) -> Shown {
                Some(self.to_string())
            }
        }
    )* };
}
numbers!(i32, i64, u32, u64, usize);

macro_rules! silent {
    ($($place:ty),*) => { $(
        impl Show for $place {
            fn show(&self) -> Shown {
                None
            }
        }
    )* };
}
silent!(
    *mut c_char,
    *mut c_void,
    *mut libc::stat,
    *mut libc::statvfs,
    *mut libc::statx,
    *mut libc::flock,
    *const libc::timespec,
    *mut u64,
    *mut u32,
    *mut FuseBufvec,
    *mut *mut FuseBufvec,
    *mut FusePollhandle,
    FuseFillDirT
);

/// An operation is about to be called.
pub fn begin(operation: &str, arguments: &[Shown]) {
    let words: Vec<_> =
        std::iter::once(operation).chain(arguments.iter().flatten().map(String::as_str)).collect();
    debug!("{}", words.join(" "));
}

/// An operation has returned.
pub fn end(operation: &str, result: i64) {
    match i32::try_from(result) {
        Ok(error @ -4095..0) => debug!("   {operation}: {error} ({})", Errno::new(error)),
        _ => debug!("   {operation}: {result}"),
    }
}
