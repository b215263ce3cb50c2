// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings forth requests that the kernel keeps back.
//!
//! A request that came when no entry of its queue was armed waits until an entry of that queue is committed;
//! registering a new one does not bring it forth (Linux 6.14 to 6.18). If all handlers of the queue block, that may
//! be never. So we make ourselves a request to commit: ustat(2) of the filesystem, from the queue's CPU, which whoever
//! receives it answers at once, without the filesystem.
//!
//! Unlike statfs(2), ustat does not hold on to the mount: that would make an umount(2) meanwhile fail with EBUSY, although
//! nobody uses the mount. It has the umount wait for the answer, though. Where there is no ustat (most architectures, and
//! seccomp profiles of containers), it is statfs.
//!
//! Each kick is a thread of its own for a moment: if the entry that it aims at is gone by then, it has to wait with the
//! others, and nobody may wait for it in turn. Such threads hold on to nothing of the session.

use std::ffi::CString;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::sys::cpu;
use crate::sys::dev::filesystem;
use crate::sys::mount::{statfs, ustat};
use crate::transport::threads::{Runs, spawn};
use crate::wire::{FuseInHeader, Opcode};

/// Kicks at once.
const MOST: usize = 256;
const NOBODY: i32 = 0;
/// A place that is taken before its thread has an id.
const SOMEBODY: i32 = -1;
/// A kick that was not answered by then, in nanoseconds, came too late for the entry that it aimed at.
const MISSED: u64 = 2_000_000;
const PATIENCE: Duration = Duration::from_millis(500);

/// A kick under way.
struct Kick {
    /// The id of its thread.
    thread: AtomicI32,
    queue: AtomicUsize,
    /// When it began, in nanoseconds of the monotonic clock.
    since: AtomicU64,
}

/// Whether a seccomp filter is in force: it may kill whoever calls what it does not know.
fn is_filtered() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("\nSeccomp:\t2"))
}

/// See the module.
pub struct Kicker {
    mountpoint: Option<CString>,
    device: Option<u32>,
    handles: Mutex<Vec<JoinHandle<()>>>,
    kicks: Arc<[Kick; MOST]>,
}

impl Kicker {
    /// Without a mount point of ours there are no kicks: what waits, waits for the next commit.
    pub fn new(mountpoint: Option<CString>, fuse_fd: RawFd) -> Kicker {
        let nothing =
            || Kick { thread: AtomicI32::new(NOBODY), queue: AtomicUsize::new(0), since: AtomicU64::new(0) };
        let kicks = Arc::new(std::array::from_fn(|_| nothing()));
        Kicker {
            mountpoint,
            device: filesystem(fuse_fd).filter(|_| !is_filtered()),
            handles: Mutex::default(),
            kicks,
        }
    }

    /// Whether a request is ours.
    pub fn is_kick(&self, header: &FuseInHeader) -> bool {
        // The kernel knows no number for a caller in another pid namespace and says 0.
        header.opcode == Opcode::STATFS.0
            && header.pid as i32 > NOBODY
            && self.kicks.iter().any(|kick| kick.thread.load(Ordering::SeqCst) == header.pid as i32)
    }

    /// The beginnings of the kicks of a queue that are under way.
    fn under_way(&self, queue: usize) -> impl Iterator<Item = u64> {
        let of_queue = move |kick: &&Kick| {
            kick.thread.load(Ordering::SeqCst) != NOBODY && kick.queue.load(Ordering::SeqCst) == queue
        };
        self.kicks.iter().filter(of_queue).map(|kick| kick.since.load(Ordering::SeqCst))
    }

    /// Whether a kick was sent just now, so that another would only follow it.
    pub fn is_kicking(&self, queue: usize, now: u64) -> bool {
        self.under_way(queue).any(|since| now.saturating_sub(since) <= MISSED)
    }

    /// Whether a kick has missed. Then it waits itself, and with it whatever else does.
    pub fn has_missed(&self, queue: usize, now: u64) -> bool {
        self.under_way(queue).any(|since| now.saturating_sub(since) > MISSED)
    }

    /// Starts a kick of a queue, which is that of the CPU of the same number.
    pub fn kick(&self, queue: usize, now: u64) {
        let Some(path) = self.mountpoint.clone() else { return };
        let free = |kick: &Kick| {
            kick.thread.compare_exchange(NOBODY, SOMEBODY, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let Some(place) = self.kicks.iter().position(free) else { return };
        self.kicks[place].since.store(now, Ordering::SeqCst);
        self.kicks[place].queue.store(queue, Ordering::SeqCst);
        let (kicks, device) = (self.kicks.clone(), self.device);
        let body = move || {
            kicks[place].thread.store(cpu::thread_id(), Ordering::SeqCst);
            // Not for a CPU that is not ours to run on.
            if let Ok(_there) = cpu::run_on(queue) {
                match device.map_or(Err(Errno::new(libc::ENOSYS)), ustat) {
                    Err(e) if [libc::ENOSYS, libc::EPERM, libc::EACCES].contains(&e.raw()) => statfs(&path),
                    _ => (),
                }
            }
            kicks[place].thread.store(NOBODY, Ordering::SeqCst);
        };
        let mut handles = self.handles.lock();
        handles.retain(|thread| !thread.is_finished());
        match spawn("fuse-kick", Runs::Library, body) {
            Ok(thread) => handles.push(thread),
            Err(_) => self.kicks[place].thread.store(NOBODY, Ordering::SeqCst),
        }
    }

    /// Waits for the threads, which the end of the connection sets free. If somebody else keeps that alive, they are
    /// left to it: `false`.
    pub fn settle(&self) -> bool {
        let handles = std::mem::take(&mut *self.handles.lock());
        let begin = Instant::now();
        while handles.iter().any(|thread| !thread.is_finished()) && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (ended, left): (Vec<_>, Vec<_>) = handles.into_iter().partition(JoinHandle::is_finished);
        for thread in ended {
            let _ = thread.join();
        }
        left.is_empty()
    }
}
