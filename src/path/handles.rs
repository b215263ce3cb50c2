// SPDX-License-Identifier: MIT OR Apache-2.0
//! Open directories by the number that the kernel has for them. A number that is none finds nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

const SHARDS: usize = 16;

/// See the module.
pub struct Handles<T> {
    shards: [Mutex<HashMap<u64, Arc<T>>>; SHARDS],
    next: AtomicU64,
}

impl<T> Handles<T> {
    pub fn new() -> Handles<T> {
        Handles { shards: std::array::from_fn(|_| Mutex::default()), next: AtomicU64::new(1) }
    }

    fn shard(&self, number: u64) -> &Mutex<HashMap<u64, Arc<T>>> {
        &self.shards[number as usize % SHARDS]
    }

    pub fn add(&self, value: T) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.shard(number).lock().insert(number, Arc::new(value));
        number
    }

    pub fn get(&self, number: u64) -> Option<Arc<T>> {
        self.shard(number).lock().get(&number).cloned()
    }

    pub fn remove(&self, number: u64) -> Option<Arc<T>> {
        self.shard(number).lock().remove(&number)
    }
}
