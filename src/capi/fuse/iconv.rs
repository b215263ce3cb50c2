// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module iconv.

use std::ptr::null_mut;

use super::super::types::FuseArgs;
use super::fs::FuseFs;

pub unsafe extern "C" fn factory(_args: *mut FuseArgs, _fs: *mut *mut FuseFs) -> *mut FuseFs {
    null_mut()
}
