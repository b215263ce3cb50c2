// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's FUSE protocol as Rust types, complete up to 7.45: what is not used yet is here all the same, since
//! this is the table that everything else is checked against.
//!
//! Nothing here owns memory. Structs are copied out of and into byte slices that belong to a transport ([`Pod`]), so
//! no reference into a request buffer is ever typed, and alignment does not matter.
#![allow(dead_code)]

pub mod flags;
pub mod opcode;
pub mod pod;
mod structs_in;
mod structs_out;
pub mod uring;

pub use opcode::Opcode;
pub use pod::Pod;
pub use structs_in::*;
pub use structs_out::*;

/// The protocol that this library speaks: 7.45 (Linux 6.18).
pub const KERNEL_VERSION: u32 = 7;
pub const KERNEL_MINOR_VERSION: u32 = 45;

/// The node id of the root directory.
pub const ROOT_ID: u64 = 1;

/// No read of the device may offer less room than this.
pub const MIN_READ_BUFFER: usize = 8192;

/// Records in directory listings and extensions start at multiples of eight bytes.
pub const fn rec_align(len: usize) -> usize {
    len.saturating_add(7) & !7
}
