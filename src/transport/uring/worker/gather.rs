// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a worker gets several requests to serve together: it gives clients a moment to come together.
//!
//! Those for which it has an armed entry only have to be let run. As long as the daemon is owed CPU time, yielding does not let
//! them; but it ends that, which is why it goes on at once where more clients are known. Where entries lie with workers that sleep,
//! each of these has to wake and pass on what it got, which takes longer.

use std::sync::atomic::Ordering;

use super::Worker;
use crate::errno::Errno;
use crate::sys::time::{now, pause};

/// Clients that may be there are given so many opportunities...
const OPPORTUNITIES: u32 = 20;
/// ...and those that are there so many nanoseconds, anew with each that comes.
const LONGEST: u64 = 200_000;
/// The clock is looked at after so many opportunities.
const LOOKS: u32 = 4;
/// If these took less than so many nanoseconds, nobody else ran.
const AT_ONCE: u64 = 4_000;
/// So many nanoseconds are enough for eight workers to wake one after the other.
const PAUSE: u32 = 300_000;

impl Worker {
    /// With some entries filled and others not, or fewer entries than clients: waits a moment for the rest.
    pub(super) fn gather(&mut self) -> Result<(), Errno> {
        self.gathers_since = None;
        if self.waiting > 0 && self.armed > 0 && self.ring.has_queued() {
            self.submit(0)?;
            self.receive();
        }
        if self.passes_on() {
            return Ok(());
        }
        if self.calls_for_company() {
            let (begin, before) = (now(), self.waiting);
            self.call()?;
            if self.armed == 0 && self.waiting == before {
                self.queue(self.queue).company.broken(before, begin, now());
            }
        }
        if self.waits_for_company() {
            self.gathers_since = Some(now());
            while self.give_way()? && self.waits_for_company() {}
        }
        Ok(())
    }

    /// Lets clients run that find no entry here, so that their requests come by way of workers that sleep.
    fn call(&mut self) -> Result<(), Errno> {
        while self.lacks_entries() {
            (0..LOOKS).for_each(|_| std::thread::yield_now());
            if !self.receives()? {
                pause(PAUSE);
                self.receives()?;
                break;
            }
        }
        Ok(())
    }

    /// Lets clients run whose requests are waited for. Returns whether something came.
    fn give_way(&mut self) -> Result<bool, Errno> {
        let begin = now();
        let mut looked = begin;
        for look in 1.. {
            std::thread::yield_now();
            if self.receives()? {
                return Ok(true);
            }
            if look % LOOKS == 0 {
                let time = now();
                let others_run = time > looked + AT_ONCE;
                looked = time;
                let goes_on = match self.queue(self.queue).crowd.is_more_than(self.waiting) {
                    true => time < begin + LONGEST,
                    false => others_run && look < OPPORTUNITIES,
                };
                if !goes_on {
                    break;
                }
            }
        }
        Ok(false)
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
            && queue.pace.is_trusted()
            && queue.company.may_be(self.waiting + self.armed, now())
    }

    /// Whether clients that find no entry here are given a moment to ask: what comes by way of workers that sleep is answered
    /// together here.
    fn calls_for_company(&self) -> bool {
        let queue = self.queue(self.queue);
        self.lacks_entries()
            && queue.has_armed()
            && queue.pace.is_trusted()
            && queue.company.may_be(self.waiting + 1, now())
    }

    /// Whether there are requests of its own here, no entry that another could come in, and more clients.
    fn lacks_entries(&self) -> bool {
        let serves_others = self.must_serve || self.desk.drains.load(Ordering::Relaxed);
        self.waiting > 0
            && self.armed == 0
            && !serves_others
            && self.waiting < self.pool.config.batch
            && self.queue(self.queue).crowd.is_more_than(self.waiting)
            && self.is_all_of(self.queue)
    }
}
