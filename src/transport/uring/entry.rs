// SPDX-License-Identifier: MIT OR Apache-2.0
//! A ring entry: a header and a payload buffer that a queue of the kernel's fills with requests, and its slot.
//!
//! Who may touch header and payload is decided by the phase. `Armed`: the kernel. `InHandler` and `Returned`: the
//! thread that serves the request, and whoever claimed the reply in its slot. `Replied`: nobody, until a thread
//! with a ring takes the entry (`Taken`) and commits it, which arms it again, or leaves that to another (`Joined`). A
//! payload that is lent to the program stays as it is until the handler returns: a reply is kept beside it that long.
//! `Fetched` is a request on its way from the thread that received it to the one that serves it. Entries belong to the
//! pool and are freed with it, when no ring is left.

use std::cell::UnsafeCell;
use std::io::IoSlice;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use memmap2::{Advice, MmapMut, MmapOptions};

use crate::errno::Errno;
use crate::sys::fault;
use crate::transport::slot::Slot;
use crate::transport::uring::pool::Pool;
use crate::wire::uring::{FuseUringEntInOut, FuseUringReqHeader};
use crate::wire::{FuseInHeader, FuseOutHeader, FuseStatfsOut, Pod};

/// Room for the reply to a request with a large payload: a WRITE's is the longest.
const STAGE: usize = 32;
/// Room for the header, so that the payload starts on a page.
const HEADER_ROOM: usize = 4096;

const ARMED: u64 = 0;
const FETCHED: u64 = 1;
const IN_HANDLER: u64 = 2;
const RETURNED: u64 = 3;
const REPLIED: u64 = 4;
const TAKEN: u64 = 5;
const JOINED: u64 = 6;
const PASSED: u64 = 7;
const PHASE: u64 = 7;
/// The phase word counts requests above the phase, so that a thread which is late can't take the next request's
/// phase for that of its own.
const ONE_REQUEST: u64 = 8;

/// What became of a request when its handler returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AfterHandler {
    /// The reply is there; the caller owns the entry and commits it.
    Commit,
    /// The reply will come from somewhere else, later.
    Pending,
    /// Somebody else committed the reply meanwhile.
    Gone,
}

/// A request as the kernel left it in an entry; nothing of it is checked yet.
pub struct Delivered {
    pub header: FuseInHeader,
    /// How much of the payload the kernel says it filled.
    pub payload_size: u32,
    /// For `handler_returned`.
    pub turn: u64,
}

/// See the module.
pub struct Entry {
    pub qid: u16,
    /// Header and payload as REGISTER wants them: must stay where it is.
    pub iov: [libc::iovec; 2],
    slot: NonNull<Slot>,
    phase: AtomicU64,
    commit_id: AtomicU64,
    /// The program looks at the payload itself, not at a copy: until its handler returns nobody may change it.
    lent: AtomicBool,
    /// A reply to what is lent waits here until the commit.
    staged: UnsafeCell<[u8; STAGE]>,
    /// Links entries whose commit waits in a mailbox.
    pub next: AtomicPtr<Entry>,
    pool: NonNull<Pool>,
    _memory: MmapMut,
}

// SAFETY: header and payload are reached through raw pointers under the rules of the phase; the rest is immutable
// or atomic.
unsafe impl Send for Entry {}
unsafe impl Sync for Entry {}

impl Entry {
    /// Maps, but does not touch, memory for a request of up to `payload_size` bytes.
    pub fn new(
        qid: u16,
        payload_size: usize,
        slot: NonNull<Slot>,
        pool: NonNull<Pool>,
    ) -> Result<Entry, Errno> {
        fault::check("mmap")?;
        let mut memory = MmapOptions::new().len(HEADER_ROOM + payload_size).no_reserve_swap().map_anon()?;
        // One touched page must not become two megabytes.
        let _ = memory.advise(Advice::NoHugePage);
        let base = memory.as_mut_ptr();
        // SAFETY: the mapping is longer than the header's room.
        let payload = unsafe { base.add(HEADER_ROOM) };
        let header_len = size_of::<FuseUringReqHeader>();
        let iov = |start: *mut u8, len| libc::iovec { iov_base: start.cast(), iov_len: len };
        Ok(Entry {
            qid,
            iov: [iov(base, header_len), iov(payload, payload_size)],
            slot,
            phase: AtomicU64::new(ARMED),
            commit_id: AtomicU64::new(0),
            lent: AtomicBool::new(false),
            staged: UnsafeCell::new([0; STAGE]),
            next: AtomicPtr::new(std::ptr::null_mut()),
            pool,
            _memory: memory,
        })
    }

