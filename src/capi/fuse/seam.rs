// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the high-level interface takes from the low-level one: who calls, and notifications. Handles for poll are the
//! program's from its operation on, and ours before.

use std::ffi::c_int;

use super::super::fuse_lowlevel::notify::{
    self, fuse_lowlevel_notify_inval_inode, fuse_lowlevel_notify_poll, fuse_pollhandle_destroy,
};
use super::super::fuse_lowlevel::req::fuse_req_getgroups;
use super::super::types::{FusePollhandle, FuseReqT};
use crate::request::Request;
use crate::session::Session as FuseSession;

/// Supplementary groups of the caller of a request.
///
/// # Safety
/// `raw` is a request of a session that was not destroyed, `list` has room for `size` groups.
pub unsafe fn getgroups(raw: u64, size: c_int, list: *mut libc::gid_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { fuse_req_getgroups(raw as FuseReqT, size, list) }
}

/// Wakes whoever waits for an open file.
///
/// # Safety
/// `ph` is a handle that was not destroyed.
pub unsafe fn notify_poll(ph: *mut FusePollhandle) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { fuse_lowlevel_notify_poll(ph) }
}

/// Lets the kernel forget attributes and data of a node.
///
/// # Safety
/// `session` is a live session.
pub unsafe fn inval_inode(session: *mut FuseSession, node: u64) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { fuse_lowlevel_notify_inval_inode(session, node, 0, 0) }
}

/// A handle for a filesystem that wants to tell of changes; NULL if there is none to be had.
pub fn poll_handle(request: &Request, kh: u64) -> *mut FusePollhandle {
    request.line().map_or(std::ptr::null_mut(), |line| notify::poll_handle(line, kh))
}

/// Takes back a handle that nobody wanted.
///
/// # Safety
/// `ph` comes from `poll_handle` and is not used afterwards.
pub unsafe fn drop_poll_handle(ph: *mut FusePollhandle) {
    // SAFETY: as promised by the caller.
    unsafe { fuse_pollhandle_destroy(ph) }
}
