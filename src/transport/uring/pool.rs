// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ring of one mount: its queues, entries and threads, and who is free to do what.
//!
//! The session owns the pool from the ring's start until the session is destroyed, since requests that are still
//! unanswered when a loop ends point into entries. Workers end with the loop (`stop`); the keeper stays to commit
//! late replies, and ends with `close`, before entries are freed.

use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::log::warning;
use crate::transport::Service;
use crate::transport::gate::Gate;
use crate::transport::registry::Registry;
use crate::transport::slot::Slot;
use crate::transport::threads::{Runs, spawn};
use crate::transport::uring::entry::Entry;
use crate::transport::uring::kicker::Kicker;
use crate::transport::uring::mailbox::Mailbox;
use crate::transport::uring::queue::Queue;
use crate::transport::uring::{keeper, worker};

/// More entries than any program has requests outstanding; a bound against a runaway.
const MOST_ENTRIES: usize = 1 << 16;
/// Armed entries that a queue may ask for under `fuse_session_loop`, when its requests are answered later.
const PLENTY: u32 = 64;
const OPCODES: usize = 64;

/// What a pool is made for.
#[derive(Clone)]
pub struct Config {
    pub fuse_fd: RawFd,
    /// One per possible CPU.
    pub queues: u16,
    /// Where the filesystem is mounted, if we know.
    pub mountpoint: Option<CString>,
    /// What the kernel demands of an entry's payload buffer.
    pub payload_size: usize,
    pub spin: Duration,
    /// All handlers run on the thread of `fuse_session_loop`.
    pub single: bool,
    pub gate: Arc<Gate>,
}

/// Who the pool works for. Both outlive it: the session owns all three.
#[derive(Clone, Copy)]
pub struct Owner {
    pub service: NonNull<dyn Service>,
    pub registry: NonNull<Registry>,
}

// SAFETY: Service and Registry are Sync, and outlive the threads that use them (see the module).
unsafe impl Send for Owner {}
unsafe impl Sync for Owner {}

/// What others may know of a worker.
pub struct Desk {
    pub mailbox: Mailbox,
    /// The entry whose handler runs here, or null.
    pub serving: AtomicPtr<Entry>,
    /// When it started, in nanoseconds of the monotonic clock.
    pub since: AtomicU64,
    /// The worker's thread id.
    pub thread: AtomicI32,
}

impl Desk {
    pub fn new() -> Arc<Desk> {
        Arc::new(Desk {
            mailbox: Mailbox::new(),
            serving: AtomicPtr::new(std::ptr::null_mut()),
            since: AtomicU64::new(0),
            thread: AtomicI32::new(0),
        })
    }
}

/// Workers without an entry, and requests without a worker. At most one of the lists is not empty.
#[derive(Default)]
struct Lot {
    parked: Vec<Arc<Desk>>,
    backlog: VecDeque<NonNull<Entry>>,
}

/// See the module.
pub struct Pool {
    pub config: Config,
    pub owner: Owner,
    pub queues: Box<[Queue]>,
    pub desks: Mutex<Vec<Arc<Desk>>>,
    pub keeper: Mailbox,
    pub kicker: Kicker,
    /// The keeper looks after slow handlers; else it sleeps until it is told to.
    pub watching: AtomicBool,
    /// Boxed, because the kernel and other threads hold their addresses.
    #[allow(clippy::vec_box)]
    entries: Mutex<Vec<Box<Entry>>>,
    lot: Mutex<Lot>,
    backlog_len: AtomicUsize,
    workers: Mutex<Vec<JoinHandle<()>>>,
    keeper_thread: Mutex<Option<JoinHandle<()>>>,
    /// The thread of `fuse_session_loop`, when that is what runs.
    pub single: Mutex<Option<Arc<super::single::Post>>>,
    stopping: AtomicBool,
    closed: AtomicBool,
    /// Threads that are just handing an entry over.
    handing: AtomicUsize,
    /// Opcodes whose handlers went on working after their reply.
    tail_work: [AtomicBool; OPCODES],
}

// SAFETY: entries are Sync and owned by the pool; the rest is behind locks or atomic.
unsafe impl Send for Pool {}
unsafe impl Sync for Pool {}

impl Pool {
    pub fn new(config: Config, owner: Owner) -> Arc<Pool> {
        Arc::new(Pool {
            queues: (0..config.queues).map(|_| Queue::default()).collect(),
            owner,
            desks: Mutex::default(),
            keeper: Mailbox::new(),
            kicker: Kicker::new(config.mountpoint.clone()),
            config,
            watching: AtomicBool::new(false),
            entries: Mutex::default(),
            lot: Mutex::default(),
            backlog_len: AtomicUsize::new(0),
            workers: Mutex::default(),
            keeper_thread: Mutex::new(None),
            single: Mutex::new(None),
            stopping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            handing: AtomicUsize::new(0),
            tail_work: [const { AtomicBool::new(false) }; OPCODES],
        })
    }

