// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the feature functions do inside `init()`. Copying is tested from C (tests/capi/buf.c).

use super::*;
use crate::session::init::cap;

const RING: u64 = cap::OVER_IO_URING;

fn conn() -> (ConnInfo, Remembered) {
    let want_ext = 0x8000_9809;
    let capable_ext = 0xffbf_ffdb;
    let conn = ConnInfo {
        want: want_ext as u32,
        capable: capable_ext as u32,
        want_ext,
        capable_ext,
        ..Default::default()
    };
    (conn, Remembered { want: want_ext as u32, want_ext })
}

#[test]
fn feature_flags_change_both_words_and_what_is_remembered() {
    let (mut info, mut remembered) = conn();
    show(&mut info, &mut remembered, &mut FuseConnInfo::default(), |conn| unsafe {
        assert!(fuse_set_feature_flag(conn, cap::WRITEBACK_CACHE));
        assert!(!fuse_set_feature_flag(conn, 1 << 40));
        assert!(!fuse_set_feature_flag(conn, 0));
        fuse_unset_feature_flag(conn, RING);
        assert!(fuse_get_feature_flag(conn, RING), "still to be had");
        assert!(!fuse_get_feature_flag(conn, 1 << 40));
    });
    assert_eq!((info.want, info.want_ext), (0x0001_9809, 0x0001_9809));
    assert_eq!((remembered.want, remembered.want_ext), (info.want, info.want_ext));
}

#[test]
fn conversion_inside_init() {
    let (mut info, mut remembered) = conn();
    show(&mut info, &mut remembered, &mut FuseConnInfo::default(), |conn| unsafe {
        (*conn).want = 1;
        assert!(fuse_set_feature_flag(conn, cap::WRITEBACK_CACHE));
        assert_eq!(((*conn).want, (*conn).want_ext), (0x0001_0001, 0x8001_9809));
        assert_eq!(fuse_convert_to_conn_want_ext(conn), 0);
        assert_eq!(((*conn).want, (*conn).want_ext), (0x8001_0001, 0x8001_0001));
        (*conn).want = 3;
        assert_eq!(fuse_convert_to_conn_want_ext(conn), -libc::EINVAL);
        assert_eq!((*conn).want_ext, 0x8001_0001);
    });
    assert_eq!(info.want_ext, 0x8001_0001);
}

#[test]
fn a_connection_of_somebody_elses_is_not_taken_for_ours() {
    let (info, _) = conn();
    let mut foreign = to_c(&info);
    unsafe {
        assert!(fuse_set_feature_flag(&raw mut foreign, cap::WRITEBACK_CACHE));
        foreign.want = 1;
        assert_eq!(fuse_convert_to_conn_want_ext(&raw mut foreign), 0);
    }
    assert_eq!(foreign.want_ext & 0xffff, 1);
}

#[test]
fn init_cannot_widen_what_the_kernel_offers() {
    let (mut info, mut remembered) = conn();
    show(&mut info, &mut remembered, &mut FuseConnInfo::default(), |conn| unsafe {
        (*conn).capable_ext = u64::MAX;
        (*conn).flag_bits = 1;
        (*conn).max_write = 5;
    });
    assert_eq!((info.capable_ext, info.no_interrupt, info.max_write), (0xffbf_ffdb, true, 5));
}

#[test]
fn loop_configuration() {
    let config = fuse_loop_cfg_create();
    let read = || unsafe { LoopConfig::from_ptr(config) };
    assert_eq!(read(), Ok(LoopConfig { clone_fd: false, max_idle_threads: u32::MAX, max_threads: 10 }));
    unsafe {
        fuse_loop_cfg_set_idle_threads(config, 7);
        fuse_loop_cfg_set_idle_threads(config, 100_001);
        fuse_loop_cfg_set_max_threads(config, 1_000_000);
        fuse_loop_cfg_set_clone_fd(config, 5);
    }
    assert_eq!(read(), Ok(LoopConfig { clone_fd: true, max_idle_threads: 7, max_threads: 1_000_000 }));
    let mut old = FuseLoopConfigV1 { clone_fd: 0, max_idle_threads: 3 };
    unsafe { fuse_loop_cfg_convert(config, &raw mut old) };
    assert_eq!(read(), Ok(LoopConfig { clone_fd: false, max_idle_threads: 3, max_threads: 1_000_000 }));
    unsafe { fuse_loop_cfg_destroy(config) };
    for clone_fd in [0, 1] {
        let old = FuseLoopConfigV1 { clone_fd, max_idle_threads: 3 };
        let refused = unsafe { LoopConfig::from_ptr((&raw const old).cast()) };
        assert_eq!(refused, Err(Errno::new(libc::EINVAL)));
    }
    assert_eq!(unsafe { LoopConfig::from_ptr(ptr::null()) }, Ok(LoopConfig::default()));
}
