// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuse_main` in all its versions, and the help it prints. The arguments are the program's; the list made of them
//! and the mount point are freed before it returns.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use libc::size_t;

use super::super::fuse_common::{
    FuseLoopConfig, fuse_loop_cfg_create, fuse_loop_cfg_destroy, fuse_loop_cfg_set_clone_fd,
    fuse_loop_cfg_set_idle_threads, fuse_loop_cfg_set_max_threads, fuse_pkgversion,
};
use super::super::fuse_common_process::{
    fuse_daemonize, fuse_remove_signal_handlers, fuse_set_signal_handlers,
};
use super::super::fuse_lowlevel::cmdline::{
    fuse_cmdline_help, fuse_lowlevel_help, fuse_lowlevel_version, fuse_parse_cmdline_312,
};
use super::super::fuse_opt::fuse_opt_free_args;
use super::super::types::{FuseArgs, FuseCmdlineOpts, LibfuseVersion};
use super::config::LibOptions;
use super::main::{
    _fuse_new_31, Fuse, fuse_destroy, fuse_get_session, fuse_loop, fuse_loop_mt_312, fuse_mount, fuse_unmount,
};
use super::modules;
use super::types::FuseOperations;
use crate::help;
use crate::log::error;
use crate::opt::c_string;
use crate::sys::text;

/// What `fuse_main` returns.
mod exit {
    pub const BAD_OPTIONS: i32 = 1;
    pub const NO_MOUNTPOINT: i32 = 2;
    pub const NOT_SET_UP: i32 = 3;
    pub const NOT_MOUNTED: i32 = 4;
    pub const NOT_DAEMONIZED: i32 = 5;
    pub const NO_SIGNAL_HANDLERS: i32 = 6;
    pub const NO_MEMORY: i32 = 7;
    pub const LOOP_FAILED: i32 = 8;
}

/// Prints the options of `fuse_new`, the session, the mount and the modules that `args` names.
///
/// # Safety
/// `args` is NULL or a valid list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_lib_help(args: *mut FuseArgs) {
    text::print(&c_string(help::HIGHLEVEL.into()));
    // SAFETY: as promised by the caller.
    unsafe {
        fuse_lowlevel_help();
        let names = LibOptions::parse(args).map_or_else(|_| Vec::new(), |options| options.modules());
        modules::print_help(&names);
    }
}

/// What `fuse_main` was called with.
struct Program {
    op: *const FuseOperations,
    op_size: size_t,
    user_data: *mut c_void,
}

/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_main_real_versioned(
    argc: c_int,
    argv: *mut *mut c_char,
    op: *const FuseOperations,
    op_size: size_t,
    _version: *mut LibfuseVersion,
    user_data: *mut c_void,
) -> c_int {
    let mut args = FuseArgs { argc, argv, allocated: 0 };
    // SAFETY: plain numbers and a pointer, for which zeros are valid.
    let mut opts: FuseCmdlineOpts = unsafe { std::mem::zeroed() };
    // SAFETY: as promised by the caller; the list and the mount point are freed once, here.
    unsafe {
        let result = match fuse_parse_cmdline_312(&raw mut args, &raw mut opts) {
            0 => Program { op, op_size, user_data }.with_options(&mut args, &opts),
            _ => exit::BAD_OPTIONS,
        };
        libc::free(opts.mountpoint.cast());
        fuse_opt_free_args(&raw mut args);
        result
    }
}

/// The form that programs look up by name, or were built with before 3.17.
///
/// # Safety
/// See `fuse.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_main_real(
    argc: c_int,
    argv: *mut *mut c_char,
    op: *const FuseOperations,
    op_size: size_t,
    user_data: *mut c_void,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { fuse_main_real_versioned(argc, argv, op, op_size, null_mut(), user_data) }
}

impl Program {
    unsafe fn with_options(&self, args: &mut FuseArgs, opts: &FuseCmdlineOpts) -> c_int {
        // SAFETY: see `fuse_main_real_versioned`.
        unsafe {
            if opts.show_version != 0 {
                print_version();
                return 0;
            }
            if opts.show_help != 0 {
                print_help(args);
                return 0;
            }
            if opts.mountpoint.is_null() {
                error!("error: no mountpoint specified");
                return exit::NO_MOUNTPOINT;
            }
            let fuse = _fuse_new_31(args, self.op, self.op_size, null_mut(), self.user_data);
            if fuse.is_null() {
                return exit::NOT_SET_UP;
            }
            let result = mounted(fuse, opts);
            fuse_destroy(fuse);
            result
        }
    }
}

/// From mounting to unmounting.
unsafe fn mounted(fuse: *mut Fuse, opts: &FuseCmdlineOpts) -> c_int {
    // SAFETY: see `fuse_main_real_versioned`.
    unsafe {
        if fuse_mount(fuse, opts.mountpoint) != 0 {
            return exit::NOT_MOUNTED;
        }
        let session = fuse_get_session(fuse);
        let result = if fuse_daemonize(opts.foreground) != 0 {
            exit::NOT_DAEMONIZED
        } else if fuse_set_signal_handlers(session) != 0 {
            exit::NO_SIGNAL_HANDLERS
        } else {
            let result = serve(fuse, opts);
            fuse_remove_signal_handlers(session);
            result
        };
        fuse_unmount(fuse);
        result
    }
}

unsafe fn serve(fuse: *mut Fuse, opts: &FuseCmdlineOpts) -> c_int {
    // SAFETY: see `fuse_main_real_versioned`.
    let result = unsafe {
        if opts.singlethread != 0 {
            fuse_loop(fuse)
        } else {
            let config: *mut FuseLoopConfig = fuse_loop_cfg_create();
            if config.is_null() {
                return exit::NO_MEMORY;
            }
            fuse_loop_cfg_set_clone_fd(config, opts.clone_fd as u32);
            fuse_loop_cfg_set_idle_threads(config, opts.max_idle_threads);
            fuse_loop_cfg_set_max_threads(config, opts.max_threads);
            let result = fuse_loop_mt_312(fuse, config);
            fuse_loop_cfg_destroy(config);
            result
        }
    };
    if result == 0 { 0 } else { exit::LOOP_FAILED }
}

unsafe fn print_version() {
    // SAFETY: a constant string.
    let version = unsafe { CStr::from_ptr(fuse_pkgversion()) }.to_bytes();
    text::print(&c_string([b"FUSE library version ", version, b"\n"].concat()));
    // SAFETY: no arguments.
    unsafe { fuse_lowlevel_version() };
}

/// Programs that print a usage of their own make the first argument empty.
unsafe fn print_help(args: &mut FuseArgs) {
    // SAFETY: see `fuse_main_real_versioned`; the list has its first element.
    unsafe {
        let name = if args.argc > 0 { CStr::from_ptr(*args.argv).to_bytes() } else { b"" };
        if !name.is_empty() {
            text::print(&c_string([b"usage: ", name, b" [options] <mountpoint>\n\n"].concat()));
        }
        text::print(c"FUSE options:\n");
        fuse_cmdline_help();
        fuse_lib_help(args);
    }
}
