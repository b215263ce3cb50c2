// SPDX-License-Identifier: MIT OR Apache-2.0
//! The index from (parent, name) to a node's number, in shards with a lock each.
//!
//! A shard is a hash table by linear hashing: its chains run through the nodes, and it grows and shrinks by one bucket
//! at a time, so no insertion ever has to wait for a table to be copied. A shard also keeps the numbers that have
//! become free in it; the oldest is used first, so that numbers do not come again at once. Shard locks are held for
//! one step of the table, never while a handler runs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::{Mutex, MutexGuard};

use super::slab::Slab;

const SHARDS: usize = 64;
const LEAST_BUCKETS: usize = 4;
/// How many buckets go with one removal: enough to have none left to do when all nodes are gone.
const MERGES: usize = 4;

/// See the module.
pub struct Index {
    shards: Box<[Mutex<Shard>]>,
    state: RandomState,
}

impl Index {
    pub fn new() -> Index {
        Index { shards: (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect(), state: RandomState::new() }
    }

    pub fn hash(&self, parent: u32, name: &[u8]) -> u32 {
        let mut hasher = self.state.build_hasher();
        hasher.write_u32(parent);
        hasher.write(name);
        hasher.finish() as u32
    }

    pub fn shard_of(hash: u32) -> usize {
        hash as usize % SHARDS
    }

    pub fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard % SHARDS].lock()
    }
}

/// One of the index' shards.
pub struct Shard {
    heads: Vec<u32>,
    count: usize,
    free_head: u32,
    free_tail: u32,
}

impl Shard {
    fn new() -> Shard {
        Shard { heads: Vec::new(), count: 0, free_head: 0, free_tail: 0 }
    }

    fn bucket(&self, hash: u32) -> usize {
        // The lower bits tell the shard.
        let hash = hash as usize / SHARDS;
        let whole = 1 << self.heads.len().ilog2();
        let wide = hash & (2 * whole - 1);
        if wide < self.heads.len() { wide } else { hash & (whole - 1) }
    }

    pub fn find(&self, slab: &Slab, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        if self.heads.is_empty() {
            return None;
        }
        let mut id = self.heads[self.bucket(hash)];
        while let Some(node) = slab.get(id) {
            if node.hash.load(Relaxed) == hash && is_it(id) {
                return Some(id);
            }
            id = node.next.load(Relaxed);
        }
        None
    }

    /// Adds a node whose hash is set.
    pub fn insert(&mut self, slab: &Slab, id: u32) {
        if self.heads.is_empty() {
            self.heads.resize(LEAST_BUCKETS, 0);
        } else if self.count >= self.heads.len() {
            self.split(slab);
        }
        self.push(slab, id);
        self.count += 1;
    }

    fn push(&mut self, slab: &Slab, id: u32) {
        let Some(node) = slab.get(id) else {
            return;
        };
        let bucket = self.bucket(node.hash.load(Relaxed));
        node.next.store(self.heads[bucket], Relaxed);
        self.heads[bucket] = id;
    }

    /// Adds a bucket, which gets its part of one other bucket's nodes.
    fn split(&mut self, slab: &Slab) {
        let whole = 1 << self.heads.len().ilog2();
        let from = self.heads.len() - whole;
        self.heads.push(0);
        let chain = std::mem::take(&mut self.heads[from]);
        self.push_chain(slab, chain);
    }

    /// Takes the last bucket away; its nodes go to the one they came from.
    fn merge(&mut self, slab: &Slab) {
        if let Some(chain) = self.heads.pop() {
            self.push_chain(slab, chain);
        }
        if self.heads.capacity() > 4 * self.heads.len() {
            self.heads.shrink_to(2 * self.heads.len());
        }
    }

    fn push_chain(&mut self, slab: &Slab, mut id: u32) {
        while let Some(node) = slab.get(id) {
            let next = node.next.load(Relaxed);
            self.push(slab, id);
            id = next;
        }
    }

    pub fn remove(&mut self, slab: &Slab, id: u32) {
        let Some(node) = slab.get(id) else {
            return;
        };
        if self.heads.is_empty() {
            return;
        }
        let bucket = self.bucket(node.hash.load(Relaxed));
        let next = node.next.load(Relaxed);
        let mut at = self.heads[bucket];
        if at == id {
            self.heads[bucket] = next;
            self.removed(slab);
            return;
        }
        while let Some(other) = slab.get(at) {
            at = other.next.load(Relaxed);
            if at == id {
                other.next.store(next, Relaxed);
                self.removed(slab);
                return;
            }
        }
    }

    fn removed(&mut self, slab: &Slab) {
        self.count -= 1;
        for _ in 0..MERGES {
            if self.heads.len() > LEAST_BUCKETS && self.count * 4 < self.heads.len() {
                self.merge(slab);
            }
        }
    }

    /// Takes the number that has been free for longest.
    pub fn take_free(&mut self, slab: &Slab) -> Option<u32> {
        let id = self.free_head;
        self.free_head = slab.get(id)?.next.swap(0, Relaxed);
        if self.free_head == 0 {
            self.free_tail = 0;
        }
        Some(id)
    }

    pub fn give_free(&mut self, slab: &Slab, id: u32) {
        let Some(node) = slab.get(id) else {
            return;
        };
        node.next.store(0, Relaxed);
        match slab.get(self.free_tail) {
            Some(tail) => tail.next.store(id, Relaxed),
            None => self.free_head = id,
        }
        self.free_tail = id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_shrinks_without_losing_anything() {
        let (slab, mut shard) = (Slab::new(), Shard::new());
        let hash = |id: u32| id.wrapping_mul(0x9e37_79b9) & !63;
        for _ in 0..3000 {
            let (id, node) = slab.fresh().unwrap();
            node.hash.store(hash(id), Relaxed);
            shard.insert(&slab, id);
        }
        let found = |shard: &Shard, id: u32| shard.find(&slab, hash(id), |other| other == id) == Some(id);
        assert!((1..=3000).all(|id| found(&shard, id)));
        assert_eq!(shard.heads.len(), 3000);
        for id in (1..=3000).filter(|id| id % 7 != 0) {
            shard.remove(&slab, id);
        }
        assert!((1..=3000).all(|id| found(&shard, id) == (id % 7 == 0)));
        assert!(shard.heads.len() < 2000);
    }

    #[test]
    fn free_numbers_come_again_oldest_first() {
        let (slab, mut shard) = (Slab::new(), Shard::new());
        for _ in 0..3 {
            slab.fresh();
        }
        assert_eq!(shard.take_free(&slab), None);
        for id in [2, 1, 3] {
            shard.give_free(&slab, id);
        }
        let taken: Vec<_> = std::iter::from_fn(|| shard.take_free(&slab)).collect();
        assert_eq!(taken, [2, 1, 3]);
    }
}
