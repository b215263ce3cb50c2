// SPDX-License-Identifier: MIT OR Apache-2.0
//! A thread that serves requests of the ring.
//!
//! It owns an io_uring and has no armed entry while a handler runs: what the kernel gave to it then could be had by nobody
//! else. With one entry that comes by itself. Where requests wait while fast handlers run it has several, and serves when a
//! request has come in each of them; what comes alone goes to another worker, which keeps the entry, while this one stands by
//! for the rest. A worker that has served gives its replies to the one that spins for the same queue or armed an entry last, so that
//! entries that have gone apart meet again. A handler that returns without a reply leaves it without an entry: then it arms a new one if its queue has none left, or parks until it is
//! handed a reply to commit or a request to serve.

mod clients;
mod exchange;
mod gather;
mod home;
mod meeting;
mod serving;

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use crate::errno::Errno;
use crate::log::warning;
use crate::stats::{self, role};
use crate::sys::cpu::thread_id;
use crate::sys::time::now;
use crate::transport::spin::Spin;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::entry::Entry;
use crate::transport::uring::handler::BlockWatch;
use crate::transport::uring::pool::Pool;
use crate::transport::uring::queue::Queue;
use crate::transport::uring::ring::{Completion, MARK, Ring, WAKE};
use crate::wire::Opcode;
use clients::Clients;
use exchange::Tally;
use home::go_away;

const SUBMISSIONS: u32 = 16;

/// How a worker begins.
pub enum Start {
    /// Company for a queue.
    Extra { qid: u16 },
    /// Without an entry; its mailbox has work.
    Parked,
    /// Without work: reports whether it could serve.
    Idle { report: Sender<Result<(), Errno>> },
}

struct Worker {
    pool: Arc<Pool>,
    desk: Arc<Desk>,
    ring: Ring,
    spin: Spin,
    scratch: Vec<u8>,
    /// Replies about to be committed.
    replies: Vec<NonNull<Entry>>,
    /// The queue of the last entry that was armed here.
    queue: u16,
    /// Entries that are the kernel's through this ring.
    armed: u32,
    /// The queue that counts this worker among those that hold such.
    holds: u16,
    tally: Tally,
    /// Requests in hand.
    waiting: u32,
    /// If there is only one: it lies here rather than on the desk, since nobody has to take it from a handler that runs before.
    only: Option<NonNull<Entry>>,
    /// They are served whatever is armed: there is nobody else.
    must_serve: bool,
    /// Another worker serves what came here, and the rest of the entries are only waited for.
    stands_by: bool,
    /// Its entries came with replies from elsewhere: what arrives in them is always for another worker, and comes often.
    answers_others: bool,
    /// On the pool's list of workers without an entry.
    parked: bool,
    watch: BlockWatch,
    /// No handler has run since.
    waited: bool,
    /// Handlers since the last spin.
    served: u32,
    clients: Clients,
    /// When it began to wait for requests that shall come together, if it did.
    gathers_since: Option<u64>,
    /// Requests that came together, so many times.
    batches: u32,
    /// The queue's CPU is not ours to run on.
    homeless: bool,
    over: bool,
}

