// SPDX-License-Identifier: MIT OR Apache-2.0
//! How requests come and replies go: one shape for the FUSE device, the ring, and memory (tests).
//!
//! A transport receives, the session serves (`Service`), and whoever holds the request's handle replies through the
//! slot. Messages are borrowed from the transport for the time of `serve`; only the handle lives longer.
#![allow(unsafe_code)]

pub mod dev;
pub mod dev_pool;
pub mod exit;
pub mod gate;
pub mod line;
#[cfg(test)]
pub mod memory;
pub mod registry;
pub mod slot;
pub mod spin;
pub mod threads;
pub mod uring;

use crate::transport::slot::Handle;
use crate::wire::FuseInHeader;

/// One message of the kernel's, not yet checked beyond its header's size.
pub struct Incoming<'a> {
    pub header: FuseInHeader,
    /// Argument 0 in its fixed field, on the ring. On the device it is the beginning of `payload`.
    pub op_in: Option<&'a [u8; 128]>,
    /// On the ring: how much of `payload` the kernel says it used.
    pub payload_size: u32,
    /// All other arguments.
    pub payload: &'a [u8],
    /// What the reply goes to.
    pub handle: Handle,
}

/// What a transport delivers to.
pub trait Service: Send + Sync {
    /// Serves one message. The reply may come before this returns or later, from this or any other thread.
    fn serve(&self, incoming: Incoming<'_>);

    /// The connection is over (unmounted or aborted), or a transport failed for good (`error`, negated errno).
    fn ended(&self, error: i32);
}
