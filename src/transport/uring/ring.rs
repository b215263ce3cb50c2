// SPDX-License-Identifier: MIT OR Apache-2.0
//! One io_uring, used by the one thread that made it.
//!
//! The kernel copies a request into an entry only while this thread is inside `io_uring_enter` (DEFER_TASKRUN): no
//! system call of a handler is broken off by it. The ring must not outlive its thread's use of the entries armed in
//! it: dropping it takes them back from the kernel.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use io_uring::squeue::Entry128;
use io_uring::types::Fixed;
use io_uring::{IoUring, cqueue, opcode};

use crate::errno::Errno;
use crate::sys::fault;
use crate::sys::uring::{EnterFd, Wait, enter};
use crate::transport::uring::entry::Entry;
use crate::wire::Pod;
use crate::wire::uring::{CMD_COMMIT_AND_FETCH, CMD_REGISTER, FuseUringCmdReq};

/// Completions that are no entry's.
pub const WAKE: u64 = 1;
pub const DEVICE: u64 = 2;
pub const EXIT: u64 = 3;
const NOTHING: u64 = 4;
pub const MARK: u64 = 5;

/// The FUSE device in the ring's table of registered files.
const FUSE_FILE: Fixed = Fixed(0);

/// A completion: whose, and how it ended.
#[derive(Clone, Copy)]
pub struct Completion {
    pub user_data: u64,
    pub result: i32,
    /// A `watch` goes on after this.
    pub more: bool,
}

/// See the module.
pub struct Ring {
    uring: IoUring<Entry128, cqueue::Entry>,
    enter_fd: EnterFd,
}

impl Ring {
    /// A ring with room for `depth` submissions at once, tried out so far that later uses can only fail for a
    /// reason of FUSE's.
    pub fn new(depth: u32, fuse_fd: RawFd) -> Result<Ring, Errno> {
        fault::check("setup")?;
        let uring = IoUring::<Entry128, cqueue::Entry>::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_taskrun_flag()
            .build(depth)?;
        uring.submitter().register_files(&[fuse_fd])?;
        let enter_fd = EnterFd::plain(uring.as_raw_fd());
        let mut ring = Ring { uring, enter_fd };
        ring.push(opcode::Nop::new().build().user_data(NOTHING).into());
        ring.submit_and_wait(1, None)?;
        while ring.pop().is_some() {}
        Ok(ring)
    }

    /// Makes entering cheaper for the thread that made the ring, and keeps the ring, and through it the FUSE device, open until
    /// `delist` or the thread's end.
    pub fn enlist(&mut self) {
        self.delist();
        self.enter_fd = EnterFd::registered(self.fd());
    }

    /// For the same thread.
    pub fn delist(&mut self) {
        let fd = self.fd();
        std::mem::replace(&mut self.enter_fd, EnterFd::plain(fd)).unregister(fd);
    }

    pub fn fd(&self) -> RawFd {
        self.uring.as_raw_fd()
    }

    /// Queues a REGISTER: the entry becomes the kernel's.
    pub fn register(&mut self, entry: &Entry) {
        let refused = fault::check("register").is_err();
        let qid = if refused { u16::MAX } else { entry.qid };
        let iov = std::ptr::from_ref(&entry.iov) as u64;
        let mut sqe = command(CMD_REGISTER, qid, 0, Some(iov)).user_data(entry.user_data());
        // The crate's builder has no way to say how many iovecs there are (`len`, at byte 24 of a submission).
        // SAFETY: Entry128 is the 128 bytes of the kernel's io_uring_sqe.
        unsafe { (&raw mut sqe).cast::<u8>().add(24).cast::<u32>().write(2) };
        self.push(sqe);
    }

    /// Queues a REGISTER that the kernel refuses. It then gives up on the ring and uses `/dev/fuse`, which it does
    /// not do by itself when a daemon that was granted the ring never registers.
    pub fn refuse(&mut self) {
        self.push(command(CMD_REGISTER, u16::MAX, 0, None).user_data(NOTHING));
    }

    /// Queues the reply that lies in the entry; the entry becomes the kernel's again.
    pub fn commit(&mut self, entry: &Entry) {
        let sqe = command(CMD_COMMIT_AND_FETCH, entry.qid, entry.commit_id(), None);
        self.push(sqe.user_data(entry.user_data()));
    }

    /// Queues a completion that tells what came for the commits before it from what comes later.
    pub fn mark(&mut self) {
        self.push(opcode::Nop::new().build().user_data(MARK).into());
    }

    /// Queues a poll for input that completes again and again.
    pub fn watch(&mut self, fd: RawFd, user_data: u64) {
        let poll = opcode::PollAdd::new(io_uring::types::Fd(fd), libc::POLLIN as u32).multi(true);
        self.push(poll.build().user_data(user_data).into());
    }

    fn push(&mut self, sqe: Entry128) {
        // SAFETY: what a submission points to (an entry, its buffers) lives as long as the pool.
        while unsafe { self.uring.submission().push(&sqe) }.is_err() {
            // Full: hand over what is there, when the kernel has memory for it.
            match self.enter(Wait::No) {
                Err(e) if passing(e) => std::thread::yield_now(),
                Err(_) => return,
                Ok(()) => (),
            }
        }
    }

    /// Submits, then waits for `want` completions; a signal or the end of `timeout` end the wait without an error.
    pub fn submit_and_wait(&mut self, want: u32, timeout: Option<Duration>) -> Result<(), Errno> {
        match self.enter(Wait::For(want, timeout)) {
            Err(e) if passing(e) || e.raw() == libc::ETIME => Ok(()),
            other => other,
        }
    }

    /// Submits what is queued, if anything is.
    pub fn submit_queued(&mut self) -> Result<(), Errno> {
        match self.has_queued() {
            true => self.submit_and_wait(0, None),
            false => Ok(()),
        }
    }

    fn enter(&mut self, wait: Wait) -> Result<(), Errno> {
        let queued = self.uring.submission().len() as u32;
        enter(self.enter_fd, queued, wait)
    }

    /// Whether something waits to be submitted.
    pub fn has_queued(&mut self) -> bool {
        !self.uring.submission().is_empty()
    }

    /// Whether there is something to do here without waiting for it.
    pub fn has_work(&mut self) -> bool {
        !self.uring.completion().is_empty() || self.uring.submission().taskrun()
    }

    /// Whether a completion is there already.
    pub fn has_completions(&mut self) -> bool {
        !self.uring.completion().is_empty()
    }

    pub fn pop(&mut self) -> Option<Completion> {
        let cqe = self.uring.completion().next()?;
        let more = cqueue::more(cqe.flags());
        Some(Completion { user_data: cqe.user_data(), result: cqe.result(), more })
    }
}

/// Errors of a call that may be made again as it is.
fn passing(error: Errno) -> bool {
    matches!(error.raw(), libc::EINTR | libc::EBUSY | libc::EAGAIN)
}

fn command(cmd_op: u32, qid: u16, commit_id: u64, addr: Option<u64>) -> Entry128 {
    let request = FuseUringCmdReq { flags: 0, commit_id, qid, padding: [0; 6] };
    let mut area = [0u8; 80];
    area[..size_of::<FuseUringCmdReq>()].copy_from_slice(request.as_bytes());
    opcode::UringCmd80::new(FUSE_FILE, cmd_op).cmd(area).addr(addr).build()
}
