// SPDX-License-Identifier: MIT OR Apache-2.0
//! The expected numbers were read off libfuse 3.18.3, which was fed the same INIT messages.

use super::*;
use crate::wire::FuseInitIn;

mod numbers;

const ALL_LOW: u32 = 0x7fff_ffff;
const RING: u64 = cap::OVER_IO_URING;

fn message(minor: u32, flags: u32, flags2: u32) -> FuseInitIn {
    FuseInitIn { major: 7, minor, max_readahead: 131_072, flags, flags2, ..Default::default() }
}

fn everything() -> FuseInitIn {
    message(45, ALL_LOW, u32::MAX)
}

fn has_all() -> Has {
    Has { getlk: true, setlk: true, flock: true, readdir: true, readdirplus: true, write_buf: true }
}

fn negotiate(sent: &FuseInitIn, config: &Config) -> (ConnInfo, Remembered, Kernel) {
    match offer(sent.as_bytes(), config) {
        Ok(Offer::Negotiate { conn, remembered, kernel }) => (conn, remembered, kernel),
        other => panic!("{other:?}"),
    }
}

fn run(sent: &FuseInitIn, config: &Config, init: impl FnOnce(&mut ConnInfo)) -> Result<Finished, InitError> {
    let (mut conn, remembered, kernel) = negotiate(sent, config);
    init(&mut conn);
    finish(&mut conn, &remembered, &kernel, config)
}

/// The flags replied when everything is on offer, without the ring's.
fn flags_after(init: impl FnOnce(&mut ConnInfo)) -> Result<u64, InitError> {
    run(&everything(), &Config::default(), init).map(|done| all_flags(&done.reply) & !flag::OVER_IO_URING)
}

fn all_flags(reply: &FuseInitOut) -> u64 {
    u64::from(reply.flags) | u64::from(reply.flags2) << 32
}

#[test]
fn capabilities_by_flags_and_version() {
    #[rustfmt::skip]
    let table: &[(u32, u32, u32, u64)] = &[
        (45, ALL_LOW, u32::MAX, 0xffbf_ffdb),
        (45, 0, 0, 0x0400_0b80),
        (38, 0, 0, 0x0400_0b80), (37, 0, 0, 0x0b80), (18, 0, 0, 0x0b80), (17, 0, 0, 0x0380), (14, 0, 0, 0x0380),
        (13, 0, 0, 0), (12, 0, 0, 0),
        // Without INIT_EXT the second word means nothing.
        (12, 0, u32::MAX, 0),
        (12, 1 << 0, 0, 1 << 0), (12, 1 << 1, 0, 1 << 1), (12, 1 << 2, 0, 0), (12, 1 << 3, 0, 1 << 3),
        (12, 1 << 4, 0, 1 << 4), (12, 1 << 5, 0, 0), (12, 1 << 6, 0, 1 << 6), (12, 7 << 7, 0, 0),
        (12, 1 << 10, 0, 1 << 10), (12, 1 << 11, 0, 0), (12, 1 << 12, 0, 1 << 12), (12, 1 << 13, 0, 1 << 13),
        (12, 1 << 14, 0, 1 << 14), (12, 1 << 15, 0, 1 << 15), (12, 1 << 16, 0, 1 << 16), (12, 1 << 17, 0, 1 << 17),
        (12, 1 << 18, 0, 1 << 18), (12, 1 << 19, 0, 1 << 20), (12, 1 << 20, 0, 1 << 19), (12, 3 << 21, 0, 0),
        (12, 1 << 23, 0, 1 << 23), (12, 1 << 24, 0, 1 << 24), (12, 1 << 25, 0, 1 << 25), (12, 3 << 26, 0, 0),
        (12, 1 << 28, 0, 1 << 21), (12, 1 << 29, 0, 1 << 27), (12, 1 << 30, 0, 0),
        (12, 1 << 30, 1 << 3, 1 << 26), (12, 1 << 30, 1 << 4, 1 << 28), (12, 1 << 30, 1 << 5, 1 << 29),
        (12, 1 << 30, 1 << 6, 1 << 30), (12, 1 << 30, 1 << 9, 1 << 31), (12, 1 << 30, 0b1_1101_1000_0111, 0),
    ];
    for &(minor, flags, flags2, capable) in table {
        let (conn, _, _) = negotiate(&message(minor, flags, flags2), &Config::default());
        assert_eq!(conn.capable_ext, capable, "7.{minor} {flags:#x} {flags2:#x}");
        assert_eq!(conn.capable, capable as u32);
    }
}

