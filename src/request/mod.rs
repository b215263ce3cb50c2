// SPDX-License-Identifier: MIT OR Apache-2.0
//! A request, from its decoding to its reply.
//!
//! `Request` is the right to reply, once: by value, from any thread. Dropping it unanswered replies EIO and says so.
//! What a C program holds is the same right as a number (`Handle`); the slot behind it makes sure that only the
//! first reply counts.
#![allow(unsafe_code)]

pub mod decode;
pub mod encode;

use std::io::IoSlice;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::errno::Errno;
use crate::log::{debug, error};
use crate::transport::line::Line;
use crate::transport::slot::{Details, Handle, Route, Slot};
use crate::transport::uring::entry::Entry;
use crate::wire::Opcode;

/// The right to answer one request.
pub struct Request {
    handle: Handle,
}

impl Request {
    /// The request that a transport just delivered.
    pub fn new(handle: Handle) -> Request {
        Request { handle }
    }

    /// Gives the right away, as a number for a C program.
    pub fn into_raw(self) -> u64 {
        let raw = self.handle.raw();
        std::mem::forget(self);
        raw
    }

    /// The request as a number, for `peek`; the right to answer stays here.
    pub fn raw(&self) -> u64 {
        self.handle.raw()
    }

    /// Takes the right back from a C program. `None`, logged, if there is no such request any more.
    ///
    /// # Safety
    /// `raw` is 0 or stems from `into_raw`, and its session was not destroyed.
    pub unsafe fn from_raw(raw: u64, caller: &str) -> Option<Request> {
        let handle = Handle::from_raw(raw);
        // SAFETY: as promised by the caller.
        match unsafe { handle.live_slot() } {
            Some(_) => Some(Request { handle }),
            None if raw == 0 => {
                error!("fuse: {caller}: request is NULL");
                None
            }
            None => {
                error!("fuse: {caller}: this request was answered already");
                None
            }
        }
    }

    /// Looks at a request without taking the right to answer it.
    ///
    /// # Safety
    /// As for `from_raw`.
    pub unsafe fn peek<'a>(raw: u64) -> Option<&'a Slot> {
        // SAFETY: as promised by the caller.
        unsafe { Handle::from_raw(raw).live_slot() }
    }

    fn slot(&self) -> Option<&Slot> {
        // SAFETY: a Request exists only while its session does.
        unsafe { self.handle.live_slot() }
    }

    /// Who asks, and for what; `None` if somebody else answered meanwhile.
    pub fn details(&self) -> Option<&Details> {
        self.slot().map(Slot::details)
    }

    /// The way to the kernel of the session that the request came to.
    pub fn line(&self) -> Option<Arc<Line>> {
        self.slot().map(|slot| slot.registry().line().clone())
    }

    /// A request of its own for a part of this one that is answered by itself (one FORGET of many).
    pub fn another(&self) -> Option<Request> {
        let slot = self.slot()?;
        let header = slot.details().header;
        let other = slot.registry().take();
        // SAFETY: the registry keeps its slots.
        let handle = unsafe { other.as_ref() }.activate(&header, Route::Parcel);
        Some(Request { handle })
    }

    /// For the thread that received the request, before its handler runs.
    pub fn set_umask(&self, umask: u32) {
        if let Some(slot) = self.slot() {
            slot.set_umask(umask);
        }
    }

    /// The same for when it came.
    pub fn set_since(&self, since: u64) {
        if let Some(slot) = self.slot() {
            slot.set_since(since);
        }
    }

    /// Replies with data.
    pub fn reply(self, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        self.answer(0, data)
    }

    /// Replies with one value.
    pub fn reply_bytes(self, data: &[u8]) -> Result<(), Errno> {
        self.reply(&[IoSlice::new(data)])
    }

    /// Replies with an error.
    pub fn fail(self, error: Errno) -> Result<(), Errno> {
        self.answer(error.negated(), &[])
    }

    /// Replies without data, with success.
    pub fn done(self) -> Result<(), Errno> {
        self.answer(0, &[])
    }

    /// Ends a request that gets no reply (FORGET and the like).
    pub fn no_reply(self) {
        if let Some(claimed) = self.claim() {
            claimed.forgo();
        }
    }

    /// Replies with what `fill` writes: into the ring's payload in place, else into a buffer. `fill` gets at least
    /// `size` bytes of room and returns how many it wrote, or the error to reply.
    pub fn reply_filled(
        self,
        size: usize,
        fill: impl FnOnce(NonNull<u8>, usize) -> Result<usize, Errno>,
    ) -> Result<(), Errno> {
        // Claimed first: `fill` writes where, after another thread's reply, the kernel would put the next request.
        let Some(claimed) = self.claim() else {
            return Err(Errno::new(libc::ENOENT));
        };
        let Route::Ring(entry) = &claimed.route else {
            return claimed.send_buffered(size, fill);
        };
        // SAFETY: entries outlive requests in them.
        let entry = unsafe { entry.as_ref() };
        let room = entry.payload();
        if size > room.len() {
            let _ = claimed.fail(Errno::new(libc::EIO));
            return Err(Errno::new(libc::EINVAL));
        }
        match fill(room.cast(), size) {
            Err(e) => claimed.fail(e),
            Ok(length) => {
                log_reply(claimed.slot, 0, length);
                entry.finish(claimed.slot.details().header.unique, 0, length)
            }
        }
    }

