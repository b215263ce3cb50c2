// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loops: `fuse_session_loop` and `fuse_session_loop_mt`.
//!
//! Both read INIT on the calling thread, which decides about the transport, and then serve until the session is told
//! to end or the connection does. Threads start here and nowhere else, and all that run handlers are joined before
//! the loop returns. The loop borrows the session's device for its time.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::errno::Errno;
use crate::log::{error, warning};
use crate::request::Request;
use crate::session::Session;
use crate::session::initialise::{RingFor, Transport, possible_cpus};
use crate::stats::{self, About, role, transport};
use crate::sys::dev::{set_nonblocking, wait_readable};
use crate::transport::dev::{Channel, Received, buffer, deliver};
use crate::transport::dev_pool::{self, DevPool};
use crate::transport::gate::Gate;
use crate::transport::slot::Route;
use crate::transport::uring::Pool;
use crate::transport::uring::single::Single;
use crate::wire::{FuseInHeader, Opcode, Pod};

/// How `fuse_session_loop_mt` shall work.
#[derive(Clone, Copy, Debug)]
pub struct LoopConfig {
    pub clone_fd: bool,
    /// Threads beyond so many idle ones end.
    pub max_idle_threads: u32,
    pub max_threads: u32,
}

/// The device without blocking, for the time of a loop.
struct NonBlocking {
    channel: Arc<Channel>,
    was: bool,
}

impl NonBlocking {
    fn new(channel: &Arc<Channel>) -> Result<NonBlocking, Errno> {
        let was = !channel.is_device() || set_nonblocking(channel.fd, true)?;
        Ok(NonBlocking { channel: channel.clone(), was })
    }
}

impl Drop for NonBlocking {
    fn drop(&mut self) {
        if !self.was {
            let _ = set_nonblocking(self.channel.fd, false);
        }
    }
}

impl Session {
    /// Serves on the calling thread only. 0, a signal's number, or a negated errno.
    pub fn run_single(&self) -> i32 {
        self.run(|channel, transport| match transport {
            Transport::Single(mut ring) => {
                let served = self.serve_single_ring(channel, &mut ring);
                *self.single.lock() = Some(ring);
                served
            }
            _ => self.serve_device(channel),
        })
    }

    /// Serves with several threads. The result is as for `run_single`.
    pub fn run_multi(&self, config: LoopConfig) -> i32 {
        let gate = Arc::new(Gate::new(config.max_threads));
        self.run_with(RingFor::Multi(gate.clone()), |channel, transport| {
            let pool = match transport {
                Transport::Multi(pool) => Some(pool),
                _ => None,
            };
            self.serve_threads(channel, pool, config, gate.clone())
        })
    }

    fn run(&self, serve: impl FnOnce(&Arc<Channel>, Transport) -> Result<(), Errno>) -> i32 {
        self.run_with(RingFor::Single(Arc::new(Gate::new(1))), serve)
    }

    fn run_with(
        &self,
        ring: RingFor,
        serve: impl FnOnce(&Arc<Channel>, Transport) -> Result<(), Errno>,
    ) -> i32 {
        let Some(channel) = self.channel() else {
            error!("fuse: the session has no device: mount it first");
            return -libc::EBADF;
        };
        self.looping.store(true, Ordering::SeqCst);
        self.open_stats(&channel, &ring);
        let _seat = self.registry.stats().enter(role::LOOP);
        let served = NonBlocking::new(&channel).and_then(|_guard| {
            let single = matches!(ring, RingFor::Single(_));
            let transport = self.await_init(&channel, ring)?;
            self.say_transport(&transport, single);
            serve(&channel, transport)
        });
        self.looping.store(false, Ordering::SeqCst);
        let error = self.exit.error();
        self.exit.reset();
        match served {
            Err(e) if error == 0 => e.negated(),
            _ => error,
        }
    }

    fn open_stats(&self, channel: &Channel, ring: &RingFor) {
        if !self.options.stats || !channel.is_device() || self.filesystem.device().is_some() {
            return;
        }
        let threads = match ring {
            RingFor::Single(gate) | RingFor::Multi(gate) => gate.limit(),
            RingFor::Nobody => 0,
        };
        self.registry.stats().open(&About {
            queues: possible_cpus().unwrap_or(0),
            device_fd: channel.fd,
            max_threads: threads,
            spin_us: self.spin_time().as_micros() as u64,
            mountpoint: self.mountpoint().as_deref(),
        });
    }

    fn say_transport(&self, transport: &Transport, single: bool) {
        let payload = match transport {
            Transport::Device => 0,
            _ => self.pools.lock().last().map_or(0, |pool| pool.config.payload_size),
        };
        let kind = if payload == 0 { transport::DEVICE } else { transport::RING };
        let threads = if single { transport::SINGLE } else { 0 };
        self.registry.stats().transport(kind | threads, payload);
    }

