// SPDX-License-Identifier: MIT OR Apache-2.0
//! One request, one reply: from whatever thread, however late, and never two.

use std::collections::HashSet;
use std::sync::{Arc, Weak, mpsc};
use std::thread;

use super::*;
use crate::request::decode::tests::table::table;
use crate::wire::FuseMkdirIn;

/// A filesystem that keeps its requests as numbers, like a C program.
fn keeper() -> (Bench, mpsc::Receiver<u64>) {
    let (keep, kept) = mpsc::channel();
    let bench = Bench::new(move |request, _| keep.send(request.into_raw()).expect("a receiver"));
    (bench, kept)
}

fn from_raw(raw: u64) -> Option<Request> {
    // SAFETY: the sessions of these tests live longer than their requests.
    unsafe { Request::from_raw(raw, "test") }
}

/// Address bits only.
fn slot_of(raw: u64) -> u64 {
    raw & ((1 << 48) - 1)
}

#[test]
fn each_kind_of_request_is_answered_once_in_both_shapes() {
    for shape in SHAPES {
        let bench = Bench::new(answer);
        for (unique, (sent, operation)) in (2u64..).step_by(2).zip(table()) {
            bench.bring(shape, &sent, unique);
            let seen = bench.recorder.seen.lock().pop().map(|(operation, _)| operation);
            match operation {
                // Not for the filesystem, or not any more.
                Operation::Init(_) | Operation::CuseInit(_) => assert_eq!(seen, None),
                Operation::Destroy | Operation::Interrupt { .. } => assert_eq!(seen, None),
                // Nobody asked for it.
                Operation::NotifyReply { .. } => assert_eq!(seen, None),
                operation => assert_eq!(seen, Some(format!("{operation:?}"))),
            }
            match sent.opcode.is_oneway() {
                true => bench.no_reply(),
                false => assert_eq!(bench.only_reply().unique, unique, "{}", sent.opcode.name()),
            }
        }
    }
}

#[test]
fn data_that_was_asked_for_comes_with_its_cookie() {
    for shape in SHAPES {
        let bench = Bench::new(answer);
        let Some((sent, _)) = table().into_iter().find(|(sent, _)| sent.opcode == Opcode::NOTIFY_REPLY)
        else {
            panic!("the table has all operations")
        };
        let unique = bench.session.retrieves.lock().begin(7);
        for seen in [Some("cookie 7, from 1: [104, 105]".to_owned()), None] {
            bench.bring(shape, &sent, unique);
            assert_eq!(bench.recorder.seen.lock().pop().map(|(operation, _)| operation), seen);
            bench.no_reply();
        }
    }
}

#[test]
fn replies_carry_what_was_said() {
    for shape in SHAPES {
        let bench = Bench::new(answer);
        let expect = |sent: &Sent, error: i32, data: &[u8]| {
            bench.bring(shape, sent, 4);
            assert_eq!(bench.only_reply(), Reply { unique: 4, error, data: data.to_vec() });
        };
        expect(&lookup(), -libc::ENOENT, b"");
        expect(&request(Opcode::READLINK, &[], &[]), 0, b"target");
        expect(&request(Opcode::READ, &[0; 40], &[]), 0, b"rrrrr");
        expect(&request(Opcode::UNLINK, &[], b"n\0"), 0, b"");
        expect(&request(Opcode(7), &[], &[]), -libc::ENOSYS, b"");
    }
}

#[test]
fn replies_in_parts_arrive_as_one() {
    let bench = Bench::new(|request, _| {
        let parts = [&b"one"[..], b"", b"two"].map(std::io::IoSlice::new);
        assert_eq!(request.reply(&parts), Ok(()));
    });
    bench.bring(Shape::Device, &lookup(), 2);
    assert_eq!(bench.only_reply().data, b"onetwo");
}

