// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of `fuse_lowlevel.h` that comes before a session: the command line (since 3.0, in its present form since
//! 3.12), help and version. The mount point is malloc'ed and becomes the caller's.

use std::ffi::{CString, c_int};
use std::mem::offset_of;
use std::ptr;

use super::super::fuse_opt::{read_args, write_args};
use super::super::types::{FuseArgs, FuseCmdlineOpts};
use crate::help;
use crate::log::error;
use crate::opt::{self, Refused};
use crate::session::cmdline::{self, CmdlineOpts};
use crate::sys::text;

fn encode(opts: &CmdlineOpts, mountpoint: Option<CString>) -> FuseCmdlineOpts {
    FuseCmdlineOpts {
        singlethread: opts.singlethread.into(),
        foreground: opts.foreground.into(),
        debug: opts.debug.into(),
        nodefault_subtype: opts.nodefault_subtype.into(),
        // SAFETY: a NUL-terminated string; NULL without memory is what the caller checks for anyway.
        mountpoint: mountpoint.map_or(ptr::null_mut(), |path| unsafe { libc::strdup(path.as_ptr()) }),
        show_version: opts.show_version.into(),
        show_help: opts.show_help.into(),
        clone_fd: opts.clone_fd.into(),
        max_idle_threads: opts.max_idle_threads,
        max_threads: opts.max_threads,
    }
}

/// Parses, and fills the first `size` bytes of the caller's structure.
///
/// # Safety
/// `args` is a valid list, `opts` has room for `size` bytes.
unsafe fn parse(args: *mut FuseArgs, opts: *mut FuseCmdlineOpts, size: usize) -> Result<(), Refused> {
    if args.is_null() || opts.is_null() {
        error!("fuse: fuse_parse_cmdline: NULL argument");
        return Err(Refused);
    }
    let mut found = CmdlineOpts::default();
    // SAFETY: as promised, and neither is NULL.
    unsafe {
        let result = read_args(args).and_then(|mut list| {
            cmdline::parse(&mut list, &mut found)?;
            write_args(args, &list)
        });
        // On an error there is no mount point that the caller would have to free.
        let mountpoint = found.mountpoint.take().filter(|_| result.is_ok());
        let encoded = encode(&found, mountpoint);
        ptr::copy_nonoverlapping(ptr::from_ref(&encoded).cast::<u8>(), opts.cast::<u8>(), size);
        result
    }
}

/// `fuse_parse_cmdline` since 3.12. Returns 0, or -1 with a message in the log.
///
/// # Safety
/// `args` is a valid list, `opts` a structure of 48 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_parse_cmdline_312(args: *mut FuseArgs, opts: *mut FuseCmdlineOpts) -> c_int {
    // SAFETY: the same promise.
    if unsafe { parse(args, opts, size_of::<FuseCmdlineOpts>()) }.is_ok() { 0 } else { -1 }
}

/// `fuse_parse_cmdline` up to 3.11, whose structure ends before `max_threads`.
///
/// # Safety
/// `args` is a valid list, `opts` a structure of 40 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_parse_cmdline_30(args: *mut FuseArgs, opts: *mut FuseCmdlineOpts) -> c_int {
    // SAFETY: the same promise.
    if unsafe { parse(args, opts, offset_of!(FuseCmdlineOpts, max_threads)) }.is_ok() { 0 } else { -1 }
}

/// Prints the options of `fuse_parse_cmdline`.
///
/// # Safety
/// None needed; the type follows the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_cmdline_help() {
    text::print(&opt::c_string(help::CMDLINE.into()));
}

/// Prints the options of `fuse_session_new`.
///
/// # Safety
/// None needed; the type follows the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_help() {
    text::print(&opt::c_string(help::LOWLEVEL.into()));
}

/// Prints the version of the kernel protocol and of fusermount3.
///
/// # Safety
/// None needed; the type follows the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lowlevel_version() {
    text::print(&opt::c_string(help::lowlevel_version().into()));
}
