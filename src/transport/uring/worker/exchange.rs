// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a worker sends replies and waits for requests.

use super::Worker;
use super::home::{go_home, stay_home};
use crate::errno::Errno;
use crate::stats;
use crate::sys::cpu::There;

/// Replies of one queue that go out together, and the requests that came for them at once.
struct Batch {
    qid: u16,
    /// The queue's, before the last of them.
    mark: u32,
    replies: u32,
    requests: u32,
    /// There are replies of other queues among them.
    mixed: bool,
}

/// Tells whether requests were waiting in the kernel when replies went out.
#[derive(Default)]
pub(super) struct Tally {
    queued: Option<Batch>,
    sent: Option<Batch>,
}

impl Tally {
    /// A reply is queued.
    pub fn replied(&mut self, qid: u16, mark: u32) {
        let new = Batch { qid, mark, replies: 0, requests: 0, mixed: false };
        let batch = self.queued.get_or_insert(new);
        batch.mark = mark;
        batch.replies += 1;
        batch.mixed |= batch.qid != qid;
    }

    /// What is queued goes out now.
    fn sends(&mut self) {
        self.sent = self.queued.take();
    }

    /// A request came.
    pub fn came(&mut self, qid: u16) {
        if let Some(batch) = self.sent.as_mut().filter(|batch| batch.qid == qid) {
            batch.requests += 1;
        }
    }

    /// All that came at once has.
    fn take(&mut self) -> Option<Batch> {
        self.sent.take().filter(|batch| !batch.mixed)
    }
}

impl Worker {
    /// Submits where what comes for it is not told from what comes later.
    pub(super) fn submit(&mut self, want: u32) -> Result<(), Errno> {
        self.tally = Tally::default();
        self.ring.submit_and_wait(want, None)
    }

    /// Sends the replies, and returns when there is something to do.
    pub(super) fn exchange(&mut self) -> Result<(), Errno> {
        self.tally.sends();
        if self.waiting == 0 && !self.will_spin() {
            self.exchange_asleep()?;
        } else {
            self.ring.submit_and_wait(0, None)?;
            self.receive();
            self.judge_exchange();
            if self.waiting == 0 {
                self.wait()?;
                self.receive();
            }
        }
        self.gather()
    }

    fn will_spin(&mut self) -> bool {
        self.armed > 0 && !self.stands_by && self.spin.is_worth_it()
    }

    /// The same in one system call. A mark in between tells what came for the replies from what came later.
    fn exchange_asleep(&mut self) -> Result<(), Errno> {
        let marks = self.tally.sent.is_some();
        if marks {
            self.ring.mark();
        }
        let sleeps = self.desk.mailbox.may_sleep();
        let place = if sleeps { self.place_to_sleep() } else { None };
        let done = self.ring.submit_and_wait(if sleeps { 1 + u32::from(marks) } else { 0 }, None);
        drop(place);
        self.desk.mailbox.awake();
        done?;
        if sleeps {
            stats::woken();
        }
        self.receive();
        self.waited |= sleeps;
        Ok(())
    }

    /// A queue that gave fewer requests than it got replies has none left.
    pub(super) fn judge_exchange(&mut self) {
        let Some(batch) = self.tally.take() else { return };
        let queue = self.queue(batch.qid);
        queue.pace.exchanged(batch.requests > 0);
        if batch.requests < batch.replies {
            queue.was_empty(batch.mark);
        }
    }

    /// Looks for something to do for a while, then sleeps.
    fn wait(&mut self) -> Result<(), Errno> {
        if self.ring.has_completions() {
            return Ok(());
        }
        self.waited = true;
        let found = self.ring.has_work() || self.spin();
        // What ends the loop may have been received with what came for the replies: nobody would wake us again.
        let ends = self.over || self.pool.stopping();
        let sleeps = !found && !ends && self.desk.mailbox.may_sleep();
        let place = if sleeps { self.place_to_sleep() } else { None };
        let done = self.submit(u32::from(sleeps));
        drop(place);
        self.desk.mailbox.awake();
        if sleeps {
            stats::woken();
        }
        done
    }

    /// Where to sleep: a worker that is woken only now and then, by a client that goes on, had better not be woken elsewhere.
    fn place_to_sleep(&self) -> Option<There> {
        let queue = self.queue(self.queue);
        let stands_back =
            self.armed > 0 && queue.pace.is_trusted() && queue.host_beside(&self.desk).is_some();
        (stands_back && !self.homeless).then(|| stay_home(self.queue))?
    }

    /// Looks for the next request for a while, or until another worker of the queue does.
    fn spin(&mut self) -> bool {
        let queue = &self.pool.queues[usize::from(self.queue)];
        // What would come to this one's entries is for another worker anyway.
        if self.answers_others && queue.spinner_beside(&self.desk).is_some() {
            return false;
        }
        queue.start_spinning(&self.desk);
        // Of several requests at a time some can be prepared elsewhere while others are served here.
        let one_by_one = std::mem::take(&mut self.served) == 1;
        if one_by_one && self.spin.clients_stay() && !self.homeless {
            self.homeless = !go_home(self.queue);
        }
        let Worker { ring, desk, .. } = self;
        let found = self.spin.look(|| match ring.has_work() || !desk.mailbox.is_empty() {
            true => Some(true),
            false => (!queue.is_spinning(desk)).then_some(false),
        });
        queue.stop_spinning(desk);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn replies_are_held_against_requests_of_the_same_call() {
        let mut tally = Tally::default();
        tally.replied(1, 5);
        tally.replied(1, 6);
        tally.came(1);
        tally.sends();
        tally.came(1);
        tally.came(2);
        tally.replied(1, 7);
        let batch = tally.take().unwrap();
        assert_eq!((batch.mark, batch.replies, batch.requests), (6, 2, 1), "before and after do not count");
        assert!(tally.take().is_none());
        tally.replied(2, 9);
        tally.sends();
        assert!(tally.take().is_none(), "of two queues: nothing is known");
    }
}
