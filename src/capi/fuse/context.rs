// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who calls: `fuse_get_context` and its relatives.
//!
//! A context belongs to a thread and stays where it is: programs keep the pointer for the time of a handler. It holds
//! what the request at hand says; requests nest (a handler may call a layer of another filesystem), so what was there
//! before comes back with the guard's end.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, null_mut};

use super::main::Fuse;
use super::seam;
use super::types::FuseContext;
use crate::request::Request;
use crate::transport::slot::Slot;

/// What a request brings into the context.
#[derive(Clone, Copy)]
pub struct RequestContext {
    pub uid: libc::uid_t,
    pub gid: libc::gid_t,
    pub pid: libc::pid_t,
    pub umask: libc::mode_t,
    /// The request as `Request::into_raw` gives it; 0 without one.
    pub raw_req: u64,
    pub private_data: *mut c_void,
}

impl Default for RequestContext {
    fn default() -> RequestContext {
        RequestContext { uid: 0, gid: 0, pid: 0, umask: 0, raw_req: 0, private_data: null_mut() }
    }
}

const NOBODY: FuseContext =
    FuseContext { fuse: null_mut(), uid: 0, gid: 0, pid: 0, private_data: null_mut(), umask: 0 };

struct Place {
    context: UnsafeCell<FuseContext>,
    raw_req: Cell<u64>,
    /// There was a request on this thread; before that, programs get NULL.
    used: Cell<bool>,
}

thread_local! {
    static PLACE: Place =
        const { Place { context: UnsafeCell::new(NOBODY), raw_req: Cell::new(0), used: Cell::new(false) } };
}

/// Ends the context of a request; the one around it, if any, is back.
pub struct Guard {
    outer: FuseContext,
    outer_req: u64,
    /// Bound to the thread that it was made on.
    _thread: PhantomData<*const ()>,
}

/// Makes `request` what handlers on this thread see.
pub fn enter(fuse: *mut Fuse, request: RequestContext) -> Guard {
    PLACE.with(|place| {
        place.used.set(true);
        // SAFETY: of this thread only, and nobody holds a reference: programs hold pointers.
        let outer = unsafe {
            ptr::replace(
                place.context.get(),
                FuseContext {
                    fuse,
                    uid: request.uid,
                    gid: request.gid,
                    pid: request.pid,
                    private_data: request.private_data,
                    umask: request.umask,
                },
            )
        };
        Guard { outer, outer_req: place.raw_req.replace(request.raw_req), _thread: PhantomData }
    })
}

impl Drop for Guard {
    fn drop(&mut self) {
        PLACE.with(|place| {
            place.raw_req.set(self.outer_req);
            // SAFETY: as in `enter`.
            unsafe { *place.context.get() = self.outer }
        });
    }
}

/// Shows a layer its own data, and returns what the layer above had.
pub fn set_private_data(data: *mut c_void) -> *mut c_void {
    PLACE.with(|place| {
        place.used.set(true);
        // SAFETY: as in `enter`.
        unsafe { ptr::replace(&raw mut (*place.context.get()).private_data, data) }
    })
}

/// The request that this thread's handler works on.
fn request() -> Option<u64> {
    PLACE.with(|place| Some(place.raw_req.get()).filter(|&raw| raw != 0))
}

/// The context of the request at hand; NULL on a thread that never had one.
///
/// # Safety
/// None needed; the type follows the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_get_context() -> *mut FuseContext {
    PLACE.with(|place| if place.used.get() { place.context.get() } else { null_mut() })
}

/// Supplementary groups of the caller. Returns their number, or a negative error number.
///
/// # Safety
/// `list` has room for `size` groups.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_getgroups(size: c_int, list: *mut libc::gid_t) -> c_int {
    match request() {
        // SAFETY: the request is of the handler at hand; the list as promised.
        Some(raw) => unsafe { seam::getgroups(raw, size, list) },
        None => -libc::EINVAL,
    }
}

/// Whether the caller of the request at hand was interrupted.
///
/// # Safety
/// None needed; the type follows the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_interrupted() -> c_int {
    // SAFETY: the request is of the handler at hand.
    request().and_then(|raw| unsafe { Request::peek(raw) }).is_some_and(Slot::interrupted).into()
}