/// The body of a worker's thread.
pub fn run(pool: Arc<Pool>, desk: Arc<Desk>, start: Start) {
    let mut ring = match (Ring::new(SUBMISSIONS, pool.config.fuse_fd), &start) {
        (Ok(ring), _) => ring,
        (Err(e), Start::Idle { report }) => {
            let _ = report.send(Err(e));
            return;
        }
        (Err(e), _) => return abandon(&pool, &desk, e),
    };
    ring.enlist();
    desk.mailbox.open(ring.fd());
    let _seat = pool.stats().enter(role::WORKER);
    let spin = Spin::new(pool.config.spin);
    let mut worker = Worker {
        pool,
        desk,
        ring,
        spin,
        scratch: Vec::new(),
        replies: Vec::new(),
        queue: 0,
        armed: 0,
        holds: 0,
        tally: Tally::default(),
        waiting: 0,
        only: None,
        must_serve: false,
        stands_by: false,
        answers_others: false,
        parked: false,
        watch: BlockWatch::default(),
        waited: true,
        served: 0,
        clients: Clients::default(),
        gathers_since: None,
        batches: 0,
        homeless: false,
        over: false,
    };
    worker.desk.thread.store(thread_id(), Ordering::Relaxed);
    match start {
        Start::Extra { qid } => worker.arm_or_park(qid),
        Start::Parked => (),
        Start::Idle { report } => {
            worker.park();
            let _ = report.send(Ok(()));
        }
    }
    worker.collect_mail();
    worker.work();
    worker.pool.queues.iter().for_each(|queue| queue.be_no_host(&worker.desk));
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
    // --- entries -------------------------------------------------------------------------------------------

    fn arm_or_park(&mut self, qid: u16) {
        if let Err(e) = self.arm_new(qid) {
            if !self.queue(qid).is_full(self.pool.config.most_entries) {
                warning!("fuse: no memory for another ring entry: {e}");
            }
            self.park();
        }
    }

    /// Arms another entry of a queue, and sees to what may wait there.
    fn arm_new(&mut self, qid: u16) -> Result<(), Errno> {
        let entry = self.pool.new_entry(qid)?;
        self.arm(entry, Ring::register);
        self.submit(0)?;
        // SAFETY: the pool owns it.
        self.pool.registered(unsafe { entry.as_ref() });
        Ok(())
    }

    /// Queues the commits of all replies, and of one entry more if requests are known to wait.
    fn commit_replies(&mut self) {
        let Some(&first) = self.replies.first() else { return };
        // SAFETY: the pool owns it.
        let qid = unsafe { first.as_ref() }.qid;
        let queue = self.queue(qid);
        let wider = self.armed == 0
            && queue.pace.wants_more()
            && queue.company.may_be(self.replies.len() as u32 + 1, now())
            && !queue.is_full(self.pool.config.batch)
            && !queue.has_armed();
        // Before the commits, which bring forth what waits.
        if let Some(Ok(entry)) = wider.then(|| self.pool.new_entry(qid)) {
            self.arm(entry, Ring::register);
            self.queue(qid).widened();
        }
        for n in 0..self.replies.len() {
            self.commit(self.replies[n]);
        }
        self.replies.clear();
        self.answers_others = false;
    }

    fn commit(&mut self, entry: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let qid = unsafe { entry.as_ref() }.qid;
        self.tally.replied(qid, self.queue(qid).mark());
        self.arm(entry, Ring::commit);
    }

    /// Queues a REGISTER or a commit.
    fn arm(&mut self, entry: NonNull<Entry>, how: fn(&mut Ring, &Entry)) {
        // SAFETY: the pool owns it, and it is this thread's to arm.
        let entry = unsafe { entry.as_ref() };
        self.pool.arming(entry);
        self.leave_lot();
        if self.armed == 0 {
            self.holds = entry.qid;
            self.queue(entry.qid).held(1);
        }
        self.armed += 1;
        if !self.answers_others {
            self.queue(entry.qid).be_host(&self.desk);
        }
        self.desk.entries.store(self.armed, Ordering::Relaxed);
        self.queue = entry.qid;
        how(&mut self.ring, entry);
    }

    fn queue(&self, qid: u16) -> &Queue {
        &self.pool.queues[usize::from(qid)]
    }

    // --- receiving -----------------------------------------------------------------------------------------

    /// Serves until there is nothing more to serve, over as many loops as there are.
    fn work(&mut self) {
        loop {
            if let Err(e) = self.serve_loop() {
                warning!("fuse: waiting for requests failed: {e}");
                return self.pool.service().ended(e.negated());
            }
            // The last replies. What comes in exchange waits for another loop.
            let _ = self.ring.submit_and_wait(0, None);
            while let Some(completion) = self.ring.pop() {
                self.completed(completion);
            }
            let _ = self.ring.submit_queued();
            self.leave_requests();
            if self.over || self.armed == 0 || !self.pool.pause(&self.desk) {
                return;
            }
            self.collect_mail();
        }
    }

    fn serve_loop(&mut self) -> Result<(), Errno> {
        while !self.over && !self.pool.stopping() {
            if !self.desk.mailbox.is_empty() {
                self.collect_mail();
            }
            self.exchange()?;
            self.work_off();
        }
        Ok(())
    }

    fn receive(&mut self) {
        while let Some(completion) = self.ring.pop() {
            self.completed(completion);
        }
    }

    fn completed(&mut self, completion: Completion) {
        match completion.user_data {
            WAKE => return self.collect_mail(),
            MARK => return self.judge_exchange(),
            _ => (),
        }
        let Some(entry) = NonNull::new(completion.user_data as *mut Entry) else {
            return;
        };
        self.armed -= 1;
        if self.armed == 0 {
            self.queue(self.holds).held(-1);
        }
        // SAFETY: user data of entries are their addresses, and the pool keeps them.
        let request = unsafe { entry.as_ref() };
        self.pool.taken(request);
        self.tally.came(request.qid);
        match completion.result {
            0.. if self.pool.kicker.is_kick(&request.peek()) => {
                request.answer_kick();
                self.commit(entry);
            }
            0.. => {
                self.note_client(request);
                self.take_up(entry);
            }
            error if connection_over(error) => {
                self.over = true;
                self.pool.service().ended(0);
            }
            error => {
                // The kernel has no request for this entry any more; a new one takes its place.
                warning!("fuse: ring entry lost: {}", Errno::new(error));
                self.do_without(entry);
            }
        }
    }

    /// Notes who has asked a queue.
    fn note_client(&self, request: &Entry) {
        let (header, queue) = (request.peek(), self.queue(request.qid));
        queue.crowd.came(header.pid);
        let unawaited = matches!(Opcode(header.opcode), Opcode::RELEASE | Opcode::RELEASEDIR);
        if unawaited && !queue.crowd.is_more_than(2) {
            queue.pace.came_unawaited();
        }
    }

    fn take_up(&mut self, request: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let header = unsafe { request.as_ref() }.peek();
        self.clients.came(header.pid, self.waited);
        if self.clients.is_one_ahead() {
            go_away(self.queue);
        }
        if self.waiting == 0 {
            self.only = Some(request);
        } else {
            self.lay_down();
            self.desk.hand.add(request);
        }
        self.waiting += 1;
    }

    /// Puts what is in hand on the desk.
    fn lay_down(&mut self) {
        if let Some(request) = self.only.take() {
            self.desk.hand.add(request);
        }
    }

    fn collect_mail(&mut self) {
        // SAFETY (both): the pool owns what is in a mailbox. Replies first: they must not wait for a handler.
        let (requests, replies): (Vec<_>, Vec<_>) =
            self.desk.mailbox.collect().partition(|entry| unsafe { entry.as_ref() }.is_fetched());
        for reply in replies {
            if unsafe { reply.as_ref() }.has_joined() {
                self.stands_by = false;
            } else {
                self.answers_others = true;
                stats::handed_over();
            }
            self.commit(reply);
        }
        if let Some(queue) = self.desk.take_order() {
            self.leave_lot();
            self.arm_or_park(queue);
        }
        // SAFETY: as above.
        let passed = requests.iter().filter(|request| unsafe { request.as_ref() }.is_passed()).count();
        self.must_serve |= passed < requests.len();
        self.desk.entries.fetch_add(passed as u32, Ordering::Relaxed);
        if !requests.is_empty() {
            self.leave_lot();
        }
        requests.into_iter().for_each(|request| self.take_up(request));
        if self.desk.drains.load(Ordering::SeqCst) {
            self.drain();
        }
    }

    /// Takes up what waits for a worker.
    fn drain(&mut self) {
        self.leave_lot();
        while let Some(request) = self.pool.take_backlog() {
            self.take_up(request);
        }
        if self.waiting == 0 {
            self.end_drain();
            self.park();
        }
    }

    fn end_drain(&mut self) {
        let drains = &self.desk.drains;
        if drains.load(Ordering::SeqCst) && drains.swap(false, Ordering::SeqCst) && self.pool.has_backlog() {
            // What came since then was left to us.
            self.pool.keeper.wake();
        }
    }

    // --- without an entry ----------------------------------------------------------------------------------

    /// The entry is with somebody else now, and none is left here. Keeps the queue alive, or makes this worker available.
    fn do_without(&mut self, gone: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let gone = unsafe { gone.as_ref() };
        if self.pool.has_backlog() {
            // Its queue must not be left without an entry, and this worker has no time for it.
            if !self.pool.queue(gone).has_armed() && self.pool.queue(gone).wish_for_worker() {
                self.pool.keeper.wake();
            }
            return self.park();
        }
        if self.pool.queue(gone).is_low() && self.arm_new(gone.qid).is_ok() {
            return;
        }
        self.park();
    }

    /// This worker is not available any more. Who found it may have taken it off the list.
    fn leave_lot(&mut self) {
        if std::mem::take(&mut self.parked) {
            self.pool.unpark(&self.desk);
        }
    }

    /// Makes this worker available, or takes up a request that waits for one.
    fn park(&mut self) {
        if self.armed > 0 || self.parked {
            return;
        }
        self.desk.entries.store(0, Ordering::Relaxed);
        self.queue(self.queue).be_no_host(&self.desk);
        match self.pool.park(&self.desk) {
            Some(request) => self.take_up(request),
            None => self.parked = true,
        }
    }
}

/// Whether an error of a ring command means that there will be no more requests.
pub fn connection_over(error: i32) -> bool {
    matches!(-error, libc::ENOTCONN | libc::ECONNABORTED | libc::ENODEV | libc::ECANCELED | libc::EBADF)
}
