// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages that make no sense: each that has a header is answered once (or not at all, if nobody waits for it),
//! nothing panics, and nothing outside of the message is read (see `transport::memory`).

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::request::decode::tests::table::table;

/// So many replies a message must get.
fn due(header: &FuseInHeader) -> usize {
    usize::from(!Opcode(header.opcode).is_oneway())
}

/// Takes the replies to a message just brought.
#[track_caller]
fn expect_replies(bench: &Bench, header: &FuseInHeader) -> Option<Reply> {
    let replies = bench.memory.take_replies();
    assert_eq!(replies.len(), due(header), "{header:?}: {replies:?}");
    assert!(replies.iter().all(|reply| reply.unique == header.unique));
    replies.into_iter().next()
}

#[test]
fn cut_anywhere_on_the_device() {
    let bench = Bench::new(answer);
    for (sent, _) in table() {
        let whole = bytes_of(&sent.header(), &sent.body());
        for length in 0..whole.len() {
            bench.wire().bring(&whole[..length]);
            if length < HEADER {
                bench.no_reply();
                continue;
            }
            let reply = expect_replies(&bench, &sent.header());
            assert!(reply.is_none_or(|reply| reply.error == EIO));

            // The same, with a header that knows.
            let header = FuseInHeader { len: length as u32, ..sent.header() };
            bench.wire().bring(&bytes_of(&header, &whole[HEADER..length]));
            let reply = expect_replies(&bench, &header);
            assert!(reply.is_none_or(|reply| reply.error == EIO));
        }
    }
}

#[test]
fn cut_anywhere_on_the_ring() {
    let bench = Bench::new(answer);
    for (sent, _) in table() {
        for length in 0..sent.rest.len() {
            // Less payload than the header says: what is missing would be argument 0.
            let mut entry = RingEntry::new(sent.header(), &sent.op, &sent.rest);
            entry.payload_size = length as u32;
            bench.wire().bring_entry(&entry);
            let reply = expect_replies(&bench, &entry.header);
            assert!(reply.is_none_or(|reply| reply.error == EIO), "{} {length}", sent.opcode.name());

            // A header that knows.
            entry.header.len = (HEADER + sent.op.len() + length) as u32;
            bench.wire().bring_entry(&entry);
            let reply = expect_replies(&bench, &entry.header);
            assert!(reply.is_none_or(|reply| reply.error == EIO));

            // A buffer that is smaller than the payload.
            let mut entry = RingEntry::new(sent.header(), &sent.op, &sent.rest);
            entry.room.truncate(length);
            bench.wire().bring_entry(&entry);
            let reply = expect_replies(&bench, &entry.header);
            assert!(reply.is_none_or(|reply| reply.error == EIO));
        }
        for length in 0..HEADER + sent.op.len() {
            let mut entry = RingEntry::new(sent.header(), &sent.op, &sent.rest);
            entry.header.len = length as u32;
            bench.wire().bring_entry(&entry);
            let reply = expect_replies(&bench, &entry.header);
            assert!(reply.is_none_or(|reply| reply.error == EIO));
        }
    }
}

#[test]
fn extensions_that_are_not_there() {
    for shape in SHAPES {
        let bench = Bench::new(answer);
        for (sent, _) in table() {
            for total_extlen in [1, 2, 0x7FFF, u16::MAX] {
                let header = FuseInHeader { total_extlen, ..sent.header() };
                bench.bring_from(shape, &sent, header);
                expect_replies(&bench, &header);
            }
        }
    }
}

fn opcodes() -> impl Strategy<Value = u32> {
    let known: Vec<u32> = Opcode::ALL.iter().map(|opcode| opcode.0).collect();
    prop_oneof![8 => proptest::sample::select(known), 1 => 0u32..64, 1 => any::<u32>()]
}

/// Small numbers and the bounds of others: what tends to be a length.
fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0u8), 2 => 1u8..9, 1 => any::<u8>(), 1 => Just(0xFFu8)];
    vec(byte, 0..most)
}

/// What is mostly `truth`, and else anything.
fn lie(truth: usize) -> impl Strategy<Value = u32> {
    let truth = truth as u32;
    let near = truth.saturating_sub(9)..truth.saturating_add(9);
    prop_oneof![4 => Just(truth), 3 => near, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn headers() -> impl Strategy<Value = FuseInHeader> {
    let extlen = prop_oneof![6 => Just(0u16), 2 => 0u16..8, 1 => any::<u16>()];
    (opcodes(), any::<u64>(), extlen, any::<u32>()).prop_map(|(opcode, unique, total_extlen, uid)| {
        FuseInHeader { opcode, unique, total_extlen, uid, ..Default::default() }
    })
}

fn device_messages() -> impl Strategy<Value = (FuseInHeader, Vec<u8>)> {
    (headers(), bytes(200)).prop_flat_map(|(header, body)| {
        lie(HEADER + body.len()).prop_map(move |len| (FuseInHeader { len, ..header }, body.clone()))
    })
}

fn ring_entries() -> impl Strategy<Value = RingEntry> {
    let parts = (headers(), bytes(129), bytes(200), prop_oneof![2 => Just(0usize), 1 => 0usize..100]);
    parts.prop_flat_map(|(header, op, rest, more)| {
        let lies = (lie(HEADER + op.len() + rest.len()), lie(rest.len()));
        lies.prop_map(move |(len, payload_size)| {
            let mut entry = RingEntry::new(FuseInHeader { len, ..header }, &op, &rest);
            entry.payload_size = payload_size;
            entry.room.truncate(rest.len() + more);
            entry
        })
    })
}

/// With and without an INIT before.
fn bench(started: bool, options: &[&str]) -> Bench {
    let bench = Bench::fresh(options, |_| (), answer);
    if started {
        bench.bring(Shape::Device, &init(), 1);
        bench.only_reply();
    }
    bench
}

/// The number of cases can be raised from outside (`PROPTEST_CASES`).
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes(messages in vec(vec(any::<u8>(), 0..300), 1..9), started in any::<bool>()) {
        let bench = bench(started, &[]);
        for message in messages {
            bench.wire().bring(&message);
            match FuseInHeader::read_prefix(&message) {
                Some((header, _)) => _ = expect_replies(&bench, &header),
                None => bench.no_reply(),
            }
        }
    }

    #[test]
    fn lies_on_the_device(
        messages in vec(device_messages(), 1..17), started in any::<bool>(), debug in any::<bool>(),
    ) {
        let bench = bench(started, if debug { &["-d"] } else { &["-oallow_root"] });
        for (header, body) in messages {
            bench.wire().bring(&bytes_of(&header, &body));
            let reply = expect_replies(&bench, &header);
            if header.len as usize != HEADER + body.len() {
                prop_assert!(reply.is_none_or(|reply| reply.error == EIO));
            }
        }
    }

    #[test]
    fn lies_on_the_ring(
        entries in vec(ring_entries(), 1..17), started in any::<bool>(), debug in any::<bool>(),
    ) {
        let bench = bench(started, if debug { &["-d"] } else { &["-oallow_root"] });
        for entry in entries {
            bench.wire().bring_entry(&entry);
            let reply = expect_replies(&bench, &entry.header);
            if entry.payload_size as usize > entry.room.len() {
                prop_assert!(reply.is_none_or(|reply| reply.error == EIO));
            }
        }
    }
}
