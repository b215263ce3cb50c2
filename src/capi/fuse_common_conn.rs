// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuse_conn_info_opts` of `fuse_common.h`. The options are malloc'ed and become the caller's.

use std::ptr::null_mut;

use super::fuse_common::{fuse_set_feature_flag, fuse_unset_feature_flag};
use super::fuse_opt::{read_args, write_args};
use super::types::{FuseArgs, FuseConnInfo};
use crate::log::error;
use crate::session::conn_opts::{self, ConnInfoOpts};

/// Takes the options of a connection out of a list; NULL after an error that was logged.
///
/// # Safety
/// `args` is a valid list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_parse_conn_info_opts(args: *mut FuseArgs) -> *mut ConnInfoOpts {
    if args.is_null() {
        error!("fuse: fuse_parse_conn_info_opts: args is NULL");
        return null_mut();
    }
    // SAFETY: as promised; the memory is as large as what is written to it.
    unsafe {
        let found = read_args(args).and_then(|mut list| {
            let opts = conn_opts::parse(&mut list)?;
            write_args(args, &list).map(|()| opts)
        });
        let Ok(opts) = found else {
            return null_mut();
        };
        let place = libc::malloc(size_of::<ConnInfoOpts>()).cast::<ConnInfoOpts>();
        if place.is_null() {
            error!("fuse: fuse_parse_conn_info_opts: no memory");
        } else {
            place.write(opts);
        }
        place
    }
}

/// Applies the options to what `init()` was shown.
///
/// # Safety
/// `opts` comes from `fuse_parse_conn_info_opts`, `conn` is what `init()` got.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_apply_conn_info_opts(opts: *mut ConnInfoOpts, conn: *mut FuseConnInfo) {
    // SAFETY: NULL or valid, by contract.
    let (Some(opts), false) = (unsafe { opts.as_ref() }, conn.is_null()) else {
        return error!("fuse: fuse_apply_conn_info_opts: NULL argument");
    };
    // SAFETY: the same; each reference ends before the next use of the pointer.
    unsafe {
        let place = |value: Option<u32>, member: *mut u32| {
            if let Some(value) = value {
                member.write(value);
            }
        };
        place(opts.max_write.get(), &raw mut (*conn).max_write);
        place(opts.max_readahead.get(), &raw mut (*conn).max_readahead);
        place(opts.max_background.get(), &raw mut (*conn).max_background);
        place(opts.congestion_threshold.get(), &raw mut (*conn).congestion_threshold);
        place(opts.time_gran.get(), &raw mut (*conn).time_gran);
        // Not in one call, which would turn on all of them as soon as one is there.
        for bit in (0..u64::BITS).map(|n| 1 << n).filter(|bit| opts.on & bit != 0) {
            fuse_set_feature_flag(conn, bit);
        }
        fuse_unset_feature_flag(conn, opts.off);
    }
}
