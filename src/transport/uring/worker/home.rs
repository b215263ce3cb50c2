// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a worker had better run: on the CPU of its clients, or on any but that.

use crate::sys::cpu::{self, There};

/// Moves the calling thread to a queue's CPU, where the clients of that queue are: a reply from another CPU has to wake
/// an idle one, which takes several times as long as a request. Only for the moment: threads and programs that a handler
/// starts shall not inherit a binding. `false`: it can't be done.
pub fn go_home(queue: u16) -> bool {
    let cpu = usize::from(queue);
    cpu::current() == cpu || cpu::run_on(cpu).is_ok()
}

/// Moves the calling thread to another CPU than a queue's, so that one client's many requests are prepared on one and
/// served on another.
pub fn go_away(queue: u16) {
    let cpu = usize::from(queue);
    if cpu::current() == cpu {
        let _ = cpu::leave(cpu);
    }
}

/// Keeps the calling thread on a queue's CPU until the result is dropped, as long as it runs no handler: the client that wakes it
/// runs there, and another CPU would first have to be woken for the request, and then the client's for the reply.
pub fn stay_home(queue: u16) -> Option<There> {
    cpu::run_on(usize::from(queue)).ok()
}
