// SPDX-License-Identifier: MIT OR Apache-2.0
//! A thread that serves requests of the ring.
//!
//! It has at most one armed entry, and none while a handler runs. A handler that returns without a reply leaves it
//! without an entry: then it arms a new one if its queue has none left, or parks until it is handed a reply to
//! commit or a request to serve. The thread owns its io_uring; entries and desk belong to the pool.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};

use crate::errno::Errno;
use crate::log::warning;
use crate::stats::{self, role};
use crate::sys::cpu::{self, thread_id, waits_of_this_thread};
use crate::sys::time::now;
use crate::transport::Incoming;
use crate::transport::slot::Route;
use crate::transport::spin::Spin;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::entry::{AfterHandler, Entry};
use crate::transport::uring::pool::Pool;
use crate::transport::uring::ring::{Completion, Ring, WAKE};
use crate::wire::Opcode;

/// Other arguments than data up to this size are copied out of the entry, so that the program may read them until its handler
/// returns, as on the device, even if another thread has replied and the kernel fills the entry again.
const COPIED: usize = 128 << 10;
/// Up to this size a copy costs nothing that could be measured.
const SMALL: usize = 512;
const SUBMISSIONS: u32 = 4;
/// Nanoseconds after which a handler may have blocked.
const SLOW: u64 = 100_000;
/// Every so many handlers' time is taken.
const SAMPLE: u32 = 8;
/// So many handlers are watched after a slow one.
const SUSPICION: u32 = 8;

/// How a worker begins.
pub enum Start {
    /// The first of a queue: reports each step and goes on when told to.
    First { qid: u16, report: Sender<Result<(), Errno>>, go: Receiver<()> },
    /// Company for a queue.
    Extra { qid: u16 },
    /// Without an entry; its mailbox has work.
    Parked,
}

/// Tells handlers that block from those that are only slow, or were not let on a CPU.
///
/// The number of times that a thread gave up its CPU says so, but costs a system call: it is asked for only after a
/// handler was slow, for a while.
#[derive(Default)]
struct BlockWatch {
    handlers: u32,
    suspicious: u32,
    before: i64,
}

impl BlockWatch {
    /// Whether the next handler's time is to be taken.
    fn wants_time(&self) -> bool {
        self.suspicious > 0 || self.handlers.wrapping_add(1) % SAMPLE == 0
    }

    fn before(&mut self) {
        if self.suspicious > 0 {
            self.before = waits_of_this_thread();
        }
    }

    /// Whether the handler that began at `started` is known to have blocked.
    fn after(&mut self, started: u64) -> bool {
        self.handlers = self.handlers.wrapping_add(1);
        let watched = self.suspicious > 0;
        if !watched && self.handlers % SAMPLE != 0 {
            return false;
        }
        let slow = now() - started > SLOW;
        self.suspicious = if slow { SUSPICION } else { self.suspicious.saturating_sub(1) };
        slow && watched && waits_of_this_thread() > self.before
    }
}

struct Worker {
    pool: Arc<Pool>,
    desk: Arc<Desk>,
    ring: Ring,
    spin: Spin,
    scratch: Vec<u8>,
    /// The queue of the last entry that was armed here.
    queue: u16,
    /// An entry is the kernel's through this ring.
    armed: bool,
    /// The queue's mark when the entry was armed, until it is known whether something waited.
    committed: Option<u32>,
    watch: BlockWatch,
    /// No handler has run since.
    waited: bool,
    /// Handlers since the last spin.
    served: u32,
    /// The queue's CPU is not ours to run on.
    homeless: bool,
    over: bool,
}

/// The body of a worker's thread.
pub fn run(pool: Arc<Pool>, desk: Arc<Desk>, start: Start) {
    let ring = Ring::new(SUBMISSIONS, pool.config.fuse_fd);
    let ring = match (ring, &start) {
        (Ok(ring), _) => ring,
        (Err(e), Start::First { report, .. }) => {
            let _ = report.send(Err(e));
            return;
        }
        (Err(e), _) => return abandon(&pool, &desk, e),
    };
    desk.mailbox.open(ring.fd());
    let _seat = pool.stats().enter(role::WORKER);
    let spin = Spin::new(pool.config.spin);
    let mut worker = Worker {
        pool,
        desk,
        ring,
        spin,
        scratch: Vec::new(),
        queue: 0,
        armed: false,
        committed: None,
        watch: BlockWatch::default(),
        waited: true,
        served: 0,
        homeless: false,
        over: false,
    };
    worker.desk.thread.store(thread_id(), Ordering::Relaxed);
    if worker.begin(start) {
        worker.collect_mail();
        worker.work();
    }
    worker.desk.mailbox.shut();
}

