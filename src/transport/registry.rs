// SPDX-License-Identifier: MIT OR Apache-2.0
//! All requests of one session: makes their slots, finds them again for an INTERRUPT.
//!
//! The registry owns every slot until the session is destroyed. Slots of device requests come from a free list;
//! a ring entry keeps its slot for life.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::stats::Stats;
use crate::transport::line::Line;
use crate::transport::slot::Slot;

/// Interrupts that overtook their request; a small number is enough since the kernel sends them in pairs.
const EARLY_INTERRUPTS: usize = 64;
/// What waited longer belongs to a request that was answered before its INTERRUPT was read.
const EARLY_FOR: Duration = Duration::from_secs(5);

/// The requests of a session.
pub struct Registry {
    /// Boxed, because handles are their addresses.
    #[allow(clippy::vec_box)]
    slots: Mutex<Vec<Box<Slot>>>,
    free: Mutex<Vec<NonNull<Slot>>>,
    early: Mutex<VecDeque<(u64, Instant)>>,
    early_count: AtomicUsize,
    debug: AtomicBool,
    userdata: usize,
    line: Arc<Line>,
    stats: Stats,
}

// SAFETY: the raw pointers refer to slots in `slots`, which are Sync and live as long as the registry.
unsafe impl Send for Registry {}
unsafe impl Sync for Registry {}

impl Registry {
    /// Boxed, because its slots point back to it. `userdata` is the program's pointer, kept as a number.
    pub fn new(userdata: usize, debug: bool) -> Box<Registry> {
        Box::new(Registry {
            slots: Mutex::new(Vec::new()),
            free: Mutex::new(Vec::new()),
            early: Mutex::new(VecDeque::new()),
            early_count: AtomicUsize::new(0),
            debug: AtomicBool::new(debug),
            userdata,
            line: Arc::default(),
            stats: Stats::default(),
        })
    }

    /// What the program gave to `fuse_session_new`.
    pub fn userdata(&self) -> usize {
        self.userdata
    }

    /// The way to the kernel of the session that the requests belong to.
    pub fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// What the session counts.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether requests and replies are logged.
    pub fn debug(&self) -> bool {
        self.debug.load(Ordering::Relaxed)
    }

    /// A new slot, for the life of the session.
    pub fn create(&self) -> NonNull<Slot> {
        let slot = Box::new(Slot::new(NonNull::from(self)));
        let pointer = NonNull::from(&*slot);
        self.slots.lock().push(slot);
        pointer
    }

    /// A free slot for a device request; `give_back` after the reply.
    pub fn take(&self) -> NonNull<Slot> {
        let recycled = self.free.lock().pop();
        recycled.unwrap_or_else(|| self.create())
    }

    pub fn give_back(&self, slot: NonNull<Slot>) {
        self.free.lock().push(slot);
    }

    /// Delivers an INTERRUPT to the request it names, or keeps it for the request that it overtook.
    pub fn interrupt(&self, unique: u64) {
        self.stats.interrupt();
        // The early list is filled first: a request that arrives between the search and the push finds it there.
        {
            let mut early = self.early.lock();
            if early.len() == EARLY_INTERRUPTS {
                early.pop_front();
            }
            early.push_back((unique, Instant::now()));
            self.early_count.store(early.len(), Ordering::SeqCst);
        }
        // Callbacks run without the list's lock: they may wait for requests that need new slots.
        let slots: Vec<NonNull<Slot>> = self.slots.lock().iter().map(|slot| NonNull::from(&**slot)).collect();
        // SAFETY: slots are never freed before the registry.
        if slots.iter().any(|slot| unsafe { slot.as_ref() }.interrupt(unique)) {
            self.forget_early(unique);
        }
    }

    /// Whether request `unique`, just arrived, was interrupted before.
    pub fn interrupted_early(&self, unique: u64) -> bool {
        self.early_count.load(Ordering::SeqCst) != 0 && self.forget_early(unique)
    }

    fn forget_early(&self, unique: u64) -> bool {
        let mut early = self.early.lock();
        early.retain(|&(_, since)| since.elapsed() < EARLY_FOR);
        let before = early.len();
        early.retain(|&(waiting, _)| waiting != unique);
        let found = before != early.len();
        self.early_count.store(early.len(), Ordering::SeqCst);
        found
    }
}