#[test]
fn defaults_follow_the_operations() {
    let none = Has::default();
    let table = [
        (none, 0x8000_9809),
        (has_all(), 0x8000_fe0b),
        (Has { readdirplus: true, ..none }, 0x8000_b809),
        (Has { readdir: true, ..none }, 0x8000_9809),
        (Has { readdir: true, readdirplus: true, ..none }, 0x8000_f809),
        (Has { getlk: true, ..none }, 0x8000_9809),
        (Has { setlk: true, ..none }, 0x8000_9809),
        (Has { flock: true, ..none }, 0x8000_9c09),
        (Has { write_buf: true, ..none }, 0x8000_9a09),
    ];
    for (has, want) in table {
        let (conn, remembered, _) = negotiate(&everything(), &Config { has, ..Default::default() });
        assert_eq!((conn.want_ext, u64::from(conn.want)), (want, want), "{has:?}");
        assert_eq!((remembered.want_ext, remembered.want), (conn.want_ext, conn.want));
    }
    let (conn, _, _) = negotiate(&message(22, 0, 0), &Config { has: has_all(), ..Default::default() });
    assert_eq!(conn.want_ext, 0x0a00, "what is not there is not wanted");
}

#[test]
fn what_the_filesystem_is_shown() {
    let (conn, _, _) = negotiate(&message(99, 0, 0), &Config::default());
    assert_eq!((conn.proto_major, conn.proto_minor), (7, 99));
    assert_eq!((conn.max_write, conn.max_read, conn.max_readahead), (1 << 20, 0, 131_072));
    assert_eq!((conn.max_background, conn.congestion_threshold, conn.time_gran), (0, 0, 1));
    let (conn, _, _) = negotiate(&everything(), &Config { max_pages: 16, ..Default::default() });
    assert_eq!(conn.max_write, 65536);
}

#[test]
fn channel_and_configuration_limit_capabilities() {
    let config = Config { splice_send: false, ..Default::default() };
    assert_eq!(negotiate(&message(45, 0, 0), &config).0.capable_ext & 0x380, cap::SPLICE_READ);
    let config = Config { splice_receive: false, ..Default::default() };
    assert_eq!(
        negotiate(&message(45, 0, 0), &config).0.capable_ext & 0x380,
        cap::SPLICE_WRITE | cap::SPLICE_MOVE
    );
    let config = Config { allowed: !cap::WRITEBACK_CACHE, ..Default::default() };
    assert_eq!(negotiate(&everything(), &config).0.capable_ext & cap::WRITEBACK_CACHE, 0);
}

#[test]
fn versions() {
    let refused = |major, minor| {
        let sent = FuseInitIn { major, minor, ..Default::default() };
        offer(sent.as_bytes(), &Config::default())
    };
    assert_eq!(refused(6, 45), Err(InitError::Version { major: 6, minor: 45 }));
    assert_eq!(refused(7, 11), Err(InitError::Version { major: 7, minor: 11 }));
    let other = FuseInitOut { major: 7, minor: 45, ..Default::default() };
    assert_eq!(refused(8, 0), Ok(Offer::OtherMajor(other)));
    assert!(refused(7, 12).is_ok());
    assert_eq!(Errno::from(InitError::Truncated).raw(), libc::EPROTO);
}