#[test]
fn a_reply_that_can_not_be_filled_is_an_error() {
    let bench = Bench::new(|request, _| {
        assert_eq!(request.reply_filled(10, |_, _| Err(Errno::new(libc::EBADF))), Ok(()));
    });
    bench.bring(Shape::Ring, &lookup(), 2);
    assert_eq!(bench.only_reply(), Reply { unique: 2, error: -libc::EBADF, data: Vec::new() });
}

#[test]
fn a_request_that_is_dropped_answers_eio_and_says_so() {
    for shape in SHAPES {
        let bench = Bench::new(|request, _| drop(request));
        let before = logged();
        bench.bring(shape, &lookup(), 2);
        assert_eq!(bench.only_reply(), Reply { unique: 2, error: EIO, data: Vec::new() });
        assert_eq!(logged(), before + 1);
    }
}

#[test]
fn the_second_reply_is_refused() {
    let (bench, kept) = keeper();
    bench.bring(Shape::Device, &lookup(), 2);
    let first = kept.recv().unwrap();
    assert_eq!(from_raw(first).unwrap().done(), Ok(()));
    assert_eq!(bench.only_reply().unique, 2);
    assert!(from_raw(first).is_none());
    assert!(from_raw(0).is_none());

    // Not either when the place holds another request meanwhile, which can still be answered.
    bench.bring(Shape::Ring, &lookup(), 4);
    let second = kept.recv().unwrap();
    assert_eq!(slot_of(first), slot_of(second));
    assert!(from_raw(first).is_none());
    bench.no_reply();
    assert_eq!(from_raw(second).unwrap().done(), Ok(()));
    assert_eq!(bench.only_reply().unique, 4);
}

/// Both sides leave together, as exactly as they can be made to.
fn meet(turn: &AtomicU32, all: u32) {
    turn.fetch_add(1, Ordering::SeqCst);
    let mut tries = 0u32;
    while turn.load(Ordering::SeqCst) < all {
        tries += 1;
        if tries % 1000 == 0 {
            thread::yield_now();
        }
    }
}

#[test]
fn of_two_replies_at_once_one_wins() {
    const TURNS: u32 = 20_000;
    let (bench, kept) = keeper();
    let (give, take) = mpsc::channel::<u64>();
    let (report, results) = mpsc::channel();
    let turn = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for (all, raw) in (2..).step_by(2).zip(take) {
                let request = from_raw(raw).unwrap();
                meet(&turn, all);
                report.send(request.reply_filled(1, |_, size| Ok(size)).is_ok()).unwrap();
            }
        });
        for number in 1..=TURNS {
            bench.bring(Shape::Device, &lookup(), number.into());
            let raw = kept.recv().unwrap();
            give.send(raw).unwrap();
            let request = from_raw(raw).unwrap();
            meet(&turn, number * 2);
            let here = request.done().is_ok();
            assert_ne!(here, results.recv().unwrap());
            assert_eq!(bench.memory.take_replies().len(), 1);
        }
        drop(give);
    });
}

#[test]
fn any_thread_may_answer_at_any_time() {
    let (bench, kept) = keeper();
    for unique in (2..130).step_by(2) {
        bench.bring(SHAPES[unique as usize / 2 % 2], &lookup(), unique);
    }
    bench.no_reply();
    let mut raws: Vec<u64> = kept.try_iter().collect();
    raws.reverse();
    for raws in raws.chunks(16).map(<[u64]>::to_vec) {
        // Each thread is gone before the next begins.
        thread::spawn(move || raws.into_iter().for_each(|raw| from_raw(raw).unwrap().done().unwrap()))
            .join()
            .unwrap();
    }
    let uniques: Vec<u64> = bench.memory.take_replies().iter().rev().map(|reply| reply.unique).collect();
    assert_eq!(uniques, (2..130).step_by(2).collect::<Vec<u64>>());
}