    pub fn service(&self) -> &dyn Service {
        // SAFETY: see Owner.
        unsafe { self.owner.service.as_ref() }
    }

    pub fn queue(&self, entry: &Entry) -> &Queue {
        &self.queues[usize::from(entry.qid)]
    }

    /// A new entry for a queue, not yet registered.
    pub fn new_entry(&self, qid: u16) -> Result<NonNull<Entry>, Errno> {
        let mut entries = self.entries.lock();
        if entries.len() >= MOST_ENTRIES {
            return Err(Errno::new(libc::ENOMEM));
        }
        // SAFETY: see Owner.
        let slot: NonNull<Slot> = unsafe { self.owner.registry.as_ref() }.create();
        let entry = Box::new(Entry::new(qid, self.config.payload_size, slot, NonNull::from(self))?);
        let pointer = NonNull::from(&*entry);
        entries.push(entry);
        Ok(pointer)
    }

    /// No thread of the pool serves requests any more, or shall.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Replies can't be committed any more.
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    // --- replies -------------------------------------------------------------------------------------------

    /// Finds a thread that commits a reply. The caller took the entry.
    pub fn hand_over(&self, entry: &Entry) {
        self.handing.fetch_add(1, Ordering::SeqCst);
        if !self.closed() {
            self.deliver(entry);
        }
        self.handing.fetch_sub(1, Ordering::SeqCst);
    }

    fn deliver(&self, entry: &Entry) {
        if self.config.single {
            if self.single.lock().as_ref().is_some_and(|post| post.accept(entry)) {
                return;
            }
        } else if !self.stopping() {
            let parked = self.lot.lock().parked.pop();
            if let Some(desk) = parked {
                return desk.mailbox.post(entry);
            }
        }
        self.keeper.post(entry);
    }

    /// Whether handlers of this entry's kind of request are known to go on working after their reply.
    pub fn works_after_reply(&self, entry: &Entry) -> bool {
        self.tail_mark(entry).is_some_and(|mark| mark.load(Ordering::Relaxed))
    }

    pub fn note_tail_work(&self, entry: &Entry) {
        if let Some(mark) = self.tail_mark(entry) {
            mark.store(true, Ordering::Relaxed);
        }
    }

    fn tail_mark(&self, entry: &Entry) -> Option<&AtomicBool> {
        // SAFETY: slots outlive entries.
        let opcode = unsafe { entry.slot().as_ref() }.details().header.opcode;
        self.tail_work.get(opcode as usize)
    }

    /// Makes sure that somebody looks at handlers that take long. Called when one starts, or replies before its end.
    pub fn stay_awake(&self) {
        fence(Ordering::SeqCst);
        if !self.watching.load(Ordering::Relaxed) && !self.watching.swap(true, Ordering::SeqCst) {
            self.keeper.wake();
        }
    }

    // --- requests and workers ------------------------------------------------------------------------------

    /// Finds a worker for a request that arrived where no handler may run.
    pub fn dispatch(self: &Arc<Pool>, entry: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let request = unsafe { entry.as_ref() };
        request.fetched();
        if self.config.single {
            if let Some(post) = &*self.single.lock() {
                post.send(request);
            }
            return;
        }
        {
            let mut lot = self.lot.lock();
            if let Some(desk) = lot.parked.pop() {
                drop(lot);
                return desk.mailbox.post(request);
            }
            lot.backlog.push_back(entry);
            self.backlog_len.store(lot.backlog.len(), Ordering::SeqCst);
        }
        // Whoever finishes a handler after this sees the backlog. If nobody runs one, a new worker is needed.
        if self.config.gate.has_room() {
            if let Some(entry) = self.take_backlog() {
                self.start_worker_with(entry);
            }
        }
    }

    fn start_worker_with(self: &Arc<Pool>, entry: NonNull<Entry>) {
        let desk = Desk::new();
        // SAFETY: the pool owns it. The worker does not wait yet, so the post wakes nobody.
        desk.mailbox.post(unsafe { entry.as_ref() });
        if let Err(e) = self.start_worker(desk.clone(), worker::Start::Parked) {
            warning!("fuse: no thread for a request: {e}");
            self.leave_to_others(&desk);
        }
    }

    /// Passes the mail of a worker that can't be had to one that certainly has a ring. It may have an armed entry and
    /// so hold up its queue meanwhile, but nothing is lost.
    pub fn leave_to_others(&self, desk: &Desk) {
        let first = self.desks.lock().first().cloned();
        for entry in desk.mailbox.collect() {
            if let Some(first) = &first {
                // SAFETY: the pool owns it.
                first.mailbox.post(unsafe { entry.as_ref() });
            }
        }
    }

