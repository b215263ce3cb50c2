// SPDX-License-Identifier: MIT OR Apache-2.0
//! The nodes that the kernel knows: numbers, names, lookup counts, and how they go away.
//!
//! A node lives while the kernel remembers it, while it has children, or while an operation holds its lock; with
//! `remember` also for some time after that. Numbers are used again with another generation.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use parking_lot::MutexGuard;

use super::index::{Index, Shard};
use super::lock::Locked;
use super::locks::Locks;
use super::node::{LIVE, Node, WANTED, WRITER};
use super::opens::Opens;
use super::remember::Remembered;
use super::slab::Slab;
use super::wait::Waiting;
use super::watch::Watch;
use crate::errno::Errno;

/// The number of the root, which is always there.
pub const ROOT: u32 = 1;

/// What the kernel is told of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub id: u32,
    pub generation: u32,
}

/// What a table holds, for statistics and tests.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Without the root.
    pub nodes: u64,
    pub lookups: u64,
}

/// See the module.
pub struct Table {
    pub(super) slab: Slab,
    pub(super) index: Index,
    pub(super) waiting: Waiting,
    pub(super) remembered: Remembered,
    /// Seconds for which forgotten nodes are kept; negative: for ever.
    remember: AtomicI32,
    /// What auto_cache knows of files.
    pub watch: Watch,
    /// POSIX locks.
    pub locks: Locks,
    /// Handles, with `hard_remove`.
    pub opens: Opens,
}

impl Table {
    pub fn new() -> Table {
        let slab = Slab::new();
        if let Some((_, root)) = slab.fresh() {
            root.nlookup.store(1, Relaxed);
            root.word.store(LIVE, Release);
        }
        Table {
            slab,
            index: Index::new(),
            waiting: Waiting::new(),
            remembered: Remembered::new(),
            remember: AtomicI32::new(0),
            watch: Watch::new(),
            locks: Locks::new(),
            opens: Opens::new(),
        }
    }

    /// How long forgotten nodes are kept, in seconds; negative: for ever.
    pub fn set_remember(&self, seconds: i32) {
        self.remember.store(seconds, Relaxed);
    }

    pub fn remember(&self) -> i32 {
        self.remember.load(Relaxed)
    }

    /// The kernel's number as one of ours, if such a node could be.
    pub fn id(&self, nodeid: u64) -> Result<u32, Errno> {
        let id = u32::try_from(nodeid).map_err(|_| Errno::new(libc::ESTALE))?;
        self.node(id).map(|_| id).ok_or(Errno::new(libc::ESTALE))
    }

    pub(super) fn node(&self, id: u32) -> Option<&Node> {
        self.slab.get(id).filter(|node| node.is_live())
    }

    fn named(&self, shard: &Shard, hash: u32, parent: u32, name: &[u8]) -> Option<u32> {
        shard.find(&self.slab, hash, |id| {
            // SAFETY: nodes in a chain keep their names as long as the shard is locked.
            self.slab
                .get(id)
                .is_some_and(|node| unsafe { node.parent.load(Relaxed) == parent && node.name() == name })
        })
    }

    /// The node of a name, without a lookup being counted.
    pub fn peek(&self, parent: u32, name: &[u8]) -> Option<u32> {
        let hash = self.index.hash(parent, name);
        self.named(&self.index.lock(Index::shard_of(hash)), hash, parent, name)
    }

    /// Counts a lookup of a name, which gets a node if it has none. The caller holds a lock on the parent's path.
    pub fn find(&self, parent: u32, name: &[u8]) -> Result<Found, Errno> {
        let above = self.node(parent).ok_or(Errno::new(libc::ESTALE))?;
        let hash = self.index.hash(parent, name);
        let mut shard = self.index.lock(Index::shard_of(hash));
        if let Some((id, node)) =
            self.named(&shard, hash, parent, name).and_then(|id| Some((id, self.slab.get(id)?)))
        {
            node.nlookup.fetch_add(1, AcqRel);
            return Ok(Found { id, generation: node.generation.load(Relaxed) });
        }
        let free = shard.take_free(&self.slab).and_then(|id| Some((id, self.slab.get(id)?)));
        let (id, node) = free.or_else(|| self.slab.fresh()).ok_or(Errno::new(libc::ENOMEM))?;
        above.children.fetch_add(1, AcqRel);
        // SAFETY: the node is not alive and in no chain: nobody else looks at its name.
        unsafe { node.set_name(name) };
        node.parent.store(parent, Relaxed);
        node.hash.store(hash, Relaxed);
        node.nlookup.store(1, Relaxed);
        node.children.store(0, Relaxed);
        node.reset_opens();
        node.word.store(LIVE, Release);
        shard.insert(&self.slab, id);
        Ok(Found { id, generation: node.generation.load(Relaxed) })
    }

