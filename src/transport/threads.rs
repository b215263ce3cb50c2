// SPDX-License-Identifier: MIT OR Apache-2.0
//! The library's threads: started only inside a loop call, with the stack and signal mask that handlers expect.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::thread::{Builder, JoinHandle};

use crate::errno::Errno;
use crate::log::error;
use crate::sys::fault;

/// What kind of code runs in a thread decides which signals it sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Handlers of the program: all signals but those that end the session, as with libfuse.
    Handlers,
    /// Only the library: none.
    Library,
}

thread_local! {
    /// In a thread of the library: the signals that were blocked where it was started, which are those that handlers expect
    /// to be blocked.
    static OUTSIDE: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// Starts a thread. The signals are blocked before it exists, so that none can slip in.
pub fn spawn(name: &str, runs: Runs, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Errno> {
    fault::check("thread")?;
    let before = block_signals(runs);
    let outside = OUTSIDE.get().unwrap_or(before);
    let body = move || {
        if runs == Runs::Library {
            OUTSIDE.set(Some(outside));
        }
        body();
    };
    let started = Builder::new().name(name.to_owned()).stack_size(stack_size()).spawn(body);
    // SAFETY: a mask that the kernel gave us.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    Ok(started?)
}

/// Blocks what a new thread shall not see; returns what was blocked before.
fn block_signals(runs: Runs) -> libc::sigset_t {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the sets are initialised by the calls before they are used.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), before.as_mut_ptr());
        let before = before.assume_init();
        let mut blocked = OUTSIDE.get().unwrap_or(before);
        match runs {
            Runs::Library => {
                libc::sigfillset(&raw mut blocked);
            }
            Runs::Handlers => {
                for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
                    libc::sigaddset(&raw mut blocked, signal);
                }
            }
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const blocked, std::ptr::null_mut());
        before
    }
}

/// `FUSE_THREAD_STACK` in bytes, else what a C program's own threads get.
fn stack_size() -> usize {
    if let Some(text) = std::env::var_os("FUSE_THREAD_STACK") {
        match text.to_str().and_then(|text| text.parse().ok()) {
            Some(size) => return size,
            None => error!("fuse: invalid stack size: {}", text.to_string_lossy()),
        }
    }
    let mut attr = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut size = 0;
    // SAFETY: initialised, asked and destroyed.
    unsafe {
        if libc::pthread_attr_init(attr.as_mut_ptr()) == 0 {
            libc::pthread_attr_getstacksize(attr.as_ptr(), &raw mut size);
            libc::pthread_attr_destroy(attr.as_mut_ptr());
        }
    }
    size.max(1 << 20)
}
