// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of a worker that runs handlers and sees to their replies.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::Worker;
use super::home::go_home;
use crate::stats;
use crate::sys::time::now;
use crate::transport::uring::entry::{AfterHandler, Entry};
use crate::transport::uring::handler::serve_entry;

/// The scheduler may have its reasons to move a worker: it comes back after so many batches.
const HOME_AFTER: u32 = 32;

impl Worker {
    /// Serves what is in hand, or has it served.
    pub(super) fn work_off(&mut self) {
        if self.waiting == 0 {
            return;
        }
        if self.came_together() && !self.queue(self.queue).pace.is_trusted() {
            self.share();
        }
        let relays = self.armed > 0 && !self.must_serve;
        self.stands_by = relays && !self.answers_others;
        match relays {
            true => self.relay(),
            false => self.serve(),
        }
    }

    /// Has another worker serve what has come, and goes on waiting for the rest.
    fn relay(&mut self) {
        if !self.answers_others {
            let now = now();
            let begin = self.gathers_since.take().unwrap_or(now);
            self.queue(self.queue).company.broken(self.waiting, begin, now);
        }
        self.leave_requests();
        self.desk.entries.store(self.armed, Ordering::Relaxed);
        self.desk.drains.store(false, Ordering::SeqCst);
        self.pool.drain_backlog();
    }

    /// Whether what is in hand came to this worker's own entries, and to all of them.
    fn came_together(&self) -> bool {
        self.waiting > 1 && self.armed == 0 && !self.must_serve && !self.desk.drains.load(Ordering::Relaxed)
    }

    /// Keeps one request, and has the others served by somebody else at once: they may have to wait long here.
    fn share(&mut self) {
        let mut requests = self.desk.hand.take_requests();
        if let Some(own) = requests.pop_front() {
            self.desk.hand.add(own);
        }
        self.waiting = 1;
        for request in requests {
            // SAFETY: the pool owns it.
            unsafe { request.as_ref() }.fetched();
            self.pool.keep(request);
        }
        self.pool.drain_backlog();
    }

    /// Puts what is in hand on the list of what waits for a worker.
    pub(super) fn leave_requests(&mut self) {
        self.lay_down();
        for request in self.desk.hand.take_requests() {
            // SAFETY: the pool owns it.
            unsafe { request.as_ref() }.fetched();
            self.pool.keep(request);
        }
        self.waiting = 0;
        self.must_serve = false;
    }

    /// Serves what is in hand, and queues the replies.
    fn serve(&mut self) {
        let (mut gone, mut handlers) = (None, 0);
        let begin = (self.waiting > 1).then(now);
        let together = self.came_together();
        let mut qid = self.queue;
        self.must_serve = false;
        let mut next = self.only.take();
        let alone = next.is_some();
        next = next.or_else(|| self.desk.hand.next(None));
        while let Some(entry) = next {
            handlers += 1;
            // SAFETY: the pool owns it.
            qid = unsafe { entry.as_ref() }.qid;
            let replied = self.run_handler(entry) == AfterHandler::Commit;
            if !replied {
                gone = Some(entry);
            }
            if alone {
                self.replies.extend(replied.then_some(entry));
                break;
            }
            if self.pool.stopping() {
                self.leave_requests();
            }
            next = self.desk.hand.next(replied.then_some(entry));
        }
        self.waiting = 0;
        if together {
            self.queue(qid).company.complete();
            self.stay_with_clients();
        }
        stats::batch(u64::from(handlers));
        let batch = begin.map(|begin| (handlers, now() - begin));
        if let Some((handlers, time)) = batch.or(self.watch.take_time()) {
            self.queue(qid).pace.served(handlers, time);
        }
        if !alone {
            self.desk.hand.take_replies(&mut self.replies);
        }
        self.end_drain();
        self.finish(gone);
    }

    /// Several clients of the queue's CPU ask together: that is where to answer them.
    fn stay_with_clients(&mut self) {
        self.batches = self.batches.wrapping_add(1);
        if self.clients.take_turns() && !self.homeless && self.batches % HOME_AFTER == 0 {
            self.homeless = !go_home(self.queue);
        }
    }

    /// Commits the replies, or leaves that to the keeper if this worker is needed otherwise.
    fn finish(&mut self, gone: Option<NonNull<Entry>>) {
        let Some(&first) = self.replies.first() else {
            match gone {
                _ if self.armed > 0 => (),
                Some(gone) => self.do_without(gone),
                // The keeper, which took this worker for held up, was faster.
                None => self.park(),
            }
            return;
        };
        // SAFETY (both): the pool owns them.
        let first = unsafe { first.as_ref() };
        // Where handlers are fast, a worker for what waits is found without this one.
        let needed = self.pool.has_backlog() && !self.pool.queue(first).pace.is_trusted();
        if self.armed == 0 && (needed || self.pool.has_plenty(first)) {
            for reply in self.replies.drain(..) {
                self.pool.keeper.post(unsafe { reply.as_ref() });
            }
            return self.park();
        }
        match self.joins(first.qid) {
            true => self.park(),
            false => self.commit_replies(),
        }
        // SAFETY: the pool owns it.
        let left = gone.map(|gone| self.pool.queue(unsafe { gone.as_ref() }));
        if left.is_some_and(|queue| !queue.has_armed() && queue.wish_for_worker()) {
            self.pool.keeper.wake();
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
        self.desk.serving.store(std::ptr::from_ref(entry).cast_mut(), Ordering::SeqCst);
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
}
