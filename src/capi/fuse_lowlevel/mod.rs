// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edge of `fuse_lowlevel.h`.
//!
//! - `cmdline`: what comes before a session. `session`: its life and its loops. `ops`: calls into the filesystem.
//! - `req`: what a request tells. `reply`: answers. `direntry`: filling directory buffers. `custom_io`.

pub mod cmdline;
mod custom_io;
mod direntry;
mod ops;
pub mod ops_args;
pub mod reply;
mod req;
pub mod session;
