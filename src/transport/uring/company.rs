// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the requests of a queue come in company: whether it pays that one worker holds several of its entries.
//!
//! It may serve only when all of them have received a request (P3), and then replies to all at once. Where fewer come, it has
//! waited in vain and has to hand them on, which costs more than was gained. So workers' entries are collected in one hand as
//! long as that goes well; after failures there is a rest, as long as makes what was spent on them a small part of all time, with no
//! more of them in one hand than came together then. Two changes at a time may lose one, no more.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// What a failure costs of the credit, against what a success brings.
const FAILURE: i32 = 2;
/// The most credit there is...
const MOST: i32 = 64;
/// ...and what there is after a rest.
const FRESH: i32 = 4;
/// A rest takes so many times what the failure before it took...
const TIMES: u64 = 32;
/// ...and twice as long as the rest before that, between these, in nanoseconds.
const SHORTEST: u64 = 500_000;
const LONGEST: u64 = 100_000_000;

/// See the module. Times are nanoseconds of the monotonic clock.
#[derive(Default)]
pub struct Company {
    credit: AtomicI32,
    /// The end of the last rest, and its length.
    until: AtomicU64,
    rest: AtomicU64,
    /// How many entries may meet meanwhile.
    size: AtomicU32,
}

impl Company {
    /// Whether so many entries may be in one hand.
    pub fn may_be(&self, entries: u32, now: u64) -> bool {
        entries <= self.size.load(Ordering::Relaxed) || now >= self.until.load(Ordering::Relaxed)
    }

    /// Requests came in all entries of a worker that has several.
    pub fn complete(&self) {
        let credit = self.credit.load(Ordering::Relaxed);
        if credit < MOST {
            self.credit.store(credit + 1, Ordering::Relaxed);
        } else {
            self.rest.store(0, Ordering::Relaxed);
        }
    }

    /// They did not, only in so many, although they were waited for from `begin` to `now`.
    pub fn broken(&self, came: u32, begin: u64, now: u64) {
        let credit = self.credit.load(Ordering::Relaxed) - FAILURE;
        self.size.store(came, Ordering::Relaxed);
        if credit >= 0 || now < self.until.load(Ordering::Relaxed) {
            return self.credit.store(credit.max(0), Ordering::Relaxed);
        }
        let rest =
            (self.rest.load(Ordering::Relaxed) * 2).max((now - begin) * TIMES).clamp(SHORTEST, LONGEST);
        self.rest.store(rest, Ordering::Relaxed);
        self.until.store(now + rest, Ordering::Relaxed);
        self.credit.store(FRESH, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_ends_it_for_a_while_and_more_of_them_for_longer() {
        let company = Company::default();
        assert!(company.may_be(9, 0), "tried at first");
        let mut now = 1_000_000_000;
        company.broken(3, now - 1000, now);
        assert!(company.may_be(3, now) && !company.may_be(4, now), "as many as came");
        let mut rest = SHORTEST;
        while rest < LONGEST {
            assert!(!company.may_be(9, now + rest - 1) && company.may_be(9, now + rest));
            now += rest;
            rest = (rest * 2).min(LONGEST);
            (0..=FRESH / FAILURE).for_each(|_| company.broken(3, now, now));
        }
    }

    #[test]
    fn what_failures_take_is_a_small_part_of_all_time() {
        let company = Company::default();
        company.broken(1, 1_000_000, 1_200_000);
        assert!(!company.may_be(2, 1_200_000 + 200_000 * TIMES - 1));
    }

    #[test]
    fn seldom_failures_do_no_harm() {
        let company = Company::default();
        (0..FAILURE).for_each(|_| company.complete());
        for _ in 0..100 {
            company.broken(3, 0, 10);
            assert!(company.may_be(8, 10));
            (0..FAILURE).for_each(|_| company.complete());
        }
        (0..=MOST).for_each(|_| company.complete());
        (0..=MOST / FAILURE).for_each(|_| company.broken(3, 10, 10));
        assert!(
            !company.may_be(8, SHORTEST) && company.may_be(8, SHORTEST + 10),
            "long successes are remembered"
        );
    }
}
