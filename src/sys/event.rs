// SPDX-License-Identifier: MIT OR Apache-2.0
//! eventfd: the wake-up that may be sent from a signal handler.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::errno::Errno;

/// A non-blocking, close-on-exec eventfd with count 0.
pub fn eventfd() -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers; a returned descriptor is new and ours alone.
    unsafe {
        match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
            -1 => Err(Errno::last()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Adds one to the count; async-signal-safe. A full counter is as good as a wake-up, so errors say nothing.
pub fn signal(fd: RawFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight readable bytes.
    unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
}

/// Sets the count back to 0.
pub fn drain(fd: &OwnedFd) {
    let mut count = [0u8; 8];
    // SAFETY: eight writable bytes.
    unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}

/// Whether the descriptor is readable right now.
pub fn is_set(fd: RawFd) -> bool {
    let mut ask = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd.
    unsafe { libc::poll(&raw mut ask, 1, 0) > 0 }
}
