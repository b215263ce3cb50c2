// SPDX-License-Identifier: MIT OR Apache-2.0
//! `intr`: the thread that works on a request gets a signal when the request is interrupted, so that a system call
//! which blocks returns with EINTR. The signal may come before the call, hence it is sent again until the handler has
//! returned. Signals go to a thread only under a lock that its handler takes before it ends.

use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::log::warning;
use crate::request::Request;
use crate::sys::signal;
use crate::transport::threads::{Runs, spawn};

/// How long until the signal is sent again.
const AGAIN: Duration = Duration::from_millis(100);

extern "C" fn nothing(_signal: c_int) {}

/// Makes the signal harmless, unless the program has a use for it.
pub fn install(number: i32) {
    if let Err(e) = signal::install(number, nothing, 0) {
        warning!("fuse: can't handle signal {number} for interrupted requests: {e}");
    }
}

pub fn uninstall(number: i32) {
    let _ = signal::remove(number, nothing);
}

/// A thread in a handler.
struct Thread {
    handle: libc::pthread_t,
    signal: i32,
    /// Until the handler has returned.
    busy: Mutex<bool>,
}

impl Thread {
    /// False once the handler has returned.
    fn interrupt(&self) -> bool {
        let busy = self.busy.lock();
        if *busy {
            // SAFETY: the thread takes the lock before it leaves the handler, so it still is.
            unsafe { libc::pthread_kill(self.handle, self.signal) };
        }
        *busy
    }
}

/// Threads that get their signal again.
#[derive(Default)]
pub struct Resend {
    waiting: Mutex<Vec<Arc<Thread>>>,
}

impl Resend {
    fn add(self: &Arc<Resend>, thread: Arc<Thread>) {
        let mut waiting = self.waiting.lock();
        waiting.push(thread);
        if waiting.len() == 1 {
            let this = self.clone();
            if let Err(e) = spawn("fuse_intr", Runs::Library, move || this.run()) {
                warning!("fuse: error creating thread: {e}; interrupts are sent once only");
                waiting.clear();
            }
        }
    }

    /// Until there is nothing left to do.
    fn run(&self) {
        loop {
            std::thread::sleep(AGAIN);
            let mut waiting = self.waiting.lock();
            waiting.retain(|thread| thread.interrupt());
            if waiting.is_empty() {
                return;
            }
        }
    }
}

/// Interrupts this thread with its request, until dropped.
pub struct Watch {
    thread: Arc<Thread>,
    raw: u64,
}

impl Watch {
    pub fn new(request: &Request, signal: i32, resend: &Arc<Resend>) -> Watch {
        // SAFETY: no arguments.
        let handle = unsafe { libc::pthread_self() };
        let thread = Arc::new(Thread { handle, signal, busy: Mutex::new(true) });
        let watch = Watch { thread: thread.clone(), raw: request.raw() };
        let resend = resend.clone();
        // SAFETY: the request is not answered yet.
        if let Some(slot) = unsafe { Request::peek(watch.raw) } {
            slot.watch(Some(Box::new(move || {
                if thread.interrupt() {
                    resend.add(thread.clone());
                }
            })));
        }
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.thread.busy.lock() = false;
        // SAFETY: the session lives as long as its requests are handled.
        if let Some(slot) = unsafe { Request::peek(self.raw) } {
            slot.watch(None);
        }
    }
}
