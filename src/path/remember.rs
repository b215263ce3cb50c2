// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nodes that the kernel has forgotten and that are kept for a while (`remember=`), in the order of forgetting.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::table::Table;

/// How many are looked at under one lock.
const BATCH: usize = 256;

/// See the module.
pub struct Remembered {
    queue: Mutex<VecDeque<(u32, u32, Instant)>>,
}

impl Remembered {
    pub fn new() -> Remembered {
        Remembered { queue: Mutex::new(VecDeque::new()) }
    }

    pub fn add(&self, id: u32, generation: u32) {
        self.queue.lock().push_back((id, generation, Instant::now()));
    }

    /// Takes out what was forgotten before `until`, some of it.
    fn expired(&self, until: Option<Instant>) -> Vec<(u32, u32)> {
        let mut queue = self.queue.lock();
        let old = |(_, _, since): &(u32, u32, Instant)| until.is_some_and(|until| *since <= until);
        let count = queue.iter().take(BATCH).take_while(|entry| old(entry)).count();
        queue.drain(..count).map(|(id, generation, _)| (id, generation)).collect()
    }

    /// When the next one has been kept for `time`.
    fn next(&self, time: Duration) -> Duration {
        self.queue.lock().front().map_or(time, |(_, _, since)| time.saturating_sub(since.elapsed()))
    }
}

impl Table {
    /// Drops nodes that were kept long enough. Returns how long nothing will have to be done again.
    pub fn clean(&self) -> Duration {
        let time = Duration::from_secs(u64::try_from(self.remember()).unwrap_or(0));
        let until = Instant::now().checked_sub(time);
        loop {
            let batch = self.remembered.expired(until);
            if batch.is_empty() {
                return self.remembered.next(time);
            }
            for (id, generation) in batch {
                // What still has children follows them later.
                if !self.expire(id, generation) {
                    self.remembered.add(id, generation);
                }
            }
        }
    }
}