    /// Where the transport would send a reply of at most `size` bytes from, if it has such a place: `reply_in_room`
    /// needs no copy then. Whatever came with the request may lie there, and is overwritten.
    pub fn room(&self, size: usize) -> Option<NonNull<u8>> {
        let Route::Ring(entry) = &self.slot()?.details().route else {
            return None;
        };
        // SAFETY: entries outlive requests in them.
        let room = unsafe { entry.as_ref() }.payload();
        (size <= room.len()).then_some(room.cast())
    }

    /// Replies with the first `length` bytes of the room, which the caller has written.
    pub fn reply_in_room(self, length: usize) -> Result<(), Errno> {
        self.reply_filled(length, |_, _| Ok(length))
    }

    fn claim(self) -> Option<Claimed> {
        let handle = self.handle;
        std::mem::forget(self);
        // SAFETY: a Request exists only while its session does.
        let slot = unsafe { handle.claim() }?;
        let details = slot.details();
        slot.registry().stats().replied(details.header.opcode, handle.raw(), details.since);
        Some(Claimed { slot, route: slot.take_route() })
    }

    fn answer(self, error: i32, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        match self.claim() {
            Some(claimed) => claimed.send(error, data),
            None => {
                error!("fuse: a request was answered twice at the same time");
                Err(Errno::new(libc::ENOENT))
            }
        }
    }
}

/// A request whose handle is used up: its reply is due here and now.
struct Claimed {
    slot: &'static Slot,
    route: Route,
}

impl Claimed {
    fn send(self, error: i32, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        let header = self.slot.details().header;
        if Opcode(header.opcode).is_oneway() {
            self.forgo();
            return Ok(());
        }
        log_reply(self.slot, error, data.iter().map(|part| part.len()).sum());
        match &self.route {
            Route::Ring(entry) => {
                // SAFETY: entries outlive the slots' users.
                let entry = unsafe { entry.as_ref() };
                match in_place(entry, data) {
                    Some(length) => entry.finish(header.unique, error, length),
                    None => entry.reply(header.unique, error, data),
                }
            }
            Route::Device(channel) => {
                let sent = channel.send(header.unique, error, data);
                self.release();
                sent
            }
            Route::Nowhere | Route::Parcel => Err(Errno::new(libc::ENOTCONN)),
        }
    }

    fn fail(self, error: Errno) -> Result<(), Errno> {
        self.send(error.negated(), &[])
    }

    fn send_buffered(
        self,
        size: usize,
        fill: impl FnOnce(NonNull<u8>, usize) -> Result<usize, Errno>,
    ) -> Result<(), Errno> {
        let mut buffer = Vec::new();
        if buffer.try_reserve_exact(size).is_err() {
            return self.fail(Errno::new(libc::ENOMEM));
        }
        buffer.resize(size, 0u8);
        let Some(start) = NonNull::new(buffer.as_mut_ptr()) else {
            return self.fail(Errno::new(libc::ENOMEM));
        };
        match fill(start, size) {
            Err(e) => self.fail(e),
            Ok(length) => self.send(0, &[IoSlice::new(&buffer[..length.min(size)])]),
        }
    }

    /// Ends the request without a reply. A ring entry goes back to the kernel only by a commit, so there the kernel
    /// gets one all the same: success where it does not care, an error where it waits.
    fn forgo(self) {
        let header = self.slot.details().header;
        match &self.route {
            Route::Ring(entry) => {
                let error = if Opcode(header.opcode).is_oneway() { 0 } else { -libc::EIO };
                // SAFETY: entries outlive the slots' users.
                let _ = unsafe { entry.as_ref() }.reply(header.unique, error, &[]);
            }
            _ => self.release(),
        }
    }

    /// A slot that came from the registry's free list goes back there; one of the ring's stays with its entry.
    fn release(self) {
        if let Route::Device(_) | Route::Parcel = self.route {
            self.slot.registry().give_back(NonNull::from(self.slot));
        }
    }
}

/// How long a reply is that the program wrote where it goes (`fuse_req_get_payload`). While data of the request is lent
/// there, the entry has to see to the reply itself.
fn in_place(entry: &Entry, data: &[IoSlice<'_>]) -> Option<usize> {
    let payload = entry.payload();
    match data {
        [one]
            if one.as_ptr() == payload.cast().as_ptr() && one.len() <= payload.len() && !entry.is_lent() =>
        {
            Some(one.len())
        }
        _ => None,
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(details) = self.details() {
            let opcode = Opcode(details.header.opcode);
            error!("fuse: {} (unique {}) got no answer", opcode.name(), details.header.unique);
            let _ = Request { handle: self.handle }.fail(Errno::new(libc::EIO));
        }
    }
}

fn log_reply(slot: &Slot, error: i32, length: usize) {
    if slot.registry().debug() {
        let unique = slot.details().header.unique;
        let size = length + size_of::<crate::wire::FuseOutHeader>();
        match error {
            0 => debug!("   unique: {unique}, success, outsize: {size}"),
            error => debug!("   unique: {unique}, error: {error} ({}), outsize: {size}", Errno::new(error)),
        }
    }
}