    pub fn user_data(&self) -> u64 {
        std::ptr::from_ref(self) as u64
    }

    pub fn commit_id(&self) -> u64 {
        self.commit_id.load(Ordering::Relaxed)
    }

    pub fn slot(&self) -> NonNull<Slot> {
        self.slot
    }

    /// Starts serving what the kernel delivered.
    pub fn begin(&self) -> Delivered {
        // SAFETY: the kernel completed the entry's command, so the header is ours until the commit.
        let in_out: FuseUringEntInOut =
            unsafe { (&raw const (*self.header()).ring_ent_in_out).read_unaligned() };
        self.commit_id.store(in_out.commit_id, Ordering::Relaxed);
        let turn = (self.phase.load(Ordering::Relaxed) & !PHASE).wrapping_add(ONE_REQUEST);
        self.phase.store(turn | IN_HANDLER, Ordering::Relaxed);
        Delivered { header: self.peek(), payload_size: in_out.payload_sz, turn }
    }

    fn header(&self) -> *mut FuseUringReqHeader {
        self.iov[0].iov_base.cast()
    }

    /// The op header of what the kernel delivered; decoded, that is copied, before the handler runs.
    pub fn op_in(&self) -> &[u8; 128] {
        // SAFETY: as in `begin`; a reply does not touch this part, only the next request does.
        unsafe { &(*self.header()).op_in }
    }

    /// The header of what the kernel delivered, before `begin`.
    pub fn peek(&self) -> FuseInHeader {
        // SAFETY: as in `begin`.
        unsafe { self.iov[0].iov_base.cast::<FuseInHeader>().read_unaligned() }
    }

    /// Prepares the commit of a request of our own, without the filesystem.
    pub fn answer_kick(&self) {
        let unique = self.begin().header.unique;
        let length = size_of::<FuseStatfsOut>();
        let nothing = FuseStatfsOut::default();
        self.fill(&[IoSlice::new(nothing.as_bytes())]);
        self.write_header(
            FuseOutHeader { len: (size_of::<FuseOutHeader>() + length) as u32, error: 0, unique },
            length,
        );
    }

    /// Says whether the program gets the payload itself. For the serving thread, before the handler.
    pub fn lend(&self, lent: bool) {
        self.lent.store(lent, Ordering::Release);
    }