#[test]
fn every_form_of_the_message_is_read() {
    let sent = everything();
    let bytes = sent.as_bytes();
    for len in 0..8 {
        assert_eq!(offer(&bytes[..len], &Config::default()), Err(InitError::Truncated));
    }
    let capable = |bytes: &[u8]| match offer(bytes, &Config::default()) {
        Ok(Offer::Negotiate { conn, .. }) => (conn.capable_ext, conn.max_readahead),
        other => panic!("{other:?}"),
    };
    assert_eq!(capable(&bytes[..8]), (0x0400_0b80, 0));
    assert_eq!(capable(&bytes[..16]), (0x0fbf_ffdb, 131_072));
    assert_eq!(capable(bytes), (0xffbf_ffdb, 131_072));
    assert_eq!(capable(&[bytes, &[0xff; 64]].concat()), (0xffbf_ffdb, 131_072));
}

#[test]
fn reply_has_the_length_and_version_the_kernel_expects() {
    for (minor, len) in [(12, 24), (22, 24), (23, 64), (45, 64), (99, 64)] {
        let done = run(&message(minor, 0, 0), &Config::default(), |_| ()).unwrap();
        assert_eq!(done.reply_len, len, "7.{minor}");
        assert_eq!((done.reply.major, done.reply.minor), (7, 45));
        assert_eq!(done.negotiated.proto.minor, minor.min(45));
    }
}

#[test]
fn every_capability_is_replied_by_its_flag() {
    let base = 0x4040_0020;
    #[rustfmt::skip]
    let table: &[(u32, u64)] = &[
        (0, 1 << 0), (1, 1 << 1), (3, 1 << 3), (4, 1 << 4), (6, 1 << 6), (7, 0), (8, 0), (9, 0), (10, 1 << 10),
        (11, 0), (12, 1 << 12), (13, 1 << 13), (14, 1 << 14), (15, 1 << 15), (16, 1 << 16), (17, 0), (18, 1 << 18),
        (19, 1 << 20), (20, 1 << 19), (21, 1 << 28), (23, 1 << 23), (24, 0), (25, 1 << 25), (26, 0), (27, 1 << 29),
        (28, 1 << 36), (29, 1 << 37), (30, 1 << 38), (31, 0),
    ];
    for &(bit, flags) in table {
        assert_eq!(flags_after(|conn| conn.want_ext = 1 << bit), Ok(base | flags), "capability {bit}");
    }
    assert_eq!(flags_after(|conn| conn.want_ext = conn.capable_ext), Ok(0x70_72dd_f47b));
    for bit in [2, 5, 22, 32, 40, 63] {
        let refused = flags_after(|conn| conn.want_ext |= 1 << bit);
        assert_eq!(refused, Err(InitError::UnknownWant(1 << bit)), "capability {bit}");
    }
}

#[test]
fn old_and_new_style_want() {
    let base = 0x4040_0020;
    let default = 0x4040_9029;
    assert_eq!(flags_after(|_| ()), Ok(default));
    assert_eq!(flags_after(|conn| conn.want = 0), Ok(base));
    assert_eq!(flags_after(|conn| conn.want = 1), Ok(base | 1));
    assert_eq!(flags_after(|conn| conn.want |= 0x1_0000), Ok(default | 0x1_0000));
    assert_eq!(flags_after(|conn| conn.want_ext |= 0x1_0000), Ok(default | 0x1_0000));
    assert_eq!(flags_after(|conn| conn.want &= !1), Ok(default & !1));
    assert_eq!(flags_after(|conn| conn.want_ext &= !1), Ok(default & !1));
    assert_eq!(flags_after(|conn| conn.want_ext = 0), Ok(base));
    assert_eq!(flags_after(|conn| conn.want |= 1 << 22), Err(InitError::UnknownWant(1 << 22)));
    assert_eq!(flags_after(|conn| (conn.want, conn.want_ext) = (1, 1)), Ok(base | 1));
    let both = |conn: &mut ConnInfo| {
        conn.want &= !1;
        conn.want_ext |= 0x1_0000;
    };
    assert_eq!(flags_after(both), Ok(default | 0x1_0000), "the new one counts");
    assert!(run(&everything(), &Config::default(), both).unwrap().want_ignored);
    assert!(!run(&everything(), &Config::default(), |conn| conn.want = 0).unwrap().want_ignored);
    let sent = message(45, 0, 0);
    let refused = run(&sent, &Config::default(), |conn| conn.want |= 0x1_0000).unwrap_err();
    assert_eq!(refused, InitError::UnknownWant(0x1_0000));
}

