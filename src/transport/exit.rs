// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a session is told to end, from any thread or from a signal handler.
//!
//! The flag is owned by the session and outlives every loop; the eventfd stays readable from `exit` until
//! `reset`, so that each thread that waits on it sees the end, whenever it looks.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::errno::Errno;
use crate::sys::event;

/// The exit state of one session.
pub struct ExitFlag {
    exited: AtomicBool,
    error: AtomicI32,
    wake: OwnedFd,
}

impl ExitFlag {
    pub fn new() -> Result<ExitFlag, Errno> {
        Ok(ExitFlag { exited: AtomicBool::new(false), error: AtomicI32::new(0), wake: event::eventfd()? })
    }

    /// Asks the loop to end. Async-signal-safe, may be called any number of times.
    pub fn exit(&self) {
        self.exited.store(true, Ordering::SeqCst);
        event::signal(self.wake.as_raw_fd());
    }

    /// `exit`, and what the loop shall return: a signal's number (positive) or a negated errno.
    /// The first one stays. Async-signal-safe.
    pub fn exit_with(&self, error: i32) {
        let _ = self.error.compare_exchange(0, error, Ordering::SeqCst, Ordering::SeqCst);
        self.exit();
    }

    pub fn exited(&self) -> bool {
        self.exited.load(Ordering::SeqCst)
    }

    /// What `exit_with` stored, else 0.
    pub fn error(&self) -> i32 {
        self.error.load(Ordering::SeqCst)
    }

    /// Makes the session ready to loop again.
    pub fn reset(&self) {
        self.exited.store(false, Ordering::SeqCst);
        self.error.store(0, Ordering::SeqCst);
        event::drain(&self.wake);
    }

    /// Readable while the session is to end.
    pub fn wake_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}
