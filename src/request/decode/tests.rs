// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::CStr;

use proptest::prelude::*;

use super::*;
use table::{Sent, sent, table};

pub mod table;

const PROTO: Proto = Proto { minor: 45, setxattr_ext: true };
const HEADER: usize = size_of::<FuseInHeader>();

#[test]
fn every_operation_decodes_on_both_transports() {
    let table = table();
    for opcode in Opcode::ALL {
        let served = arg0_size(*opcode, PROTO).is_some();
        assert_eq!(served, table.iter().any(|(sent, _)| sent.opcode == *opcode), "{}", opcode.name());
    }
    for (sent, wanted) in table {
        sent.expect(PROTO, wanted);
    }
}

#[test]
fn short_setxattr_before_the_extension() {
    let proto = Proto { minor: 32, setxattr_ext: false };
    let op = [3u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat();
    let wanted = Operation::SetXattr { name: c"user.x", value: b"val", flags: 1, setxattr_flags: 0 };
    sent(Opcode::SETXATTR, &op, b"user.x\0val").expect(proto, wanted);
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for (sent, _) in table() {
        let body = sent.body();
        for len in 0..body.len() {
            // INIT has no length of its own: every form down to the oldest is one.
            if matches!(sent.opcode, Opcode::INIT if len >= 8)
                || matches!(sent.opcode, Opcode::CUSE_INIT if len >= 16)
            {
                continue;
            }
            let mut header = sent.header();
            assert!(split(header, &body[..len], PROTO).is_err(), "length not as in the header");
            header.len = (HEADER + len) as u32;
            let refused = match split(header, &body[..len], PROTO) {
                Ok(message) => decode(&message, PROTO).is_err(),
                Err(_) => true,
            };
            assert!(refused, "{} of {} bytes", sent.opcode.name(), len);
        }
    }
}

#[test]
fn bytes_that_belong_to_nothing_are_refused() {
    for (sent, _) in table() {
        if matches!(sent.opcode, Opcode::INIT | Opcode::CUSE_INIT) {
            continue;
        }
        let long = Sent { rest: [sent.rest.as_slice(), b"x"].concat(), ..sent };
        let body = long.body();
        let message = split(long.header(), &body, PROTO).unwrap();
        assert_eq!(decode(&message, PROTO), Err(DecodeError::BadLength), "{}", long.opcode.name());
    }
}

#[test]
fn a_name_without_end_is_refused() {
    let message = Message { header: sent(Opcode::LOOKUP, &[], b"abc").header(), op: &[], payload: b"abc" };
    assert_eq!(decode(&message, PROTO), Err(DecodeError::BadName));
}

#[test]
fn lying_counts_are_refused() {
    for count in [0u32, 1, 3, u32::MAX] {
        let op = [count.to_ne_bytes(), [0; 4]].concat();
        let header = sent(Opcode::BATCH_FORGET, &op, &[0; 32]).header();
        let message = Message { header, op: &op, payload: &[0; 32] };
        assert!(decode(&message, PROTO).is_err(), "{count}");
    }
}

#[test]
fn forgets_are_iterated() {
    let bytes: Vec<u8> = [1u64, 2, 3, 4].iter().flat_map(|n| n.to_ne_bytes()).collect();
    let forgets = Forgets(&bytes);
    assert_eq!(forgets.iter().len(), 2);
    assert_eq!(forgets.iter().collect::<Vec<_>>(), [(1, 2), (3, 4)]);
}

#[test]
fn unknown_opcodes_are_enosys_and_the_rest_eio() {
    for opcode in [0, 7, 19, Opcode::SETUPMAPPING.0, Opcode::REMOVEMAPPING.0, 54, u32::MAX] {
        let sent = sent(Opcode(opcode), &[1; 40], &[]);
        let body = sent.body();
        let error = decode(&split(sent.header(), &body, PROTO).unwrap(), PROTO).unwrap_err();
        assert_eq!(error, DecodeError::UnknownOpcode(opcode));
        assert_eq!(Errno::from(error).raw(), libc::ENOSYS);
    }
    assert_eq!(Errno::from(DecodeError::Truncated).raw(), libc::EIO);
}

#[test]
fn extensions_are_cut_off_before_the_names_are_read() {
    let mkdir = FuseMkdirIn { mode: 0o755, umask: 0o22 };
    let sent = sent(Opcode::MKDIR, mkdir.as_bytes(), b"n\0EXTENDED8BYTES+8");
    let body = sent.body();
    let mut header = sent.header();
    header.total_extlen = 2;
    let message = split(header, &body, PROTO).unwrap();
    assert_eq!(extensions(&message), b"EXTENDED8BYTES+8");
    let wanted = Operation::MkDir { name: c"n", mode: 0o755, umask: 0o22 };
    assert_eq!(decode(&message, PROTO), Ok(wanted));

    header.total_extlen = u16::MAX;
    let message = split(header, &body, PROTO).unwrap();
    assert!(extensions(&message).is_empty());
    assert_eq!(decode(&message, PROTO), Err(DecodeError::BadLength));
}

#[test]
fn ring_sizes_have_to_add_up() {
    let header = |opcode: Opcode, len: u32| FuseInHeader { len, opcode: opcode.0, ..Default::default() };
    let size = |opcode, len, payload| ring_op_size(&header(opcode, len), payload, PROTO);
    assert_eq!(size(Opcode::READ, 80, 0), Ok(40));
    assert_eq!(size(Opcode::WRITE, 80 + 4096, 4096), Ok(40));
    assert_eq!(size(Opcode::LOOKUP, 45, 5), Ok(0));
    assert_eq!(size(Opcode::READ, 79, 0), Err(DecodeError::Truncated));
    assert_eq!(size(Opcode::READ, 39, 0), Err(DecodeError::Truncated));
    assert_eq!(size(Opcode::READ, 80, 41), Err(DecodeError::BadLength));
    assert_eq!(size(Opcode::READ, 40 + 129, 0), Err(DecodeError::BadLength));
    assert_eq!(size(Opcode::READ, u32::MAX, 0), Err(DecodeError::BadLength));
    let taken = ring_message(header(Opcode::WRITE, 80 + 9), &[0; 128], &[0; 8], 9, PROTO);
    assert_eq!(taken.err(), Some(DecodeError::BadLength), "more than the buffer holds");
}

#[test]
fn retrieved_data_comes_with_its_struct_in_either_place() {
    let arg = FuseNotifyRetrieveIn { offset: 7, size: 3, ..Default::default() };
    let header = FuseInHeader { len: 83, opcode: Opcode::NOTIFY_REPLY.0, ..Default::default() };
    let wanted = Operation::NotifyReply { arg, data: b"abc" };
    let mut op_in = [0x55; 128];
    let together = [arg.as_bytes(), b"abc"].concat();
    let message = ring_message(header, &op_in, &together, 43, PROTO).unwrap();
    assert_eq!(decode(&message, PROTO), Ok(wanted), "both in the payload");
    op_in[..40].copy_from_slice(arg.as_bytes());
    let message = ring_message(header, &op_in, b"abc", 3, PROTO).unwrap();
    assert_eq!(decode(&message, PROTO), Ok(wanted), "as other requests");
    for (len, payload) in [(43, 3), (40, 0), (79, 39)] {
        let header = FuseInHeader { len, ..header };
        let cut = ring_message(header, &op_in, &together, payload, PROTO);
        assert_eq!(cut.err(), Some(DecodeError::Truncated), "{len}");
    }
}

fn any_opcode() -> impl Strategy<Value = u32> {
    prop_oneof![8 => proptest::sample::select(Opcode::ALL).prop_map(|o| o.0), 1 => any::<u32>()]
}

/// Lengths and counts are small numbers; make bytes that now and then are plausible ones.
fn any_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0u8), 2 => 0u8..40, 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..max)
}

