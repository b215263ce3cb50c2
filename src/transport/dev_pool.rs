// SPDX-License-Identifier: MIT OR Apache-2.0
//! The threads that serve `/dev/fuse` under `fuse_session_loop_mt`: as many as there are busy handlers and one to
//! read, up to `max_threads`.
//!
//! Beside a ring one of them is usually enough, for FORGET and INTERRUPT. The pool belongs to the loop, which joins
//! the threads before it returns.

use std::collections::VecDeque;
use std::os::fd::{OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use memmap2::MmapMut;
use parking_lot::Mutex;

use crate::errno::Errno;
use crate::log::{error, warning};
use crate::stats::{self, role};
use crate::sys::dev::{epoll_device, epoll_wait, wait_readable};
use crate::transport::Service;
use crate::transport::dev::{Channel, Received, buffer, deliver};
use crate::transport::gate::Gate;
use crate::transport::registry::Registry;
use crate::transport::spin::Spin;
use crate::transport::threads::{Runs, spawn};
use crate::transport::uring::Pool;
use crate::wire::{FuseInHeader, Opcode, Pod};

/// What the pool is made for.
pub struct Config {
    pub channel: Arc<Channel>,
    /// Readable when the loop is to end.
    pub exit: RawFd,
    pub service: NonNull<dyn Service>,
    pub registry: NonNull<Registry>,
    pub buffer_size: usize,
    /// Each thread gets a descriptor of its own.
    pub clone_fd: bool,
    pub max_threads: u32,
    /// Threads beyond so many idle ones end.
    pub max_idle: u32,
    pub gate: Arc<Gate>,
    pub spin: Duration,
    /// The ring that carries the requests, if there is one.
    pub ring: Option<Arc<Pool>>,
}

// SAFETY: service and registry are Sync and belong to the session, which outlives the loop and its threads.
unsafe impl Send for Config {}
unsafe impl Sync for Config {}

/// See the module.
pub struct DevPool {
    config: Config,
    threads: Mutex<Threads>,
    idle: AtomicU32,
    stopping: AtomicBool,
    /// Custom I/O can only wait for good: one thread at a time does.
    reading: Mutex<()>,
    complained: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// Messages for which no handler may run yet, and whether a thread waits to serve them.
#[derive(Default)]
struct Waiting {
    messages: VecDeque<(Arc<Channel>, Vec<u8>)>,
    somebody: bool,
}

#[derive(Default)]
struct Threads {
    handles: Vec<JoinHandle<()>>,
    alive: u32,
}

impl DevPool {
    pub fn new(config: Config) -> Arc<DevPool> {
        Arc::new(DevPool {
            config,
            threads: Mutex::default(),
            idle: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            reading: Mutex::new(()),
            complained: AtomicBool::new(false),
            waiting: Mutex::default(),
        })
    }

    /// Starts a thread, unless there are enough.
    pub fn add_thread(self: &Arc<DevPool>) -> Result<(), Errno> {
        let mut threads = self.threads.lock();
        if threads.alive >= self.config.max_threads.max(1) || self.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Here, where it may fail.
        let buffer = buffer(self.config.buffer_size)?;
        let pool = self.clone();
        let name = format!("fuse-dev-{}", threads.handles.len());
        self.idle.fetch_add(1, Ordering::SeqCst);
        match spawn(&name, Runs::Handlers, move || pool.serve(buffer)) {
            Ok(handle) => {
                threads.handles.retain(|thread| !thread.is_finished());
                threads.handles.push(handle);
                threads.alive += 1;
                Ok(())
            }
            Err(e) => {
                self.idle.fetch_sub(1, Ordering::SeqCst);
                Err(e)
            }
        }
    }

    /// Serves on the calling thread, which is what remains when no thread can be had.
    pub fn serve_here(self: &Arc<DevPool>) -> Result<(), Errno> {
        let buffer = buffer(self.config.buffer_size)?;
        self.idle.fetch_add(1, Ordering::SeqCst);
        self.threads.lock().alive += 1;
        self.clone().serve(buffer);
        Ok(())
    }

    /// Waits for all threads; the exit descriptor is readable, so they end after their handlers.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let handles = std::mem::take(&mut self.threads.lock().handles);
        for handle in handles {
            let _ = handle.join();
        }
    }

    fn registry(&self) -> &Registry {
        // SAFETY: see Config.
        unsafe { self.config.registry.as_ref() }
    }

    fn service(&self) -> &dyn Service {
        // SAFETY: see Config.
        unsafe { self.config.service.as_ref() }
    }

    /// The body of a thread.
    fn serve(self: Arc<DevPool>, buffer: MmapMut) {
        let _seat = self.registry().stats().enter(role::DEVICE);
        let (channel, epoll) = self.open();
        self.serve_channel(&channel, epoll.as_ref(), buffer);
    }

    /// Whether this thread is one idle thread too many, and is not counted any more.
    fn may_leave(&self) -> bool {
        let most = self.config.max_idle.max(1);
        if self.idle.load(Ordering::SeqCst) <= most {
            return false;
        }
        let mut threads = self.threads.lock();
        let too_many = |idle| (idle > most).then(|| idle - 1);
        let leaves = self.idle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, too_many).is_ok();
        threads.alive -= u32::from(leaves);
        leaves
    }

    fn open(&self) -> (Arc<Channel>, Option<OwnedFd>) {
        let shared = &self.config.channel;
        let channel = match self.config.clone_fd.then(|| shared.duplicate()) {
            Some(Ok(own)) => own,
            Some(Err(e)) => {
                warning!("fuse: clone_fd: {e}; using the common descriptor");
                shared.clone()
            }
            None => shared.clone(),
        };
        // Without one (no descriptor left, or custom I/O that can't be waited for) poll(2) has to do.
        let epoll = epoll_device(channel.fd, self.config.exit).ok();
        (channel, epoll)
    }

    fn serve_channel(
        self: &Arc<DevPool>,
        channel: &Arc<Channel>,
        epoll: Option<&OwnedFd>,
        mut buffer: MmapMut,
    ) {
        let mut spin = Spin::new(self.config.spin);
        while !self.stopping.load(Ordering::SeqCst) {
            match self.next(channel, epoll, &mut buffer, &mut spin) {
                Received::Message(length) => self.serve_message(channel, &buffer[..length]),
                Received::Nothing(_) if self.exit_asked() => return,
                Received::Nothing(_) => continue,
                Received::Over => return self.service().ended(0),
                Received::Failed(e) => {
                    error!("fuse: reading device: {e}");
                    return self.service().ended(e.negated());
                }
            }
            if self.may_leave() {
                return;
            }
        }
    }

    fn next(
        &self,
        channel: &Channel,
        epoll: Option<&OwnedFd>,
        buffer: &mut [u8],
        spin: &mut Spin,
    ) -> Received {
        let wait = || match epoll {
            Some(epoll) => epoll_wait(epoll),
            None => wait_readable(channel.fd, self.config.exit).map(|()| self.config.exit),
        };
        let nothing = Received::Nothing(Errno::new(libc::EAGAIN));
        if !channel.is_device() {
            let _one_at_a_time = self.reading.lock();
            return match wait() {
                Ok(_) if !self.exit_asked() => channel.receive(buffer),
                _ => nothing,
            };
        }
        let mut received = nothing;
        let found = spin.until(|| {
            received = channel.receive(buffer);
            !matches!(received, Received::Nothing(_))
        });
        if found {
            return received;
        }
        let woken_by = wait();
        if woken_by.is_ok() {
            stats::woken();
        }
        // Whether the exit was asked for is looked at only where nothing comes.
        if woken_by == Ok(channel.fd) { channel.receive(buffer) } else { received }
    }

    /// Whether the loop was told to end, though perhaps not this pool yet.
    fn exit_asked(&self) -> bool {
        crate::sys::event::is_set(self.config.exit)
    }

    fn serve_message(self: &Arc<DevPool>, channel: &Arc<Channel>, message: &[u8]) {
        let opcode = Opcode(FuseInHeader::read_padded(message).opcode);
        let forget = matches!(opcode, Opcode::FORGET | Opcode::BATCH_FORGET);
        let left = self.idle.fetch_sub(1, Ordering::SeqCst) - 1;
        // Forgets are short; but beside a ring an INTERRUPT may be what ends the wait of this very handler.
        if left == 0 && (!forget || self.config.ring.is_some()) {
            if let Err(e) = self.add_thread() {
                if !self.complained.swap(true, Ordering::Relaxed) {
                    warning!("fuse: can't start another thread: {e}");
                }
            }
        }
        match opcode {
            // Never behind the handler that it is meant for.
            Opcode::INTERRUPT => self.deliver(channel, message),
            _ if self.config.ring.is_some() => self.serve_beside_ring(channel, message),
            _ => self.config.gate.pass(|| self.deliver(channel, message)),
        }
        self.idle.fetch_add(1, Ordering::SeqCst);
    }

    fn deliver(&self, channel: &Arc<Channel>, message: &[u8]) {
        deliver(channel, self.registry(), self.service(), message);
    }

    /// Serves a message when a handler may run. One thread at most waits for that; the others leave their messages to
    /// it, so that there is always one to read the INTERRUPT that ends what is waited for.
    fn serve_beside_ring(&self, channel: &Arc<Channel>, message: &[u8]) {
        let served = self.config.gate.try_pass(|| self.deliver(channel, message));
        if !served {
            let mut waiting = self.waiting.lock();
            waiting.messages.push_back((channel.clone(), message.to_vec()));
            if std::mem::replace(&mut waiting.somebody, true) {
                return;
            }
            while let Some((channel, message)) = waiting.messages.pop_front() {
                drop(waiting);
                self.config.gate.pass(|| self.deliver(&channel, &message));
                self.handler_ended();
                waiting = self.waiting.lock();
            }
            waiting.somebody = false;
        }
        self.handler_ended();
    }

    fn handler_ended(&self) {
        if let Some(ring) = &self.config.ring {
            ring.handler_ended();
        }
    }
}
