// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads and their CPUs: where one runs, and whether it waits.

use std::mem::MaybeUninit;

use crate::errno::Errno;

const SIZE: usize = size_of::<libc::cpu_set_t>();

/// The calling thread runs on one CPU until this is dropped.
pub struct There {
    before: libc::cpu_set_t,
}

/// Moves the calling thread to a CPU. An error if the process may not run there.
pub fn run_on(cpu: usize) -> Result<There, Errno> {
    move_to(cpu, |_, one| {
        // SAFETY: `cpu` is within the set.
        unsafe { libc::CPU_SET(cpu, one) }
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
    let mut before = MaybeUninit::<libc::cpu_set_t>::zeroed();
    let mut chosen = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: sets of the size that is passed along; all-zero is the empty set.
    unsafe {
        if libc::sched_getaffinity(0, SIZE, before.as_mut_ptr()) == -1 {
            return Err(Errno::last());
        }
        let before = before.assume_init();
        choose(&before, chosen.assume_init_mut());
        if libc::sched_setaffinity(0, SIZE, chosen.as_ptr()) == -1 {
            return Err(Errno::last());
        }
        Ok(There { before })
    }
}

impl Drop for There {
    fn drop(&mut self) {
        // SAFETY: the set that the kernel gave us.
        unsafe { libc::sched_setaffinity(0, SIZE, &raw const self.before) };
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
