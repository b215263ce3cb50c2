// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edge of `fuse_lowlevel.h`.
//!
//! - `cmdline`: what comes before a session. `session`: its life and its loops. `ops`: calls into the filesystem.
//! - `notify`: messages to the kernel. `passthrough`: files that the kernel uses itself.
//! - `ops_args`, `ops_more`: what these calls are made of.
//! - `req`: what a request tells. `reply`, `reply_more`: answers. `direntry`: filling directory buffers. `custom_io`.

pub mod cmdline;
mod custom_io;
mod direntry;
pub mod notify;
mod ops;
pub mod ops_args;
mod ops_more;
mod passthrough;
pub mod reply;
mod reply_more;
pub mod req;
pub mod session;
