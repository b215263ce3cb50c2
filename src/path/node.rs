// SPDX-License-Identifier: MIT OR Apache-2.0
//! One node: a name below a parent, in 64 bytes, and the lock on that name.
//!
//! A node's memory belongs to the `Slab` for the table's life and is used again; whether a node is alive is told by
//! its lock word. Parent and name change only under the write lock *and* the locks of the index shards concerned,
//! so that each of a read lock, the write lock and the shard's lock is enough to read them.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Names up to this length need no memory of their own.
const INLINE: usize = 27;
/// The length that says: the name is elsewhere.
const ON_HEAP: u8 = u8::MAX;

/// Bits of the lock word; the rest counts readers.
pub const LIVE: u32 = 1 << 31;
pub const WRITER: u32 = 1 << 30;
/// A writer waits: new readers let it go first, for a while.
pub const WANTED: u32 = 1 << 29;
/// Somebody sleeps until this word changes.
pub const WAITERS: u32 = 1 << 28;
pub const READERS: u32 = WAITERS - 1;
/// In `opens`: the file lies under a hidden name, which goes with the last close.
const HIDDEN: u32 = 1 << 31;

/// See the module.
pub struct Node {
    pub word: AtomicU32,
    pub parent: AtomicU32,
    /// The next node with the same bucket of the index, or in the list of free ones.
    pub next: AtomicU32,
    pub hash: AtomicU32,
    /// How often the kernel was told of this node and has not forgotten it.
    pub nlookup: AtomicU64,
    pub children: AtomicU32,
    pub generation: AtomicU32,
    /// Open files, and `HIDDEN`.
    opens: AtomicU32,
    name: UnsafeCell<Name>,
}

const _: () = assert!(size_of::<Node>() == 64);

// SAFETY: everything is atomic but the name, whose rules the module's head gives.
unsafe impl Sync for Node {}
unsafe impl Send for Node {}

/// A name of at most `INLINE` bytes, or address and length of a `Box<[u8]>`.
struct Name {
    length: u8,
    bytes: [u8; INLINE],
}

impl Name {
    const NONE: Name = Name { length: 0, bytes: [0; INLINE] };

    fn new(name: &[u8]) -> Name {
        let mut bytes = [0; INLINE];
        if let Some(room) = bytes.get_mut(..name.len()) {
            room.copy_from_slice(name);
            return Name { length: name.len() as u8, bytes };
        }
        let start = Box::into_raw(Box::<[u8]>::from(name)).cast::<u8>() as usize;
        bytes[..8].copy_from_slice(&start.to_ne_bytes());
        bytes[8..16].copy_from_slice(&name.len().to_ne_bytes());
        Name { length: ON_HEAP, bytes }
    }

    fn on_heap(&self) -> *mut [u8] {
        let word = |at: usize| usize::from_ne_bytes(std::array::from_fn(|i| self.bytes[at + i]));
        std::ptr::slice_from_raw_parts_mut(word(0) as *mut u8, word(8))
    }

    fn get(&self) -> &[u8] {
        match self.length {
            // SAFETY: made by `new`, ours until `drop`.
            ON_HEAP => unsafe { &*self.on_heap() },
            length => &self.bytes[..usize::from(length)],
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.length == ON_HEAP {
            // SAFETY: made by `Box::into_raw` in `new`, and dropped once.
            drop(unsafe { Box::from_raw(self.on_heap()) });
        }
    }
}

impl Node {
    pub const fn new() -> Node {
        Node {
            word: AtomicU32::new(0),
            parent: AtomicU32::new(0),
            next: AtomicU32::new(0),
            hash: AtomicU32::new(0),
            nlookup: AtomicU64::new(0),
            children: AtomicU32::new(0),
            generation: AtomicU32::new(0),
            opens: AtomicU32::new(0),
            name: UnsafeCell::new(Name::NONE),
        }
    }

