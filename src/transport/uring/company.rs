// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the requests of a queue come in company: whether it pays that one worker holds several of its entries.
//!
//! It may serve only when all of them have received a request (P3), and then replies to all at once. Where fewer come, it has
//! to hand them on, which costs more than was gained. So workers' entries are collected in one hand as long as that goes well,
//! and after failures for a while no more of them than came together then. Two changes at a time may lose one, no more.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// What a failure costs of the credit, against what a success brings.
const FAILURE: i32 = 2;
/// The most credit there is...
const MOST: i32 = 64;
/// ...and what there is after a pause.
const FRESH: i32 = 8;
/// Opportunities that are passed over after failures, at first...
const SHORTEST: i32 = 64;
/// ...and when it went on failing.
const LONGEST: i32 = 256;

/// See the module.
#[derive(Default)]
pub struct Company {
    /// Below 0: so many opportunities are passed over.
    credit: AtomicI32,
    /// How many will be next time.
    pause: AtomicI32,
    /// How many entries may meet meanwhile.
    size: AtomicU32,
}

impl Company {
    /// Whether so many entries may be in one hand.
    pub fn may_be(&self, entries: u32) -> bool {
        self.is_kept() || entries <= self.size.load(Ordering::Relaxed)
    }

    /// Whether it goes well.
    pub fn is_kept(&self) -> bool {
        self.credit.load(Ordering::Relaxed) >= 0
    }

    /// The same as `may_be`, asked where entries can be collected.
    pub fn may_join(&self, entries: u32) -> bool {
        let credit = self.credit.load(Ordering::Relaxed);
        if credit < 0 {
            self.credit.store(if credit == -1 { FRESH } else { credit + 1 }, Ordering::Relaxed);
        }
        credit >= 0 || entries <= self.size.load(Ordering::Relaxed)
    }

    /// Requests came in all entries of a worker that has several.
    pub fn complete(&self) {
        let credit = self.credit.load(Ordering::Relaxed);
        if credit >= MOST {
            self.pause.store(SHORTEST, Ordering::Relaxed);
        } else if credit >= 0 {
            self.credit.store(credit + 1, Ordering::Relaxed);
        }
    }

    /// They did not, only in so many.
    pub fn broken(&self, came: u32) {
        let credit = self.credit.load(Ordering::Relaxed);
        if credit >= FAILURE {
            return self.credit.store(credit - FAILURE, Ordering::Relaxed);
        }
        self.size.store(came, Ordering::Relaxed);
        if credit >= 0 {
            let pause = self.pause.load(Ordering::Relaxed).max(SHORTEST);
            self.pause.store((pause * 2).min(LONGEST), Ordering::Relaxed);
            self.credit.store(-pause, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opportunities_passed(company: &Company) -> i32 {
        (0..).find(|_| company.may_join(9)).unwrap()
    }

    #[test]
    fn a_failure_ends_it_for_a_while_and_more_of_them_for_longer() {
        let company = Company::default();
        assert!(company.is_kept() && company.may_join(9), "tried at first");
        company.broken(3);
        assert!(!company.is_kept());
        assert!(company.may_be(3) && !company.may_be(4), "as many as came");
        assert_eq!(opportunities_passed(&company), SHORTEST);
        for pause in [SHORTEST * 2, SHORTEST * 4, LONGEST, LONGEST] {
            (0..=FRESH / FAILURE).for_each(|_| company.broken(3));
            assert_eq!(opportunities_passed(&company), pause);
        }
    }

    #[test]
    fn seldom_failures_do_no_harm() {
        let company = Company::default();
        for _ in 0..100 {
            (0..FAILURE).for_each(|_| company.complete());
            company.broken(3);
        }
        assert!(company.is_kept());
        (0..=MOST).for_each(|_| company.complete());
        (0..=MOST / FAILURE).for_each(|_| company.broken(3));
        assert_eq!(opportunities_passed(&company), SHORTEST, "long successes are remembered");
    }
}