/// A worker without a ring can't serve: what it was started for goes to one that has one.
fn abandon(pool: &Pool, desk: &Arc<Desk>, e: Errno) {
    warning!("fuse: a worker has no io_uring: {e}");
    pool.desks.lock().retain(|other| !Arc::ptr_eq(other, desk));
    for entry in desk.mailbox.collect() {
        pool.keep(entry);
    }
    pool.leave_to_others();
}

impl Worker {
    /// Arms the first entry. `false`: nothing to work for.
    fn begin(&mut self, start: Start) -> bool {
        match start {
            Start::Parked => true,
            Start::Extra { qid } => {
                if let Err(e) = self.arm_new(qid) {
                    warning!("fuse: no memory for another ring entry: {e}");
                    self.park();
                }
                true
            }
            Start::First { qid, report, go } => {
                let entry = self.pool.new_entry(qid);
                let _ = report.send(entry.map(drop));
                let (Ok(entry), Ok(())) = (entry, go.recv()) else {
                    return false;
                };
                let armed = self.register(entry);
                let _ = report.send(armed);
                armed.is_ok()
            }
        }
    }

    /// Registers an entry and looks whether the kernel took it: a refusal completes at once.
    fn register(&mut self, entry: NonNull<Entry>) -> Result<(), Errno> {
        self.arm(entry, Ring::register);
        let submitted = self.ring.submit_and_wait(0, None);
        let refused = |completion: &Completion| completion.user_data != WAKE && completion.result < 0;
        match (submitted, self.ring.pop()) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(completion)) if !refused(&completion) => {
                self.completed(completion);
                Ok(())
            }
            (submitted, completion) => {
                self.ring.refuse();
                let _ = self.ring.submit_and_wait(0, None);
                let result = completion.map_or(-libc::EIO, |completion| completion.result);
                Err(submitted.err().unwrap_or(Errno::new(result)))
            }
        }
    }

    /// Arms another entry of a queue, and sees to what may wait there.
    fn arm_new(&mut self, qid: u16) -> Result<(), Errno> {
        let entry = self.pool.new_entry(qid)?;
        self.arm(entry, Ring::register);
        self.ring.submit_and_wait(0, None)?;
        // SAFETY: the pool owns it.
        self.pool.registered(unsafe { entry.as_ref() });
        Ok(())
    }

    fn commit(&mut self, entry: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let mark = self.pool.queue(unsafe { entry.as_ref() }).mark();
        self.arm(entry, Ring::commit);
        self.committed = Some(mark);
    }

    /// Queues a REGISTER or a commit.
    fn arm(&mut self, entry: NonNull<Entry>, how: fn(&mut Ring, &Entry)) {
        // SAFETY: the pool owns it, and it is this thread's to arm.
        let entry = unsafe { entry.as_ref() };
        self.pool.arming(entry);
        self.armed = true;
        self.queue = entry.qid;
        how(&mut self.ring, entry);
    }

    /// Serves until there is nothing more to serve, over as many loops as there are.
    fn work(&mut self) {
        loop {
            if let Err(e) = self.serve_loop() {
                warning!("fuse: waiting for requests failed: {e}");
                return self.pool.service().ended(e.negated());
            }
            // The last reply. What comes in exchange waits for another loop.
            let _ = self.ring.submit_and_wait(0, None);
            while let Some(completion) = self.ring.pop() {
                self.leave_behind(completion);
            }
            if self.over || !self.armed || !self.pool.pause(&self.desk) {
                return;
            }
            self.collect_mail();
        }
    }

    fn serve_loop(&mut self) -> Result<(), Errno> {
        while !self.over && !self.pool.stopping() {
            self.wait()?;
            let mut batch = 0;
            while let Some(completion) = self.ring.pop() {
                batch += u64::from(completion.user_data != WAKE);
                self.completed(completion);
            }
            stats::batch(batch);
        }
        Ok(())
    }

    fn leave_behind(&mut self, completion: Completion) {
        let Some(pointer) = NonNull::new(completion.user_data as *mut Entry) else { return };
        if completion.user_data == WAKE {
            return;
        }
        self.armed = false;
        // SAFETY: the pool owns it.
        let entry = unsafe { pointer.as_ref() };
        self.pool.taken(entry);
        if completion.result >= 0 {
            entry.fetched();
            self.pool.keep(pointer);
        }
    }

    /// Submits what is queued, and returns when there is something to do.
    fn wait(&mut self) -> Result<(), Errno> {
        self.ring.submit_and_wait(0, None)?;
        if self.ring.has_completions() {
            return Ok(());
        }
        if let Some(mark) = self.committed.take() {
            self.pool.queues[usize::from(self.queue)].was_empty(mark);
        }
        self.waited = true;
        let found = self.ring.has_work() || self.spin();
        let waited = self.ring.submit_and_wait(u32::from(!found), None);
        if !found {
            stats::woken();
        }
        waited
    }

    /// Looks for the next request for a while, unless another worker of the queue does.
    fn spin(&mut self) -> bool {
        let queue = &self.pool.queues[usize::from(self.queue)];
        if !queue.start_spinning() {
            return false;
        }
        // Of several requests at a time some can be prepared elsewhere while others are served here.
        let one_by_one = std::mem::take(&mut self.served) == 1;
        if one_by_one && self.spin.clients_stay() && !self.homeless {
            self.homeless = !go_home(self.queue);
        }
        let ring = &mut self.ring;
        let found = self.spin.until(|| ring.has_work());
        queue.stop_spinning();
        found
    }

    fn completed(&mut self, completion: Completion) {
        if completion.user_data == WAKE {
            return self.collect_mail();
        }
        let Some(entry) = NonNull::new(completion.user_data as *mut Entry) else {
            return;
        };
        self.committed = None;
        self.armed = false;
        // SAFETY: user data of entries are their addresses, and the pool keeps them.
        self.pool.taken(unsafe { entry.as_ref() });
        match completion.result {
            0.. => self.serve(entry),
            error if connection_over(error) => {
                self.over = true;
                self.pool.service().ended(0);
            }
            error => {
                // The kernel has no request for this entry any more; a new one takes its place.
                warning!("fuse: ring entry lost: {}", Errno::new(error));
                if let Some(waiting) = self.without_entry(entry) {
                    self.serve(waiting);
                }
            }
        }
    }

    fn collect_mail(&mut self) {
        // SAFETY (both): the pool owns what is in a mailbox. Replies first: they must not wait for a handler.
        let (requests, replies): (Vec<_>, Vec<_>) =
            self.desk.mailbox.collect().partition(|entry| unsafe { entry.as_ref() }.is_fetched());
        for reply in replies {
            stats::handed_over();
            self.commit(reply);
        }
        if let Some(queue) = self.desk.take_order() {
            if self.arm_new(queue).is_err() {
                self.park();
            }
        }
        for request in requests {
            let _ = self.ring.submit_queued();
            self.serve(request);
        }
        if self.desk.drains.load(Ordering::SeqCst) {
            self.drain();
        }
    }

    /// Serves what waits for a worker, until nothing does.
    fn drain(&mut self) {
        match self.pool.take_backlog() {
            Some(request) => self.serve(request),
            None => self.park(),
        }
        self.desk.drains.store(false, Ordering::SeqCst);
        // What came since then was left to us.
        if self.pool.has_backlog() {
            self.pool.keeper.wake();
        }
    }

    /// Serves a request, and others that wait for a worker.
    fn serve(&mut self, entry: NonNull<Entry>) {
        let mut next = Some(entry);
        while let Some(entry) = next {
            next = match self.run_handler(entry) {
                // SAFETY: the pool owns it, this thread took it.
                AfterHandler::Commit
                    if self.pool.has_backlog() || self.pool.has_plenty(unsafe { entry.as_ref() }) =>
                {
                    // SAFETY: the pool owns it, this thread took it.
                    self.pool.keeper.post(unsafe { entry.as_ref() });
                    self.pool.take_backlog().or_else(|| self.pool.park(&self.desk))
                }
                AfterHandler::Commit => {
                    self.commit(entry);
                    None
                }
                AfterHandler::Pending | AfterHandler::Gone => self.without_entry(entry),
            };
        }
    }

    fn run_handler(&mut self, entry: NonNull<Entry>) -> AfterHandler {
        // SAFETY: the pool owns it.
        let entry = unsafe { entry.as_ref() };
        if self.pool.kicker.is_kick(&entry.peek()) {
            entry.answer_kick();
            return AfterHandler::Commit;
        }
        // Short handlers in a row share a time: reading the clock takes longer than many of them.
        if self.waited || self.watch.wants_time() {
            self.desk.since.store(now(), Ordering::Relaxed);
        }
        self.waited = false;
        self.served = self.served.saturating_add(1);
        let started = self.desk.since.load(Ordering::Relaxed);
        self.watch.before();
        self.desk.serving.store(std::ptr::from_ref(entry).cast_mut(), Ordering::Release);
        self.pool.stay_awake();
        let Worker { pool, scratch, .. } = self;
        let turn = pool.config.gate.pass(|| serve_entry(pool, entry, scratch));
        self.desk.serving.store(std::ptr::null_mut(), Ordering::Release);
        self.pool.handler_ended();
        if self.watch.after(started) {
            self.pool.handler_blocks(entry);
        }
        entry.handler_returned(turn)
    }

    /// The entry is with somebody else now. Keeps the queue alive, or makes this worker available.
    fn without_entry(&mut self, gone: NonNull<Entry>) -> Option<NonNull<Entry>> {
        // SAFETY: the pool owns it.
        let gone = unsafe { gone.as_ref() };
        let waiting = self.pool.take_backlog();
        if waiting.is_some() {
            // Its queue must not be left without an entry, and this worker has no time for it.
            if !self.pool.queue(gone).has_armed() && self.pool.queue(gone).wish_for_worker() {
                self.pool.keeper.wake();
            }
            return waiting;
        }
        if self.pool.queue(gone).is_low() && self.arm_new(gone.qid).is_ok() {
            return None;
        }
        self.pool.park(&self.desk)
    }

    fn park(&mut self) {
        if let Some(entry) = self.pool.park(&self.desk) {
            self.serve(entry);
        }
    }
}

