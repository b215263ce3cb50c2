// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ring under `fuse_session_loop`: one io_uring holds an entry of every queue and also watches the device; every
//! handler runs on the thread that called the loop.
//!
//! Only the keeper helps, for replies that come while a handler runs; what it receives is sent back here to be
//! served. The thread owns the ring; entries belong to the pool. Between two loops the session keeps the ring with its
//! armed entries for the thread, so that what the kernel sends meanwhile waits there: a ring that is closed takes
//! requests with it that were on their way to an entry.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::errno::Errno;
use crate::stats;
use crate::sys::cpu::thread_id;
use crate::sys::time::now;
use crate::transport::exit::ExitFlag;
use crate::transport::spin::Spin;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::entry::{AfterHandler, Entry};
use crate::transport::uring::handler::serve_entry;
use crate::transport::uring::mailbox::Mailbox;
use crate::transport::uring::pool::{Config, Owner, Pool};
use crate::transport::uring::queue::Queue;
use crate::transport::uring::ring::{Completion, DEVICE, EXIT, Ring, WAKE};
use crate::transport::uring::worker::connection_over;

const SUBMISSIONS: u32 = 64;
/// Entries per queue to begin with. Handlers run one after the other anyway; more entries let fast ones be answered
/// together, as `pace` says, and keep the queue from running dry when replies come later.
const ENTRIES: usize = 2;
const MOST_ENTRIES: usize = 8;
/// The kernel cancels the entries of a closed ring in the background; by then it has.
const CANCELLED_IN: Duration = Duration::from_millis(20);

const RUNNING: u8 = 0;
const WAITING: u8 = 1;
const NOTIFIED: u8 = 2;

/// Where other threads leave entries for the loop's thread.
pub struct Post {
    mailbox: Mailbox,
    state: AtomicU8,
}

impl Post {
    /// Leaves a reply to commit, unless a handler is running: then it would have to wait.
    pub fn accept(&self, entry: &Entry) -> bool {
        let waits = self.state.compare_exchange(WAITING, NOTIFIED, Ordering::SeqCst, Ordering::SeqCst);
        if waits.is_ok() {
            self.mailbox.post(entry);
        }
        waits.is_ok()
    }

    /// Leaves a request to serve.
    pub fn send(&self, entry: &Entry) {
        self.mailbox.post(entry);
    }
}

/// The ring and its thread's state, between `prepare` and the end of the loop.
pub struct Single {
    pool: Arc<Pool>,
    post: Arc<Post>,
    desk: Arc<Desk>,
    ring: Ring,
    spin: Spin,
    entries: Vec<NonNull<Entry>>,
    scratch: Vec<u8>,
    /// Replies about to be committed.
    replies: Vec<NonNull<Entry>>,
    /// Requests in hand.
    waiting: u32,
    /// For each queue: its mark, and how many of its entries were handed over with replies since the last wait.
    committed: Vec<(u32, usize)>,
    /// Completions that were there before it was known whether to wait.
    early: VecDeque<Completion>,
    over: bool,
    /// Device and exit event are being watched.
    watching: bool,
}

// SAFETY: the entries are the pool's and live as long as it; only the thread that made the ring submits to it.
unsafe impl Send for Single {}

impl Single {
    /// Everything that can be refused, before the ring is granted.
    pub fn prepare(config: Config, owner: Owner) -> Result<Single, Errno> {
        let pool = Pool::new(config, owner);
        let single = pool.start_keeper(0).and_then(|_| Single::new(&pool));
        single.inspect_err(|_| pool.close())
    }

