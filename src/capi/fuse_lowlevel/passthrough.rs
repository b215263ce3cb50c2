// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that the kernel reads and writes itself on behalf of a filesystem's: `fuse_passthrough_*`. The kernel keeps
//! the file open; the program's descriptor stays the program's.

use std::ffi::c_int;

use super::super::types::FuseReqT;
use crate::errno::Errno;
use crate::log::error;
use crate::request::Request;
use crate::sys::dev;
use crate::transport::line::Connection;

/// The connection that a request belongs to.
///
/// # Safety
/// `req` is NULL or from a session that was not destroyed.
unsafe fn connection(req: FuseReqT) -> Result<Connection, Errno> {
    // SAFETY: as promised by the caller.
    let slot = unsafe { Request::peek(req as u64) };
    slot.ok_or(Errno::new(libc::EINVAL))?.registry().line().connection()
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_passthrough_open(req: FuseReqT, fd: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    let opened = unsafe { connection(req) }.and_then(|to| dev::open_backing(to.channel.fd, fd));
    opened.unwrap_or_else(|e| {
        error!("fuse: passthrough of descriptor {fd}: {e}");
        0
    })
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_passthrough_close(req: FuseReqT, backing_id: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    let closed = unsafe { connection(req) }.and_then(|to| dev::close_backing(to.channel.fd, backing_id));
    closed.map_or_else(
        |e| {
            error!("fuse: end of passthrough {backing_id}: {e}");
            -1
        },
        |()| 0,
    )
}
