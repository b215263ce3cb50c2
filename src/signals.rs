// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which signals end a session (since 2.5), and which ones are reported before they end the process (since 3.17).
//!
//! One session of the process can be the target. Its exit flag is borrowed from when it is installed until it is
//! removed.

use std::ptr;

use crate::errno::Errno;
use crate::log::error;
use crate::sys::signal::{self, Handler, Slot};
use crate::transport::exit::ExitFlag;

static TARGET: Slot<ExitFlag> = Slot::empty();

const EXITING: [(i32, Handler); 4] = [
    (libc::SIGHUP, on_exit),
    (libc::SIGINT, on_exit),
    (libc::SIGTERM, on_exit),
    (libc::SIGPIPE, on_broken_pipe),
];

const FAILING: [(i32, Handler); 6] = [
    (libc::SIGILL, on_failure),
    (libc::SIGTRAP, on_failure),
    (libc::SIGABRT, on_failure),
    (libc::SIGBUS, on_failure),
    (libc::SIGFPE, on_failure),
    (libc::SIGSEGV, on_failure),
];

/// HUP, INT and TERM end the session with the signal's number; a broken pipe is an error of a write, not of the
/// process. Signals that the program handles, or ignores, stay as they are.
pub fn install(flag: &'static ExitFlag) -> Result<(), Errno> {
    // The target first: a signal may come as soon as the handler is there.
    TARGET.set(Some(flag));
    install_all(&EXITING, 0)
}

/// A backtrace goes to the log before the process dies of a fatal signal.
pub fn install_fail() -> Result<(), Errno> {
    signal::prepare_report();
    install_all(&FAILING, signal::ONCE)
}

/// Takes away whatever is still ours; `flag` is no longer used afterwards.
pub fn remove(flag: &ExitFlag) {
    let known = TARGET.set(None);
    if !known.is_null() && !ptr::eq(known, flag) {
        error!("fuse: fuse_remove_signal_handlers: unknown session");
    }
    for (number, handler) in EXITING.into_iter().chain(FAILING) {
        let _ = signal::remove(number, handler); // the numbers are valid
    }
}

fn install_all(list: &[(i32, Handler)], flags: i32) -> Result<(), Errno> {
    list.iter().try_for_each(|&(number, handler)| {
        signal::install(number, handler, flags)
            .inspect_err(|e| error!("fuse: cannot set signal handler: {e}"))
    })
}

extern "C" fn on_exit(number: i32) {
    signal::keeping_errno(|| {
        if let Some(flag) = TARGET.get() {
            flag.exit_with(number);
        }
    });
}

/// A handler, and not SIG_IGN, since programs that the daemon starts would inherit that.
extern "C" fn on_broken_pipe(_: i32) {}

/// The default is in force again: a fault inside the report ends the process at once, and the signal itself does
/// when this returns.
extern "C" fn on_failure(number: i32) {
    signal::report(number);
    signal::raise(number);
}
