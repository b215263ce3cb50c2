// SPDX-License-Identifier: MIT OR Apache-2.0
//! A transport without a kernel, for tests: messages are handed in, replies are gathered.
//!
//! Messages come in both shapes, as the device and as a ring entry bring them. Each lies at the very end of memory
//! that may be read, for as long as it is served and no longer: who reads past it, or later, is killed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memmap2::MmapMut;
use parking_lot::{Condvar, Mutex};

use crate::errno::Errno;
use crate::transport::dev::{Channel, Io, deliver};
use crate::transport::registry::Registry;
use crate::transport::slot::Route;
use crate::transport::{Incoming, Service};
use crate::wire::flags::notify;
use crate::wire::{FuseInHeader, FuseOutHeader, Pod};

/// What was written for the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub unique: u64,
    pub error: i32,
    pub data: Vec<u8>,
}

/// The kernel's end.
#[derive(Default)]
pub struct Memory {
    messages: Mutex<VecDeque<Vec<u8>>>,
    replies: Mutex<Vec<Reply>>,
    arrived: Condvar,
}

impl Memory {
    /// Leaves a message for a loop to read. A loop that finds none takes the connection for ended.
    pub fn push(&self, message: Vec<u8>) {
        self.messages.lock().push_back(message);
    }

    /// All replies so far, which are forgotten here.
    pub fn take_replies(&self) -> Vec<Reply> {
        std::mem::take(&mut self.replies.lock())
    }

    /// Waits until there are so many replies, or for five seconds.
    pub fn await_replies(&self, count: usize) -> Vec<Reply> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut replies = self.replies.lock();
        while replies.len() < count && !self.arrived.wait_until(&mut replies, deadline).timed_out() {}
        std::mem::take(&mut replies)
    }
}

impl Io for Memory {
    fn read(&self, _fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let message = self.messages.lock().pop_front().ok_or(Errno::new(libc::ENODEV))?;
        let room = buffer.get_mut(..message.len()).ok_or(Errno::new(libc::EINVAL))?;
        room.copy_from_slice(&message);
        Ok(message.len())
    }

    fn writev(&self, _fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let bytes: Vec<u8> = data.iter().flat_map(|part| part.iter().copied()).collect();
        let (header, data) = FuseOutHeader::read_prefix(&bytes).ok_or(Errno::new(libc::EINVAL))?;
        // A notification has its code there.
        let errors = -511..=if header.unique == 0 { notify::PRUNE } else { 0 };
        if header.len as usize != bytes.len() || !errors.contains(&header.error) {
            return Err(Errno::new(libc::EINVAL));
        }
        let reply = Reply { unique: header.unique, error: header.error, data: data.to_vec() };
        self.replies.lock().push(reply);
        self.arrived.notify_all();
        Ok(bytes.len())
    }

    fn clone_fd(&self, _fd: RawFd) -> Result<OwnedFd, Errno> {
        Ok(File::open("/dev/null")?.into())
    }

    fn is_device(&self) -> bool {
        false
    }
}

/// What the kernel leaves in a ring entry. Nothing in it has to be true.
#[derive(Clone, Debug)]
pub struct RingEntry {
    pub header: FuseInHeader,
    pub op_in: [u8; 128],
    pub payload_size: u32,
    /// The entry's whole buffer.
    pub room: Vec<u8>,
}

impl RingEntry {
    /// A request as it should be; argument 0 is `op`.
    pub fn new(header: FuseInHeader, op: &[u8], rest: &[u8]) -> RingEntry {
        let mut op_in = [0xEE; 128];
        op_in[..op.len()].copy_from_slice(op);
        let room = [rest, &[0xEE; 64]].concat();
        RingEntry { header, op_in, payload_size: rest.len() as u32, room }
    }
}

/// A session's end: where its messages go to.
pub struct Wire<'a> {
    pub channel: &'a Arc<Channel>,
    pub registry: &'a Registry,
    pub service: &'a dyn Service,
}

impl Wire<'_> {
    /// A message as a read of the device brings it.
    pub fn bring(&self, message: &[u8]) {
        let message = Guarded::new(message);
        deliver(self.channel, self.registry, self.service, message.bytes());
    }

    /// A message as a worker of the ring finds it, except that the reply takes the device's way.
    pub fn bring_entry(&self, entry: &RingEntry) {
        let used = entry.room.len().min(entry.payload_size as usize);
        let (op_in, payload) = (Guarded::new(&entry.op_in), Guarded::new(&entry.room[..used]));
        let slot = self.registry.take();
        // SAFETY: the registry keeps its slots.
        let handle = unsafe { slot.as_ref() }.activate(&entry.header, Route::Device(self.channel.clone()));
        self.service.serve(Incoming {
            header: entry.header,
            op_in: op_in.bytes().try_into().ok(),
            payload_size: entry.payload_size,
            payload: payload.bytes(),
            handle,
        });
    }
}

/// Bytes in front of a page that can't be touched.
struct Guarded {
    map: MmapMut,
    start: usize,
    end: usize,
}

impl Guarded {
    fn new(bytes: &[u8]) -> Guarded {
        const PAGE: usize = 65536; // the largest there is
        let end = bytes.len().next_multiple_of(PAGE);
        let start = end - bytes.len();
        let mut map = MmapMut::map_anon(end + PAGE).expect("memory");
        map[start..end].copy_from_slice(bytes);
        // SAFETY: the last page of a mapping that is ours alone; nobody has a reference into it.
        let guarded = unsafe { libc::mprotect(map.as_mut_ptr().add(end).cast(), PAGE, libc::PROT_NONE) };
        assert_eq!(guarded, 0);
        Guarded { map, start, end }
    }

    fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.end]
    }
}