    /// Counts a lookup of a node that the kernel asks for by its number.
    pub fn find_by_id(&self, id: u32) -> Option<Found> {
        let node = self.node(id)?;
        let _shard = self.shard_of(node);
        if !node.is_live() {
            return None;
        }
        node.nlookup.fetch_add(1, AcqRel);
        Some(Found { id, generation: node.generation.load(Relaxed) })
    }

    /// Locks the shard that a node is in, or was in when it had a name.
    fn shard_of(&self, node: &Node) -> MutexGuard<'_, Shard> {
        loop {
            let hash = node.hash.load(Relaxed);
            let shard = self.index.lock(Index::shard_of(hash));
            // It may have been renamed meanwhile.
            if node.hash.load(Relaxed) == hash {
                return shard;
            }
        }
    }

    /// Where a node is now: its directory and its name there.
    pub fn name_of(&self, id: u32) -> Option<(u32, CString)> {
        let node = self.node(id)?;
        let _shard = self.shard_of(node);
        let parent = node.parent.load(Relaxed);
        // SAFETY: the shard of the node is locked.
        let name = unsafe { node.name() };
        (node.is_live() && parent != 0).then(|| CString::new(name).ok().map(|name| (parent, name)))?
    }

    /// The number of the directory that a node is in.
    pub fn parent(&self, id: u32) -> Option<u32> {
        self.node(id).map(|node| node.parent.load(Relaxed)).filter(|&parent| parent != 0)
    }

    /// Takes back `count` lookups.
    pub fn forget(&self, nodeid: u64, count: u64) {
        let Ok(id) = self.id(nodeid) else {
            return;
        };
        let Some(node) = self.node(id).filter(|_| id != ROOT) else {
            return;
        };
        let less = |lookups: u64| Some(lookups.saturating_sub(count));
        let before = node.nlookup.fetch_update(AcqRel, Acquire, less).unwrap_or(0);
        if before == 0 || before > count {
            return;
        }
        if self.remember() > 0 && node.parent.load(Relaxed) != 0 {
            self.remembered.add(id, node.generation.load(Relaxed));
        }
        self.collect(id);
    }

    /// Nothing keeps this node alive any more, apart from locks.
    fn is_garbage(&self, id: u32, node: &Node, expired: bool) -> bool {
        id != ROOT
            && node.is_live()
            && node.nlookup.load(Acquire) == 0
            && node.children.load(Acquire) == 0
            && (expired || self.remember() == 0 || node.parent.load(Relaxed) == 0)
    }

    /// Frees a node that nothing needs any more, and then what only it kept alive.
    pub(super) fn collect(&self, id: u32) {
        let mut next = self.collect_one(id, false);
        while let Some(parent) = next {
            next = self.collect_one(parent, false);
        }
    }

    /// The same for one whose time in memory is over. False if it is still needed.
    pub(super) fn expire(&self, id: u32, generation: u32) -> bool {
        let Some(node) = self.node(id).filter(|node| node.generation.load(Relaxed) == generation) else {
            return true;
        };
        if node.nlookup.load(Acquire) != 0 {
            return true;
        }
        if node.children.load(Acquire) != 0 {
            return false;
        }
        if let Some(parent) = self.collect_one(id, true) {
            self.collect(parent);
        }
        self.node(id).is_none_or(|node| node.generation.load(Relaxed) != generation)
    }

    /// Returns the parent if it lost a child by this.
    fn collect_one(&self, id: u32, expired: bool) -> Option<u32> {
        let node = self.node(id)?;
        if !self.is_garbage(id, node, expired) {
            return None;
        }
        let mut shard = self.shard_of(node);
        if !self.is_garbage(id, node, expired) || !node.try_kill() {
            return None;
        }
        let parent = node.parent.swap(0, Relaxed);
        if parent != 0 {
            shard.remove(&self.slab, id);
        }
        // SAFETY: dead and in no chain, so nobody finds the node any more.
        unsafe { node.set_name(&[]) };
        node.generation.fetch_add(1, Relaxed);
        self.watch.remove(id);
        self.locks.remove(id);
        self.opens.forget(id);
        shard.give_free(&self.slab, id);
        drop(shard);
        self.lose_child(parent)
    }

    fn lose_child(&self, parent: u32) -> Option<u32> {
        let above = self.node(parent)?;
        above.children.fetch_sub(1, AcqRel);
        Some(parent)
    }

    /// The name is gone from the filesystem: its node lives on without one, until the kernel forgets it.
    pub fn remove_name(&self, locked: &Locked<'_>, parent: u32, name: &CStr) {
        let hash = self.index.hash(parent, name.to_bytes());
        self.with_writes(locked, [(hash, parent, name.to_bytes()), (hash, 0, &[])], |found, shards| {
            if let Some(id) = found[0] {
                self.unname(shards.of(hash), id);
            }
        });
    }

    /// Takes a node out of the index. The caller holds its write lock.
    fn unname(&self, shard: &mut Shard, id: u32) {
        let Some(node) = self.slab.get(id) else {
            return;
        };
        shard.remove(&self.slab, id);
        let parent = node.parent.swap(0, Relaxed);
        // SAFETY: write lock and shard lock are held.
        unsafe { node.set_name(&[]) };
        self.lose_child(parent);
    }

    /// Gives a node that is in no chain a new name. The caller holds its write lock.
    fn rename_to(&self, shard: &mut Shard, id: u32, hash: u32, parent: u32, name: &[u8]) {
        let Some(node) = self.slab.get(id) else {
            return;
        };
        let before = node.parent.swap(parent, Relaxed);
        // SAFETY: write lock and shard lock are held, and no chain leads to the node.
        unsafe { node.set_name(name) };
        node.hash.store(hash, Relaxed);
        shard.insert(&self.slab, id);
        if before != parent {
            if let Some(above) = self.node(parent) {
                above.children.fetch_add(1, AcqRel);
            }
            self.lose_child(before);
        }
    }

    /// The filesystem has renamed: `from` has the name `to`, whose former node has none any more, or, if `exchange`,
    /// the name `from`. The caller holds locks on both paths.
    pub fn rename(&self, locked: &Locked<'_>, from: (u32, &CStr), to: (u32, &CStr), exchange: bool) {
        let (from, to) = ((from.0, from.1.to_bytes()), (to.0, to.1.to_bytes()));
        let (old, new) = (self.index.hash(from.0, from.1), self.index.hash(to.0, to.1));
        self.with_writes(locked, [(old, from.0, from.1), (new, to.0, to.1)], |[source, target], shards| {
            if source == target {
                return;
            }
            if let (Some(id), false) = (target, exchange) {
                self.unname(shards.of(new), id);
            }
            if let (Some(id), true) = (target, exchange) {
                shards.of(new).remove(&self.slab, id);
            }
            if let Some(id) = source {
                shards.of(old).remove(&self.slab, id);
                self.rename_to(shards.of(new), id, new, to.0, to.1);
            }
            if let (Some(id), true) = (target, exchange) {
                self.rename_to(shards.of(old), id, old, from.0, from.1);
            }
        });
    }

    /// Finds the nodes of two names and runs `change` with their shards locked, and with the write lock of each: the
    /// operation's own, as a rule. Only a kernel that does not lock directories could bring in a node after that.
    fn with_writes(
        &self,
        locked: &Locked<'_>,
        names: [(u32, u32, &[u8]); 2],
        change: impl Fn([Option<u32>; 2], &mut Shards<'_>),
    ) {
        loop {
            let mut extra = [None, None];
            let mut shards = Shards::lock(&self.index, names[0].0, names[1].0);
            let found = names.map(|(hash, parent, name)| match parent {
                0 => None,
                _ => self.named(shards.of(hash), hash, parent, name),
            });
            let busy = self.write_lock_others(locked, found, &mut extra);
            if busy.is_none() {
                change(found, &mut shards);
            }
            drop(shards);
            extra.into_iter().flatten().for_each(|id| self.unlock(id, WRITER));
            let Some((id, node)) = busy.and_then(|id| Some((id, self.slab.get(id)?))) else {
                return;
            };
            self.waiting.for_writing(id, node);
            self.unlock(id, WANTED);
        }
    }

    /// Takes the write locks that the operation does not hold. Returns a node that has to be waited for.
    fn write_lock_others(
        &self,
        locked: &Locked<'_>,
        found: [Option<u32>; 2],
        extra: &mut [Option<u32>; 2],
    ) -> Option<u32> {
        let mut busy = None;
        for (index, id) in found.into_iter().enumerate() {
            let Some(id) = id.filter(|&id| !locked.writes(id) && !extra.contains(&Some(id))) else {
                continue;
            };
            match self.slab.get(id).map(Node::try_write) {
                Some(Ok(())) => extra[index] = Some(id),
                _ => busy = Some(id),
            }
        }
        busy
    }

    /// A file was opened; `close` takes that back.
    pub fn open(&self, id: u32) {
        if let Some(node) = self.node(id) {
            node.add_open();
        }
    }

    pub fn is_open(&self, id: u32) -> bool {
        self.node(id).is_some_and(Node::is_open)
    }

    /// A file was closed. True if its hidden name is to be removed now, by the caller.
    pub fn close(&self, id: u32) -> bool {
        self.node(id).is_some_and(|node| {
            node.remove_open();
            node.claim_hidden()
        })
    }

    /// The name of an open file that shall be removed is a hidden one now. True as for `close`, if the last close was
    /// meanwhile.
    pub fn hide(&self, id: u32) -> bool {
        self.node(id).is_some_and(|node| {
            node.set_hidden();
            node.claim_hidden()
        })
    }

    /// Whether a file lies under a hidden name.
    pub fn is_hidden(&self, id: u32) -> bool {
        self.node(id).is_some_and(Node::is_hidden)
    }

    /// All files that lie under a hidden name.
    pub fn hidden(&self) -> impl Iterator<Item = u32> {
        self.slab.ids().filter(|&id| self.is_hidden(id))
    }

    /// What is in the table. Not exact while operations run.
    pub fn counts(&self) -> Counts {
        let nodes = self.slab.ids().filter(|&id| id != ROOT).filter_map(|id| self.node(id));
        nodes.fold(Counts::default(), |counts, node| Counts {
            nodes: counts.nodes + 1,
            lookups: counts.lookups + node.nlookup.load(Relaxed),
        })
    }

    /// The node that a path leads to, if the kernel was told of it.
    pub fn resolve(&self, path: &CStr) -> Option<u32> {
        let names = path.to_bytes().split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(ROOT, |parent, name| self.peek(parent, name))
    }
}

/// One or two locked shards, always locked in the same order.
struct Shards<'t> {
    numbers: [usize; 2],
    guards: [Option<MutexGuard<'t, Shard>>; 2],
}

impl<'t> Shards<'t> {
    fn lock(index: &'t Index, first: u32, second: u32) -> Shards<'t> {
        let (first, second) = (Index::shard_of(first), Index::shard_of(second));
        let numbers = [first.min(second), first.max(second)];
        let lower = index.lock(numbers[0]);
        let upper = (numbers[0] != numbers[1]).then(|| index.lock(numbers[1]));
        Shards { numbers, guards: [Some(lower), upper] }
    }

    /// The shard of one of the two hashes it was made with.
    fn of(&mut self, hash: u32) -> &mut Shard {
        let at = usize::from(Index::shard_of(hash) != self.numbers[0]);
        let [lower, upper] = &mut self.guards;
        match (at, upper) {
            (1, Some(upper)) => upper,
            _ => match lower {
                Some(lower) => lower,
                None => unreachable!("the first shard is always locked"),
            },
        }
    }
}
