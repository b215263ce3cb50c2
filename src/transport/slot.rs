// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where one request lives from its arrival to its reply.
//!
//! A slot belongs to the `Registry` of one session and is never freed before it, so that a handle which a program
//! kept for too long can still be told from a live one. Its details are written by the thread that received the
//! request, before the handle exists; after that they are read only, by whoever holds the handle. The generation
//! in the state word makes a reply happen once: the thread that moves it on owns the reply.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::transport::dev::Channel;
use crate::transport::registry::Registry;
use crate::transport::uring::entry::Entry;
use crate::wire::FuseInHeader;

const LIVE: u64 = 1;
const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;

/// The way a reply takes.
#[derive(Clone)]
pub enum Route {
    /// A slot that holds no request.
    Nowhere,
    /// A part of another request, which gets no reply.
    Parcel,
    /// Written to a FUSE device (or what `fuse_session_custom_io` put in its place).
    Device(Arc<Channel>),
    /// Committed with the ring entry that brought the request.
    Ring(NonNull<Entry>),
}

/// What is known of a request as long as it lives.
pub struct Details {
    pub header: FuseInHeader,
    pub caller: Caller,
    pub route: Route,
    /// When it came, in nanoseconds of the monotonic clock, if its time is taken; else 0.
    pub since: u64,
}

/// Who asks; laid out like `struct fuse_ctx`, so that C programs can look at it in place.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub pid: i32,
    pub umask: u32,
}

/// Called when the kernel tells that the caller of a request was interrupted.
pub type OnInterrupt = Box<dyn Fn() + Send>;

/// One request, or room for one.
pub struct Slot {
    /// Generation, shifted by one, and `LIVE`.
    state: AtomicU64,
    unique: AtomicU64,
    details: UnsafeCell<Details>,
    /// The request's unique once it was interrupted, before that its complement: a late INTERRUPT can't hit the next.
    interrupted: AtomicU64,
    watched: AtomicBool,
    on_interrupt: Mutex<Option<OnInterrupt>>,
    registry: NonNull<Registry>,
}

// SAFETY: `details` is written only between two generations, by the one thread that activates the slot (see the
// module's head); everything else is atomic or behind a lock. The registry outlives its slots.
unsafe impl Send for Slot {}
unsafe impl Sync for Slot {}

impl Slot {
    pub fn new(registry: NonNull<Registry>) -> Slot {
        Slot {
            state: AtomicU64::new(0),
            unique: AtomicU64::new(0),
            details: UnsafeCell::new(Details {
                header: FuseInHeader::default(),
                caller: Caller::default(),
                route: Route::Nowhere,
                since: 0,
            }),
            interrupted: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            on_interrupt: Mutex::new(None),
            registry,
        }
    }

    /// Starts a request in this slot, which must be free and at this thread's disposal.
    pub fn activate(&self, header: &FuseInHeader, route: Route) -> Handle {
        let state = self.state.load(Ordering::Acquire);
        debug_assert_eq!(state & LIVE, 0);
        if self.watched.load(Ordering::Relaxed) && self.watched.swap(false, Ordering::Acquire) {
            *self.on_interrupt.lock() = None;
        }
        // SAFETY: the slot is free, so no handle to it is valid and nobody else reads the details.
        unsafe {
            let details = &mut *self.details.get();
            details.header = *header;
            details.caller = Caller { uid: header.uid, gid: header.gid, pid: header.pid as i32, umask: 0 };
            details.route = route;
            details.since = 0;
        }
        // Reset, since uniques may come again where no kernel makes them (`fuse_session_custom_io`).
        self.interrupted.store(!header.unique, Ordering::Relaxed);
        self.unique.store(header.unique, Ordering::Release);
        self.state.store(state | LIVE, Ordering::SeqCst);
        if self.registry().interrupted_early(header.unique) {
            self.mark_interrupted(header.unique);
        }
        Handle::new(self, state)
    }

    /// Remembers the umask of a request that creates something; for the receiving thread, before the handler runs.
    pub fn set_umask(&self, umask: u32) {
        // SAFETY: the handle is still with the receiving thread, so nobody else looks at the details.
        unsafe { (*self.details.get()).caller.umask = umask };
    }

    /// Remembers when a request came whose time is to be taken; as `set_umask`.
    pub fn set_since(&self, since: u64) {
        // SAFETY: as in `set_umask`.
        unsafe { (*self.details.get()).since = since };
    }

