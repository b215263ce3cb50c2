// SPDX-License-Identifier: MIT OR Apache-2.0
//! Entries on their way to another thread's ring: a lock-free list, and a message that wakes the thread.
//!
//! Any thread posts; the owner collects, and whoever finds it kept by a handler. The list links entries through themselves, so posting allocates
//! nothing. An entry is in at most one mailbox, since only its taker posts it. The message is sent only to an owner that
//! said it would sleep.

use std::os::fd::RawFd;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use crate::errno::Errno;
use crate::sys::uring::send_message;
use crate::transport::uring::entry::Entry;
use crate::transport::uring::ring::WAKE;

const NO_RING: RawFd = -1;

/// See the module.
pub struct Mailbox {
    head: AtomicPtr<Entry>,
    ring: AtomicI32,
    sleeps: AtomicBool,
}

impl Mailbox {
    pub fn new() -> Mailbox {
        Mailbox {
            head: AtomicPtr::new(null_mut()),
            ring: AtomicI32::new(NO_RING),
            sleeps: AtomicBool::new(true),
        }
    }

    /// For an owner that looks here by itself as long as it does not sleep: says that it is about to. `false`: there is
    /// something here, don't.
    pub fn may_sleep(&self) -> bool {
        self.sleeps.store(true, Ordering::SeqCst);
        let empty = self.is_empty();
        if !empty {
            self.sleeps.store(false, Ordering::SeqCst);
        }
        empty
    }

    /// Whether the owner looks here soon, unless a handler keeps it.
    pub fn is_attended(&self) -> bool {
        !self.sleeps.load(Ordering::SeqCst)
    }

    /// The owner does not sleep any more.
    pub fn awake(&self) {
        self.sleeps.store(false, Ordering::Relaxed);
    }

    /// Says where the owner waits; it collects once after this.
    pub fn open(&self, ring: RawFd) {
        self.ring.store(ring, Ordering::SeqCst);
    }

    /// The owner's ring is about to go.
    pub fn shut(&self) {
        self.ring.store(NO_RING, Ordering::SeqCst);
    }

    /// Adds an entry. Only the first one since the last `collect` costs a wake-up, if the owner sleeps.
    pub fn post(&self, entry: &Entry) {
        let entry = std::ptr::from_ref(entry).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the poster took the entry, nobody else uses its link.
            unsafe { (*entry).next.store(head, Ordering::Relaxed) };
            match self.head.compare_exchange_weak(head, entry, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        if head.is_null() && self.sleeps.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Ends the owner's wait.
    pub fn wake(&self) {
        let ring = self.ring.load(Ordering::SeqCst);
        // Without memory for the message it is tried again: nobody else would announce what is in the list. Any other
        // error means that the ring is gone, and then nobody waits.
        if ring == NO_RING {
            return;
        }
        let passing = |e: Errno| matches!(e.raw(), libc::ENOMEM | libc::EAGAIN | libc::EINTR);
        while send_message(ring, WAKE).is_err_and(passing) {
            std::thread::yield_now();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::SeqCst).is_null()
    }

    /// Takes all entries out, oldest first.
    pub fn collect(&self) -> Collected {
        let mut newest = self.head.swap(null_mut(), Ordering::SeqCst);
        let mut oldest: *mut Entry = null_mut();
        while let Some(entry) = NonNull::new(newest) {
            // SAFETY: entries in a mailbox are alive, and out of it now they are the owner's.
            newest = unsafe { entry.as_ref() }.next.swap(oldest, Ordering::Relaxed);
            oldest = entry.as_ptr();
        }
        Collected { next: oldest }
    }
}

/// What `collect` took out.
pub struct Collected {
    next: *mut Entry,
}

impl Iterator for Collected {
    type Item = NonNull<Entry>;

    fn next(&mut self) -> Option<NonNull<Entry>> {
        let entry = NonNull::new(self.next)?;
        // SAFETY: as in `collect`; the link is read before the entry is given away.
        self.next = unsafe { entry.as_ref() }.next.load(Ordering::Relaxed);
        Some(entry)
    }
}
