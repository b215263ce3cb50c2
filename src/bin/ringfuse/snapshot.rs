// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session's statistics as they were at one moment. The file belongs to somebody else, who may have put anything into
//! it: it is read, not mapped, and nothing that it says is believed without a check.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::layout::{self, BLOCK, BUCKETS, HEADER, QUEUE, block, header, queue, role};

/// More than a kernel has queues, or the library blocks.
const MOST_QUEUES: u64 = 1 << 16;
const MOST_BLOCKS: u64 = 1 << 12;
const WORD: usize = size_of::<u64>();

/// Where the words come from.
pub trait Source {
    fn length(&self) -> std::io::Result<u64>;
    fn read(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()>;
}

impl Source for File {
    fn length(&self) -> std::io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
        self.read_exact_at(buffer, at)
    }
}

pub struct Queue {
    pub armed: u64,
    pub entries: u64,
}

impl Queue {
    /// Entries that hold a request.
    pub fn busy(&self) -> u64 {
        self.entries.saturating_sub(self.armed)
    }
}

pub struct Thread {
    pub role: u64,
    pub id: u64,
    /// The opcode of the request it serves, or 0.
    pub serving: u32,
}

/// Counts, over all threads. Those of two moments can be subtracted.
#[derive(Clone, PartialEq, Debug)]
pub struct Counts {
    pub operations: [u64; block::OPERATION_COUNT],
    pub spins: u64,
    pub rewarded: u64,
    pub wakeups: u64,
    pub keeper_wakeups: u64,
    pub batches: u64,
    pub batched: u64,
    pub largest_batch: u64,
    pub handed_over: u64,
    pub foreign: u64,
    pub interrupts: u64,
    pub handler: Times,
    pub total: Times,
}

/// How many of the timed requests fell into each bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct Times([u64; BUCKETS]);

/// See the module.
pub struct Snapshot {
    /// In seconds since 1970.
    pub started: u64,
    pub transport: u64,
    pub reason: String,
    pub device_fd: u64,
    pub mountpoint: Vec<u8>,
    pub payload: u64,
    pub max_threads: u64,
    pub spin_us: u64,
    pub queues: Vec<Queue>,
    pub threads: Vec<Thread>,
    pub counts: Counts,
}

impl Times {
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The time within which so many of ten thousand were done: the end of their bucket. `None` if there are none, or if
    /// it is beyond what is measured.
    pub fn within(&self, of_ten_thousand: u64) -> Option<u64> {
        let count = u128::from(self.count());
        let wanted = (count * u128::from(of_ten_thousand)).div_ceil(10_000).max(1);
        let mut seen = 0u128;
        for (bucket, &number) in self.0.iter().enumerate() {
            seen += u128::from(number);
            if seen >= wanted {
                return layout::bucket_end(bucket);
            }
        }
        None
    }
}

impl Counts {
    fn new() -> Counts {
        let none = Times([0; BUCKETS]);
        Counts {
            operations: [0; block::OPERATION_COUNT],
            spins: 0,
            rewarded: 0,
            wakeups: 0,
            keeper_wakeups: 0,
            batches: 0,
            batched: 0,
            largest_batch: 0,
            handed_over: 0,
            foreign: 0,
            interrupts: 0,
            handler: none.clone(),
            total: none,
        }
    }

