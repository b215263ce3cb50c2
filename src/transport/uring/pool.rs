// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ring of one mount: its queues, entries and threads, and who is free to do what.
//!
//! The session owns the pool from the ring's start until the session is destroyed, since requests that are still
//! unanswered when a loop ends point into entries. When the loop ends (`stop`), workers with an armed entry pause,
//! since the kernel may be about to use that entry, and an io_uring that goes takes the request with it; the others
//! end. The keeper stays to commit late replies. All end with `close`, before entries are freed.

mod loops;

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::errno::Errno;
use crate::log::warning;
use crate::stats::Stats;
use crate::sys::time::now;
use crate::transport::Service;
use crate::transport::gate::Gate;
use crate::transport::registry::Registry;
use crate::transport::slot::Slot;
use crate::transport::threads::{Runs, spawn};
use crate::transport::uring::desk::Desk;
use crate::transport::uring::entry::Entry;
use crate::transport::uring::kicker::Kicker;
use crate::transport::uring::mailbox::Mailbox;
use crate::transport::uring::queue::Queue;
use crate::transport::uring::{keeper, worker};

/// More entries than any program has requests outstanding; a bound against a runaway.
const MOST_ENTRIES: usize = 1 << 16;
/// Armed entries that a queue may ask for when its requests are answered later: so many workers at most hold one each.
const PLENTY: u32 = 4;
/// The same under `fuse_session_loop`.
const PLENTY_SINGLE: u32 = 64;
const OPCODES: usize = 64;
/// Entries up to which a queue grows to have its requests answered together. Four clients of a CPU gain most; with more, those
/// that wait in the kernel come with the next commits.
pub const DEFAULT_BATCH: u32 = 8;

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
    /// `-o io_uring_batch`: to so many entries a queue grows whose requests wait while fast handlers run.
    pub batch: u32,
    /// `-o io_uring_q_depth`
    pub most_entries: u32,
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

#[derive(Default)]
struct Workers {
    handles: Vec<JoinHandle<()>>,
    started: usize,
    /// Those that are not paused.
    running: usize,
}

thread_local! {
    /// The address of the pool that this thread is a worker of, else 0.
    static WORKER_OF: Cell<usize> = const { Cell::new(0) };
}

