// SPDX-License-Identifier: MIT OR Apache-2.0
//! Path locks: while an operation runs, no part of its path is renamed or removed.
//!
//! An operation holds a read lock on every node of its path, the root excepted, which never changes. What changes a
//! name holds in addition the write lock on the node that has it. All locks of an operation are taken without
//! waiting, or all are given back before it sleeps: nobody waits with locks in hand, hence no deadlock. A `Locked`
//! owns its locks and path texts; nodes on the way up cannot go away meanwhile.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Instant;

use super::node::{LIVE, Node, WANTED, WRITER};
use super::table::{ROOT, Table};
use super::text::PathText;
use super::wait::{release_bits, release_read};
use crate::errno::Errno;

/// One path to lock: a node, or a name below it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub id: u32,
    pub name: Option<&'a CStr>,
    /// The name is about to be changed: takes the write lock on the node that has it, if there is one.
    pub exclusive: bool,
}

/// What could not be locked.
enum Failure {
    Error(Errno),
    /// Wait for this node, for writing or for reading, and try again.
    Busy(u32, bool),
}

/// Locks and paths of one operation.
pub struct Locked<'t> {
    table: &'t Table,
    paths: [Option<Held>; 2],
}

struct Held {
    id: u32,
    text: PathText,
    /// The node whose write lock is held for this path.
    writer: Option<u32>,
}

impl Locked<'_> {
    /// The path of the first or second target; the root's if there is no such target.
    pub fn path(&self, index: usize) -> &CStr {
        self.paths.get(index).and_then(Option::as_ref).map_or(c"/", |held| held.text.get())
    }

    /// Whether this operation holds the write lock on a node.
    pub fn writes(&self, id: u32) -> bool {
        self.paths.iter().flatten().any(|held| held.writer == Some(id))
    }

    /// Whether a node is on the way up from one of the targets.
    fn leads_through(&self, id: u32) -> bool {
        self.paths.iter().flatten().any(|held| {
            let mut at = held.id;
            while at != ROOT && at != id {
                at = self.table.slab.get(at).map_or(ROOT, |node| node.parent.load(Relaxed));
            }
            at == id
        })
    }

    /// The node whose name the first or second target wants to change.
    pub fn writer(&self, index: usize) -> Option<u32> {
        self.paths.get(index).and_then(Option::as_ref).and_then(|held| held.writer)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        for held in self.paths.iter_mut().rev().filter_map(Option::take) {
            self.table.release(held);
        }
    }
}

impl Table {
    /// Locks one or two paths, and builds them.
    pub fn lock(&self, first: Target<'_>, second: Option<Target<'_>>) -> Result<Locked<'_>, Errno> {
        let mut attempt = Attempt { table: self, patient: true, since: None, wanted: None };
        loop {
            let mut locked = Locked { table: self, paths: [None, None] };
            match attempt.all(&mut locked, first, second) {
                Ok(()) => {
                    attempt.give_up_wish(|id| locked.writes(id));
                    return Ok(locked);
                }
                Err(Failure::Error(e)) => {
                    attempt.give_up_wish(|_| false);
                    return Err(e);
                }
                Err(Failure::Busy(id, _)) if locked.writes(id) => {
                    // A path that leads through what it wants to change.
                    attempt.give_up_wish(|_| false);
                    return Err(Errno::new(libc::EBUSY));
                }
                Err(Failure::Busy(id, writing)) => {
                    drop(locked);
                    attempt.give_up_wish(|wish| writing && wish == id);
                    attempt.sleep(id, writing);
                }
            }
        }
    }

    /// Gives back what a path holds, from its lower end on.
    fn release(&self, held: Held) {
        if let Some(id) = held.writer {
            self.unlock(id, WRITER);
        }
        self.release_reads(held.id, ROOT);
    }

    /// Gives back the read locks from `id` up to, not including, `end`.
    fn release_reads(&self, mut id: u32, end: u32) {
        while id != end && id != ROOT {
            let Some(node) = self.slab.get(id) else {
                return;
            };
            // Looked at before the lock is gone.
            let parent = node.parent.load(Relaxed);
            self.unlock_read(id, node);
            id = parent;
        }
    }

    /// Gives back a read lock. Nobody else may do it: the node may have to go with its last lock.
    fn unlock_read(&self, id: u32, node: &Node) {
        if release_read(&self.waiting, id, node) && node.nlookup.load(Acquire) == 0 {
            self.collect(id);
        }
    }

    /// The same for the write lock, or the wish for it.
    pub(super) fn unlock(&self, id: u32, bits: u32) {
        if let Some(node) = self.slab.get(id) {
            release_bits(&self.waiting, id, node, bits);
            if node.nlookup.load(Acquire) == 0 {
                self.collect(id);
            }
        }
    }

    fn live(&self, id: u32) -> Result<&Node, Failure> {
        let node = self.slab.get(id).filter(|node| node.is_live());
        node.ok_or(Failure::Error(Errno::new(libc::ESTALE)))
    }
}

