// SPDX-License-Identifier: MIT OR Apache-2.0
//! The account of one kernel queue: entries, workers, and whether requests may be waiting that nothing brings forth.
//!
//! The numbers belong to the pool and are changed by whoever arms or takes an entry; all are atomic.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};

use crate::transport::uring::company::Company;
use crate::transport::uring::crowd::Crowd;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::pace::Pace;

/// One of the kernel's queues.
///
/// The kernel hands waiting requests out only when an entry is committed, not when one is registered. So there has
/// to be an armed entry before a request comes; and when there was none, the queue is dry: something may wait in it
/// that only a commit brings forth.
#[repr(align(64))]
#[derive(Default)]
pub struct Queue {
    /// Entries that are the kernel's, as far as we have noticed.
    armed: AtomicI32,
    /// How often it ran out of armed entries...
    dried: AtomicU32,
    /// ...and up to which time a commit has shown since that nothing was left waiting.
    emptied: AtomicU32,
    /// The time at which an entry was registered.
    hidden: AtomicU32,
    /// So many armed entries are enough; 0 is 1.
    plenty: AtomicU32,
    /// Entries that there are.
    entries: AtomicU32,
    /// Workers that hold armed entries.
    holders: AtomicI32,
    /// Handlers of this queue were seen to block: the last armed entry is replaced before it is missed.
    blocking: AtomicBool,
    /// The worker that spins for the next request, or null; one at a time is enough.
    spinner: AtomicPtr<Desk>,
    /// The worker where entries that have gone apart meet again, which is the one that armed one last, or null.
    host: AtomicPtr<Desk>,
    /// The keeper is asked for one more worker.
    wants_worker: AtomicBool,
    /// The keeper is asked to bring forth what may wait.
    wants_kick: AtomicBool,
    pub pace: Pace,
    pub company: Company,
    pub crowd: Crowd,
}

