// SPDX-License-Identifier: MIT OR Apache-2.0
#![deny(unsafe_code)]

mod buf;
mod capi;
mod daemonize;
mod errno;
mod help;
mod log;
mod mount;
mod opt;
mod request;
mod session;
mod signals;
mod sys;
mod transport;
mod wire;

/// What the fuzz targets in `fuzz/` reach for; not part of any interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::request::decode::{Message, Operation, Proto, decode, extensions, ring_message, split};
    pub use crate::wire::uring::OP_HEADER_SIZE;
    pub use crate::wire::{FuseInHeader, Pod};
}
