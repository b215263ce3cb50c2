// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a filesystem tells the kernel by itself, and `fuse_open_channel`. A poll handle is the program's until
//! `fuse_pollhandle_destroy`; the descriptor of a channel is the caller's to close.

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::IntoRawFd;

use super::super::types::FusePollhandle;
use super::main::Fuse;
use super::seam;
use crate::log::error;
use crate::mount::{MountOptions, mount};
use crate::opt::Args;

/// Lets the kernel forget attributes and data of a path that it knows.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_invalidate_path(f: *mut Fuse, path: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    let Some((fuse, high)) = (unsafe { Fuse::from_ptr(f, "fuse_invalidate_path") })
        .and_then(|fuse| fuse.high().map(|high| (fuse, high)))
    else {
        return -libc::EINVAL;
    };
    if path.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: a C string.
    match high.find(unsafe { CStr::from_ptr(path) }) {
        // SAFETY: the session lives as long as its filesystem.
        Some(node) => unsafe { seam::inval_inode(fuse.session(), node) },
        None => -libc::ENOENT,
    }
}

/// Tells the kernel that an open file may be ready.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_notify_poll(ph: *mut FusePollhandle) -> c_int {
    if ph.is_null() {
        error!("fuse: fuse_notify_poll: the handle is NULL");
        return -libc::EINVAL;
    }
    // SAFETY: as promised by the caller.
    unsafe { seam::notify_poll(ph) }
}

/// Mounts without a session, and returns the device. Nobody unmounts but the kernel, when the device is closed.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_open_channel(mountpoint: *const c_char, options: *const c_char) -> c_int {
    if mountpoint.is_null() {
        error!("fuse: fuse_open_channel: mountpoint is NULL");
        return -1;
    }
    let mut list: Args = std::iter::once(c"").map(CStr::to_owned).collect();
    if !options.is_null() {
        list.push(c"-o".to_owned());
        // SAFETY: a C string.
        list.push(unsafe { CStr::from_ptr(options) }.to_owned());
    }
    // SAFETY: a C string.
    let point = unsafe { CStr::from_ptr(mountpoint) };
    let Ok(parsed) = MountOptions::parse(&mut list) else {
        return -1;
    };
    match mount(point, &parsed) {
        Ok((device, mounted)) => {
            // What watches the mount has to go on after us.
            std::mem::forget(mounted);
            device.into_raw_fd()
        }
        Err(_) => -1,
    }
}
