// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running the handler of a request that lies in an entry, and telling whether handlers block.
//!
//! What the handler gets of the entry's memory is lent to it until it returns; see `entry`.

use crate::sys::cpu::waits_of_this_thread;
use crate::sys::time::now;
use crate::transport::Incoming;
use crate::transport::slot::Route;
use crate::transport::uring::entry::Entry;
use crate::transport::uring::pool::Pool;
use crate::wire::Opcode;

use std::ptr::NonNull;

/// Other arguments than data up to this size are copied out of the entry, so that the program may read them until its handler
/// returns, as on the device, even if another thread has replied and the kernel fills the entry again.
const COPIED: usize = 128 << 10;
/// Up to this size a copy costs nothing that could be measured.
const SMALL: usize = 512;
/// Nanoseconds after which a handler may have blocked.
const SLOW: u64 = 100_000;
/// Every so many handlers' time is taken.
const SAMPLE: u32 = 8;
/// So many handlers are watched after a slow one.
const SUSPICION: u32 = 8;

/// Tells handlers that block from those that are only slow, or were not let on a CPU.
///
/// The number of times that a thread gave up its CPU says so, but costs a system call: it is asked for only after a
/// handler was slow, for a while.
#[derive(Default)]
pub struct BlockWatch {
    handlers: u32,
    suspicious: u32,
    before: i64,
    /// Of the last handler, if it was taken.
    time: Option<u64>,
}

impl BlockWatch {
    /// Whether the next handler's time is to be taken.
    pub fn wants_time(&self) -> bool {
        self.suspicious > 0 || self.handlers.wrapping_add(1) % SAMPLE == 0
    }

    pub fn before(&mut self) {
        if self.suspicious > 0 {
            self.before = waits_of_this_thread();
        }
    }

    /// Whether the handler that began at `started` is known to have blocked.
    pub fn after(&mut self, started: u64) -> bool {
        self.handlers = self.handlers.wrapping_add(1);
        let watched = self.suspicious > 0;
        if !watched && self.handlers % SAMPLE != 0 {
            return false;
        }
        let time = now() - started;
        self.time = Some(time);
        let slow = time > SLOW;
        self.suspicious = if slow { SUSPICION } else { self.suspicious.saturating_sub(1) };
        slow && watched && waits_of_this_thread() > self.before
    }

    /// The time of one handler in nanoseconds, if it was taken since the last call, and for how many it stands.
    pub fn take_time(&mut self) -> Option<(u32, u64)> {
        self.time.take().map(|time| (SAMPLE, time * u64::from(SAMPLE)))
    }
}

/// Serves what an entry holds; returns its turn.
pub fn serve_entry(pool: &Pool, entry: &Entry, scratch: &mut Vec<u8>) -> u64 {
    let delivered = entry.begin();
    // SAFETY: slots outlive entries, and the slot of a delivered entry is free.
    let slot = unsafe { entry.slot().as_ref() };
    let handle = slot.activate(&delivered.header, Route::Ring(NonNull::from(entry)));
    let room = entry.payload().len();
    let used = (delivered.payload_size as usize).min(room);
    // SAFETY: the payload is ours until the reply is committed, which waits for this handler (or, if that takes very
    // long, only follows a reply that another thread made: see COPIED).
    let payload = unsafe { std::slice::from_raw_parts(entry.payload().cast::<u8>().as_ptr(), used) };
    // Data of a WRITE is lent as it lies, unless such handlers are known to go on after their reply.
    let copied = used <= COPIED
        && (delivered.header.opcode != Opcode::WRITE.0 || pool.works_after_reply(entry))
        || used <= SMALL;
    entry.lend(!copied);
    let payload = if copied {
        scratch.clear();
        scratch.extend_from_slice(payload);
        scratch.as_slice()
    } else {
        payload
    };
    pool.service().serve(Incoming {
        header: delivered.header,
        op_in: Some(entry.op_in()),
        payload_size: delivered.payload_size,
        payload,
        handle,
    });
    delivered.turn
}
