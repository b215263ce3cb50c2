// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings forth requests that the kernel keeps back.
//!
//! A request that came when no entry of its queue was armed waits until an entry of that queue is committed;
//! registering a new one does not bring it forth (Linux 6.14 to 6.18). If all handlers of the queue block, that may
//! be never. So we make ourselves a request to commit: a statfs(2) on the mount, from the queue's CPU, which whoever
//! receives it answers at once, without the filesystem.
//!
//! Each kick is a thread of its own for a moment: if the entry that it aims at is gone by then, it has to wait with the
//! others, and nobody may wait for it in turn. Such threads hold on to nothing of the session.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::sys::cpu;
use crate::sys::mount::statfs;
use crate::transport::threads::{Runs, spawn};
use crate::wire::{FuseInHeader, Opcode};

/// Kicks at once. One that waits with the others is no use until it is brought forth itself.
const MOST: usize = 32;
const NOBODY: i32 = 0;
const PATIENCE: Duration = Duration::from_millis(500);

/// See the module.
pub struct Kicker {
    mountpoint: Option<CString>,
    handles: Mutex<Vec<JoinHandle<()>>>,
    /// Thread ids of the kicks under way.
    threads: Arc<[AtomicI32; MOST]>,
}

impl Kicker {
    /// Without a mount point of ours there are no kicks: what waits, waits for the next commit.
    pub fn new(mountpoint: Option<CString>) -> Kicker {
        let threads = Arc::new([const { AtomicI32::new(NOBODY) }; MOST]);
        Kicker { mountpoint, handles: Mutex::default(), threads }
    }

    /// Whether a request is ours.
    pub fn is_kick(&self, header: &FuseInHeader) -> bool {
        // The kernel knows no number for a caller in another pid namespace and says 0.
        header.opcode == Opcode::STATFS.0
            && header.pid as i32 > NOBODY
            && self.threads.iter().any(|thread| thread.load(Ordering::SeqCst) == header.pid as i32)
    }

    /// Starts a kick of the queue of a CPU. For a thread that does not mind if it fails.
    pub fn kick(&self, cpu: usize) {
        let Some(path) = self.mountpoint.clone() else {
            return;
        };
        // A place that is taken before the thread has its id; -1 is nobody's.
        let free = |place: &AtomicI32| {
            place.compare_exchange(NOBODY, -1, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let Some(place) = self.threads.iter().position(free) else {
            return;
        };
        let threads = self.threads.clone();
        let body = move || {
            threads[place].store(crate::sys::cpu::thread_id(), Ordering::SeqCst);
            // Not for a CPU that is not ours to run on.
            if let Ok(_there) = cpu::run_on(cpu) {
                statfs(&path);
            }
            threads[place].store(NOBODY, Ordering::SeqCst);
        };
        let mut handles = self.handles.lock();
        handles.retain(|thread| !thread.is_finished());
        match spawn("fuse-kick", Runs::Library, body) {
            Ok(thread) => handles.push(thread),
            Err(_) => self.threads[place].store(NOBODY, Ordering::SeqCst),
        }
    }

    /// Waits for the threads, which the end of the connection sets free. If somebody else keeps that alive, they are
    /// left to it.
    pub fn settle(&self) {
        let handles = std::mem::take(&mut *self.handles.lock());
        let begin = Instant::now();
        while handles.iter().any(|thread| !thread.is_finished()) && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        for thread in handles.into_iter().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}
