// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C edge: the only exported symbols and the only calls into C, one module per public header.
//!
//! An export checks its arguments, converts them, makes one call and encodes the result; what it means is decided
//! further down. Nothing below knows of this module.
//!
//! # Safety
//! C programs own what they pass in, and it must be valid for the call, as the headers say; NULL is checked for
//! wherever it makes no sense. A `fuse_req_t` is a number that the library can check, never a pointer to follow
//! blindly; a `struct fuse_session *` is a `Box<Session>` from `fuse_session_new` to `fuse_session_destroy`.
#![allow(unsafe_code)]

mod cuse_lowlevel;
mod fuse;
mod fuse_common;
mod fuse_common_conn;
mod fuse_common_process;
mod fuse_log;
mod fuse_lowlevel;
mod fuse_opt;
mod types;
