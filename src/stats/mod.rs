// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statistics of a running session, for `ringfuse stat`.
//!
//! The session's counters lie in a memory file that stays open as long as the session. Nobody listens to anybody: the
//! tool finds the file among the descriptors of the process and reads it through `/proc`, where the kernel lets those
//! in who might debug the process, that is its owner and root. Where such a file can't be had there are no statistics,
//! and nothing else is missing.
//!
//! A thread that serves requests takes a `Seat`: a block of counters of its own, found through a variable of the thread.
//! So counting is a load and a store on a cache line that nobody else writes. What other threads have to say (replies
//! from threads of the program) goes into words that all share, by atomic addition. Clocks are read for one request in
//! sixteen, about.
//!
//! Pages of the file come with use: about one for each two threads.
#![allow(unsafe_code)]

pub mod layout;
mod map;

use std::cell::Cell;
use std::ffi::CStr;
use std::ptr::null;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use crate::stats::layout::{block, header, queue};
use crate::stats::map::{Counters, Map};
use crate::sys::cpu::thread_id;
use crate::sys::time::now;
use crate::wire::Opcode;

pub use layout::{role, transport};

/// How many requests go by between two that are timed: so many, and up to 15 more, so that nothing that repeats is
/// always or never hit.
const APART: u64 = 8;

/// What is known when a session's first loop begins.
pub struct About<'a> {
    pub queues: u16,
    pub device_fd: i32,
    pub max_threads: u32,
    pub spin_us: u64,
    pub mountpoint: Option<&'a CStr>,
}

/// The statistics of one session, or their absence.
#[derive(Default)]
pub struct Stats {
    map: OnceLock<Arc<Map>>,
}

impl Stats {
    /// Begins to count, if that is possible and was not done before.
    pub fn open(&self, about: &About<'_>) {
        if self.map.get().is_some() {
            return;
        }
        if let Ok(map) = Map::new(about) {
            let _ = self.map.set(Arc::new(map));
        }
    }

    /// Gives the calling thread counters of its own until the result is dropped.
    pub fn enter(&self, role: u64) -> Seat {
        let Some(map) = self.map.get() else { return Seat { taken: None } };
        let block = map.take_block();
        let words = map.block(block);
        words.set(block::THREAD, thread_id() as u64);
        words.set(block::ROLE, if block == 0 { role::SHARED } else { role });
        let before = HERE.with(|here| here.sit(Arc::as_ptr(map), words));
        Seat { taken: Some(Taken { map: map.clone(), block, before }) }
    }

    /// Counts a request, which the calling thread is going to serve until the result is dropped. `handle` is how its
    /// reply will name it.
    pub fn arrived(&self, opcode: u32, handle: u64) -> Visit {
        let Some(map) = self.map.get() else { return Visit::default() };
        HERE.with(|here| {
            let counters = match here.map.get() == Arc::as_ptr(map) {
                true => here.counters(),
                false => map.block(0),
            };
            let place = if (opcode as usize) < block::OPERATION_COUNT { opcode as usize } else { 0 };
            counters.add(block::OPERATIONS + place, 1);
            counters.set(block::SERVING, u64::from(opcode));
            let timed = is_typical(Opcode(opcode)) && here.is_time();
            Visit {
                counters: Some(counters),
                outer: here.serving.replace(handle),
                since: if timed { now() } else { 0 },
            }
        })
    }

    /// Counts the reply to a request whose time is taken from `since` on, unless that is 0.
    pub fn replied(&self, opcode: u32, handle: u64, since: u64) {
        let Some(map) = self.map.get() else { return };
        let own = HERE.with(|here| here.serving.get() == handle);
        if !own || since != 0 {
            Stats::note_reply(map, own, opcode, since);
        }
    }

    #[cold]
    fn note_reply(map: &Arc<Map>, own: bool, opcode: u32, since: u64) {
        if !own && !Opcode(opcode).is_oneway() {
            map.header().add(header::FOREIGN, 1);
        }
        if since != 0 {
            let mine = HERE.with(|here| (here.map.get() == Arc::as_ptr(map)).then(|| here.counters()));
            let counters = mine.unwrap_or_else(|| map.block(0));
            counters.add(block::TOTAL + layout::bucket(now().saturating_sub(since)), 1);
        }
    }

    /// Counts an INTERRUPT.
    pub fn interrupt(&self) {
        if let Some(map) = self.map.get() {
            map.header().add(header::INTERRUPTS, 1);
        }
    }

