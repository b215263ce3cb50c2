// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the entries of a queue that have gone apart meet in the hand of one worker again: what has come to another one's, or that
//! one's replies, go to it. Who has either in hand gives it away here, and with it the entry.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::Worker;
use crate::sys::time::now;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::entry::Entry;
use crate::transport::uring::pool::Pool;

impl Worker {
    /// Passes what has come here on to the worker that serves the others of the queue, if that is awake: there it is served
    /// together with what more clients ask.
    pub(super) fn passes_on(&mut self) -> bool {
        let serves_others =
            self.must_serve || self.answers_others || self.desk.drains.load(Ordering::Relaxed);
        if self.waiting == 0 || serves_others || !self.is_all_of(self.queue) {
            return false;
        }
        let Some(host) = beside(&self.pool, self.queue, &self.desk, self.waiting) else { return false };
        let crowd = &self.pool.queues[usize::from(self.queue)].crowd;
        if !host.mailbox.is_attended() || !crowd.is_more_than(host.entries.load(Ordering::Relaxed)) {
            return false;
        }
        for request in self.only.take().into_iter().chain(self.desk.hand.take_requests()) {
            // SAFETY: the pool owns it.
            let request = unsafe { request.as_ref() };
            request.passes();
            host.mailbox.post(request);
        }
        self.pool.stay_awake();
        self.waiting = 0;
        self.stands_by = self.armed > 0;
        self.desk.entries.store(self.armed, Ordering::Relaxed);
        self.park();
        true
    }

    /// Whether what is in hand came from one queue.
    pub(super) fn is_all_of(&self, qid: u16) -> bool {
        // SAFETY: the pool owns it.
        let only = self.only.is_none_or(|request| unsafe { request.as_ref() }.qid == qid);
        only && (self.waiting < 2 || self.desk.hand.is_all_of(qid))
    }

    /// Leaves the replies to another worker of the same queue.
    pub(super) fn joins(&mut self, qid: u16) -> bool {
        // SAFETY: the pool owns them.
        let of_queue = |reply: &NonNull<Entry>| unsafe { reply.as_ref() }.qid == qid;
        if self.armed > 0 || !self.replies.iter().all(of_queue) {
            return false;
        }
        let Some(host) = beside(&self.pool, qid, &self.desk, self.replies.len() as u32) else { return false };
        for reply in self.replies.drain(..) {
            // SAFETY: the pool owns it.
            let reply = unsafe { reply.as_ref() };
            reply.joins();
            host.mailbox.post(reply);
        }
        self.pool.stay_awake();
        true
    }
}

/// Another worker that serves a queue, if it may have so many of its entries more.
fn beside<'a>(pool: &'a Pool, qid: u16, desk: &Desk, number: u32) -> Option<&'a Desk> {
    let queue = &pool.queues[usize::from(qid)];
    let host = queue.host_beside(desk)?;
    let together = host.entries.load(Ordering::Relaxed) + number;
    let may = together <= pool.config.batch
        && queue.pace.is_trusted()
        && !pool.stopping()
        && queue.company.may_be(together, now());
    may.then_some(host)
}
