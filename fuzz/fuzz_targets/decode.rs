// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a request of the device and as a ring entry: nothing may panic, nor be read outside of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfuse::fuzzing::{
    FuseInHeader, Message, OP_HEADER_SIZE, Pod, Proto, decode, extensions, ring_message, split,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((&how, rest)) = bytes.split_first() else {
        return;
    };
    let proto = Proto { minor: 45, setxattr_ext: how & 1 != 0 };
    let Some((mut header, body)) = FuseInHeader::read_prefix(rest) else {
        return;
    };
    if how & 2 != 0 {
        // Past the check that would end most tries.
        header.len = (size_of::<FuseInHeader>() + body.len()) as u32;
    }
    if let Ok(message) = split(header, body, proto) {
        look_at(&message, proto);
    }
    if let Some((op_in, payload)) = body.split_first_chunk::<OP_HEADER_SIZE>() {
        let payload_sz = if how & 4 != 0 { payload.len() as u32 } else { header.total_extlen.into() };
        if let Ok(message) = ring_message(header, op_in, payload, payload_sz, proto) {
            look_at(&message, proto);
        }
    }
});

/// Printing touches every byte that an operation borrows.
fn look_at(message: &Message<'_>, proto: Proto) {
    let _ = extensions(message).iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    if let Ok(operation) = decode(message, proto) {
        std::hint::black_box(format!("{operation:?}"));
    }
}
