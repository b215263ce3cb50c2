// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where nodes live: chunks that are added as numbers are handed out, and stay where they are.
//!
//! Growing moves nothing and stops nobody; finding a node by its number takes no lock. The slab owns its nodes until
//! it is dropped.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::node::Node;

const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;
/// Row `n` has room for `2^n` chunks; all rows together for every number there is.
const ROWS: usize = (32 - CHUNK_BITS + 1) as usize;

type Chunk = OnceLock<Box<[Node; CHUNK]>>;

/// See the module. Number 0 is no node.
pub struct Slab {
    rows: [OnceLock<Box<[Chunk]>>; ROWS],
    next: AtomicU32,
}

impl Slab {
    pub fn new() -> Slab {
        Slab { rows: [const { OnceLock::new() }; ROWS], next: AtomicU32::new(1) }
    }

    /// The node of a number that `fresh` returned.
    pub fn get(&self, id: u32) -> Option<&Node> {
        if id == 0 {
            return None;
        }
        let (row, column) = place(id);
        let chunk = self.rows.get(row)?.get()?.get(column)?.get()?;
        chunk.get(id as usize % CHUNK)
    }

    /// A number that was never used, and its node; `None` once there are none left.
    pub fn fresh(&self) -> Option<(u32, &Node)> {
        let more = |next: u32| next.checked_add(1);
        let id = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let (row, column) = place(id);
        let row_of = || (0..1usize << row).map(|_| Chunk::new()).collect();
        let chunk = self.rows.get(row)?.get_or_init(row_of).get(column)?;
        let chunk = chunk.get_or_init(|| Box::new([const { Node::new() }; CHUNK]));
        Some((id, chunk.get(id as usize % CHUNK)?))
    }

    /// All numbers handed out so far.
    pub fn ids(&self) -> std::ops::Range<u32> {
        1..self.next.load(Ordering::Relaxed)
    }
}

/// Row and column of the chunk that a number lies in.
fn place(id: u32) -> (usize, usize) {
    let chunk = u64::from(id >> CHUNK_BITS) + 1;
    let row = chunk.ilog2();
    (row as usize, (chunk - (1 << row)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_place_of_its_own() {
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(CHUNK as u32), (1, 0));
        assert_eq!(place(3 * CHUNK as u32 - 1), (1, 1));
        assert!(place(u32::MAX).0 < ROWS);
    }

    #[test]
    fn nodes_stay_where_they_are() {
        let slab = Slab::new();
        assert!(slab.get(0).is_none() && slab.get(1).is_none());
        let (first, node) = slab.fresh().unwrap();
        assert_eq!(first, 1);
        node.nlookup.store(42, Ordering::Relaxed);
        for expected in 2..5000 {
            assert_eq!(slab.fresh().unwrap().0, expected);
        }
        assert!(std::ptr::eq(slab.get(1).unwrap(), node));
        assert_eq!(slab.get(1).unwrap().nlookup.load(Ordering::Relaxed), 42);
        assert_eq!(slab.ids(), 1..5000);
        assert!(slab.get(0).is_none() && slab.get(u32::MAX).is_none());
    }
}
