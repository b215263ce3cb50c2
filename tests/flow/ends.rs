// SPDX-License-Identifier: MIT OR Apache-2.0
//! The beginning and the end of a session, and who may take part in it.

use super::*;
use crate::request::decode::tests::table::table;
use crate::session::LoopConfig;

fn destroy() -> Sent {
    request(Opcode::DESTROY, &[], &[])
}

fn calls(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::SeqCst)
}

#[test]
fn before_init_everything_else_is_refused() {
    for shape in SHAPES {
        let bench = Bench::fresh(&[], |_| (), answer);
        for (sent, _) in table().into_iter().filter(|(sent, _)| sent.opcode != Opcode::INIT) {
            bench.bring(shape, &sent, 2);
            match sent.opcode.is_oneway() {
                true => bench.no_reply(),
                false => assert_eq!(bench.only_reply().error, EIO, "{}", sent.opcode.name()),
            }
        }
        assert!(bench.recorder.seen.lock().is_empty());
        let recorder = bench.recorder.clone();
        drop(bench);
        assert_eq!((calls(&recorder.inits), calls(&recorder.destroys)), (0, 0));
    }
}

#[test]
fn init_is_served_once() {
    for shape in SHAPES {
        let bench = Bench::fresh(&[], |_| (), answer);
        bench.bring(shape, &init(), 2);
        let first = bench.only_reply();
        assert_eq!((first.error, first.data.len()), (0, 64));
        bench.bring(shape, &init(), 4);
        assert_eq!(bench.only_reply(), Reply { unique: 4, error: EIO, data: Vec::new() });
        assert_eq!(calls(&bench.recorder.inits), 1);
        bench.bring(shape, &lookup(), 6);
        assert_eq!(bench.only_reply().error, -libc::ENOENT);
    }
}

#[test]
fn another_major_version_leads_to_a_second_init() {
    let bench = Bench::fresh(&[], |_| (), answer);
    let arg = FuseInitIn { major: 8, ..Default::default() };
    bench.bring(Shape::Device, &request(Opcode::INIT, arg.as_bytes(), &[]), 2);
    assert_eq!(bench.only_reply().error, 0);
    assert_eq!(calls(&bench.recorder.inits), 0);
    bench.bring(Shape::Device, &lookup(), 4);
    assert_eq!(bench.only_reply().error, EIO);
    bench.bring(Shape::Device, &init(), 6);
    assert_eq!(bench.only_reply().error, 0);
    assert_eq!(calls(&bench.recorder.inits), 1);
}

#[test]
fn an_init_that_fails_ends_the_session() {
    let bench = Bench::fresh(&[], |conn| conn.want_ext |= 1 << 63, answer);
    bench.bring(Shape::Device, &init(), 2);
    assert_eq!(bench.only_reply().error, -libc::EPROTO);
    assert!(bench.session.exit_flag().exited());
    bench.bring(Shape::Device, &init(), 4);
    assert_eq!(bench.only_reply().error, EIO);
    let recorder = bench.recorder.clone();
    drop(bench);
    assert_eq!((calls(&recorder.inits), calls(&recorder.destroys)), (1, 1));
}

#[test]
fn destroy_is_called_once() {
    for messages in 0..3 {
        let bench = Bench::new(answer);
        for _ in 0..messages {
            bench.bring(Shape::Device, &destroy(), 2);
            assert_eq!(bench.only_reply().error, 0);
            assert_eq!(calls(&bench.recorder.destroys), 1);
        }
        let recorder = bench.recorder.clone();
        drop(bench);
        assert_eq!(calls(&recorder.destroys), 1);
    }
}

#[test]
fn allow_root_lets_in_root_and_the_owner() {
    // SAFETY: no arguments.
    let owner = unsafe { libc::getuid() };
    for shape in SHAPES {
        let bench = Bench::fresh(&["-oallow_root"], |_| (), answer);
        bench.bring(shape, &init(), 1);
        assert_eq!(bench.only_reply().error, 0);
        let error_for = |sent: &Sent, uid: u32| {
            bench.bring_from(shape, sent, FuseInHeader { uid, ..sent.header() });
            bench.only_reply().error
        };
        for uid in [0, owner] {
            assert_eq!(error_for(&lookup(), uid), -libc::ENOENT);
        }
        let stranger = owner.wrapping_add(77);
        for sent in [lookup(), request(Opcode::GETATTR, &[0; 16], &[]), request(Opcode::OPEN, &[0; 8], &[])] {
            assert_eq!(error_for(&sent, stranger), -libc::EACCES);
        }
        // What is open already goes on.
        for sent in [request(Opcode::READ, &[0; 40], &[]), request(Opcode::RELEASE, &[0; 24], &[])] {
            assert_eq!(error_for(&sent, stranger), 0);
        }
        let forget = request(Opcode::FORGET, &[0; 8], &[]);
        bench.bring_from(shape, &forget, FuseInHeader { uid: stranger, ..forget.header() });
        bench.no_reply();
    }
}

#[test]
fn others_are_not_asked_for_without_allow_root() {
    let bench = Bench::new(answer);
    bench.bring(Shape::Device, &lookup(), 2);
    assert_eq!(bench.only_reply().error, -libc::ENOENT);
}

/// What the kernel would send to a mount, from INIT to its end; returns how many replies there must be.
fn push_everything(bench: &Bench) -> usize {
    let requests = table().into_iter().map(|(sent, _)| sent);
    let all: Vec<Sent> = std::iter::once(init()).chain(requests).collect();
    for (unique, sent) in (2u64..).step_by(2).zip(&all) {
        let header = FuseInHeader { unique, ..sent.header() };
        bench.memory.push(bytes_of(&header, &sent.body()));
    }
    all.iter().filter(|sent| !sent.opcode.is_oneway()).count()
}

fn expect_everything(bench: &Bench, count: usize) {
    let mut uniques: Vec<u64> = bench.memory.take_replies().iter().map(|reply| reply.unique).collect();
    assert_eq!(uniques.len(), count);
    uniques.sort_unstable();
    uniques.dedup();
    assert_eq!(uniques.len(), count);
    assert_eq!((calls(&bench.recorder.inits), calls(&bench.recorder.destroys)), (1, 1));
}

#[test]
fn a_loop_serves_until_the_connection_ends() {
    let bench = Bench::fresh(&["-d"], |_| (), answer);
    let count = push_everything(&bench);
    assert_eq!(bench.session.run_single(), 0);
    expect_everything(&bench, count);
}

#[test]
fn so_does_a_loop_with_threads() {
    for max_threads in [1, 4] {
        let bench = Bench::fresh(&[], |_| (), answer);
        let count = push_everything(&bench);
        let config = LoopConfig { clone_fd: max_threads > 1, max_idle_threads: 2, max_threads };
        assert_eq!(bench.session.run_multi(config), 0);
        expect_everything(&bench, count);
    }
}

#[test]
fn a_program_can_run_the_loop_itself() {
    let bench = Bench::fresh(&[], |_| (), answer);
    let count = push_everything(&bench);
    let mut buffer = vec![0; bench.session.buffer_size()];
    while let Ok(length @ 1..) = bench.session.receive(&mut buffer) {
        bench.session.process(&buffer[..length]);
    }
    assert!(bench.session.exit_flag().exited());
    expect_everything(&bench, count);
}