    /// Reads until INIT has been answered, unless it was before.
    fn await_init(&self, channel: &Arc<Channel>, ring: RingFor) -> Result<Transport, Errno> {
        let pool = self.pools.lock().last().cloned();
        if let Some(pool) = pool {
            return self.resume(&pool, &ring);
        }
        let mut ring = Some(ring);
        let mut buffer = buffer(self.buffer_size())?;
        while self.negotiated.get().is_none() && !self.exit.exited() {
            let Some(message) = self.next_message(channel, &mut buffer)? else {
                continue;
            };
            let header = FuseInHeader::read_padded(message);
            let is_init = Opcode(header.opcode) == Opcode::INIT && self.filesystem.device().is_none();
            if !is_init || header.len as usize != message.len() {
                deliver(channel, &self.registry, self, message);
                continue;
            }
            let slot = self.registry.take();
            // SAFETY: the registry keeps its slots.
            let handle = unsafe { slot.as_ref() }.activate(&header, Route::Device(channel.clone()));
            let _visit = self.registry.stats().arrived(header.opcode, handle.raw());
            let ring = if channel.is_device() { ring.take() } else { None };
            let raw = &message[size_of::<FuseInHeader>()..];
            let ready = self.initialise(Request::new(handle), raw, ring.unwrap_or(RingFor::Nobody));
            if let Some(ready) = ready {
                return Ok(self.start_ring(ready));
            }
        }
        Ok(Transport::Device)
    }

    /// Waits for a message or for the session's end. `None`: look around and come again.
    fn next_message<'a>(&self, channel: &Channel, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
        if !channel.is_device() {
            // What can't be polled is read straight away.
            let _ = wait_readable(channel.fd, self.exit.wake_fd());
            if self.exit.exited() {
                return Ok(None);
            }
        }
        match channel.receive(buffer) {
            Received::Message(length) => Ok(Some(&buffer[..length])),
            Received::Nothing(_) => {
                if channel.is_device() && wait_readable(channel.fd, self.exit.wake_fd()).is_ok() {
                    stats::woken();
                }
                Ok(None)
            }
            Received::Over => {
                self.exit.exit();
                Ok(None)
            }
            Received::Failed(e) => {
                error!("fuse: reading device: {e}");
                Err(e)
            }
        }
    }

    fn serve_device(&self, channel: &Arc<Channel>) -> Result<(), Errno> {
        let mut buffer = buffer(self.buffer_size())?;
        while !self.exit.exited() {
            if let Some(message) = self.next_message(channel, &mut buffer)? {
                deliver(channel, &self.registry, self, message);
            }
        }
        Ok(())
    }

    fn serve_single_ring(&self, channel: &Arc<Channel>, ring: &mut Single) -> Result<(), Errno> {
        let mut buffer = buffer(self.buffer_size())?;
        ring.run(&self.exit, || {
            loop {
                match channel.receive(&mut buffer) {
                    Received::Message(length) => deliver(channel, &self.registry, self, &buffer[..length]),
                    Received::Nothing(_) => return,
                    Received::Over => return self.exit.exit(),
                    Received::Failed(e) => {
                        error!("fuse: reading device: {e}");
                        return self.exit.exit_with(e.negated());
                    }
                }
            }
        })
    }

    fn serve_threads(
        &self,
        channel: &Arc<Channel>,
        pool: Option<Arc<Pool>>,
        config: LoopConfig,
        gate: Arc<Gate>,
    ) -> Result<(), Errno> {
        let beside_ring = pool.is_some();
        let owner = self.owner();
        let threads = DevPool::new(dev_pool::Config {
            channel: channel.clone(),
            exit: self.exit.wake_fd(),
            service: owner.service,
            registry: NonNull::from(&*self.registry),
            buffer_size: self.buffer_size(),
            clone_fd: config.clone_fd && !beside_ring,
            // One more to read an INTERRUPT while all others are in handlers.
            max_threads: config.max_threads.max(1).saturating_add(u32::from(beside_ring)),
            max_idle: config.max_idle_threads,
            gate,
            spin: if beside_ring { Duration::ZERO } else { self.spin_time() },
            ring: pool.clone(),
        });
        let mut served = Ok(());
        match threads.add_thread() {
            Ok(()) => self.wait_for_exit(),
            Err(e) => {
                warning!("fuse: error creating thread: {e}; serving /dev/fuse on one thread");
                served = threads.serve_here();
            }
        }
        self.exit.exit();
        if let Some(pool) = pool {
            pool.stop();
        }
        threads.stop();
        served
    }

    fn wait_for_exit(&self) {
        while !self.exit.exited() {
            let _ = wait_readable(self.exit.wake_fd(), -1);
        }
    }
}