/// Moves the calling thread to a queue's CPU, where the clients of that queue are: a reply from another CPU has to wake
/// an idle one, which takes several times as long as a request. Only for the moment: threads and programs that a handler
/// starts shall not inherit a binding. `false`: it can't be done.
fn go_home(queue: u16) -> bool {
    let cpu = usize::from(queue);
    cpu::current() == cpu || cpu::run_on(cpu).is_ok()
}

/// Serves what an entry holds; returns its turn.
pub fn serve_entry(pool: &Pool, entry: &Entry, scratch: &mut Vec<u8>) -> u64 {
    let delivered = entry.begin();
    // SAFETY: slots outlive entries, and the slot of a delivered entry is free.
    let slot = unsafe { entry.slot().as_ref() };
    let handle = slot.activate(&delivered.header, Route::Ring(NonNull::from(entry)));
    let room = entry.payload().len();
    let used = (delivered.payload_size as usize).min(room);
    // SAFETY: the payload is ours until the reply is committed, which waits for this handler (or, if that takes very
    // long, only follows a reply that another thread made: see COPIED).
    let payload = unsafe { std::slice::from_raw_parts(entry.payload().cast::<u8>().as_ptr(), used) };
    // Data of a WRITE is lent as it lies, unless such handlers are known to go on after their reply.
    let copied = used <= COPIED
        && (delivered.header.opcode != Opcode::WRITE.0 || pool.works_after_reply(entry))
        || used <= SMALL;
    entry.lend(!copied);
    let payload = if copied {
        scratch.clear();
        scratch.extend_from_slice(payload);
        scratch.as_slice()
    } else {
        payload
    };
    pool.service().serve(Incoming {
        header: delivered.header,
        op_in: Some(entry.op_in()),
        payload_size: delivered.payload_size,
        payload,
        handle,
    });
    delivered.turn
}

/// Whether an error of a ring command means that there will be no more requests.
pub fn connection_over(error: i32) -> bool {
    matches!(-error, libc::ENOTCONN | libc::ECONNABORTED | libc::ENODEV | libc::ECANCELED | libc::EBADF)
}