    pub fn start_worker(self: &Arc<Pool>, desk: Arc<Desk>, start: worker::Start) -> Result<(), Errno> {
        let mut workers = self.workers.lock();
        if self.stopping() {
            return Err(Errno::new(libc::ESHUTDOWN));
        }
        let name = format!("fuse-worker-{}", workers.len());
        let pool = self.clone();
        let place = desk.clone();
        self.desks.lock().push(desk);
        let body = move || worker::run(pool, place, start);
        match spawn(&name, Runs::Handlers, body) {
            Ok(thread) => workers.push(thread),
            Err(e) => {
                self.desks.lock().pop();
                return Err(e);
            }
        }
        Ok(())
    }

    /// How many workers a queue may have: as many as may run handlers at once.
    fn most_workers(&self) -> u32 {
        if self.config.single { 0 } else { self.config.gate.limit() }
    }

    /// Starts a worker for a queue, unless it has enough.
    pub fn grow(self: &Arc<Pool>, qid: u16) {
        let queue = &self.queues[usize::from(qid)];
        if queue.workers() >= self.most_workers() {
            return;
        }
        queue.add_worker();
        if self.start_worker(Desk::new(), worker::Start::Extra { qid }).is_err() {
            // A thread that can't be had now may be had when it is missed again.
            queue.remove_worker();
        }
    }

    /// Notes that an entry is handed to the kernel. To be called just before.
    pub fn arming(&self, entry: &Entry) {
        entry.arm();
        self.queue(entry).armed();
    }

    /// Notes that an entry came back from the kernel.
    pub fn taken(&self, entry: &Entry) {
        if self.queue(entry).took(self.most_workers()) {
            self.keeper.wake();
        }
    }

    /// A handler of this entry's queue blocks, or did so for long.
    pub fn handler_blocks(&self, entry: &Entry) {
        if self.queue(entry).handler_blocks(self.most_workers()) {
            self.keeper.wake();
        }
    }

    /// A new entry was registered with a queue: what waited there before must not go on waiting.
    pub fn registered(&self, entry: &Entry) {
        let queue = self.queue(entry);
        // A thread has one armed entry at most, unless it serves one request after the other anyway.
        let most = if self.config.single { PLENTY } else { queue.workers() };
        if queue.registered(most) {
            self.keeper.wake();
        }
    }

    /// A request that waits for a worker.
    pub fn take_backlog(&self) -> Option<NonNull<Entry>> {
        if self.backlog_len.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let mut lot = self.lot.lock();
        let entry = lot.backlog.pop_front();
        self.backlog_len.store(lot.backlog.len(), Ordering::SeqCst);
        entry
    }

    pub fn has_backlog(&self) -> bool {
        self.backlog_len.load(Ordering::SeqCst) != 0
    }

    /// Offers a worker that has no entry. Returns a request instead if one waits.
    pub fn park(&self, desk: &Arc<Desk>) -> Option<NonNull<Entry>> {
        let mut lot = self.lot.lock();
        let waiting = lot.backlog.pop_front();
        self.backlog_len.store(lot.backlog.len(), Ordering::SeqCst);
        if waiting.is_none() {
            lot.parked.push(desk.clone());
        }
        waiting
    }

    // --- beginning and end ---------------------------------------------------------------------------------

    /// Starts the keeper.
    pub fn start_keeper(self: &Arc<Pool>) -> Result<(), Errno> {
        *self.keeper_thread.lock() = Some(keeper::start(self)?);
        Ok(())
    }

    /// Ends the workers: each finishes its handler, and its reply goes out.
    pub fn stop(&self) {
        let workers = {
            let mut workers = self.workers.lock();
            self.stopping.store(true, Ordering::SeqCst);
            std::mem::take(&mut *workers)
        };
        for desk in &*self.desks.lock() {
            desk.mailbox.wake();
        }
        for worker in workers {
            let _ = worker.join();
        }
        // Replies that were handed to a worker which left before it saw them.
        let desks = std::mem::take(&mut *self.desks.lock());
        for entry in desks.iter().flat_map(|desk| desk.mailbox.collect()) {
            // SAFETY: the pool owns it.
            let entry = unsafe { entry.as_ref() };
            if !entry.is_fetched() {
                self.hand_over(entry);
            }
        }
    }

    /// Ends everything. Replies fail from now on.
    pub fn close(&self) {
        self.stop();
        self.closed.store(true, Ordering::SeqCst);
        while self.handing.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
        let keeper = self.keeper_thread.lock().take();
        if let Some(thread) = keeper {
            self.keeper.wake();
            let _ = thread.join();
        }
    }
}

/// Nanoseconds of the monotonic clock.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a timespec to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