    pub fn requests(&self) -> u64 {
        self.operations.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn add_block(&mut self, words: &[u64]) {
        fn join(sums: &mut [u64], words: &[u64], at: usize) {
            for (sum, word) in sums.iter_mut().zip(words.iter().skip(at)) {
                *sum = sum.saturating_add(*word);
            }
        }
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        let is_keeper = word(block::ROLE) == role::KEEPER;
        let wakeups = if is_keeper { &mut self.keeper_wakeups } else { &mut self.wakeups };
        for (sum, at) in [
            (wakeups, block::WAKEUPS),
            (&mut self.spins, block::SPINS),
            (&mut self.rewarded, block::REWARDED),
            (&mut self.batches, block::BATCHES),
            (&mut self.batched, block::BATCHED),
            (&mut self.handed_over, block::HANDED_OVER),
        ] {
            *sum = sum.saturating_add(word(at));
        }
        self.largest_batch = self.largest_batch.max(word(block::LARGEST_BATCH));
        join(&mut self.operations, words, block::OPERATIONS);
        join(&mut self.handler.0, words, block::HANDLER);
        join(&mut self.total.0, words, block::TOTAL);
    }

    /// What was counted since an earlier moment.
    pub fn since(&self, earlier: &Counts) -> Counts {
        fn left<const N: usize>(now: &[u64; N], then: &[u64; N]) -> [u64; N] {
            std::array::from_fn(|at| now[at].saturating_sub(then[at]))
        }
        let minus = |of: fn(&Counts) -> u64| of(self).saturating_sub(of(earlier));
        Counts {
            operations: left(&self.operations, &earlier.operations),
            spins: minus(|c| c.spins),
            rewarded: minus(|c| c.rewarded),
            wakeups: minus(|c| c.wakeups),
            keeper_wakeups: minus(|c| c.keeper_wakeups),
            batches: minus(|c| c.batches),
            batched: minus(|c| c.batched),
            largest_batch: self.largest_batch,
            handed_over: minus(|c| c.handed_over),
            foreign: minus(|c| c.foreign),
            interrupts: minus(|c| c.interrupts),
            handler: Times(left(&self.handler.0, &earlier.handler.0)),
            total: Times(left(&self.total.0, &earlier.total.0)),
        }
    }
}

impl Snapshot {
    /// What is wrong with the file is said as the end of a sentence about it.
    pub fn read(source: &impl Source) -> Result<Snapshot, String> {
        let head = words_at(source, 0, HEADER)?;
        if head[header::MAGIC] != layout::MAGIC {
            return Err("is not one of ringfuse's".to_owned());
        }
        if head[header::VERSION] != layout::VERSION {
            let version = head[header::VERSION];
            return Err(format!(
                "is of another version of ringfuse (layout {version}, not {})",
                layout::VERSION
            ));
        }
        let (queues, blocks, used) = (head[header::QUEUES], head[header::BLOCKS], head[header::USED]);
        if queues > MOST_QUEUES || blocks > MOST_BLOCKS || used > blocks {
            return Err("makes no sense: too many queues or threads".to_owned());
        }
        let (queues, blocks, used) = (queues as usize, blocks as usize, used as usize);
        let size = (layout::block_at(queues, blocks) * WORD) as u64;
        let length = source.length().map_err(|e| format!("can't be read: {e}"))?;
        if head[header::SIZE] != size || length < size {
            return Err("makes no sense: its size does not fit its content".to_owned());
        }
        let mut snapshot = Snapshot::of_header(&head);
        let words = words_at(source, layout::queue_at(0), queues * QUEUE)?;
        let queue = |words: &[u64]| Queue { armed: words[queue::ARMED], entries: words[queue::ENTRIES] };
        snapshot.queues = words.chunks_exact(QUEUE).map(queue).collect();
        let words = words_at(source, layout::block_at(queues, 0), used * BLOCK)?;
        words.chunks_exact(BLOCK).for_each(|words| snapshot.add_block(words));
        Ok(snapshot)
    }

    fn of_header(head: &[u64]) -> Snapshot {
        let mut counts = Counts::new();
        counts.foreign = head[header::FOREIGN];
        counts.interrupts = head[header::INTERRUPTS];
        Snapshot {
            started: head[header::STARTED],
            transport: head[header::TRANSPORT],
            reason: printable(&text(head, header::REASON, header::REASON_WORDS)),
            device_fd: head[header::DEVICE_FD],
            mountpoint: text(head, header::MOUNTPOINT, header::MOUNTPOINT_WORDS),
            payload: head[header::PAYLOAD],
            max_threads: head[header::MAX_THREADS],
            spin_us: head[header::SPIN_US],
            queues: Vec::new(),
            threads: Vec::new(),
            counts,
        }
    }

    fn add_block(&mut self, words: &[u64]) {
        self.counts.add_block(words);
        let role = words[block::ROLE];
        if role > role::SHARED {
            let serving = u32::try_from(words[block::SERVING]).unwrap_or(0);
            self.threads.push(Thread { role, id: words[block::THREAD], serving });
        }
    }
}

fn words_at(source: &impl Source, word: usize, words: usize) -> Result<Vec<u64>, String> {
    let mut bytes = vec![0; words * WORD];
    source.read(&mut bytes, (word * WORD) as u64).map_err(|e| format!("can't be read: {e}"))?;
    let one = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
    Ok(bytes.chunks_exact(WORD).map(one).collect())
}

fn text(words: &[u64], at: usize, length: usize) -> Vec<u8> {
    words
        .iter()
        .skip(at)
        .take(length)
        .flat_map(|word| word.to_ne_bytes())
        .take_while(|&byte| byte != 0)
        .collect()
}

/// Text for a terminal: without what would change its state.
pub fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