/// Locking, with what has been learned in earlier rounds.
struct Attempt<'t> {
    table: &'t Table,
    patient: bool,
    since: Option<Instant>,
    /// The node on which a wish for the write lock stands.
    wanted: Option<u32>,
}

impl Attempt<'_> {
    fn all(
        &self,
        locked: &mut Locked<'_>,
        first: Target<'_>,
        second: Option<Target<'_>>,
    ) -> Result<(), Failure> {
        for (index, target) in [Some(first), second].into_iter().enumerate() {
            if let Some(target) = target {
                let writer = self.write_lock(locked, target)?;
                match self.read_locks(target) {
                    Ok(text) => locked.paths[index] = Some(Held { id: target.id, text, writer }),
                    Err(failure) => {
                        if let Some(id) = writer {
                            self.table.unlock(id, WRITER);
                            if matches!(failure, Failure::Busy(busy, _) if busy == id) {
                                return Err(Failure::Error(Errno::new(libc::EBUSY)));
                            }
                        }
                        return Err(failure);
                    }
                }
            }
        }
        Ok(())
    }

    /// The write lock on the node with the target's name, if it wants one and there is such a node.
    fn write_lock(&self, locked: &Locked<'_>, target: Target<'_>) -> Result<Option<u32>, Failure> {
        let (Some(name), true) = (target.name, target.exclusive) else {
            return Ok(None);
        };
        let Some(id) = self.table.peek(target.id, name.to_bytes()) else {
            return Ok(None);
        };
        if locked.writes(id) {
            return Ok(None);
        }
        // It may have been forgotten since: then there is no node to lock, and nothing wrong with the operation.
        let Some(node) = self.table.slab.get(id) else {
            return Ok(None);
        };
        match node.try_write() {
            Ok(()) => Ok(Some(id)),
            Err(word) if word & LIVE == 0 => Ok(None),
            // What the operation's other path leads through would be waited for in vain.
            Err(_) if locked.leads_through(id) => Err(Failure::Error(Errno::new(libc::EBUSY))),
            Err(_) => Err(Failure::Busy(id, true)),
        }
    }

    /// Locks every node from the target's up to the root and builds its path; on failure nothing stays locked.
    fn read_locks(&self, target: Target<'_>) -> Result<PathText, Failure> {
        let mut text = PathText::new();
        if let Some(name) = target.name {
            text.prepend(name.to_bytes());
        }
        let mut id = target.id;
        while id != ROOT {
            match self.step(id, target, &mut text) {
                Ok(parent) => id = parent,
                Err(failure) => {
                    self.table.release_reads(target.id, id);
                    return Err(failure);
                }
            }
        }
        Ok(text)
    }

    /// One node of the way up; returns its parent.
    fn step(&self, id: u32, target: Target<'_>, text: &mut PathText) -> Result<u32, Failure> {
        let node = self.table.live(id)?;
        match node.try_read(self.patient) {
            Ok(()) => (),
            Err(word) if word & LIVE == 0 => return Err(Failure::Error(Errno::new(libc::ESTALE))),
            Err(_) => return Err(Failure::Busy(id, false)),
        }
        let parent = node.parent.load(Relaxed);
        if parent == 0 {
            self.table.unlock_read(id, node);
            // A node that lost its name since the kernel looked it up: ESTALE makes the kernel look again, and find
            // what has the name now. In a directory that is gone, nothing is.
            let own = id == target.id && target.name.is_none();
            let error = if own { libc::ESTALE } else { libc::ENOENT };
            return Err(Failure::Error(Errno::new(error)));
        }
        // SAFETY: the read lock was just taken.
        text.prepend(unsafe { node.name() });
        Ok(parent)
    }

    fn sleep(&mut self, id: u32, writing: bool) {
        let Some(node) = self.table.slab.get(id) else {
            return;
        };
        if writing {
            self.wanted = Some(id);
            self.table.waiting.for_writing(id, node);
        } else {
            let since = *self.since.get_or_insert_with(Instant::now);
            self.patient &= self.table.waiting.for_reading(id, node, since);
        }
    }

    /// Lets readers in again where this operation wanted to write, unless that still holds.
    fn give_up_wish(&mut self, still: impl Fn(u32) -> bool) {
        if let Some(id) = self.wanted.filter(|&id| !still(id)) {
            self.wanted = None;
            self.table.unlock(id, WANTED);
        }
    }
}