    fn new(pool: &Arc<Pool>) -> Result<Single, Errno> {
        let ring = Ring::new(SUBMISSIONS, pool.config.fuse_fd)?;
        let each = ENTRIES.min(pool.config.most_entries as usize);
        let qids = (0..pool.config.queues).flat_map(|qid| std::iter::repeat_n(qid, each));
        let entries = qids.map(|qid| pool.new_entry(qid)).collect::<Result<_, _>>()?;
        let single = Single {
            pool: pool.clone(),
            post: Arc::new(Post { mailbox: Mailbox::new(), state: AtomicU8::new(RUNNING) }),
            desk: Desk::new(),
            ring,
            spin: Spin::new(pool.config.spin),
            entries,
            scratch: Vec::new(),
            replies: Vec::new(),
            waiting: 0,
            committed: vec![(0, 0); usize::from(pool.config.queues)],
            early: VecDeque::new(),
            over: false,
            watching: false,
        };
        single.desk.thread.store(thread_id(), Ordering::Relaxed);
        single.open();
        Ok(single)
    }

    /// Begins another loop with the ring of an earlier one, which only its thread can use; else with a new one.
    pub fn again(earlier: Option<Box<Single>>, pool: &Arc<Pool>) -> Result<Box<Single>, Errno> {
        if let Some(own) =
            earlier.filter(|earlier| earlier.desk.thread.load(Ordering::Relaxed) == thread_id())
        {
            own.open();
            return Ok(own);
        }
        // The other ring is closed now.
        std::thread::sleep(CANCELLED_IN);
        pool.queues.iter().for_each(Queue::lost_its_entries);
        let mut single = Box::new(Single::new(pool)?);
        let entries = single.entries.clone();
        single.start()?;
        for entry in entries {
            // SAFETY: the pool owns it. What waits from an earlier loop must not go on waiting.
            pool.registered(unsafe { entry.as_ref() });
        }
        Ok(single)
    }

    /// Lets others leave things here.
    fn open(&self) {
        self.post.mailbox.open(self.ring.fd());
        *self.pool.desks.lock() = vec![self.desk.clone()];
        *self.pool.single.lock() = Some(self.post.clone());
    }

    /// Registers the entries. On an error the mount is on `/dev/fuse`, and the pool is closed.
    pub fn start(&mut self) -> Result<Arc<Pool>, Errno> {
        for entry in std::mem::take(&mut self.entries) {
            self.arm(entry, Ring::register);
        }
        let submitted = self.ring.submit_and_wait(0, None);
        while let Some(completion) = self.ring.pop() {
            if completion.result < 0 && completion.user_data != WAKE {
                self.give_up();
                return Err(Errno::new(completion.result));
            }
            self.completed(completion, &mut || ());
        }
        if let Err(e) = submitted {
            self.give_up();
            return Err(e);
        }
        Ok(self.pool.clone())
    }

    fn give_up(&mut self) {
        self.ring.refuse();
        let _ = self.ring.submit_and_wait(0, None);
        *self.pool.single.lock() = None;
        self.pool.close();
    }

    /// Serves until the session is to end. `read_device` reads what `/dev/fuse` has, without waiting.
    pub fn run(&mut self, exit: &ExitFlag, read_device: impl FnMut()) -> Result<(), Errno> {
        self.ring.enlist();
        let served = self.run_until(exit, read_device);
        self.leave();
        // Whoever closes it next may be another thread.
        self.ring.delist();
        served
    }

    fn run_until(&mut self, exit: &ExitFlag, mut read_device: impl FnMut()) -> Result<(), Errno> {
        if !std::mem::replace(&mut self.watching, true) {
            self.ring.watch(self.pool.config.fuse_fd, DEVICE);
            self.ring.watch(exit.wake_fd(), EXIT);
        }
        while let Some(entry) = self.pool.take_backlog() {
            self.take_up(entry);
        }
        self.work_off();
        while !self.over && !exit.exited() {
            self.wait()?;
            let mut batch = 0;
            while let Some(completion) = self.early.pop_front().or_else(|| self.ring.pop()) {
                batch += u64::from(!matches!(completion.user_data, WAKE | DEVICE | EXIT));
                self.completed(completion, &mut read_device);
            }
            stats::batch(batch);
            self.collect();
            self.work_off();
        }
        Ok(())
    }

