// SPDX-License-Identifier: MIT OR Apache-2.0
//! INIT: negotiates with the kernel and the filesystem, and decides which transport the mount uses.
//!
//! Under a loop of ours the ring is made ready before the reply grants it, so that whatever the system refuses (no
//! io_uring for this process, no memory, no descriptors, no threads) leaves a working mount on `/dev/fuse`.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::errno::Errno;
use crate::log::{debug, error, info, warning};
use crate::request::Request;
use crate::session::Session;
use crate::session::init::{self, BUFFER_HEADER_SIZE, DEFAULT_MAX_PAGES, Negotiated, Offer};
use crate::session::options::{SessionOptions, UringChoice};
use crate::transport::gate::Gate;
use crate::transport::spin::DEFAULT_SPIN;
use crate::transport::uring::single::Single;
use crate::transport::uring::{Config, DEFAULT_BATCH, Pool, Prepared};
use crate::wire::flags::init::OVER_IO_URING;
use crate::wire::{FuseInitOut, Pod};

const ENABLE_URING: &str = "/sys/module/fuse/parameters/enable_uring";
const POSSIBLE_CPUS: &str = "/sys/devices/system/cpu/possible";
const MAX_PAGES_LIMIT: &str = "/proc/sys/fs/fuse/max_pages_limit";

/// How the loop that reads INIT wants to use a ring.
pub enum RingFor {
    /// The program runs its own loop.
    Nobody,
    Single(Arc<Gate>),
    Multi(Arc<Gate>),
}

/// A ring that is ready to be started once the reply is out.
pub enum Ready {
    Single(Box<Single>),
    Multi(Prepared),
}

/// What serves the mount from now on.
pub enum Transport {
    Device,
    Single(Box<Single>),
    Multi(Arc<Pool>),
}

/// The buffer for messages before INIT has settled their size.
pub fn first_buffer_size() -> usize {
    max_pages() as usize * page_size() as usize + BUFFER_HEADER_SIZE
}

fn page_size() -> u32 {
    // SAFETY: no arguments that could be wrong.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn max_pages() -> u32 {
    let limit = fs::read_to_string(MAX_PAGES_LIMIT).ok().and_then(|text| text.trim().parse().ok());
    limit.map_or(DEFAULT_MAX_PAGES, |limit: u32| limit.clamp(1, DEFAULT_MAX_PAGES))
}

/// How many queues the kernel has: one for each possible CPU. A ring with fewer never becomes ready, and holds up every
/// request, so nothing is guessed where the number can't be read (a chroot or container without `/sys`).
pub fn possible_cpus() -> Result<u16, String> {
    let text = fs::read_to_string(POSSIBLE_CPUS).map_err(|e| format!("{POSSIBLE_CPUS}: {e}"))?;
    match count_of_list(text.trim()) {
        0 => Err(format!("{POSSIBLE_CPUS}: `{}' is no list of CPUs", text.trim())),
        count => Ok(count),
    }
}

/// How many numbers a list like `0-3,8-11` has.
fn count_of_list(list: &str) -> u16 {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.split(',').filter_map(count).fold(0, u16::saturating_add)
}

/// Whether the module parameter is off; `None` if it can't be read (another mount namespace, an older kernel).
fn uring_switched_off() -> Option<bool> {
    let text = fs::read_to_string(ENABLE_URING).ok()?;
    Some(text.trim() != "Y" && text.trim() != "1")
}

/// `-o io_uring=require` fails before the mount where it is known to fail later.
pub fn check_required_ring(options: &SessionOptions) -> Result<(), Errno> {
    if options.uring == UringChoice::Require && uring_switched_off() != Some(false) {
        error!(
            "fuse: io_uring=require: this kernel does not offer it (enable_uring is off: echo Y > {ENABLE_URING})"
        );
        return Err(Errno::new(libc::EOPNOTSUPP));
    }
    Ok(())
}

