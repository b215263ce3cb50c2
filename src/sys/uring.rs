// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the io-uring crate has no call for: a message to another ring without a ring of one's own, and waiting
//! through a registered ring descriptor that is not tied to one borrow of the ring.

use std::os::fd::RawFd;
use std::time::Duration;

use crate::errno::Errno;

const IORING_REGISTER_SEND_MSG_RING: libc::c_uint = 31;
const IORING_REGISTER_RING_FDS: libc::c_uint = 20;
const IORING_UNREGISTER_RING_FDS: libc::c_uint = 21;
const IORING_OP_MSG_RING: u8 = 40;

const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;

/// The 64 bytes of a submission, only as far as a message needs them.
#[repr(C)]
#[derive(Default)]
struct MessageSqe {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    off: u64,
    addr: u64,
    len: u32,
    msg_ring_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

const _: () = assert!(size_of::<MessageSqe>() == 64);

/// Posts a completion with `user_data` to the ring `target` and wakes its thread (Linux 6.13). From any thread.
pub fn send_message(target: RawFd, user_data: u64) -> Result<(), Errno> {
    let sqe = MessageSqe { opcode: IORING_OP_MSG_RING, fd: target, off: user_data, ..MessageSqe::default() };
    let no_ring: RawFd = -1;
    // SAFETY: the kernel copies one submission of 64 bytes from `sqe`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            no_ring,
            IORING_REGISTER_SEND_MSG_RING,
            std::ptr::from_ref(&sqe),
            1,
        )
    };
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}

/// How to name a ring in `enter`: by its index in this thread's table if there is one, which saves a look-up.
#[derive(Clone, Copy)]
pub struct EnterFd {
    fd: i32,
    flags: u32,
}

/// `struct io_uring_rsrc_update`
#[repr(C)]
struct RingUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

fn update_ring_fds(ring: RawFd, how: libc::c_uint, update: &mut RingUpdate) -> bool {
    // SAFETY: the kernel reads and writes one RingUpdate.
    let done =
        unsafe { libc::syscall(libc::SYS_io_uring_register, ring, how, std::ptr::from_mut(update), 1) };
    done == 1
}

impl EnterFd {
    pub fn plain(ring: RawFd) -> EnterFd {
        EnterFd { fd: ring, flags: 0 }
    }

    /// Registers the ring with the calling thread, the only one that may `enter` it by the result. The table keeps the ring
    /// from going, whatever is closed, until `unregister` or the thread's end.
    pub fn registered(ring: RawFd) -> EnterFd {
        let mut update = RingUpdate { offset: u32::MAX, reserved: 0, data: ring as u64 };
        match update_ring_fds(ring, IORING_REGISTER_RING_FDS, &mut update) {
            true => EnterFd { fd: update.offset as i32, flags: ENTER_REGISTERED_RING },
            false => EnterFd::plain(ring),
        }
    }

    /// Takes the ring out of the calling thread's table, which must be that of `registered`.
    pub fn unregister(self, ring: RawFd) {
        if self.flags == ENTER_REGISTERED_RING {
            let mut update = RingUpdate { offset: self.fd as u32, reserved: 0, data: 0 };
            update_ring_fds(ring, IORING_UNREGISTER_RING_FDS, &mut update);
        }
    }
}

/// What `enter` is to wait for.
#[derive(Clone, Copy)]
pub enum Wait {
    /// Only submit.
    No,
    /// Run the ring's task work, then wait until so many completions are there, a signal comes or time is up.
    For(u32, Option<Duration>),
}

/// Submits `queued` entries of the ring and waits.
pub fn enter(ring: EnterFd, queued: u32, wait: Wait) -> Result<(), Errno> {
    /// `struct io_uring_getevents_arg`.
    #[repr(C)]
    struct Extra {
        sigmask: u64,
        sigmask_size: u32,
        min_wait_usec: u32,
        timeout: u64,
    }
    let (want, mut flags, timeout) = match wait {
        Wait::No => (0, ring.flags, None),
        Wait::For(want, timeout) => (want, ring.flags | ENTER_GETEVENTS, timeout),
    };
    let time = timeout.map(|time| [time.as_secs(), u64::from(time.subsec_nanos())]);
    let mut extra = Extra { sigmask: 0, sigmask_size: 8, min_wait_usec: 0, timeout: 0 };
    let (argument, size) = match &time {
        None => (std::ptr::null(), 8),
        Some(time) => {
            flags |= ENTER_EXT_ARG;
            extra.timeout = time.as_ptr() as u64;
            (std::ptr::from_ref(&extra), size_of::<Extra>())
        }
    };
    // SAFETY: `extra` and the timespec it points to live until the call returns.
    let done =
        unsafe { libc::syscall(libc::SYS_io_uring_enter, ring.fd, queued, want, flags, argument, size) };
    if done < 0 { Err(Errno::last()) } else { Ok(()) }
}
