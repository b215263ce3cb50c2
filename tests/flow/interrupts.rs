// SPDX-License-Identifier: MIT OR Apache-2.0
//! INTERRUPT: before its request, while it is served, after it; and what a callback may rely on.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::transport::slot::{OnInterrupt, Slot};

/// Keeps requests as numbers.
fn keeper() -> (Bench, mpsc::Receiver<u64>) {
    let (keep, kept) = mpsc::channel();
    let bench = Bench::new(move |request, _| keep.send(request.into_raw()).expect("a receiver"));
    (bench, kept)
}

fn slot<'a>(raw: u64) -> &'a Slot {
    // SAFETY: the sessions of these tests live longer than their requests.
    unsafe { Request::peek(raw) }.expect("a live request")
}

fn finish(bench: &Bench, raw: u64) {
    // SAFETY: as above.
    let request = unsafe { Request::from_raw(raw, "test") };
    assert_eq!(request.map(Request::done), Some(Ok(())));
    bench.only_reply();
}

/// A callback, and how often it was called.
fn counting() -> (Arc<AtomicU32>, Option<OnInterrupt>) {
    let calls = Arc::new(AtomicU32::new(0));
    let there = calls.clone();
    (calls, Some(Box::new(move || _ = there.fetch_add(1, Ordering::SeqCst))))
}

fn count(calls: &AtomicU32) -> u32 {
    calls.load(Ordering::SeqCst)
}

#[test]
fn while_a_request_is_served_its_callback_is_called_once() {
    for shape in SHAPES {
        let (bench, kept) = keeper();
        bench.bring(shape, &lookup(), 2);
        bench.bring(shape, &lookup(), 4);
        let (one, other) = (kept.recv().unwrap(), kept.recv().unwrap());
        let (calls, callback) = counting();
        let (calls_of_other, callback_of_other) = counting();
        slot(one).watch(callback);
        slot(other).watch(callback_of_other);
        assert!(!slot(one).interrupted());

        bench.interrupt(2);
        bench.interrupt(2);
        assert_eq!((count(&calls), slot(one).interrupted()), (1, true));
        assert_eq!((count(&calls_of_other), slot(other).interrupted()), (0, false));
        bench.no_reply();
        finish(&bench, one);
        finish(&bench, other);
    }
}

#[test]
fn an_interrupt_that_overtook_its_request_finds_it() {
    for shape in SHAPES {
        let (bench, kept) = keeper();
        bench.interrupt(2);
        bench.interrupt(2);
        bench.bring(shape, &lookup(), 4);
        bench.bring(shape, &lookup(), 2);
        let (other, one) = (kept.recv().unwrap(), kept.recv().unwrap());
        assert!(!slot(other).interrupted());
        assert!(slot(one).interrupted());

        let (calls, callback) = counting();
        slot(one).watch(callback);
        assert_eq!(count(&calls), 1);
        bench.interrupt(2);
        assert_eq!(count(&calls), 1);
        finish(&bench, one);
        finish(&bench, other);
    }
}

#[test]
fn an_interrupt_after_the_reply_hits_nobody() {
    let (bench, kept) = keeper();
    let (calls, callback) = counting();
    bench.bring(Shape::Device, &lookup(), 2);
    let first = kept.recv().unwrap();
    slot(first).watch(callback);
    finish(&bench, first);
    bench.interrupt(2);

    bench.bring(Shape::Device, &lookup(), 4);
    let next = kept.recv().unwrap();
    bench.interrupt(2);
    // The callback went with its request.
    assert!(!slot(next).interrupted());
    bench.interrupt(4);
    assert!(slot(next).interrupted());
    assert_eq!(count(&calls), 0);
    finish(&bench, next);
}

