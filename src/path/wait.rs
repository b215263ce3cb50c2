// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sleeping until a path lock can be had. Nothing here is touched unless somebody has to wait.

use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::node::{LIVE, Node, READERS, WAITERS, WANTED, WRITER};

const PLACES: usize = 64;
/// For so long new readers let a waiting writer go first. Then they pass: the reader that it waits for may in turn
/// wait for them (a lock on a file whose holder can't get through to unlock it).
pub const PATIENCE: Duration = Duration::from_millis(100);

/// Where threads sleep, by the number of the node they wait for.
pub struct Waiting {
    places: Box<[(Mutex<()>, Condvar)]>,
}

impl Waiting {
    pub fn new() -> Waiting {
        Waiting { places: (0..PLACES).map(|_| Default::default()).collect() }
    }

    fn place(&self, id: u32) -> &(Mutex<()>, Condvar) {
        &self.places[id as usize % PLACES]
    }

    /// Waits until a read lock may be had. `false`: patience with waiting writers is over.
    pub fn for_reading(&self, id: u32, node: &Node, since: Instant) -> bool {
        let barred = |word: u32| word & LIVE != 0 && word & (WRITER | WANTED) != 0;
        let (lock, condition) = self.place(id);
        let mut guard = lock.lock();
        while let Some(word) = mark(node, barred, WAITERS) {
            if word & WRITER != 0 {
                condition.wait(&mut guard);
            } else if condition.wait_until(&mut guard, since + PATIENCE).timed_out() {
                return false;
            }
        }
        true
    }

    /// Waits until the write lock may be had, and keeps new readers away meanwhile.
    pub fn for_writing(&self, id: u32, node: &Node) {
        let barred = |word: u32| word & LIVE != 0 && word & (WRITER | READERS) != 0;
        let (lock, condition) = self.place(id);
        let mut guard = lock.lock();
        while mark(node, barred, WAITERS | WANTED).is_some() {
            condition.wait(&mut guard);
        }
    }

    /// Wakes whoever waits for this node.
    pub fn wake(&self, id: u32, node: &Node) {
        let (lock, condition) = self.place(id);
        let _guard = lock.lock();
        node.word.fetch_and(!WAITERS, AcqRel);
        condition.notify_all();
    }
}

/// Sets `bits` while the word is `barred`; returns the word, or `None` once it is not barred any more.
fn mark(node: &Node, barred: impl Fn(u32) -> bool, bits: u32) -> Option<u32> {
    let set = |word: u32| barred(word).then_some(word | bits);
    node.word.fetch_update(AcqRel, Acquire, set).ok()
}

/// The write lock is given back, or a wish for it given up.
pub fn release_bits(waiting: &Waiting, id: u32, node: &Node, bits: u32) {
    let before = node.word.fetch_and(!bits, AcqRel);
    if before & WAITERS != 0 {
        waiting.wake(id, node);
    }
}

/// A read lock is given back. True if it was the last.
pub fn release_read(waiting: &Waiting, id: u32, node: &Node) -> bool {
    let before = node.word.fetch_sub(1, AcqRel);
    let last = before & READERS == 1;
    if last && before & WAITERS != 0 {
        waiting.wake(id, node);
    }
    last
}
