// SPDX-License-Identifier: MIT OR Apache-2.0
//! The clock that waiting is measured by.

/// Nanoseconds of the monotonic clock.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a timespec to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps for so many nanoseconds and hardly longer, where the kernel else adds up to 50 us.
pub fn pause(nanoseconds: u32) {
    const SHARPLY: libc::c_ulong = 1;
    let time = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds.into() };
    // SAFETY: the calls take numbers, and read a timespec; what the program gets to see is as before.
    unsafe {
        let slack = libc::prctl(libc::PR_GET_TIMERSLACK);
        libc::prctl(libc::PR_SET_TIMERSLACK, SHARPLY);
        libc::nanosleep(&raw const time, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_TIMERSLACK, slack as libc::c_ulong);
    }
}