#[test]
fn a_unique_that_comes_again_is_another_request() {
    let (bench, kept) = keeper();
    for unique in [0, 2, 2, 0, 0] {
        bench.bring(Shape::Device, &lookup(), unique);
        let raw = kept.recv().unwrap();
        assert!(!slot(raw).interrupted());
        bench.interrupt(unique);
        assert!(slot(raw).interrupted());
        finish(&bench, raw);
    }
}

#[test]
fn a_callback_that_was_removed_is_not_called() {
    let (bench, kept) = keeper();
    bench.bring(Shape::Device, &lookup(), 2);
    let raw = kept.recv().unwrap();
    let (calls, callback) = counting();
    slot(raw).watch(callback);
    slot(raw).watch(None);
    bench.interrupt(2);
    assert_eq!((count(&calls), slot(raw).interrupted()), (0, true));
    finish(&bench, raw);
}

#[test]
fn removing_waits_for_a_callback_that_runs() {
    let (bench, kept) = keeper();
    bench.bring(Shape::Device, &lookup(), 2);
    let raw = kept.recv().unwrap();
    let (entered, wait_entered) = mpsc::channel();
    let left = Arc::new(AtomicBool::new(false));
    let leaving = left.clone();
    slot(raw).watch(Some(Box::new(move || {
        entered.send(()).expect("a receiver");
        thread::sleep(Duration::from_millis(50));
        leaving.store(true, Ordering::SeqCst);
    })));
    thread::scope(|scope| {
        scope.spawn(|| bench.interrupt(2));
        wait_entered.recv().unwrap();
        slot(raw).watch(None);
        assert!(left.load(Ordering::SeqCst));
    });
    finish(&bench, raw);
}

#[test]
fn a_callback_may_answer_its_request() {
    for early in [false, true] {
        let (bench, kept) = keeper();
        if early {
            bench.interrupt(2);
        }
        bench.bring(Shape::Device, &lookup(), 2);
        let raw = kept.recv().unwrap();
        slot(raw).watch(Some(Box::new(move || {
            // SAFETY: as above.
            let request = unsafe { Request::from_raw(raw, "test") };
            assert_eq!(request.map(|request| request.fail(Errno::new(libc::EINTR))), Some(Ok(())));
        })));
        if !early {
            bench.interrupt(2);
        }
        assert_eq!(bench.only_reply().error, -libc::EINTR);
        bench.bring(Shape::Device, &lookup(), 4);
        finish(&bench, kept.recv().unwrap());
    }
}

#[test]
fn interrupts_race_with_requests_and_replies() {
    const TURNS: u64 = 3000;
    let bench = Bench::new(|request, operation| {
        let raw = request.into_raw();
        let (calls, callback) = counting();
        slot(raw).watch(callback);
        thread::yield_now();
        slot(raw).watch(None);
        assert!(count(&calls) <= 1);
        assert!(count(&calls) == 0 || slot(raw).interrupted());
        // SAFETY: as above.
        answer(unsafe { Request::from_raw(raw, "test") }.expect("a live request"), operation);
    });
    thread::scope(|scope| {
        for from in 0..2 {
            let bench = &bench;
            scope.spawn(move || {
                (1..=TURNS).for_each(|turn| bench.bring(Shape::Device, &lookup(), turn * 4 + from * 2))
            });
        }
        scope.spawn(|| (2..=TURNS * 2).for_each(|half| bench.interrupt(half * 2)));
    });
    assert_eq!(bench.memory.take_replies().len() as u64, TURNS * 2);
}

#[test]
fn many_interrupts_of_nobody_are_forgotten() {
    let (bench, kept) = keeper();
    (1..=1000).for_each(|turn| bench.interrupt(turn * 2));
    bench.bring(Shape::Device, &lookup(), 2);
    bench.bring(Shape::Device, &lookup(), 2000);
    let (old, new) = (kept.recv().unwrap(), kept.recv().unwrap());
    assert_eq!((slot(old).interrupted(), slot(new).interrupted()), (false, true));
    finish(&bench, old);
    finish(&bench, new);
}