#[test]
fn the_high_half_survives_an_old_style_assignment() {
    let mut conn = ConnInfo { want: 4, want_ext: 7 << 32 | 1, ..Default::default() };
    let remembered = Remembered { want: 1, want_ext: 7 << 32 | 1 };
    assert_eq!(convert_want(&mut conn, &remembered), Ok(()));
    assert_eq!((conn.want, conn.want_ext), (4, 7 << 32 | 4));
}

#[test]
fn converting_twice_changes_nothing_more() {
    let (mut conn, remembered, _) = negotiate(&everything(), &Config::default());
    conn.want = 1;
    assert_eq!(convert_want(&mut conn, &remembered), Ok(()));
    let once = conn;
    assert_eq!(convert_want(&mut conn, &remembered), Ok(()));
    assert_eq!(conn, once);
    assert_eq!((conn.want, conn.want_ext), (RING as u32 | 1, RING | 1));
}

#[test]
fn who_decides_about_the_ring() {
    let ring = |sent: &FuseInitIn, uring, init: &dyn Fn(&mut ConnInfo)| {
        let done = run(sent, &Config { uring, ..Default::default() }, init).unwrap();
        assert_eq!(all_flags(&done.reply) & flag::OVER_IO_URING != 0, done.negotiated.ring);
        assert_eq!(done.negotiated.ring, done.negotiated.ring_reason == RingReason::Used);
        done.negotiated.ring_reason
    };
    let all = everything();
    let nothing: &dyn Fn(&mut ConnInfo) = &|_| ();
    assert_eq!(ring(&all, true, nothing), RingReason::Used);
    assert_eq!(ring(&all, false, nothing), RingReason::Disabled);
    assert_eq!(ring(&message(45, ALL_LOW, !(1 << 9)), true, nothing), RingReason::NotOffered);
    assert_eq!(ring(&message(41, 0, 0), true, nothing), RingReason::NotOffered);
    // P9: an old program overwrites the low word, or clears bits in it, and means something else.
    assert_eq!(ring(&all, true, &|conn| conn.want = 0), RingReason::Used);
    assert_eq!(ring(&all, true, &|conn| conn.want = conn.capable), RingReason::Used);
    assert_eq!(ring(&all, true, &|conn| conn.want &= 0xffff), RingReason::Used);
    // A new one means it.
    assert_eq!(ring(&all, true, &|conn| conn.want_ext &= !RING), RingReason::NotWanted);
    assert_eq!(ring(&all, true, &|conn| conn.want_ext = 0), RingReason::NotWanted);
    let unset_and_old = {
        let (mut conn, mut remembered, kernel) = negotiate(&all, &Config::default());
        // What fuse_unset_feature_flag does, then an assignment of the old kind.
        conn.want_ext &= !RING;
        conn.want &= !(RING as u32);
        remembered =
            Remembered { want: remembered.want & !(RING as u32), want_ext: remembered.want_ext & !RING };
        conn.want = 1;
        finish(&mut conn, &remembered, &kernel, &Config::default()).unwrap().negotiated.ring_reason
    };
    assert_eq!(unset_and_old, RingReason::NotWanted);
}