    /// Takes the right to reply. `false`: this generation was answered already.
    fn claim(&self, generation: u64) -> bool {
        let live = generation | LIVE;
        let next = generation.wrapping_add(2);
        self.state.compare_exchange(live, next, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// The way for the reply, for the one who claimed it. What stays behind keeps no descriptor open.
    pub fn take_route(&self) -> Route {
        // SAFETY: no handle to the slot is valid any more, and the next one is made only after the slot was given back.
        unsafe { std::mem::replace(&mut (*self.details.get()).route, Route::Nowhere) }
    }

    pub fn details(&self) -> &Details {
        // SAFETY: callers come from a live handle or own the reply; the details do not change under them.
        unsafe { &*self.details.get() }
    }

    pub fn registry(&self) -> &Registry {
        // SAFETY: the registry owns the slot and outlives it.
        unsafe { self.registry.as_ref() }
    }

    /// Whether the caller of the request was interrupted so far.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire) == self.unique.load(Ordering::Relaxed)
    }

    /// Installs or removes the interrupt callback; calls it at once if the interrupt is there already. When this
    /// returns, an earlier callback is not running any more.
    pub fn watch(&self, callback: Option<OnInterrupt>) {
        let mut place = self.on_interrupt.lock();
        self.watched.store(callback.is_some(), Ordering::Release);
        if let (Some(call), true) = (&callback, self.interrupted()) {
            call();
        }
        *place = callback;
    }

    /// Delivers an interrupt if this slot still holds request `unique`. The kernel may send it twice; a callback
    /// hears of it once.
    pub fn interrupt(&self, unique: u64) -> bool {
        let is_it = || {
            let live = self.state.load(Ordering::SeqCst) & LIVE != 0;
            live && self.unique.load(Ordering::Acquire) == unique
        };
        // Asked first without the lock, which another request's callback may hold for long.
        if !is_it() {
            return false;
        }
        let callback = self.on_interrupt.lock();
        if !is_it() {
            return false;
        }
        if let (true, Some(call)) = (self.mark_interrupted(unique), &*callback) {
            call();
        }
        true
    }

    /// `false`: it is marked already, or the slot holds another request by now.
    fn mark_interrupted(&self, unique: u64) -> bool {
        self.interrupted.compare_exchange(!unique, unique, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// A request as C programs hold it: the slot's address and, above the address bits, its generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle(u64);

impl Handle {
    fn new(slot: &Slot, state: u64) -> Handle {
        let address = std::ptr::from_ref(slot) as u64;
        debug_assert_eq!(address & !POINTER_MASK, 0);
        Handle(address | (state >> 1) << POINTER_BITS)
    }

    pub fn from_raw(raw: u64) -> Handle {
        Handle(raw)
    }

    pub fn raw(self) -> u64 {
        self.0
    }

    /// The slot, if the request still waits for its reply.
    ///
    /// # Safety
    /// The handle must be 0 or stem from a session that was not destroyed yet.
    pub unsafe fn live_slot<'a>(self) -> Option<&'a Slot> {
        // SAFETY: as promised by the caller; slots live as long as their session.
        let slot = unsafe { self.slot()? };
        let state = slot.state.load(Ordering::Acquire);
        (state & LIVE != 0 && self.is_of(state)).then_some(slot)
    }

    /// The slot and the right to reply, for the first who asks.
    ///
    /// # Safety
    /// As for `live_slot`.
    pub unsafe fn claim<'a>(self) -> Option<&'a Slot> {
        // SAFETY: passed on to the caller.
        let slot = unsafe { self.live_slot()? };
        let generation = slot.state.load(Ordering::Acquire) & !LIVE;
        (self.is_of(generation) && slot.claim(generation)).then_some(slot)
    }

    fn is_of(self, state: u64) -> bool {
        (state >> 1) << POINTER_BITS == self.0 & !POINTER_MASK
    }

    /// # Safety
    /// As for `live_slot`.
    unsafe fn slot<'a>(self) -> Option<&'a Slot> {
        // SAFETY: not null, and made by `Handle::new` of a session that still is.
        NonNull::new((self.0 & POINTER_MASK) as *mut Slot).map(|slot| unsafe { slot.as_ref() })
    }
}