impl Queue {
    pub fn has_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst) > 0
    }

    /// How many entries are armed, for the statistics.
    pub fn armed_now(&self) -> i32 {
        self.armed.load(Ordering::Relaxed)
    }

    /// Whether there are as many entries as there may be.
    pub fn is_full(&self, most: u32) -> bool {
        self.entries.load(Ordering::Relaxed) >= most
    }

    pub fn has_one_more(&self) {
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker arms its first entry (1), or got its last one back (-1).
    pub fn held(&self, change: i32) {
        self.holders.fetch_add(change, Ordering::Relaxed);
    }

    pub fn has_holders_more_than(&self, number: u32) -> bool {
        self.holders.load(Ordering::Relaxed) > number as i32
    }

    /// Whether another entry had better be armed: a queue that ran dry before gets more than it had then.
    pub fn is_low(&self) -> bool {
        self.armed.load(Ordering::SeqCst) < self.plenty.load(Ordering::Relaxed).max(1) as i32
    }

    /// To be remembered before a commit, for `was_empty` after it.
    pub fn mark(&self) -> u32 {
        self.dried.load(Ordering::SeqCst)
    }

    /// A commit after `mark` found nothing waiting.
    pub fn was_empty(&self, mark: u32) {
        self.emptied.fetch_max(mark, Ordering::SeqCst);
    }

    /// Whether requests may wait that no entry brings forth. The number tells one such time from the next.
    pub fn dry_spell(&self) -> Option<u32> {
        self.is_dry().then(|| self.mark())
    }

    fn is_dry(&self) -> bool {
        self.dried.load(Ordering::SeqCst) > self.emptied.load(Ordering::SeqCst)
    }

    /// Whether requests may wait although entries are armed. That begins with a REGISTER only, and ends at the latest when no
    /// entry is armed: a commit does not arm one while something waits.
    fn may_hide(&self) -> bool {
        let dried = self.dried.load(Ordering::SeqCst);
        dried == self.hidden.load(Ordering::SeqCst) && dried > self.emptied.load(Ordering::SeqCst)
    }

    /// For the keeper: whether a worker is wanted.
    pub fn take_wish(&self) -> bool {
        self.wants_worker.swap(false, Ordering::SeqCst)
    }

    /// For the keeper: whether a kick is wanted. Without an armed entry it would only wait with the others.
    pub fn take_kick(&self) -> bool {
        self.has_armed() && self.wants_kick.swap(false, Ordering::SeqCst)
    }

    /// An entry is handed to the kernel; to be called just before.
    pub fn armed(&self) {
        self.armed.fetch_add(1, Ordering::SeqCst);
    }

    /// The loop has ended, and with it the rings in which entries were armed.
    pub fn lost_its_entries(&self) {
        self.armed.store(0, Ordering::SeqCst);
    }

    /// An entry came back from the kernel. `true`: tell the keeper. It shall find a worker if this was the last entry
    /// of a queue whose handlers block; or go on bringing forth what waits, if it came from a dry queue although others
    /// are armed.
    ///
    /// Where handlers are fast it is better to let requests wait in the kernel for the next commit, which brings them
    /// forth without waking anybody.
    pub fn took(&self) -> bool {
        if self.armed.fetch_sub(1, Ordering::SeqCst) > 1 {
            return self.may_hide() && !self.wants_kick.swap(true, Ordering::SeqCst);
        }
        self.dried.fetch_add(1, Ordering::SeqCst);
        self.blocking.load(Ordering::Relaxed) && !self.pace.is_trusted() && self.wish_for_worker()
    }

    /// A handler blocks while no entry is armed. `true`: tell the keeper.
    pub fn handler_blocks(&self) -> bool {
        if self.has_armed() {
            return false;
        }
        self.blocking.store(true, Ordering::Relaxed);
        self.pace.blocked();
        self.wish_for_worker()
    }

    /// `true`: it was not wished for yet.
    pub fn wish_for_worker(&self) -> bool {
        !self.wants_worker.swap(true, Ordering::SeqCst)
    }

    /// The caller spins from now on, instead of another: the kernel gives the next request to the entry armed last.
    pub fn start_spinning(&self, desk: &Desk) {
        self.spinner.store(std::ptr::from_ref(desk).cast_mut(), Ordering::Release);
    }

    /// Whether nobody has taken the caller's place.
    pub fn is_spinning(&self, desk: &Desk) -> bool {
        std::ptr::eq(self.spinner.load(Ordering::Relaxed), desk)
    }

    /// To be called before the worker does anything else.
    pub fn stop_spinning(&self, desk: &Desk) {
        let desk = std::ptr::from_ref(desk).cast_mut();
        let _ = self.spinner.compare_exchange(desk, null_mut(), Ordering::AcqRel, Ordering::Relaxed);
    }

    /// For a worker: another one that spins.
    pub fn spinner_beside(&self, desk: &Desk) -> Option<&Desk> {
        beside(&self.spinner, desk)
    }

    /// For a worker: another one to leave replies with: the one that spins, which needs no wake-up, or the host.
    pub fn host_beside(&self, desk: &Desk) -> Option<&Desk> {
        self.spinner_beside(desk).or_else(|| beside(&self.host, desk))
    }

    /// The caller is about to arm entries, and so the next to get a request.
    pub fn be_host(&self, desk: &Desk) {
        self.host.store(std::ptr::from_ref(desk).cast_mut(), Ordering::Release);
    }

    /// The caller has no entries any more.
    pub fn be_no_host(&self, desk: &Desk) {
        let desk = std::ptr::from_ref(desk).cast_mut();
        if self.host.load(Ordering::Relaxed) == desk {
            let _ = self.host.compare_exchange(desk, null_mut(), Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// One entry more is registered beside a commit, which tells whether something was left waiting.
    pub fn widened(&self) {
        self.pace.widened();
        self.hides();
    }

    fn hides(&self) {
        let now = self.dried.fetch_add(1, Ordering::SeqCst) + 1;
        self.hidden.store(now, Ordering::SeqCst);
    }

    /// A new entry was registered. What waited in the kernel does not come with it, and whether something did is not
    /// known: the last armed entry may have been used up before its owner noticed. So the queue counts as dry, and the
    /// keeper shall bring forth what waits. A queue that was dry before gets more entries from now on, up to `most`.
    pub fn registered(&self, most: u32) {
        if self.is_dry() {
            let enough = self.plenty.load(Ordering::Relaxed).max(1) * 2;
            self.plenty.store(enough.min(most), Ordering::Relaxed);
        }
        self.hides();
        self.wants_kick.store(true, Ordering::SeqCst);
    }
}

fn beside<'a>(place: &'a AtomicPtr<Desk>, desk: &Desk) -> Option<&'a Desk> {
    // SAFETY: desks are kept until no worker runs any more, and so at least as long as the caller, a worker, needs this.
    let other = unsafe { place.load(Ordering::Acquire).as_ref() }?;
    (!std::ptr::eq(other, desk)).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn a_queue_is_dry_until_a_commit_finds_it_empty() {
        let queue = Queue::default();
        queue.armed();
        queue.armed();
        assert!(!queue.took());
        assert!(queue.dry_spell().is_none());
        assert!(!queue.took(), "fast handlers need no company");
        assert!(!queue.has_armed());
        let spell = queue.dry_spell();
        assert!(spell.is_some());
        queue.armed();
        queue.registered(8);
        assert!(queue.take_kick() && !queue.take_kick());
        let mark = queue.mark();
        assert!(!queue.took());
        queue.was_empty(mark);
        assert!(queue.dry_spell().is_some_and(|number| Some(number) != spell), "dry again since the mark");
        queue.was_empty(queue.mark());
        assert!(queue.dry_spell().is_none());
    }

    #[test]
    fn blocking_handlers_call_for_workers_before_they_are_missed() {
        let queue = Queue::default();
        queue.armed();
        assert!(!queue.handler_blocks(), "an entry is armed");
        assert!(!queue.took());
        assert!(queue.handler_blocks() && !queue.handler_blocks(), "told once");
        assert!(queue.take_wish() && !queue.take_wish());
        queue.armed();
        assert!(queue.took(), "now at once");
    }

    #[test]
    fn what_waits_is_brought_forth_one_by_one() {
        let queue = Queue::default();
        queue.armed();
        queue.took();
        queue.armed();
        queue.armed();
        assert!(!queue.took(), "by commits: then nothing waits");
        queue.armed();
        queue.registered(4);
        assert!(queue.take_kick());
        assert!(queue.took() && queue.take_kick(), "dry, and another entry is armed");
        queue.armed();
        queue.was_empty(queue.mark());
        assert!(!queue.took(), "not dry any more");
        queue.armed();
        queue.registered(4);
        assert!(queue.take_kick());
        queue.took();
        queue.took();
        queue.armed();
        queue.armed();
        assert!(!queue.took(), "no entry was armed meanwhile");
    }

    #[test]
    fn an_entry_registered_beside_others_may_hide_what_waits() {
        let queue = Queue::default();
        queue.armed();
        queue.armed();
        queue.registered(4);
        assert!(queue.dry_spell().is_some() && queue.take_kick());
    }
}
