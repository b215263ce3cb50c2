// SPDX-License-Identifier: MIT OR Apache-2.0
use std::io::{Error, ErrorKind};

use super::*;
use crate::layout::{BLOCKS, block_at, bucket, queue_at};

/// A file in memory.
struct Words(Vec<u64>);

impl Source for Words {
    fn length(&self) -> std::io::Result<u64> {
        Ok((self.0.len() * WORD) as u64)
    }

    fn read(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let from = bytes.get(at as usize..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(Error::from(ErrorKind::UnexpectedEof))?);
        Ok(())
    }
}

fn honest() -> Words {
    let mut words = vec![0; block_at(2, BLOCKS)];
    for (at, word) in [
        (header::MAGIC, layout::MAGIC),
        (header::VERSION, layout::VERSION),
        (header::SIZE, (block_at(2, BLOCKS) * WORD) as u64),
        (header::QUEUES, 2),
        (header::BLOCKS, BLOCKS as u64),
        (header::USED, 3),
        (header::FOREIGN, 9),
        (header::REASON, u64::from_ne_bytes(*b"no\x1b[31m\0")),
        (queue_at(1) + queue::ENTRIES, 5),
        (queue_at(1) + queue::ARMED, 2),
    ] {
        words[at] = word;
    }
    for (number, role) in [(1, role::WORKER), (2, role::KEEPER)] {
        let at = block_at(2, number);
        words[at + block::ROLE] = role;
        words[at + block::THREAD] = 100 + number as u64;
        words[at + block::OPERATIONS + 15] = 10;
        words[at + block::WAKEUPS] = number as u64;
        words[at + block::HANDLER + bucket(1000)] = 98;
        words[at + block::HANDLER + bucket(1 << 20)] = 2;
    }
    Words(words)
}

fn complaint(change: impl FnOnce(&mut Vec<u64>)) -> String {
    let mut words = honest();
    change(&mut words.0);
    Snapshot::read(&words).err().unwrap_or_default()
}

#[test]
fn sums_up_what_threads_counted() {
    let snapshot = Snapshot::read(&honest()).unwrap();
    assert_eq!(snapshot.counts.requests(), 20);
    assert_eq!((snapshot.counts.wakeups, snapshot.counts.keeper_wakeups, snapshot.counts.foreign), (1, 2, 9));
    assert_eq!((snapshot.queues[1].busy(), snapshot.threads.len(), snapshot.threads[0].id), (3, 2, 101));
    assert_eq!(snapshot.reason, "no?[31m", "nothing for the terminal to obey");
    let times = &snapshot.counts.handler;
    assert_eq!((times.count(), times.within(5000), times.within(9900)), (200, Some(1024), Some(5 << 18)));
    let nothing = snapshot.counts.since(&snapshot.counts);
    assert_eq!((nothing.requests(), nothing.handler.within(5000)), (0, None));
}

#[test]
fn a_lying_file_is_an_error() {
    assert!(complaint(|w| w[header::MAGIC] = 0).contains("not one of ringfuse's"));
    assert!(complaint(|w| w[header::VERSION] += 1).contains("another version"));
    for (at, lie) in [
        (header::QUEUES, u64::MAX),
        (header::QUEUES, MOST_QUEUES + 1),
        (header::QUEUES, 3),
        (header::BLOCKS, u64::MAX),
        (header::BLOCKS, 1),
        (header::USED, u64::MAX),
        (header::USED, BLOCKS as u64 + 1),
        (header::SIZE, 0),
        (header::SIZE, u64::MAX),
    ] {
        assert!(complaint(|w| w[at] = lie).contains("no sense"), "word {at}: {lie}");
    }
    assert!(complaint(|w| w.truncate(block_at(2, BLOCKS) - 1)).contains("size"));
    assert!(complaint(|w| w.truncate(HEADER - 1)).contains("can't be read"));
    assert!(complaint(Vec::clear).contains("can't be read"));
}

/// Whatever else is in the file comes out as some number.
#[test]
fn any_counts_are_numbers() {
    let mut words = honest();
    for at in [header::FOREIGN, header::TRANSPORT, header::STARTED, queue_at(0), queue_at(1) + queue::ARMED] {
        words.0[at] = u64::MAX;
    }
    words.0[block_at(2, 0)..].fill(u64::MAX);
    words.0[header::REASON..HEADER].fill(u64::MAX);
    let snapshot = Snapshot::read(&words).unwrap();
    assert_eq!((snapshot.counts.requests(), snapshot.queues[1].busy()), (u64::MAX, 0));
    assert_eq!(snapshot.counts.handler.within(5000), layout::bucket_end(0));
    assert_eq!(
        snapshot.counts.handler.within(10_000),
        layout::bucket_end(0),
        "the sum stays within a number"
    );
    assert_eq!(snapshot.mountpoint.len(), header::MOUNTPOINT_WORDS * 8);
    assert!(!crate::show::full(&snapshot, &crate::find::Mounted::example(), None).is_empty());
    assert!(!crate::show_json::full(&snapshot, &crate::find::Mounted::example(), None).is_empty());
}
