// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only few nodes have, kept beside the table: costs nothing for the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

const SHARDS: usize = 16;

/// Values by the number of their node.
pub struct Side<T> {
    shards: [Mutex<HashMap<u32, T>>; SHARDS],
    count: AtomicUsize,
}

impl<T: Default> Side<T> {
    pub fn new() -> Side<T> {
        Side { shards: std::array::from_fn(|_| Mutex::default()), count: AtomicUsize::new(0) }
    }

    /// Looks at a node's value, if it has one.
    pub fn peek<R>(&self, id: u32, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.shards[id as usize % SHARDS].lock().get_mut(&id).map(look)
    }

    /// Looks at a node's value, which is made if there is none.
    pub fn with<R>(&self, id: u32, look: impl FnOnce(&mut T) -> R) -> R {
        let mut shard = self.shards[id as usize % SHARDS].lock();
        let value = shard.entry(id).or_insert_with(|| {
            self.count.fetch_add(1, Ordering::AcqRel);
            T::default()
        });
        look(value)
    }

    pub fn remove(&self, id: u32) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut shard = self.shards[id as usize % SHARDS].lock();
        if shard.remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
