// SPDX-License-Identifier: MIT OR Apache-2.0
//! One thin function per system call or ioctl: the only place that asks the kernel for anything.
#![allow(unsafe_code)]

pub mod cpu;
pub mod dev;
pub mod event;
pub mod fault;
pub mod log;
pub mod memfd;
pub mod mount;
pub mod pipe;
pub mod process;
pub mod signal;
pub mod splice;
pub mod text;
pub mod time;
pub mod uring;
