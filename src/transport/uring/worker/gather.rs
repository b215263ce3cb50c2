// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a worker with several entries gets them filled before it serves: it gives clients a moment to come together.

use std::sync::atomic::Ordering;

use super::Worker;
use crate::errno::Errno;
use crate::sys::time::{now, pause};

/// A worker with a request gives others so many opportunities to make theirs, counted again from each that comes...
const OPPORTUNITIES: u32 = 20;
/// ...but no longer than this, in nanoseconds: where other programs compute, each of them takes a slice of the CPU.
const LONGEST: u64 = 200_000;
/// The clock is looked at after so many of them.
const LOOKS: u32 = 4;
/// If these took less than so many nanoseconds, nobody else ran: there was nobody, or yielding does not let them...
const AT_ONCE: u64 = 4_000;
/// ...because the daemon is owed CPU time. Then only sleep does, for so many nanoseconds; a crowd has enough to do meanwhile.
const PAUSE: u32 = 20_000;

impl Worker {
    /// With some entries filled and others not: waits a moment for the rest.
    pub(super) fn gather(&mut self) -> Result<(), Errno> {
        if self.waiting > 0 && self.armed > 0 && self.ring.has_queued() {
            self.submit(0)?;
            self.receive();
        }
        let calls = self.calls_for_company();
        if calls || self.waits_for_company() {
            self.give_way(calls)?;
        }
        if calls && self.armed == 0 && self.waiting == 1 {
            self.queue(self.queue).company.broken(1);
        }
        Ok(())
    }

    /// Yields, and in a crowd sleeps at last, as long as something comes of it.
    fn give_way(&mut self, calls: bool) -> Result<(), Errno> {
        let begin = now();
        let (mut looks, mut looked) = (0, begin);
        let most = OPPORTUNITIES + u32::from(calls || self.clients.are_many());
        while looks < most && (self.waits_for_company() || calls && self.is_alone()) {
            match looks >= OPPORTUNITIES {
                true => pause(PAUSE),
                false => std::thread::yield_now(),
            }
            looks += 1;
            if self.receives()? {
                (looks, looked) = (0, now());
            } else if looks % LOOKS == 0 {
                let time = now();
                if time > begin + LONGEST {
                    break;
                }
                if time < looked + AT_ONCE {
                    looks = looks.max(OPPORTUNITIES);
                }
                looked = time;
            }
        }
        Ok(())
    }

    /// Takes what has come meanwhile. Returns whether something has.
    fn receives(&mut self) -> Result<bool, Errno> {
        let before = self.waiting + self.armed;
        if !self.desk.mailbox.is_empty() {
            self.collect_mail();
        }
        let armed = self.armed;
        if self.ring.has_work() || self.ring.has_queued() {
            self.submit(0)?;
            self.receive();
        }
        Ok(self.armed < armed || self.waiting + self.armed > before)
    }

    fn waits_for_company(&self) -> bool {
        let queue = self.queue(self.queue);
        self.waiting > 0
            && self.armed > 0
            && !self.must_serve
            && !self.answers_others
            && queue.company.may_be(self.waiting + self.armed)
            && queue.pace.is_trusted()
    }

    /// With a single entry while others lie with workers that sleep: whether clients that take turns are given a moment to
    /// ask all at once. What they then ask those workers is answered together here.
    fn calls_for_company(&self) -> bool {
        let queue = self.queue(self.queue);
        self.is_alone()
            && self.clients.take_turns()
            && self.pool.config.batch > 1
            && queue.has_armed()
            && queue.pace.is_trusted()
            && queue.company.may_join(2)
    }

    /// Whether there is one request of its own here, and no entry that another could come in.
    fn is_alone(&self) -> bool {
        let serves_others = self.must_serve || self.desk.drains.load(Ordering::Relaxed);
        self.waiting == 1 && self.armed == 0 && !serves_others
    }
}