#[test]
fn requests_of_several_threads_do_not_mix() {
    let bench = Bench::new(answer);
    thread::scope(|scope| {
        for from in 0..4u64 {
            let bench = &bench;
            scope.spawn(move || {
                for unique in (1..=500).map(|turn| turn * 8 + from * 2) {
                    bench.bring(SHAPES[from as usize % 2], &lookup(), unique);
                }
            });
        }
    });
    let replies = bench.memory.take_replies();
    let uniques: HashSet<u64> = replies.iter().map(|reply| reply.unique).collect();
    assert_eq!((replies.len(), uniques.len()), (2000, 2000));
}

#[test]
fn oneway_requests_get_no_reply_whatever_is_wrong() {
    let handlers: [fn(Request, &Operation<'_>); 3] = [
        answer,
        |request, _| drop(request),
        // A program that takes them for requests like all others.
        |request, _| assert_eq!(request.reply_bytes(b"data"), Ok(())),
    ];
    for handler in handlers {
        for (started, shape) in [(false, Shape::Device), (true, Shape::Device), (true, Shape::Ring)] {
            let bench = if started { Bench::new(handler) } else { Bench::fresh(&[], |_| (), handler) };
            for (sent, _) in table().into_iter().filter(|(sent, _)| sent.opcode.is_oneway()) {
                bench.bring(shape, &sent, 6);
                for op in 0..sent.op.len() {
                    bench.bring(shape, &request(sent.opcode, &sent.op[..op], &[]), 6);
                }
                for rest in 0..sent.rest.len() {
                    bench.bring(shape, &request(sent.opcode, &sent.op, &sent.rest[..rest]), 6);
                }
                bench.bring(shape, &request(sent.opcode, &sent.op, &[0; 100]), 6);
                bench.no_reply();
            }
        }
    }
}

#[test]
fn places_are_used_again() {
    let bench = Bench::new(|request, operation| match operation {
        Operation::ReadLink => {
            let address = request_address(&request);
            assert_eq!(request.reply_bytes(&address.to_ne_bytes()), Ok(()));
        }
        operation => answer(request, operation),
    });
    let place = |unique| {
        bench.bring(Shape::Device, &request(Opcode::READLINK, &[], &[]), unique);
        bench.only_reply().data
    };
    let before = place(2);
    for (sent, _) in table() {
        for shape in SHAPES {
            bench.bring(shape, &sent, 4);
            bench.bring(shape, &request(sent.opcode, &sent.op, b"more than fits"), 4);
        }
    }
    bench.memory.take_replies();
    assert_eq!(place(6), before);
}

fn request_address(request: &Request) -> u64 {
    std::ptr::from_ref(request.details().expect("a live request")) as u64
}

#[test]
fn an_answered_request_keeps_no_descriptor_open() {
    let bench = Bench::new(answer);
    let own = bench.channel.duplicate().unwrap();
    let registry = bench.session.registry();
    let wire = Wire { channel: &own, registry, service: &bench.session };
    for (sent, _) in table() {
        wire.bring(&bytes_of(&sent.header(), &sent.body()));
    }
    let left: Weak<Channel> = Arc::downgrade(&own);
    drop(own);
    assert!(left.upgrade().is_none());
}

#[test]
fn the_umask_is_known_where_something_is_made() {
    for shape in SHAPES {
        let bench = Bench::new(answer);
        for (sent, operation) in table() {
            bench.recorder.seen.lock().clear();
            bench.bring(shape, &sent, 2);
            let expected = match operation {
                Operation::MkNod { umask, .. } | Operation::MkDir { umask, .. } => umask,
                Operation::Create { arg, .. } | Operation::TmpFile { arg, .. } => arg.umask,
                _ => 0,
            };
            if let Some((_, caller)) = bench.recorder.seen.lock().pop() {
                assert_eq!((caller.umask, caller.uid), (expected, 7), "{operation:?}");
            }
        }
        let mkdir = FuseMkdirIn { mode: 0o777, umask: 0o27 };
        bench.bring(shape, &request(Opcode::MKDIR, mkdir.as_bytes(), b"d\0"), 4);
        assert_eq!(bench.recorder.seen.lock().pop().map(|(_, caller)| caller.umask), Some(0o27));
    }
}
