// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether one more entry of a queue, served by the same thread, would pay: learned from what comes.
//!
//! Replies that go out together need one system call, and their clients are woken before the first of them can push the
//! thread off its CPU. It pays where requests wait while fast handlers run. The numbers belong to a queue and are
//! changed by the threads that serve it. Two at a time may lose a count, no more.

use std::sync::atomic::{AtomicU32, Ordering};

/// Handlers that must have been fast before one is trusted to be.
const PROVEN: u32 = 256;
/// The most that is remembered of them.
const REMEMBERED: u32 = 4096;
/// Times in a row that requests were found waiting, before one more entry is armed.
const EAGER: u32 = 8;
/// Nanoseconds: where handlers take longer than this, a system call each does not matter.
const FAST: u64 = 10_000;

/// See the module.
#[derive(Default)]
pub struct Pace {
    waited: AtomicU32,
    fast: AtomicU32,
}

impl Pace {
    /// Whether handlers have been fast for long enough to rely on it.
    pub fn is_trusted(&self) -> bool {
        self.fast.load(Ordering::Relaxed) >= PROVEN
    }

    /// Whether one more entry had better be armed.
    pub fn wants_more(&self) -> bool {
        self.is_trusted() && self.waited.load(Ordering::Relaxed) >= EAGER
    }

    /// One was.
    pub fn widened(&self) {
        self.waited.store(0, Ordering::Relaxed);
    }

    /// Replies went out, and requests came in exchange that had been waiting, or did not.
    pub fn exchanged(&self, waiting: bool) {
        let times = if waiting { self.waited.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
        self.waited.store(times, Ordering::Relaxed);
    }

    /// A request of few clients came whose reply nobody waits for: its client asks again meanwhile, and how many come together does not
    /// tell how many clients there are.
    pub fn came_unawaited(&self) {
        self.waited.store(0, Ordering::Relaxed);
    }

    /// A handler blocks.
    pub fn blocked(&self) {
        self.fast.store(0, Ordering::Relaxed);
    }

    /// So many handlers took so many nanoseconds in all. A slow one may have been kept from its CPU: a few of them end the
    /// trust.
    pub fn served(&self, handlers: u32, time: u64) {
        let before = self.fast.load(Ordering::Relaxed);
        let fast = match time <= FAST * u64::from(handlers) {
            true => (before + handlers).min(REMEMBERED),
            false => before / 2,
        };
        self.fast.store(fast, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_where_requests_wait_and_handlers_are_fast() {
        let pace = Pace::default();
        (0..EAGER).for_each(|_| pace.exchanged(true));
        assert!(!pace.wants_more(), "nothing is known of the handlers");
        pace.served(PROVEN, u64::from(PROVEN) * FAST);
        assert!(pace.wants_more());
        pace.widened();
        (0..EAGER - 1).for_each(|_| pace.exchanged(true));
        pace.exchanged(false);
        pace.exchanged(true);
        assert!(!pace.wants_more(), "in a row");
        (0..EAGER).for_each(|_| pace.exchanged(true));
        pace.came_unawaited();
        assert!(!pace.wants_more(), "a client may have several under way");
    }

    #[test]
    fn slow_handlers_end_the_trust_and_one_that_blocks_at_once() {
        let pace = Pace::default();
        pace.served(PROVEN, 0);
        assert!(pace.is_trusted());
        pace.served(2, FAST * 3);
        assert!(!pace.is_trusted(), "not proven for long");
        pace.served(REMEMBERED * 2, 0);
        pace.served(2, FAST * 3);
        assert!(pace.is_trusted(), "one of many");
        (0..4).for_each(|_| pace.served(2, FAST * 3));
        assert!(!pace.is_trusted());
        pace.served(REMEMBERED, 0);
        pace.blocked();
        assert!(!pace.is_trusted());
    }
}