/// Workers without an entry, and requests without a worker, of which one worker at a time takes all it can.
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
    workers: Mutex<Workers>,
    worker_ended: Condvar,
    /// What paused workers wait for: another loop, or the end.
    resumed: Condvar,
    /// The keeper is to be woken when a handler has ended.
    wants_room: AtomicBool,
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
            kicker: Kicker::new(config.mountpoint.clone(), config.fuse_fd),
            watching: AtomicBool::new(false),
            entries: Mutex::default(),
            lot: Mutex::default(),
            backlog_len: AtomicUsize::new(0),
            workers: Mutex::default(),
            worker_ended: Condvar::new(),
            resumed: Condvar::new(),
            wants_room: AtomicBool::new(false),
            keeper_thread: Mutex::new(None),
            single: Mutex::new(None),
            stopping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            handing: AtomicUsize::new(0),
            config,
            tail_work: [const { AtomicBool::new(false) }; OPCODES],
        })
    }

    pub fn stats(&self) -> &Stats {
        // SAFETY: see Owner.
        unsafe { self.owner.registry.as_ref() }.stats()
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
        let queue = &self.queues[usize::from(qid)];
        if entries.len() >= MOST_ENTRIES || queue.is_full(self.config.most_entries) {
            return Err(Errno::new(libc::ENOBUFS));
        }
        // SAFETY: see Owner.
        let slot: NonNull<Slot> = unsafe { self.owner.registry.as_ref() }.create();
        let entry = Box::new(Entry::new(qid, self.config.payload_size, slot, NonNull::from(self))?);
        let pointer = NonNull::from(&*entry);
        entries.push(entry);
        queue.has_one_more();
        self.stats().new_entry(qid);
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

    /// Finds a thread that commits a reply. The caller took the entry. `false`: it is too late for that.
    pub fn hand_over(&self, entry: &Entry) -> bool {
        self.handing.fetch_add(1, Ordering::SeqCst);
        let open = !self.closed();
        if open {
            self.deliver(entry);
        }
        self.handing.fetch_sub(1, Ordering::SeqCst);
        open
    }

    /// Waits for threads that are in the middle of `hand_over`.
    pub fn all_handed_over(&self) {
        while self.handing.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
    }

    fn deliver(&self, entry: &Entry) {
        if self.config.single {
            if self.single.lock().as_ref().is_some_and(|post| post.accept(entry)) {
                return;
            }
        } else if !self.stopping() {
            // The last one that is free is left for requests, unless the queue has to do without an armed entry: else a
            // new worker would be needed for each reply.
            let mut lot = self.lot.lock();
            let spare = lot.parked.len() > usize::from(self.queue(entry).has_armed());
            let parked = if spare { lot.parked.pop() } else { None };
            drop(lot);
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

    /// Makes sure that somebody looks at handlers that take long. Called when one starts, or replies before its end, and has noted
    /// that (`SeqCst`).
    pub fn stay_awake(&self) {
        if !self.watching.load(Ordering::SeqCst) && !self.watching.swap(true, Ordering::SeqCst) {
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
            match &*self.single.lock() {
                Some(post) => post.send(request),
                None => self.keep(entry),
            }
            return;
        }
        self.keep(entry);
        self.drain_backlog();
    }

    /// Puts a request on the list that everybody looks at who finishes a handler.
    pub fn keep(&self, entry: NonNull<Entry>) {
        let mut lot = self.lot.lock();
        lot.backlog.push_back(entry);
        self.backlog_len.store(lot.backlog.len(), Ordering::SeqCst);
    }

    /// For the keeper: finds a worker for requests that wait, as far as handlers may run. One serves them all, unless a
    /// handler keeps it from that.
    pub fn drain_backlog(self: &Arc<Pool>) {
        while self.has_backlog() && !self.config.single && !self.stopping() && !self.is_drained(now()) {
            if !self.config.gate.has_room() && self.wait_for_room() {
                return;
            }
            let parked = self.lot.lock().parked.pop();
            let desk = parked.clone().unwrap_or_else(Desk::new);
            desk.drains.store(true, Ordering::SeqCst);
            if parked.is_some() {
                desk.mailbox.wake();
            } else if let Err(e) = self.start_worker(desk, worker::Start::Parked) {
                warning!("fuse: no thread for a request: {e}");
                return self.leave_to_others();
            }
        }
    }

    /// Whether a worker is serving what waits, or about to.
    fn is_drained(&self, now: u64) -> bool {
        let stuck = |desk: &Desk| {
            let serves = !desk.serving.load(Ordering::SeqCst).is_null();
            serves && now.saturating_sub(desk.since.load(Ordering::Relaxed)) > keeper::LONG
        };
        self.desks.lock().iter().any(|desk| desk.drains.load(Ordering::SeqCst) && !stuck(desk))
    }

    /// Has the keeper woken when a handler ends. `false`: there is room already.
    fn wait_for_room(&self) -> bool {
        self.wants_room.store(true, Ordering::SeqCst);
        !self.config.gate.has_room()
    }

    /// To be called after each handler, on either transport.
    pub fn handler_ended(&self) {
        if self.wants_room.load(Ordering::SeqCst) && self.wants_room.swap(false, Ordering::SeqCst) {
            self.keeper.wake();
        }
    }

    /// Passes what waits for a worker that can't be had to one that has a ring. It may have an armed entry and so hold up
    /// its queue meanwhile, but nothing is lost.
    pub fn leave_to_others(&self) {
        let desks = self.desks.lock().clone();
        let idle = desks.iter().find(|desk| desk.serving.load(Ordering::SeqCst).is_null());
        let Some(somebody) = idle.or(desks.first()) else { return };
        while let Some(entry) = self.take_backlog() {
            // SAFETY: the pool owns it.
            somebody.mailbox.post(unsafe { entry.as_ref() });
        }
    }

    pub fn start_worker(self: &Arc<Pool>, desk: Arc<Desk>, start: worker::Start) -> Result<(), Errno> {
        let mut workers = self.workers.lock();
        if self.stopping() {
            return Err(Errno::new(libc::ESHUTDOWN));
        }
        let name = format!("fuse-worker-{}", workers.started);
        let pool = self.clone();
        let place = desk.clone();
        self.desks.lock().push(desk);
        let body = move || {
            WORKER_OF.set(Arc::as_ptr(&pool) as usize);
            worker::run(pool.clone(), place, start);
            pool.workers.lock().running -= 1;
            pool.worker_ended.notify_all();
        };
        match spawn(&name, Runs::Handlers, body) {
            Ok(thread) => {
                workers.handles.push(thread);
                workers.started += 1;
                workers.running += 1;
                Ok(())
            }
            Err(e) => {
                self.desks.lock().pop();
                Err(e)
            }
        }
    }

    /// Sees to it that an entry of a queue is armed: by a worker that has none, or by a new one.
    pub fn grow(self: &Arc<Pool>, qid: u16) {
        let queue = &self.queues[usize::from(qid)];
        if self.config.single
            || self.stopping()
            || queue.has_armed()
            || queue.is_full(self.config.most_entries)
        {
            return;
        }
        if !self.config.gate.has_room() {
            queue.wish_for_worker();
            if self.wait_for_room() {
                return;
            }
            queue.take_wish();
        }
        let parked = self.lot.lock().parked.pop();
        if let Some(desk) = parked {
            return desk.order(qid);
        }
        // Idle workers whose entries are armed for other queues are of no use here, however many there are: no entry can be
        // called back. A thread that can't be had now may be had when it is missed again.
        let _ = self.start_worker(Desk::new(), worker::Start::Extra { qid });
    }

    /// Whether a worker had better become free for any queue than arm its entry again: as many
    /// workers wait for this queue's as handlers may run, and nobody is free.
    pub fn has_plenty(&self, entry: &Entry) -> bool {
        self.queue(entry).has_holders_more_than(self.config.gate.limit()) && self.lot.lock().parked.is_empty()
    }

    /// Notes that an entry is handed to the kernel. To be called just before.
    pub fn arming(&self, entry: &Entry) {
        entry.arm();
        self.queue(entry).armed();
        self.stats().armed(entry.qid, self.queue(entry).armed_now());
    }

    /// Notes that an entry came back from the kernel.
    pub fn taken(&self, entry: &Entry) {
        if self.queue(entry).took() {
            self.keeper.wake();
        }
        self.stats().armed(entry.qid, self.queue(entry).armed_now());
    }

    /// Whether requests of a queue may be held up that another worker could serve.
    pub fn may_help(&self, entry: &Entry) -> bool {
        !self.config.single && !self.queue(entry).has_armed() && self.config.gate.has_room()
    }

    /// A handler of this entry's queue blocks, or did so for long.
    pub fn handler_blocks(&self, entry: &Entry) {
        if self.queue(entry).handler_blocks() {
            self.keeper.wake();
        }
    }

    /// A new entry was registered with a queue: what waited there before must not go on waiting.
    pub fn registered(&self, entry: &Entry) {
        // Each of these takes a worker, a thread; under fuse_session_loop none.
        self.queue(entry).registered(if self.config.single { PLENTY_SINGLE } else { PLENTY });
        self.keeper.wake();
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

    /// A worker that was offered has an entry again.
    pub fn unpark(&self, desk: &Arc<Desk>) {
        self.lot.lock().parked.retain(|other| !Arc::ptr_eq(other, desk));
    }
}
