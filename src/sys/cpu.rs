// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads and their CPUs: where one runs, and whether it waits.

use std::mem::MaybeUninit;

use crate::errno::Errno;

const SIZE: usize = size_of::<libc::cpu_set_t>();

/// The calling thread runs where it was sent until this is dropped, unless somebody else sends it elsewhere.
pub struct There {
    before: libc::cpu_set_t,
    chosen: libc::cpu_set_t,
}

/// Moves the calling thread to a CPU. An error if it may not run there.
pub fn run_on(cpu: usize) -> Result<There, Errno> {
    move_to(cpu, |allowed, one| {
        // SAFETY: `cpu` is within the sets.
        unsafe {
            if libc::CPU_ISSET(cpu, allowed) {
                libc::CPU_SET(cpu, one);
            }
        }
    })
}

/// Moves the calling thread away from a CPU. An error if there is no other to run on.
pub fn leave(cpu: usize) -> Result<There, Errno> {
    move_to(cpu, |allowed, others| {
        *others = *allowed;
        // SAFETY: as above.
        unsafe { libc::CPU_CLR(cpu, others) }
    })
}

fn move_to(cpu: usize, choose: impl FnOnce(&libc::cpu_set_t, &mut libc::cpu_set_t)) -> Result<There, Errno> {
    if cpu >= SIZE * 8 {
        return Err(Errno::new(libc::EINVAL));
    }
    let before = allowed()?;
    // SAFETY: all-zero is the empty set.
    let mut chosen = unsafe { MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init() };
    choose(&before, &mut chosen);
    // SAFETY: a set of the size that is passed along.
    match unsafe { libc::sched_setaffinity(0, SIZE, &raw const chosen) } {
        -1 => Err(Errno::last()),
        _ => Ok(There { before, chosen }),
    }
}

/// Where the calling thread may run.
fn allowed() -> Result<libc::cpu_set_t, Errno> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: room of the size that is passed along; all-zero is the empty set.
    unsafe {
        match libc::sched_getaffinity(0, SIZE, set.as_mut_ptr()) {
            -1 => Err(Errno::last()),
            _ => Ok(set.assume_init()),
        }
    }
}

impl Drop for There {
    fn drop(&mut self) {
        // SAFETY (both): sets that are whole.
        let is_chosen = |now: libc::cpu_set_t| unsafe { libc::CPU_EQUAL(&now, &self.chosen) };
        if allowed().is_ok_and(is_chosen) {
            unsafe { libc::sched_setaffinity(0, SIZE, &raw const self.before) };
        }
    }
}

/// The number by which the kernel, and a FUSE request, knows the calling thread.
pub fn thread_id() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::gettid() }
}

/// How often the calling thread has given up its CPU to wait for something.
pub fn waits_of_this_thread() -> i64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: room for the result, which is all-zero if there is none.
    unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init().ru_nvcsw
    }
}

/// Whether another thread of this process waits for something, as far as can be told.
pub fn sleeps(thread: i32) -> bool {
    // "TID (NAME) STATE ...", where the name may hold anything.
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_none_or(|state| state != 'R')
}

/// The CPU time that a thread of this process has used, in nanoseconds; 0 if it can't be told.
pub fn time_of(thread: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap_or_default();
    text.split(' ').next().and_then(|used| used.parse().ok()).unwrap_or(0)
}

/// The CPU that the calling thread runs on just now.
pub fn current() -> usize {
    // SAFETY: no arguments. An error, -1, is no CPU's number.
    unsafe { libc::sched_getcpu() as usize }
}
