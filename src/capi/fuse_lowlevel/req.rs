// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a request tells about itself: `fuse_req_*`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use libc::{gid_t, size_t};

use super::super::types::{FuseCtx, FuseReqT};
use crate::log::error;
use crate::request::Request;
use crate::sys::process::groups_of;
use crate::transport::slot::{Caller, OnInterrupt, Route, Slot};

const _: () = {
    use std::mem::{align_of, offset_of, size_of};
    assert!(size_of::<FuseCtx>() == size_of::<Caller>() && align_of::<FuseCtx>() == align_of::<Caller>());
    assert!(offset_of!(FuseCtx, pid) == offset_of!(Caller, pid));
    assert!(offset_of!(FuseCtx, umask) == offset_of!(Caller, umask));
};

/// The slot of a request that was not answered yet, else `None` with a message.
///
/// # Safety
/// `req` is NULL or from a session that was not destroyed.
unsafe fn peek<'a>(req: FuseReqT, caller: &str) -> Option<&'a Slot> {
    // SAFETY: as promised by the caller.
    let slot = unsafe { Request::peek(req as u64) };
    if slot.is_none() {
        error!("fuse: {caller}: no such request (NULL, or answered already)");
    }
    slot
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_userdata(req: FuseReqT) -> *mut c_void {
    // SAFETY: as promised by the caller.
    let slot = unsafe { peek(req, "fuse_req_userdata") };
    slot.map_or(null_mut(), |slot| slot.registry().userdata() as *mut c_void)
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_ctx(req: FuseReqT) -> *const FuseCtx {
    // SAFETY: as promised by the caller.
    let slot = unsafe { peek(req, "fuse_req_ctx") };
    slot.map_or(null(), |slot| std::ptr::from_ref(&slot.details().caller).cast())
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_is_uring(req: FuseReqT) -> bool {
    // SAFETY: as promised by the caller.
    let slot = unsafe { peek(req, "fuse_req_is_uring") };
    slot.is_some_and(|slot| matches!(slot.details().route, Route::Ring(_)))
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_interrupted(req: FuseReqT) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { peek(req, "fuse_req_interrupted") }.is_some_and(Slot::interrupted).into()
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_interrupt_func(
    req: FuseReqT,
    func: Option<unsafe extern "C" fn(FuseReqT, *mut c_void)>,
    data: *mut c_void,
) {
    // SAFETY: as promised by the caller.
    let Some(slot) = (unsafe { peek(req, "fuse_req_interrupt_func") }) else {
        return;
    };
    let (req, data) = (req as usize, data as usize);
    slot.watch(func.map(|func| -> OnInterrupt {
        // SAFETY: the program keeps `data` until it removes the callback or answers the request.
        Box::new(move || unsafe { func(req as FuseReqT, data as *mut c_void) })
    }));
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_getgroups(req: FuseReqT, size: c_int, list: *mut gid_t) -> c_int {
    // SAFETY: as promised by the caller.
    let Some(slot) = (unsafe { peek(req, "fuse_req_getgroups") }) else {
        return -libc::EINVAL;
    };
    let room = usize::try_from(size).unwrap_or(0);
    if room != 0 && list.is_null() {
        error!("fuse: fuse_req_getgroups: list is NULL");
        return -libc::EINVAL;
    }
    match groups_of(slot.details().caller.pid) {
        // As libfuse has it, whatever the reason.
        None => -libc::EIO,
        Some(groups) => {
            for (at, group) in groups.iter().take(room).enumerate() {
                // SAFETY: `list` has room for `size` elements.
                unsafe { list.add(at).write(*group) };
            }
            c_int::try_from(groups.len()).unwrap_or(c_int::MAX)
        }
    }
}

/// # Safety
/// See `fuse_lowlevel.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_req_get_payload(
    req: FuseReqT,
    payload: *mut *mut c_char,
    payload_sz: *mut size_t,
    mr: *mut *mut c_void,
) -> c_int {
    // SAFETY: as promised by the caller.
    let Some(slot) = (unsafe { peek(req, "fuse_req_get_payload") }) else {
        return -libc::EINVAL;
    };
    let Route::Ring(entry) = &slot.details().route else {
        return -libc::EINVAL;
    };
    // SAFETY: an entry outlives the requests in it. The program's pointers are NULL or valid.
    unsafe {
        let buffer = entry.as_ref().payload();
        if let Some(payload) = payload.as_mut() {
            *payload = buffer.cast().as_ptr();
        }
        if let Some(size) = payload_sz.as_mut() {
            *size = buffer.len();
        }
        if let Some(mr) = mr.as_mut() {
            *mr = null_mut();
        }
    }
    0
}
