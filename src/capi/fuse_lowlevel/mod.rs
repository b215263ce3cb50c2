// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edge of `fuse_lowlevel.h`.
//!
//! - `cmdline`: what comes before a session. `session`: its life and its loops. `ops`: calls into the filesystem.
//! - `notify`: messages to the kernel. `passthrough`: files that the kernel uses itself.
//! - `req`: what a request tells. `reply`: answers. `direntry`: filling directory buffers. `custom_io`.

mod cmdline;
mod custom_io;
mod direntry;
mod notify;
mod ops;
mod passthrough;
mod reply;
mod req;
mod session;
