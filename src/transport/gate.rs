// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bounds the handlers that run at once, over all CPUs and both transports (`max_threads`).

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Condvar, Mutex};

/// A counter of running handlers with a limit. Passing it costs one atomic operation unless the limit is reached.
pub struct Gate {
    running: AtomicU32,
    limit: u32,
    waiting: AtomicU32,
    lock: Mutex<()>,
    room: Condvar,
}

impl Gate {
    pub fn new(limit: u32) -> Gate {
        Gate {
            running: AtomicU32::new(0),
            limit: limit.max(1),
            waiting: AtomicU32::new(0),
            lock: Mutex::new(()),
            room: Condvar::new(),
        }
    }

    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether a handler could start now.
    pub fn has_room(&self) -> bool {
        self.running.load(Ordering::SeqCst) < self.limit
    }

    /// Runs a handler if there is room for it right now.
    pub fn try_pass(&self, handler: impl FnOnce()) -> bool {
        let entered = self.try_enter();
        if entered {
            handler();
            self.leave();
        }
        entered
    }

    /// Runs a handler when there is room for it.
    pub fn pass<T>(&self, handler: impl FnOnce() -> T) -> T {
        if !self.try_enter() {
            self.wait();
        }
        let result = handler();
        self.leave();
        result
    }

    fn leave(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) != 0 {
            drop(self.lock.lock());
            self.room.notify_one();
        }
    }

    fn try_enter(&self) -> bool {
        // Ordered after `waiting` was raised, so that whoever leaves either is seen here or sees us wait.
        let mut running = self.running.load(Ordering::SeqCst);
        while running < self.limit {
            match self.running.compare_exchange_weak(
                running,
                running + 1,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => running = now,
            }
        }
        false
    }

    #[cold]
    fn wait(&self) {
        let mut guard = self.lock.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while !self.try_enter() {
            self.room.wait(&mut guard);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn never_more_than_the_limit() {
        let (gate, now, most) = (Gate::new(3), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        gate.pass(|| {
                            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            std::thread::yield_now();
                            now.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
        assert!(gate.has_room());
    }
}