    /// Says why it is not the ring that carries the requests.
    pub fn reason(&self, why: &str) {
        if let Some(map) = self.map.get() {
            map.set_text(header::REASON, header::REASON_WORDS, why.as_bytes());
        }
    }

    /// Says what carries the requests.
    pub fn transport(&self, transport: u64, payload: usize) {
        if let Some(map) = self.map.get() {
            map.header().set(header::PAYLOAD, payload as u64);
            map.header().set(header::TRANSPORT, transport);
        }
    }

    /// Says how many entries of a queue wait for a request.
    pub fn armed(&self, qid: u16, entries: i32) {
        if let Some(words) = self.map.get().and_then(|map| map.queue(qid)) {
            words.set(queue::ARMED, entries.max(0) as u64);
        }
    }

    /// Counts an entry of a queue.
    pub fn new_entry(&self, qid: u16) {
        if let Some(words) = self.map.get().and_then(|map| map.queue(qid)) {
            words.add(queue::ENTRIES, 1);
        }
    }
}

/// Whether the time of such requests says something about the others.
fn is_typical(opcode: Opcode) -> bool {
    !opcode.is_oneway() && !matches!(opcode, Opcode::INIT | Opcode::DESTROY)
}

thread_local! {
    static HERE: Here = const {
        Here { map: Cell::new(null()), words: Cell::new(null()), shared: Cell::new(false), serving: Cell::new(0), left: Cell::new(0) }
    };
}

/// What the calling thread counts in. `map` and `words` are valid while its seat is taken, and null otherwise.
struct Here {
    map: Cell<*const Map>,
    words: Cell<*const AtomicU64>,
    shared: Cell<bool>,
    /// The handle of the request being served, or 0.
    serving: Cell<u64>,
    /// Below its lowest byte: requests until the next that is timed. The rest makes that number irregular.
    left: Cell<u64>,
}

impl Here {
    fn sit(&self, map: *const Map, counters: Counters) -> Before {
        Before {
            map: self.map.replace(map),
            words: self.words.replace(counters.words),
            shared: self.shared.replace(counters.shared),
        }
    }

    /// To be called with a seat only.
    fn counters(&self) -> Counters {
        Counters { words: self.words.get(), shared: self.shared.get() }
    }

    fn is_time(&self) -> bool {
        let left = self.left.get();
        if left & 0xff != 0 {
            self.left.set(left - 1);
            return false;
        }
        let random =
            (left >> 8).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.left.set(random << 8 | (APART + (random >> 40 & 15)));
        true
    }
}

/// What the thread counted in before.
struct Before {
    map: *const Map,
    words: *const AtomicU64,
    shared: bool,
}

struct Taken {
    map: Arc<Map>,
    block: usize,
    before: Before,
}

/// A thread's counters; for the thread that entered.
pub struct Seat {
    taken: Option<Taken>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let before = Counters { words: taken.before.words, shared: taken.before.shared };
        HERE.with(|here| here.sit(taken.before.map, before));
        taken.map.give_back(taken.block);
    }
}

/// A request being served; for the thread that serves it.
#[derive(Default)]
pub struct Visit {
    counters: Option<Counters>,
    outer: u64,
    since: u64,
}

impl Visit {
    /// When the request came, if its time is to be taken; else 0.
    pub fn since(&self) -> u64 {
        self.since
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some(counters) = self.counters.take() else { return };
        counters.set(block::SERVING, 0);
        HERE.with(|here| here.serving.set(self.outer));
        if self.since != 0 {
            counters.add(block::HANDLER + layout::bucket(now().saturating_sub(self.since)), 1);
        }
    }
}

/// Runs `count` with the counters of the calling thread, if it has some.
fn with_own(count: impl FnOnce(Counters)) {
    HERE.with(|here| {
        if !here.words.get().is_null() {
            count(here.counters());
        }
    });
}

/// The calling thread has looked for the next request for a while.
pub fn spin(found: bool) {
    with_own(|own| {
        own.add(block::SPINS, 1);
        own.add(block::REWARDED, found.into());
    });
}

/// The calling thread has slept and been woken.
pub fn woken() {
    with_own(|own| own.add(block::WAKEUPS, 1));
}

/// The calling thread got so many requests from the kernel at a time.
pub fn batch(requests: u64) {
    if requests > 0 {
        with_own(|own| {
            own.add(block::BATCHES, 1);
            own.add(block::BATCHED, requests);
            own.raise(block::LARGEST_BATCH, requests);
        });
    }
}

/// The calling thread commits a reply that another one made.
pub fn handed_over() {
    with_own(|own| own.add(block::HANDED_OVER, 1));
}

#[cfg(test)]
mod tests;
