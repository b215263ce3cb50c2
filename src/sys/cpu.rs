// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running on a given CPU for a moment.

use std::mem::MaybeUninit;

use crate::errno::Errno;

const SIZE: usize = size_of::<libc::cpu_set_t>();

/// The calling thread runs on one CPU until this is dropped.
pub struct There {
    before: libc::cpu_set_t,
}

/// Moves the calling thread to a CPU. An error if the process may not run there.
pub fn run_on(cpu: usize) -> Result<There, Errno> {
    let mut before = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: sets of the size that is passed along; all-zero is the empty set.
    unsafe {
        if libc::sched_getaffinity(0, SIZE, before.as_mut_ptr()) == -1 {
            return Err(Errno::last());
        }
        let before = before.assume_init();
        let mut one = MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init();
        if cpu >= SIZE * 8 {
            return Err(Errno::new(libc::EINVAL));
        }
        libc::CPU_SET(cpu, &mut one);
        if libc::sched_setaffinity(0, SIZE, &raw const one) == -1 {
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
