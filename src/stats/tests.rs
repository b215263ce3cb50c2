// SPDX-License-Identifier: MIT OR Apache-2.0
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use super::*;
use crate::stats::layout::{BLOCKS, HEADER};

const ABOUT: About<'_> =
    About { queues: 2, device_fd: 7, max_threads: 10, spin_us: 200, mountpoint: Some(c"/mnt/a b") };

fn open() -> Stats {
    let stats = Stats::default();
    stats.open(&ABOUT);
    stats
}

fn map(stats: &Stats) -> &Map {
    stats.map.get().expect("a memory file")
}

fn read(counters: Counters, index: usize) -> u64 {
    // SAFETY: as `Counters::word`.
    unsafe { &*counters.words.add(index) }.load(Ordering::Relaxed)
}

/// The sum over all blocks.
fn sum(stats: &Stats, index: usize) -> u64 {
    (0..BLOCKS).map(|block| read(map(stats).block(block), index)).sum()
}

#[test]
fn the_file_says_what_it_is_and_keeps_its_size() {
    let stats = open();
    let words = map(&stats).header();
    assert_eq!(read(words, header::MAGIC), layout::MAGIC);
    assert_eq!(read(words, header::QUEUES), 2);
    assert_eq!(read(words, header::MOUNTPOINT).to_ne_bytes(), *b"/mnt/a b");
    let path = format!("/proc/self/fd/{}", map(&stats).file.as_raw_fd());
    assert_eq!(std::fs::read_link(&path).unwrap().to_str(), Some("/memfd:ringfuse-stats (deleted)"));
    let again = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let size = again.metadata().unwrap().len();
    assert_eq!(size, read(words, header::SIZE));
    assert!(again.set_len(0).is_err() && again.set_len(size + 1).is_err());
}

#[test]
fn without_a_file_nothing_is_counted_and_nothing_fails() {
    let stats = Stats::default();
    let _seat = stats.enter(role::WORKER);
    let visit = stats.arrived(1, 8);
    assert_eq!(visit.since(), 0);
    stats.replied(1, 8, 0);
    stats.interrupt();
    stats.armed(0, 1);
    spin(true);
    woken();
    batch(3);
    handed_over();
}

#[test]
fn each_thread_counts_by_itself() {
    let stats = open();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let stats = &stats;
            scope.spawn(move || {
                let _seat = stats.enter(role::WORKER);
                for request in 0..1000 {
                    let handle = (thread << 32) + request + 1;
                    let visit = stats.arrived(3, handle);
                    stats.replied(3, handle, visit.since());
                }
                [true, false].into_iter().for_each(spin);
                [2, 5, 0].into_iter().for_each(batch);
                woken();
            });
        }
    });
    assert_eq!(sum(&stats, block::OPERATIONS + 3), 4000);
    let (spins, rewarded) = (sum(&stats, block::SPINS), sum(&stats, block::REWARDED));
    assert_eq!((spins, rewarded, sum(&stats, block::WAKEUPS)), (8, 4, 4));
    assert_eq!((sum(&stats, block::BATCHES), sum(&stats, block::BATCHED)), (8, 28));
    let timed: u64 = (0..layout::BUCKETS).map(|bucket| sum(&stats, block::HANDLER + bucket)).sum();
    let answered: u64 = (0..layout::BUCKETS).map(|bucket| sum(&stats, block::TOTAL + bucket)).sum();
    assert!((4 * 40..4 * 130).contains(&timed), "{timed} of 4000 were timed");
    assert_eq!(timed, answered);
    assert_eq!(read(map(&stats).header(), header::FOREIGN), 0);
}

#[test]
fn blocks_are_used_again_and_the_last_comers_share_one() {
    let stats = open();
    drop(stats.enter(role::WORKER));
    let seats: Vec<Seat> = (0..BLOCKS + 5).map(|_| stats.enter(role::WORKER)).collect();
    assert_eq!(read(map(&stats).header(), header::USED), BLOCKS as u64);
    drop(stats.arrived(1, 8));
    assert_eq!(read(map(&stats).block(0), block::OPERATIONS + 1), 1);
    seats.into_iter().rev().for_each(drop);
    HERE.with(|here| assert!(here.words.get().is_null()));
    drop(stats.arrived(1, 8));
    assert_eq!(read(map(&stats).block(0), block::OPERATIONS + 1), 2, "without a seat");
}

#[test]
fn replies_from_elsewhere_are_foreign() {
    let stats = open();
    let _seat = stats.enter(role::WORKER);
    let first = stats.arrived(1, 8);
    let since = first.since();
    assert_ne!(since, 0, "the first one is timed");
    std::thread::scope(|scope| {
        scope.spawn(|| stats.replied(1, 8, since));
    });
    let inner = stats.arrived(2, 16);
    stats.replied(2, 16, 0);
    drop(inner);
    stats.replied(1, 8, 0);
    drop(first);
    stats.replied(1, 8, 0);
    assert_eq!(read(map(&stats).header(), header::FOREIGN), 2);
    stats.replied(2, 24, 0);
    assert_eq!(read(map(&stats).header(), header::FOREIGN), 2, "FORGET gets no reply");
}

#[test]
fn a_session_within_a_handler_of_another_counts_for_itself() {
    let (outer, inner) = (open(), open());
    let _seat = outer.enter(role::WORKER);
    drop(inner.arrived(5, 8));
    {
        let _seat = inner.enter(role::LOOP);
        drop(inner.arrived(5, 8));
        spin(true);
    }
    drop(outer.arrived(6, 16));
    spin(true);
    assert_eq!((sum(&outer, block::OPERATIONS + 5), sum(&outer, block::OPERATIONS + 6)), (0, 1));
    assert_eq!(
        (sum(&inner, block::OPERATIONS + 5), read(inner.map.get().unwrap().block(0), block::OPERATIONS + 5)),
        (2, 1)
    );
    assert_eq!((sum(&outer, block::SPINS), sum(&inner, block::SPINS)), (1, 1));
}

#[test]
fn what_has_no_place_is_counted_as_other() {
    let stats = open();
    let _seat = stats.enter(role::DEVICE);
    for opcode in [0, 64, 4096, u32::MAX] {
        drop(stats.arrived(opcode, 8));
    }
    assert_eq!(sum(&stats, block::OPERATIONS), 4);
    stats.armed(1, -3);
    stats.armed(2, 5);
    assert_eq!(read(map(&stats).queue(1).unwrap(), queue::ARMED), 0);
    assert!(map(&stats).queue(2).is_none() && HEADER == 512);
}