    /// The last replies; later ones are the keeper's.
    fn leave(&mut self) {
        *self.pool.single.lock() = None;
        for entry in self.post.mailbox.collect() {
            // SAFETY: the pool owns it.
            match unsafe { entry.as_ref() }.is_fetched() {
                true => self.pool.keep(entry),
                false => self.commit(entry),
            }
        }
        let _ = self.ring.submit_and_wait(0, None);
        while let Some(completion) = self.ring.pop() {
            self.leave_behind(completion);
        }
        self.post.mailbox.shut();
    }

    /// What came in exchange for the last reply waits for another loop.
    fn leave_behind(&self, completion: Completion) {
        let special = matches!(completion.user_data, WAKE | DEVICE | EXIT);
        if let (Some(entry), 0, false) =
            (NonNull::new(completion.user_data as *mut Entry), completion.result, special)
        {
            // SAFETY: the pool owns it.
            let request = unsafe { entry.as_ref() };
            self.pool.taken(request);
            request.fetched();
            self.pool.keep(entry);
        }
    }

    fn wait(&mut self) -> Result<(), Errno> {
        self.ring.submit_and_wait(0, None)?;
        self.note_exchange();
        self.post.state.store(WAITING, Ordering::SeqCst);
        let mut done = Ok(());
        if self.post.mailbox.is_empty() {
            let ring = &mut self.ring;
            let ready = !self.early.is_empty() || ring.has_work() || self.spin.until(|| ring.has_work());
            let want = u32::from(!ready);
            done = self.ring.submit_and_wait(want, None);
            if want > 0 {
                stats::woken();
            }
        }
        if self.post.state.swap(RUNNING, Ordering::SeqCst) == NOTIFIED {
            // Somebody is just leaving a reply here; it must not wait for the next handler.
            while self.post.mailbox.is_empty() {
                std::thread::yield_now();
            }
            self.collect();
        }
        done
    }

    /// Of the commits just submitted: whether requests had been waiting. A queue that gave fewer than it got replies has
    /// none left.
    fn note_exchange(&mut self) {
        while let Some(completion) = self.ring.pop() {
            self.early.push_back(completion);
        }
        for (qid, (mark, commits)) in self.committed.iter_mut().enumerate() {
            let commits = std::mem::take(commits);
            if commits == 0 {
                continue;
            }
            let came = self.early.iter().filter(|completion| queue_of(completion) == Some(qid)).count();
            self.pool.queues[qid].pace.exchanged(came > 0);
            if came < commits {
                self.pool.queues[qid].was_empty(*mark);
            }
        }
    }

    fn collect(&mut self) {
        // SAFETY: the pool owns what is in a mailbox. Replies first: they must not wait for a handler.
        let (requests, replies): (Vec<_>, Vec<_>) =
            self.post.mailbox.collect().partition(|entry| unsafe { entry.as_ref() }.is_fetched());
        for reply in replies {
            stats::handed_over();
            self.commit(reply);
        }
        requests.into_iter().for_each(|request| self.take_up(request));
    }

    fn take_up(&mut self, request: NonNull<Entry>) {
        self.desk.hand.add(request);
        self.waiting += 1;
    }

    fn commit(&mut self, entry: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let queue = unsafe { entry.as_ref() }.qid;
        let mark = self.pool.queues[usize::from(queue)].mark();
        self.arm(entry, Ring::commit);
        let committed = &mut self.committed[usize::from(queue)];
        *committed = (mark, committed.1 + 1);
    }

    fn arm(&mut self, entry: NonNull<Entry>, how: fn(&mut Ring, &Entry)) {
        // SAFETY: the pool owns it, and it is this thread's to arm.
        let entry = unsafe { entry.as_ref() };
        self.pool.arming(entry);
        how(&mut self.ring, entry);
    }

    fn completed(&mut self, completion: Completion, read_device: &mut dyn FnMut()) {
        match completion.user_data {
            WAKE | EXIT => (),
            DEVICE => {
                // What waits to be submitted must not wait for handlers of forgets.
                let _ = self.ring.submit_and_wait(0, None);
                self.note_exchange();
                read_device();
                if completion.result < 0 || !completion.more {
                    self.ring.watch(self.pool.config.fuse_fd, DEVICE);
                }
            }
            address => {
                if let Some(entry) = NonNull::new(address as *mut Entry) {
                    self.entry_completed(entry, completion.result);
                }
            }
        }
    }

