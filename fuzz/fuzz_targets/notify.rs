// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a conversation about notifications: what a program says, what the kernel answers to it. Each message
//! has to add up, and each answer reaches the filesystem once, with its cookie.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ringfuse::fuzzing::notifications(bytes));