    pub fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Acquire)
    }

    /// Whether a reply waits for its handler to return.
    pub fn is_replied(&self) -> bool {
        self.phase.load(Ordering::SeqCst) & PHASE == REPLIED
    }

    /// The payload buffer.
    pub fn payload(&self) -> NonNull<[u8]> {
        let start = NonNull::new(self.iov[1].iov_base.cast::<u8>()).unwrap_or(NonNull::dangling());
        NonNull::slice_from_raw_parts(start, self.iov[1].iov_len)
    }

    /// Notes that the handler of request `turn` returned, and tells whose the entry is now.
    pub fn handler_returned(&self, turn: u64) -> AfterHandler {
        // Most have replied.
        if self.swap(turn | REPLIED, turn | TAKEN) {
            AfterHandler::Commit
        } else if self.swap(turn | IN_HANDLER, turn | RETURNED) {
            AfterHandler::Pending
        } else if self.swap(turn | REPLIED, turn | TAKEN) {
            AfterHandler::Commit
        } else {
            AfterHandler::Gone
        }
    }

    /// Takes the entry for a commit, if its reply is there and nobody else took it.
    pub fn take_reply(&self) -> bool {
        let word = self.phase.load(Ordering::Acquire);
        word & PHASE == REPLIED && self.swap(word, word & !PHASE | TAKEN)
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        self.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Changes the phase, whatever it was; returns what it was.
    fn enter_phase(&self, phase: u64) -> u64 {
        let mut word = self.phase.load(Ordering::Relaxed);
        loop {
            let next = word & !PHASE | phase;
            match self.phase.compare_exchange_weak(word, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return word & PHASE,
                Err(now) => word = now,
            }
        }
    }

    /// The same for an entry that is the caller's alone.
    fn set_phase(&self, phase: u64) {
        let word = self.phase.load(Ordering::Relaxed);
        self.phase.store(word & !PHASE | phase, Ordering::Release);
    }

    /// To be called where a commit or a REGISTER is queued.
    pub fn arm(&self) {
        if self.lent.load(Ordering::Acquire) {
            self.lent.store(false, Ordering::Release);
            // SAFETY: the entry is the caller's alone; the stage was filled by whoever claimed the reply.
            let staged = unsafe { *self.staged.get() };
            self.fill(&[IoSlice::new(&staged)]);
        }
        self.set_phase(ARMED);
    }

    /// Marks a request that another thread is to serve.
    pub fn fetched(&self) {
        self.set_phase(FETCHED);
    }

    /// Marks a request that is passed on to the worker that serves the others of its queue.
    pub fn passes(&self) {
        self.set_phase(PASSED);
    }

    /// Whether the request here came that way.
    pub fn is_passed(&self) -> bool {
        self.phase.load(Ordering::Acquire) & PHASE == PASSED
    }

    /// Whether what waits here is a request to serve, and not a reply to commit.
    pub fn is_fetched(&self) -> bool {
        matches!(self.phase.load(Ordering::Acquire) & PHASE, FETCHED | PASSED)
    }

    /// Marks a reply that one worker leaves for another. The caller took the entry.
    pub fn joins(&self) {
        self.set_phase(JOINED);
    }

    /// Whether a reply was left by a worker, and not by a thread that answers late.
    pub fn has_joined(&self) -> bool {
        self.phase.load(Ordering::Acquire) & PHASE == JOINED
    }

    /// Writes a reply into the entry and hands it over for its commit. The caller claimed the reply.
    pub fn reply(&self, unique: u64, error: i32, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        let length: usize = data.iter().map(|part| part.len()).sum();
        if length > self.iov[1].iov_len {
            let _ = self.finish(unique, -libc::EIO, 0);
            return Err(Errno::new(libc::EINVAL));
        }
        match self.is_lent() && length <= STAGE {
            true => self.stage(data),
            false => self.fill(data),
        }
        self.finish(unique, error, length)
    }

    /// Hands over a reply whose first `length` payload bytes are in place already.
    pub fn finish(&self, unique: u64, error: i32, length: usize) -> Result<(), Errno> {
        let out = FuseOutHeader { len: (size_of::<FuseOutHeader>() + length) as u32, error, unique };
        self.write_header(out, length);
        // SAFETY: the pool owns its entries and outlives them.
        let pool = unsafe { self.pool.as_ref() };
        if pool.closed() {
            return Err(Errno::new(libc::ENOTCONN));
        }
        let tail = !self.is_lent() && pool.works_after_reply(self);
        match self.enter_phase(REPLIED) {
            IN_HANDLER if !tail => pool.stay_awake(),
            _ if self.take_reply() && !pool.hand_over(self) => return Err(Errno::new(libc::ENOTCONN)),
            _ => (),
        }
        Ok(())
    }

    /// Keeps a short reply. For whoever claimed it.
    fn stage(&self, data: &[IoSlice<'_>]) {
        let mut bytes = data.iter().flat_map(|part| part.iter().copied());
        // SAFETY: only the one who claimed the reply is here, and the committer reads after the phase has changed.
        let stage = unsafe { &mut *self.staged.get() };
        stage.fill_with(|| bytes.next().unwrap_or(0));
    }

    /// For whoever claimed the reply.
    fn write_header(&self, out: FuseOutHeader, length: usize) {
        let in_out = FuseUringEntInOut {
            commit_id: self.commit_id(),
            payload_sz: length as u32,
            ..FuseUringEntInOut::default()
        };
        // SAFETY: the caller claimed the reply: nobody else writes here before the commit.
        unsafe {
            let header = self.header();
            (&raw mut (*header).in_out).cast::<FuseOutHeader>().write_unaligned(out);
            (&raw mut (*header).ring_ent_in_out).write_unaligned(in_out);
        }
    }

    /// Copies reply data into the payload. It may come from there, as when a filesystem sends back a part of its
    /// request; with more than one part it is then put together elsewhere first.
    fn fill(&self, data: &[IoSlice<'_>]) {
        let payload = self.payload().cast::<u8>().as_ptr();
        let room = payload as usize..payload as usize + self.iov[1].iov_len;
        let inside = |part: &IoSlice<'_>| room.contains(&(part.as_ptr() as usize));
        let copy = |at: usize, part: &[u8]| {
            // SAFETY: the sum of the parts fits (checked by `reply`); `copy` allows overlap.
            unsafe { std::ptr::copy(part.as_ptr(), payload.add(at), part.len()) }
        };
        if data.len() > 1 && data.iter().any(inside) {
            let whole: Vec<u8> = data.iter().flat_map(|part| part.iter().copied()).collect();
            return copy(0, &whole);
        }
        let mut at = 0;
        for part in data {
            copy(at, part);
            at += part.len();
        }
    }
}