    fn entry_completed(&mut self, entry: NonNull<Entry>, result: i32) {
        // SAFETY: user data of entries are their addresses, and the pool keeps them.
        self.pool.taken(unsafe { entry.as_ref() });
        match result {
            0.. => self.take_up(entry),
            error if connection_over(error) => {
                self.over = true;
                self.pool.service().ended(0);
            }
            _ => self.replace(entry),
        }
    }

    /// Serves what is in hand. Replies of handlers that are known to be fast go out together, others before the next
    /// handler can hold them up; if one does so all the same, the keeper takes them.
    fn work_off(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let handlers = std::mem::take(&mut self.waiting);
        let begin = now();
        let mut reply = None;
        while let Some(entry) = self.desk.hand.next(reply.take()) {
            // SAFETY: the pool owns it.
            let queue = self.pool.queue(unsafe { entry.as_ref() });
            if !queue.pace.is_trusted() {
                self.commit_replies();
                let _ = self.ring.submit_queued();
            }
            match self.serve(entry) {
                AfterHandler::Commit => reply = Some(entry),
                AfterHandler::Pending | AfterHandler::Gone => self.replace(entry),
            }
        }
        if let Some(&last) = self.replies.last().or(reply.as_ref()) {
            // SAFETY: the pool owns it.
            self.pool.queue(unsafe { last.as_ref() }).pace.served(handlers, now() - begin);
        }
        self.commit_replies();
    }

    fn commit_replies(&mut self) {
        self.desk.hand.take_replies(&mut self.replies);
        let Some(&first) = self.replies.first() else { return };
        // SAFETY: the pool owns it.
        let qid = unsafe { first.as_ref() }.qid;
        let queue = &self.pool.queues[usize::from(qid)];
        let wider = self.replies.len() < MOST_ENTRIES && queue.pace.wants_more() && !queue.has_armed();
        // Before the commits, which bring forth what waits.
        if let Some(Ok(entry)) = wider.then(|| self.pool.new_entry(qid)) {
            self.arm(entry, Ring::register);
            self.pool.queues[usize::from(qid)].widened();
        }
        for reply in std::mem::take(&mut self.replies) {
            self.commit(reply);
        }
    }

    fn serve(&mut self, pointer: NonNull<Entry>) -> AfterHandler {
        // SAFETY: the pool owns it.
        let entry = unsafe { pointer.as_ref() };
        if self.pool.kicker.is_kick(&entry.peek()) {
            entry.answer_kick();
            return AfterHandler::Commit;
        }
        self.desk.since.store(now(), Ordering::Relaxed);
        self.desk.serving.store(std::ptr::from_ref(entry).cast_mut(), Ordering::Release);
        self.pool.stay_awake();
        let turn = serve_entry(&self.pool, entry, &mut self.scratch);
        self.desk.serving.store(std::ptr::null_mut(), Ordering::Release);
        entry.handler_returned(turn)
    }

    /// Keeps a queue alive whose entry waits for a late reply.
    fn replace(&mut self, gone: NonNull<Entry>) {
        // SAFETY: the pool owns it.
        let gone = unsafe { gone.as_ref() };
        while self.pool.queue(gone).is_low() {
            let Ok(entry) = self.pool.new_entry(gone.qid) else {
                return;
            };
            self.arm(entry, Ring::register);
            let _ = self.ring.submit_and_wait(0, None);
            // SAFETY: the pool owns it.
            self.pool.registered(unsafe { entry.as_ref() });
        }
    }
}

/// The queue whose entry a completion is about.
fn queue_of(completion: &Completion) -> Option<usize> {
    match completion.user_data {
        WAKE | DEVICE | EXIT => None,
        // SAFETY: user data of entries are their addresses, and the pool keeps them.
        address => {
            NonNull::new(address as *mut Entry).map(|entry| usize::from(unsafe { entry.as_ref() }.qid))
        }
    }
}
