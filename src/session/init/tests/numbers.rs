// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sizes, limits and timeouts.

use super::*;

#[test]
fn write_sizes() {
    let sizes = |sent: &FuseInitIn, uring, max_write| {
        let config = Config { uring, ..Default::default() };
        let done = run(sent, &config, |conn| conn.max_write = max_write).unwrap();
        (
            done.reply.max_write,
            done.reply.max_pages,
            done.negotiated.buffer_size,
            done.negotiated.payload_size,
        )
    };
    let all = everything();
    let least = 17 * 4096;
    for (max_write, replied, pages) in [
        (0, 4096, 1),
        (1, 4096, 1),
        (4096, 4096, 1),
        (4097, 4097, 2),
        (65536, 65536, 16),
        (131_072, 131_072, 32),
    ] {
        let room = (pages as usize * 4096).max(least);
        assert_eq!(sizes(&all, false, max_write), (replied, pages, room + 4096, room), "{max_write}");
        assert_eq!(sizes(&all, true, max_write), (replied, pages.max(17), room + 4096, room), "{max_write}");
    }
    for max_write in [1 << 20, (1 << 20) + 1, u32::MAX] {
        assert_eq!(sizes(&all, true, max_write), (1 << 20, 256, (1 << 20) + 4096, 1 << 20));
    }
    let small = message(45, 0, 0);
    assert_eq!(sizes(&small, true, 1 << 20), (131_072, 0, 135_168, 131_072));
    assert_eq!(sizes(&small, true, 4097), (4097, 0, 135_168, 131_072), "reads stay as large as they are");
}

#[test]
fn the_page_limit_of_the_system_holds() {
    let config = Config { max_pages: 64, ..Default::default() };
    let done = run(&everything(), &config, |conn| conn.max_write = 1 << 20).unwrap();
    assert_eq!((done.reply.max_write, done.reply.max_pages), (64 * 4096, 64));
    let config = Config { page_size: 65536, max_pages: 16, ..Default::default() };
    let done = run(&everything(), &config, |_| ()).unwrap();
    assert_eq!(
        (done.reply.max_write, done.reply.max_pages, done.negotiated.payload_size),
        (1 << 20, 16, 1 << 20)
    );
}

#[test]
fn max_read_has_to_be_said_twice() {
    let with = |option, init| {
        let config = Config { mount_max_read: option, ..Default::default() };
        run(&everything(), &config, |conn| conn.max_read = init).err()
    };
    assert_eq!(with(0, 0), None);
    assert_eq!(with(4096, 4096), None);
    assert_eq!(with(4096, 0), Some(InitError::MaxRead { init: 0, option: 4096 }));
    assert_eq!(with(0, 4096), Some(InitError::MaxRead { init: 4096, option: 0 }));
}

#[test]
fn background_requests() {
    let table = [
        (0, 0, BACKGROUND, 0),
        (100, 0, 100, 75),
        (70_000, 0, 65_535, 49_151),
        (1, 0, 1, 0),
        (2, 0, 2, 1),
        (5, 0, 5, 3),
        (4, 9, 4, 4),
        (0, 9, BACKGROUND, 0),
        (65_535, 70_000, 65_535, 65_535),
        (u32::MAX, u32::MAX, 65_535, 65_535),
    ];
    for (background, threshold, out_background, out_threshold) in table {
        let done = run(&everything(), &Config::default(), |conn| {
            (conn.max_background, conn.congestion_threshold) = (background, threshold);
        })
        .unwrap();
        assert_eq!(
            (done.reply.max_background, done.reply.congestion_threshold),
            (out_background, out_threshold)
        );
    }
}

#[test]
fn passed_on_as_they_are() {
    let done = run(&everything(), &Config::default(), |conn| {
        (conn.time_gran, conn.max_readahead, conn.no_interrupt) = (4_000_000_000, 1_000_000, true);
    })
    .unwrap();
    assert_eq!((done.reply.time_gran, done.reply.max_readahead), (4_000_000_000, 1_000_000));
    assert!(done.negotiated.no_interrupt);
}

#[test]
fn stack_depth_needs_passthrough() {
    let depth = |wanted, passthrough| {
        let done = run(&everything(), &Config::default(), |conn| {
            conn.max_backing_stack_depth = wanted;
            conn.want_ext |= if passthrough { cap::PASSTHROUGH } else { 0 };
        });
        done.unwrap().reply.max_stack_depth
    };
    assert_eq!((depth(1, false), depth(0, true), depth(1, true), depth(3, true)), (0, 1, 2, 4));
}

#[test]
fn request_timeout_needs_the_kernel() {
    let timeout = |sent: &FuseInitIn| {
        let done = run(sent, &Config::default(), |conn| conn.request_timeout = 5).unwrap();
        (done.reply.request_timeout, all_flags(&done.reply) & flag::REQUEST_TIMEOUT != 0)
    };
    assert_eq!(timeout(&everything()), (5, true));
    assert_eq!(timeout(&message(45, ALL_LOW, 0)), (0, false));
    assert_eq!(flags_after(|_| ()).unwrap() & flag::REQUEST_TIMEOUT, 0);
}

#[test]
fn setxattr_is_extended_only_on_demand() {
    let extended = |caps| {
        let done = run(&everything(), &Config::default(), |conn| conn.want_ext |= caps).unwrap();
        done.negotiated.proto.setxattr_ext
    };
    assert!(!extended(0));
    assert!(extended(cap::SETXATTR_EXT));
}
