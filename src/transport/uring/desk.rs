// SPDX-License-Identifier: MIT OR Apache-2.0
//! What others may know of a worker, and leave for it. The pool keeps desks as long as their workers live.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::transport::uring::entry::Entry;
use crate::transport::uring::hand::Hand;
use crate::transport::uring::mailbox::Mailbox;

/// What others may know of a worker.
pub struct Desk {
    pub mailbox: Mailbox,
    pub hand: Hand,
    /// The entry whose handler runs here, or null.
    pub serving: AtomicPtr<Entry>,
    /// When it started, in nanoseconds of the monotonic clock.
    pub since: AtomicU64,
    /// Entries that are armed in the worker's ring or served by it, as far as others need to know.
    pub entries: AtomicU32,
    /// The worker's thread id.
    pub thread: AtomicI32,
    /// The worker, which has no entry, serves requests that wait for one.
    pub drains: AtomicBool,
    /// The worker waits for another loop.
    pub paused: AtomicBool,
    /// A queue, plus one, that a worker without an entry shall arm one for.
    order: AtomicU32,
}

impl Desk {
    pub fn new() -> Arc<Desk> {
        Arc::new(Desk {
            mailbox: Mailbox::new(),
            hand: Hand::default(),
            serving: AtomicPtr::new(std::ptr::null_mut()),
            since: AtomicU64::new(0),
            entries: AtomicU32::new(0),
            thread: AtomicI32::new(0),
            drains: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            order: AtomicU32::new(0),
        })
    }

    /// Has a parked worker arm an entry of a queue.
    pub fn order(&self, qid: u16) {
        self.order.store(u32::from(qid) + 1, Ordering::SeqCst);
        self.mailbox.wake();
    }

    /// For the worker: the queue that it shall arm an entry for.
    pub fn take_order(&self) -> Option<u16> {
        self.order.swap(0, Ordering::SeqCst).checked_sub(1).map(|qid| qid as u16)
    }
}
