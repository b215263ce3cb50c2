// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notifications: the very bytes, and which of them an older protocol has.

use super::*;
use crate::session::Name;
use crate::wire::FuseNotifyRetrieveIn;

fn errno(code: i32) -> Result<(), Errno> {
    Err(Errno::new(code))
}

/// A session that a kernel of that version has greeted.
fn greeted(minor: u32) -> Bench {
    let bench = Bench::fresh(&[], |_| (), answer);
    let arg = FuseInitIn { major: 7, minor, ..Default::default() };
    bench.bring(Shape::Device, &request(Opcode::INIT, arg.as_bytes(), &[]), 1);
    assert_eq!(bench.only_reply().error, 0);
    bench
}

/// Each with the minor version that it came with.
fn all(session: &Session) -> Vec<(u32, Result<(), Errno>)> {
    vec![
        (12, session.notify_inval_inode(2, -1, 0)),
        (12, session.notify_entry(1, b"n", Name::Invalidate)),
        (15, session.notify_store(2, 0, b"data")),
        (15, session.notify_retrieve(2, 0, 10, 7)),
        (18, session.notify_delete(1, 2, b"n")),
        (38, session.notify_entry(1, b"n", Name::Expire)),
        (44, session.notify_increment_epoch()),
        (45, session.notify_prune(&[2])),
    ]
}

#[test]
fn what_the_protocol_does_not_know_is_not_sent() {
    for minor in [12, 14, 15, 17, 18, 37, 38, 43, 44, 45] {
        let bench = greeted(minor);
        let results = all(&bench.session);
        let sent = results.iter().filter(|(since, _)| *since <= minor).count();
        assert_eq!(bench.memory.take_replies().len(), sent, "7.{minor}");
        for (since, result) in results {
            let want = if since <= minor { Ok(()) } else { errno(libc::ENOSYS) };
            assert_eq!(result, want, "7.{minor}: what came with 7.{since}");
        }
    }
}

#[test]
fn nothing_is_sent_before_init() {
    let bench = Bench::fresh(&[], |_| (), answer);
    assert!(all(&bench.session).iter().all(|(_, result)| *result == errno(libc::ENOTCONN)));
    bench.no_reply();
}

#[test]
fn names_get_their_terminator() {
    let bench = greeted(45);
    assert_eq!(bench.session.notify_entry(1, b"ab", Name::Expire), Ok(()));
    let words = [1u64.to_ne_bytes().as_slice(), &2u32.to_ne_bytes(), &1u32.to_ne_bytes(), b"ab\0"].concat();
    assert_eq!(bench.only_reply(), Reply { unique: 0, error: 3, data: words });
    assert_eq!(bench.session.notify_delete(1, 9, b"ab"), Ok(()));
    let words =
        [1u64.to_ne_bytes().as_slice(), &9u64.to_ne_bytes(), &2u32.to_ne_bytes(), &[0; 4], b"ab\0"].concat();
    assert_eq!(bench.only_reply(), Reply { unique: 0, error: 6, data: words });
}

#[test]
fn retrieved_data_finds_its_cookie_in_both_shapes() {
    for shape in SHAPES {
        let bench = greeted(45);
        assert_eq!(bench.session.notify_retrieve(2, 4096, 3, 77), Ok(()));
        let unique = u64::read(&bench.only_reply().data).expect("a number");
        let arg = FuseNotifyRetrieveIn { offset: 4096, size: 3, ..Default::default() };
        let sent = request(Opcode::NOTIFY_REPLY, arg.as_bytes(), b"abc");
        bench.bring(shape, &sent, unique);
        bench.bring(shape, &sent, unique);
        bench.no_reply();
        let seen: Vec<String> = bench.recorder.seen.lock().iter().map(|(seen, _)| seen.clone()).collect();
        assert_eq!(seen, ["cookie 77, from 4096: [97, 98, 99]"], "{shape:?}");
    }
}
