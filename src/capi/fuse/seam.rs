// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the high-level interface takes from the low-level one: who calls, and notifications.

use std::ffi::c_int;

use super::super::types::FusePollhandle;
use crate::session::Session as FuseSession;

/// Supplementary groups of the caller of a request.
///
/// # Safety
/// `raw` is a request of a session that was not destroyed, `list` has room for `size` groups.
pub unsafe fn getgroups(_raw: u64, _size: c_int, _list: *mut libc::gid_t) -> c_int {
    -libc::ENOSYS
}

/// Wakes whoever waits for an open file.
///
/// # Safety
/// `ph` is a handle that was not destroyed.
pub unsafe fn notify_poll(_ph: *mut FusePollhandle) -> c_int {
    -libc::ENOSYS
}

/// Lets the kernel forget attributes and data of a node.
///
/// # Safety
/// `session` is a live session.
pub unsafe fn inval_inode(_session: *mut FuseSession, _node: u64) -> c_int {
    -libc::ENOSYS
}

/// A handle for a filesystem that wants to tell of changes; NULL if there is none to be had.
pub fn poll_handle(_request: &crate::request::Request, _kh: u64) -> *mut FusePollhandle {
    std::ptr::null_mut()
}

/// Takes back a handle that nobody wanted.
///
/// # Safety
/// `ph` comes from `poll_handle` and is not used afterwards.
pub unsafe fn drop_poll_handle(_ph: *mut FusePollhandle) {}
