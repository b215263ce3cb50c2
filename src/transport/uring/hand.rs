// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a worker has in hand: requests it has received and not begun yet, and replies that go out together.
//!
//! The kernel has nothing to do with either any more, so if a handler keeps the worker, somebody else can take both.
//! Whoever took an entry out of here is the one that serves or commits it.

use std::collections::VecDeque;
use std::ptr::NonNull;

use parking_lot::Mutex;

use crate::transport::uring::entry::Entry;

/// See the module. Locked for a moment only, and by others only when a handler takes long.
#[derive(Default)]
pub struct Hand {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    requests: VecDeque<NonNull<Entry>>,
    replies: Vec<NonNull<Entry>>,
}

// SAFETY: entries are Sync, and the pool keeps them.
unsafe impl Send for Hand {}
unsafe impl Sync for Hand {}

impl Hand {
    pub fn add(&self, request: NonNull<Entry>) {
        self.held.lock().requests.push_back(request);
    }

    /// Whether all requests are of one queue.
    pub fn is_all_of(&self, qid: u16) -> bool {
        // SAFETY: the pool owns what is in a hand.
        self.held.lock().requests.iter().all(|request| unsafe { request.as_ref() }.qid == qid)
    }

    /// Lays down the reply to one request and takes up the next.
    pub fn next(&self, reply: Option<NonNull<Entry>>) -> Option<NonNull<Entry>> {
        let mut held = self.held.lock();
        held.replies.extend(reply);
        held.requests.pop_front()
    }

    /// Moves the replies out, in their order.
    pub fn take_replies(&self, into: &mut Vec<NonNull<Entry>>) {
        into.append(&mut self.held.lock().replies);
    }

    /// Moves the requests out that were not begun.
    pub fn take_requests(&self) -> VecDeque<NonNull<Entry>> {
        std::mem::take(&mut self.held.lock().requests)
    }
}