    /// The name; empty for the root and for what has been removed.
    ///
    /// # Safety
    /// The caller holds one of the locks that the module's head names, for as long as the result is used.
    pub unsafe fn name(&self) -> &[u8] {
        // SAFETY: nobody writes meanwhile, as promised.
        unsafe { (*self.name.get()).get() }
    }

    /// # Safety
    /// The caller holds the node's write lock and its shard's lock, or nobody can find the node.
    pub unsafe fn set_name(&self, name: &[u8]) {
        // SAFETY: nobody reads or writes meanwhile, as promised.
        unsafe { *self.name.get() = Name::new(name) };
    }

    pub fn is_live(&self) -> bool {
        self.word.load(Ordering::Acquire) & LIVE != 0
    }

    /// Takes a read lock if that needs no waiting. `patient`: lets waiting writers go first. Else the word as it is.
    pub fn try_read(&self, patient: bool) -> Result<(), u32> {
        let barred = if patient { WRITER | WANTED } else { WRITER };
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & LIVE == 0 || word & barred != 0 || word & READERS == READERS {
                return Err(word);
            }
            match self.word.compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    /// Takes the write lock if that needs no waiting.
    pub fn try_write(&self) -> Result<(), u32> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & LIVE == 0 || word & (WRITER | READERS) != 0 {
                return Err(word);
            }
            let locked = (word | WRITER) & !WANTED;
            match self.word.compare_exchange_weak(word, locked, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    /// Ends the node's life if nobody holds or wants its lock.
    pub fn try_kill(&self) -> bool {
        // Whoever still sleeps here has been or is being woken, since no bit is left to wait for.
        let dead = |word: u32| (word & !WAITERS == LIVE).then_some(0);
        self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, dead).is_ok()
    }

    pub fn add_open(&self) {
        self.opens.fetch_add(1, Ordering::AcqRel);
    }

    pub fn is_open(&self) -> bool {
        self.opens.load(Ordering::Acquire) & !HIDDEN != 0
    }

    pub fn set_hidden(&self) {
        self.opens.fetch_or(HIDDEN, Ordering::AcqRel);
    }

    pub fn is_hidden(&self) -> bool {
        self.opens.load(Ordering::Acquire) & HIDDEN != 0
    }

    /// One open file less; a close too many changes nothing.
    pub fn remove_open(&self) {
        let less = |opens: u32| (opens & !HIDDEN != 0).then(|| opens - 1);
        let _ = self.opens.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// True for the one caller that has to remove the hidden name, once the file is not open any more.
    pub fn claim_hidden(&self) -> bool {
        self.opens.compare_exchange(HIDDEN, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub fn reset_opens(&self) {
        self.opens.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length() {
        let node = Node::new();
        for length in [0, 1, 26, 27, 28, 255, 4000] {
            let name = vec![b'x'; length];
            // SAFETY: only this test knows the node.
            unsafe {
                node.set_name(&name);
                assert_eq!(node.name(), name);
            }
        }
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        let node = Node::new();
        assert!(node.try_read(true).is_err(), "dead");
        node.word.store(LIVE, Ordering::Relaxed);
        assert!(node.try_read(true).is_ok() && node.try_read(true).is_ok());
        assert!(node.try_write().is_err() && !node.try_kill());
        node.word.store(LIVE | WANTED, Ordering::Relaxed);
        assert!(node.try_read(true).is_err() && node.try_read(false).is_ok());
        node.word.store(LIVE | WANTED, Ordering::Relaxed);
        assert!(node.try_write().is_ok() && node.try_read(false).is_err());
        assert_eq!(node.word.load(Ordering::Relaxed), LIVE | WRITER);
    }

    #[test]
    fn a_hidden_name_is_claimed_once_and_after_the_last_close() {
        let node = Node::new();
        node.add_open();
        node.set_hidden();
        assert!(!node.claim_hidden() && node.is_open() && node.is_hidden());
        node.remove_open();
        node.remove_open();
        assert!(node.claim_hidden() && !node.claim_hidden() && !node.is_hidden());
    }
}
