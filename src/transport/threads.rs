// SPDX-License-Identifier: MIT OR Apache-2.0
//! The library's threads: started only inside a loop call, with the stack and signal mask that handlers expect.

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

/// Starts a thread. The signals are blocked before it exists, so that none can slip in.
pub fn spawn(name: &str, runs: Runs, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Errno> {
    fault::check("thread")?;
    let before = block_signals(runs);
    let started = Builder::new().name(name.to_owned()).stack_size(stack_size()).spawn(body);
    // SAFETY: a mask that the kernel gave us.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    Ok(started?)
}

fn block_signals(runs: Runs) -> libc::sigset_t {
    let mut block = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the sets are initialised by the calls before they are used.
    unsafe {
        match runs {
            Runs::Library => {
                libc::sigfillset(block.as_mut_ptr());
            }
            Runs::Handlers => {
                libc::sigemptyset(block.as_mut_ptr());
                for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
                    libc::sigaddset(block.as_mut_ptr(), signal);
                }
            }
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, block.as_ptr(), before.as_mut_ptr());
        before.assume_init()
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