impl Session {
    /// Answers INIT. Returns the ring if the mount is to use one.
    pub fn initialise(&self, request: Request, raw: &[u8], ring: RingFor) -> Option<Ready> {
        let config = self.init_config(&ring);
        let (mut conn, mut remembered, kernel) = match init::offer(raw, &config) {
            Ok(Offer::Negotiate { conn, remembered, kernel }) => (conn, remembered, kernel),
            Ok(Offer::OtherMajor(reply)) => {
                let _ = request.reply_bytes(reply.as_bytes());
                return None;
            }
            Err(e) => {
                self.refuse(request, format_args!("{e}"));
                return None;
            }
        };
        if self.debug() {
            info!("INIT: {}.{}, flags={:#x}", conn.proto_major, conn.proto_minor, kernel.flags);
        }
        if self.init_called.swap(true, Ordering::SeqCst) {
            let _ = request.fail(Errno::new(libc::EIO));
            return None;
        }
        self.filesystem.init(&mut conn, &mut remembered);
        let finished = match init::finish(&mut conn, &remembered, &kernel, &config) {
            Ok(finished) => finished,
            Err(e) => {
                self.refuse(request, format_args!("{e}"));
                return None;
            }
        };
        if finished.want_ignored {
            warning!("fuse: init() changed both want and want_ext of the connection; only want_ext counts");
        }
        self.settle(request, finished.reply, finished.reply_len, finished.negotiated, ring)
    }

    fn settle(
        &self,
        request: Request,
        mut reply: FuseInitOut,
        reply_len: usize,
        mut negotiated: Negotiated,
        ring: RingFor,
    ) -> Option<Ready> {
        let ready = match self.prepare_ring(&negotiated, ring) {
            Ok(ready) => ready,
            Err(why) => {
                reply.flags2 &= !((OVER_IO_URING >> 32) as u32);
                negotiated.ring = false;
                if self.options.uring == UringChoice::Require {
                    self.refuse(request, format_args!("io_uring=require: {why}"));
                    return None;
                }
                self.report_device(&why);
                None
            }
        };
        if self.debug() {
            info!(
                "   INIT: {}.{}, flags={:#x}, max_write={}, max_readahead={}, max_pages={}",
                reply.major,
                reply.minor,
                u64::from(reply.flags) | u64::from(reply.flags2) << 32,
                reply.max_write,
                reply.max_readahead,
                reply.max_pages
            );
        }
        if let Some(channel) = self.channel() {
            channel.io().settled(negotiated.want_ext);
        }
        let _ = self.negotiated.set(negotiated);
        if let Err(e) = request.reply_bytes(&reply.as_bytes()[..reply_len.min(size_of::<FuseInitOut>())]) {
            error!("fuse: the kernel does not take the reply to INIT: {e}");
            return None;
        }
        ready
    }

    fn init_config(&self, ring: &RingFor) -> init::Config {
        let allowed = self.options.uring != UringChoice::Off && !matches!(ring, RingFor::Nobody);
        let (splice_send, splice_receive) =
            self.channel().map_or((true, true), |channel| channel.io().splices());
        init::Config {
            splice_send,
            splice_receive,
            page_size: page_size(),
            max_pages: max_pages(),
            mount_max_read: self.mount_options.max_read,
            uring: allowed,
            has: self.filesystem.has(),
            ..init::Config::default()
        }
    }

    /// Ends the session because it can't be had as asked for.
    pub(super) fn refuse(&self, request: Request, why: std::fmt::Arguments<'_>) {
        error!("fuse: {why}");
        let error = Errno::new(libc::EPROTO);
        let _ = request.fail(error);
        self.exit.exit_with(error.negated());
    }

