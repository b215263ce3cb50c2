// SPDX-License-Identifier: MIT OR Apache-2.0
//! FUSE over io_uring (since 7.42): the header of a ring entry and the commands on it.
//!
//! An entry's header lives in memory of ours that the kernel writes to before a completion and reads from at the
//! next command: it is copied in and out field by field, never borrowed while the kernel owns the entry.

use std::mem::offset_of;

use super::pod::wire_struct;

/// Room for a `FuseInHeader`, later a `FuseOutHeader`.
pub const IN_OUT_HEADER_SIZE: usize = 128;
/// Room for argument 0 of a request.
pub const OP_HEADER_SIZE: usize = 128;

/// Hands an empty entry to the kernel.
pub const CMD_REGISTER: u32 = 1;
/// Answers the request in an entry and hands the entry back.
pub const CMD_COMMIT_AND_FETCH: u32 = 2;

wire_struct! {
    FuseUringEntInOut: 32 {
        flags: u64,
        /// Names the request in the commit.
        commit_id: u64,
        /// How much of the payload buffer is used: by the kernel for a request, by us for a reply.
        payload_sz: u32,
        padding: u32,
        reserved: u64,
    }

    FuseUringReqHeader: 288 {
        in_out: [u8; 128],
        op_in: [u8; 128],
        ring_ent_in_out: FuseUringEntInOut,
    }

    /// In the 80 byte command area of a submission.
    FuseUringCmdReq: 24 {
        flags: u64,
        commit_id: u64,
        qid: u16,
        padding: [u8; 6],
    }
}

const _: () = {
    assert!(offset_of!(FuseUringReqHeader, op_in) == IN_OUT_HEADER_SIZE);
    assert!(offset_of!(FuseUringReqHeader, ring_ent_in_out) == IN_OUT_HEADER_SIZE + OP_HEADER_SIZE);
    assert!(offset_of!(FuseUringEntInOut, payload_sz) == 16);
    assert!(offset_of!(FuseUringCmdReq, qid) == 16);
};
