// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking for the next request a little while before sleeping.
//!
//! A wake-up costs more than most requests. Yielding in between gives the CPU to a client that waits for it, which
//! is the one whose request we hope for. Spinning that was in vain makes the next ones rarer, until there are none:
//! an idle or slow mount does not spin at all.

use std::time::Duration;

use crate::stats;
use crate::sys::time::now;

/// Longest spin. A client that does little else sends its next request within a few microseconds if it is on a CPU that is
/// awake; but where the scheduler moves it to an idle one with each reply, as it does on an otherwise idle machine, it
/// takes that CPU's wake-up longer, which in a virtual machine is more than 50 microseconds.
pub const DEFAULT_SPIN: Duration = Duration::from_micros(200);
/// The clock is looked at after so many looks for a request.
const LOOKS: u32 = 4;
/// So many vain spins in a row and we sleep at once...
const PATIENCE: u32 = 4;
/// ...but try again after so many requests, and if that is in vain, after twice as many...
const RETRY_AFTER: u32 = 32;
/// ...and so on up to this.
const RETRY_LATEST: u32 = 1024;
/// So many rewards in a row, and the clients are believed to stay.
const STEADY: u32 = 16;

/// The habit of one thread.
pub struct Spin {
    limit: Duration,
    vain: u32,
    skipped: u32,
    retry_after: u32,
    /// Rewarded ones in a row.
    streak: u32,
}

impl Spin {
    pub fn new(limit: Duration) -> Spin {
        Spin { limit, vain: 0, skipped: 0, retry_after: RETRY_AFTER, streak: 0 }
    }

    /// Returns `true` as soon as `ready` does, `false` when it is time to sleep.
    pub fn until(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        ready() || self.is_worth_it() && self.look(|| ready().then_some(true))
    }

    /// The same, if it was found worth it. `ready` may also put an end to it, in vain, by `Some(false)`.
    pub fn look(&mut self, mut ready: impl FnMut() -> Option<bool>) -> bool {
        let end = now() + self.limit.as_nanos() as u64;
        let mut ended = false;
        loop {
            for _ in 0..LOOKS {
                std::thread::yield_now();
                let seen = ready();
                ended |= seen == Some(false);
                if seen == Some(true) {
                    self.vain = 0;
                    self.retry_after = RETRY_AFTER;
                    self.streak = self.streak.saturating_add(1);
                    stats::spin(true);
                    return true;
                }
            }
            if ended || now() >= end {
                self.vain += 1;
                self.streak = 0;
                stats::spin(false);
                return false;
            }
        }
    }

    /// Whether the requests come from clients that stay where they are, as far as spins can tell: one that moves to
    /// another CPU after each reply is missed every time.
    pub fn clients_stay(&self) -> bool {
        self.streak >= STEADY
    }

    /// Whether to look for the next request; to be asked once for each.
    pub fn is_worth_it(&mut self) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        if self.vain < PATIENCE {
            return true;
        }
        self.skipped += 1;
        if self.skipped >= self.retry_after {
            self.skipped = 0;
            self.retry_after = (self.retry_after * 2).min(RETRY_LATEST);
            self.vain = PATIENCE - 1;
        }
        self.vain < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vain_spins_end_and_a_reward_brings_them_back() {
        let mut spin = Spin::new(Duration::from_micros(1));
        let mut asked = 0;
        for _ in 0..PATIENCE {
            assert!(!spin.until(|| false));
        }
        assert!(!spin.until(|| {
            asked += 1;
            false
        }));
        assert_eq!(asked, 1, "looks once and sleeps");
        for _ in 0..RETRY_AFTER {
            spin.until(|| false);
        }
        assert_eq!(spin.retry_after, RETRY_AFTER * 2);
        spin.vain = PATIENCE - 1;
        let mut looks = 0;
        assert!(spin.until(|| {
            looks += 1;
            looks > 1
        }));
        assert_eq!(spin.vain, 0);
    }

    #[test]
    fn no_limit_no_spin() {
        let mut looks = 0;
        assert!(!Spin::new(Duration::ZERO).until(|| {
            looks += 1;
            false
        }));
        assert_eq!(looks, 1);
    }
}