    /// Everything of a ring that can be refused; an error is the reason for using `/dev/fuse`.
    fn prepare_ring(&self, negotiated: &Negotiated, ring: RingFor) -> Result<Option<Ready>, String> {
        let (single, gate) = match ring {
            RingFor::Nobody => return Err("the program runs its own loop".to_owned()),
            _ if !negotiated.ring => return Err(negotiated.ring_reason.text().to_owned()),
            RingFor::Single(gate) => (true, gate),
            RingFor::Multi(gate) => (false, gate),
        };
        let config = Config {
            fuse_fd: self.fd(),
            queues: possible_cpus()?,
            mountpoint: self.mountpoint(),
            payload_size: negotiated.payload_size,
            spin: self.spin_time(),
            batch: self.options.batch.unwrap_or(DEFAULT_BATCH),
            most_entries: self.options.q_depth.unwrap_or(u32::MAX),
            single,
            gate,
        };
        let ready = match single {
            true => Single::prepare(config, self.owner()).map(|ring| Ready::Single(Box::new(ring))),
            false => Prepared::new(config, self.owner()).map(Ready::Multi),
        };
        ready.map(Some).map_err(|e| format!("io_uring could not be set up: {e}"))
    }

    /// Starts the ring that INIT granted. If the kernel refuses it after all, the mount is on `/dev/fuse`.
    pub fn start_ring(&self, ready: Ready) -> Transport {
        let started = match ready {
            Ready::Multi(prepared) => prepared.start().map(|pool| (pool.clone(), Transport::Multi(pool))),
            Ready::Single(mut single) => single.start().map(|pool| (pool, Transport::Single(single))),
        };
        match started {
            Ok((pool, transport)) => {
                let queues = pool.queues.len();
                let payload = pool.config.payload_size;
                self.pools.lock().push(pool);
                if self.debug() {
                    info!(
                        "fuse: transport: io_uring ({queues} queues, {payload} bytes of payload per entry)"
                    );
                }
                transport
            }
            Err(e) => {
                let why = format!("the kernel refused a ring entry: {e}");
                if self.options.uring == UringChoice::Require {
                    error!("fuse: io_uring=require: {why}");
                    self.exit.exit_with(-libc::EPROTO);
                } else {
                    self.report_device(&why);
                }
                Transport::Device
            }
        }
    }

    /// Takes up a ring whose loop has ended before: the kernel sends nothing but through it.
    pub fn resume(&self, pool: &Arc<Pool>, ring: &RingFor) -> Result<Transport, Errno> {
        match ring {
            RingFor::Single(_) if pool.config.single => {
                let earlier = self.single.lock().take();
                Single::again(earlier, pool).map(Transport::Single)
            }
            RingFor::Multi(_) if !pool.config.single => {
                pool.restart()?;
                Ok(Transport::Multi(pool.clone()))
            }
            _ => {
                error!("fuse: a session that looped on the ring can't change between one thread and several");
                Err(Errno::new(libc::EINVAL))
            }
        }
    }

    /// An upper bound for looking for the next request before sleeping, on either transport.
    pub fn spin_time(&self) -> Duration {
        self.options.spin_us.map_or(DEFAULT_SPIN, |micros| Duration::from_micros(micros.into()))
    }

    fn report_device(&self, why: &str) {
        self.registry.stats().reason(why);
        if self.debug() {
            info!("fuse: transport: /dev/fuse ({why})");
        }
    }

    /// Calls the filesystem's `destroy`, once, if its `init` was called.
    pub fn call_destroy(&self) {
        if self.init_called.load(Ordering::SeqCst) && !self.destroyed.swap(true, Ordering::SeqCst) {
            if self.debug() {
                debug!("fuse: destroy");
            }
            self.filesystem.destroy();
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn possible_cpus_need_not_be_contiguous() {
        let cases =
            [("0", 1), ("0-1", 2), ("0-3,8-11", 8), ("0,2,4-5", 4), ("", 0), ("x-3,1", 1), ("5-2", 0)];
        for (list, count) in cases {
            assert_eq!(super::count_of_list(list), count, "{list}");
        }
    }

    #[test]
    fn there_is_a_queue_for_every_cpu() {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert!(usize::from(super::possible_cpus().unwrap()) >= cpus);
    }
}