/// Everything an operation borrows has to lie in the message.
fn borrowed<'a>(operation: &Operation<'a>) -> Vec<&'a [u8]> {
    let names = |list: &[&'a CStr]| list.iter().map(|name| name.to_bytes_with_nul()).collect();
    match *operation {
        Operation::Lookup { name }
        | Operation::Unlink { name }
        | Operation::RmDir { name }
        | Operation::RemoveXattr { name }
        | Operation::MkNod { name, .. }
        | Operation::MkDir { name, .. }
        | Operation::Create { name, .. }
        | Operation::TmpFile { name, .. }
        | Operation::GetXattr { name, .. }
        | Operation::Link { newname: name, .. } => names(&[name]),
        Operation::Symlink { name, target } => names(&[name, target]),
        Operation::Rename { name, newname, .. } => names(&[name, newname]),
        Operation::SetXattr { name, value, .. } => vec![name.to_bytes_with_nul(), value],
        Operation::Write { data, .. }
        | Operation::Ioctl { data, .. }
        | Operation::NotifyReply { data, .. } => {
            vec![data]
        }
        Operation::Init(raw) | Operation::CuseInit(raw) => vec![raw],
        Operation::BatchForget(forgets) => vec![forgets.0],
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_message_makes_decode_panic_or_read_outside(
        opcode in any_opcode(),
        body in any_bytes(160),
        extlen in prop_oneof![6 => Just(0u16), 2 => 0u16..8, 1 => any::<u16>()],
        setxattr_ext in any::<bool>(),
    ) {
        let proto = Proto { minor: 45, setxattr_ext };
        let len = (HEADER + body.len()) as u32;
        let header = FuseInHeader { len, opcode, total_extlen: extlen, ..Default::default() };
        if let Ok(message) = split(header, &body, proto) {
            extensions(&message);
            if let Ok(operation) = decode(&message, proto) {
                for bytes in borrowed(&operation) {
                    prop_assert!(bytes.is_empty() || body.as_ptr_range().contains(&bytes.as_ptr()));
                    prop_assert!(bytes.as_ptr_range().end <= body.as_ptr_range().end);
                }
            }
        }
    }

    #[test]
    fn no_ring_entry_makes_decode_panic(
        opcode in any_opcode(),
        len in prop_oneof![3 => 0u32..400, 1 => any::<u32>()],
        payload_sz in prop_oneof![3 => 0u32..200, 1 => any::<u32>()],
        op in any_bytes(128),
        payload in any_bytes(200),
    ) {
        let mut op_in = [0u8; uring::OP_HEADER_SIZE];
        op_in[..op.len()].copy_from_slice(&op);
        let header = FuseInHeader { len, opcode, ..Default::default() };
        if let Ok(message) = ring_message(header, &op_in, &payload, payload_sz, PROTO) {
            let _ = decode(&message, PROTO);
        }
    }
}
