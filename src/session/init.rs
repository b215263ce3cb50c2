// SPDX-License-Identifier: MIT OR Apache-2.0
//! INIT negotiation, as two pure steps around the filesystem's `init` callback: [`offer`] turns the kernel's message
//! into what the callback is shown, [`finish`] turns what the callback left behind into the reply and into the facts
//! the session works with. Protocol 7.12 to 7.45.
//!
//! Nothing here talks to anybody or owns anything: the session hands in bytes and configuration and acts on the result.

pub mod cap;

use std::fmt;

use crate::errno::Errno;
use crate::request::decode::Proto;
use crate::wire::flags::init as flag;
use crate::wire::{
    COMPAT_22_INIT_OUT_SIZE, FuseInitIn, FuseInitOut, KERNEL_MINOR_VERSION, KERNEL_VERSION, Pod,
};

/// The oldest minor version we speak: from 7.12 on (Linux 2.6.31) all requests have the form they have today.
pub const MIN_MINOR_VERSION: u32 = 12;
/// How many pages a request may have when nobody said otherwise, and when the kernel cannot be told.
pub const DEFAULT_MAX_PAGES: u32 = 256;
const MAX_PAGES_WITHOUT_FLAG: u32 = 32;
/// Room for header and argument 0 in front of the data in a device buffer.
pub const BUFFER_HEADER_SIZE: usize = 4096;
/// The kernel raises smaller values to this.
const MIN_MAX_WRITE: u32 = 4096;
/// Background requests that the kernel may have under way if the filesystem says nothing of it. The release of a closed file is one.
/// With the kernel's own default, 12, those of many clients are let into its queues more slowly than what the clients wait for, and
/// pile up: without end, if it has always come before the daemon looks.
const BACKGROUND: u16 = 256;
/// An extended attribute may be this large with its name, whatever `max_write` is.
const LARGEST_XATTR: u32 = 65536 + 256;

/// Which optional operations the filesystem has, as far as defaults depend on them.
#[derive(Clone, Copy, Default, Debug)]
pub struct Has {
    pub getlk: bool,
    pub setlk: bool,
    pub flock: bool,
    pub readdir: bool,
    pub readdirplus: bool,
    pub write_buf: bool,
}

/// What the library brings to the negotiation.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub page_size: u32,
    /// Most pages of one request: `DEFAULT_MAX_PAGES`, or `fs.fuse.max_pages_limit` when that is smaller.
    pub max_pages: u32,
    /// The mount option `max_read=`; 0 without it.
    pub mount_max_read: u32,
    /// The ring may be used if kernel and filesystem agree.
    pub uring: bool,
    /// The channel can splice (custom I/O may not).
    pub splice_send: bool,
    pub splice_receive: bool,
    /// Capabilities outside of this mask are hidden from the filesystem.
    pub allowed: u64,
    pub has: Has,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            page_size: 4096,
            max_pages: DEFAULT_MAX_PAGES,
            mount_max_read: 0,
            uring: true,
            splice_send: true,
            splice_receive: true,
            allowed: u64::MAX,
            has: Has::default(),
        }
    }
}

/// `struct fuse_conn_info`, member by member.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ConnInfo {
    pub proto_major: u32,
    pub proto_minor: u32,
    pub max_write: u32,
    pub max_read: u32,
    pub max_readahead: u32,
    /// The low halves of the two `_ext` fields, as programs knew them before API 3.17.
    pub capable: u32,
    pub want: u32,
    pub max_background: u32,
    pub congestion_threshold: u32,
    pub time_gran: u32,
    pub max_backing_stack_depth: u32,
    pub no_interrupt: bool,
    pub capable_ext: u64,
    pub want_ext: u64,
    pub request_timeout: u16,
}

/// What `want` and `want_ext` were before the filesystem touched them: the feature flag functions keep it current, so
/// that afterwards it can be told which of the two was written to by hand.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Remembered {
    pub want: u32,
    pub want_ext: u64,
}

/// The kernel's half of the negotiation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Kernel {
    pub minor: u32,
    /// `flags` and `flags2` in one.
    pub flags: u64,
}

/// What `offer` found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// The usual case: show `conn` to the filesystem.
    Negotiate { conn: ConnInfo, remembered: Remembered, kernel: Kernel },
    /// A kernel of another major version: send this and wait for a second INIT.
    OtherMajor(FuseInitOut),
}

/// The reply and what it settles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finished {
    pub reply: FuseInitOut,
    /// How much of `reply` a kernel of that version takes.
    pub reply_len: usize,
    pub negotiated: Negotiated,
    /// The filesystem changed both `want` and `want_ext`; the latter counted. Worth a warning.
    pub want_ignored: bool,
}

/// What the session works with from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    pub proto: Proto,
    pub max_write: u32,
    /// Pages of the largest request, in either direction.
    pub max_pages: u32,
    /// What a read of the device has to offer.
    pub buffer_size: usize,
    /// Data bytes of the largest request or reply, which is what a ring entry's payload has to hold.
    pub payload_size: usize,
    /// Start the ring.
    pub ring: bool,
    pub ring_reason: RingReason,
    pub no_interrupt: bool,
    /// `FUSE_CAP_*` that were asked for.
    pub want_ext: u64,
    /// `FUSE_CAP_*` that could be had.
    pub capable_ext: u64,
}

/// Why the ring is used, or is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingReason {
    Used,
    /// The kernel did not offer it: too old, or `enable_uring` is off.
    NotOffered,
    /// Switched off by option or environment.
    Disabled,
    /// The filesystem unset the feature.
    NotWanted,
}

impl RingReason {
    /// For the log: which transport, and why.
    pub fn text(self) -> &'static str {
        match self {
            RingReason::Used => "offered by the kernel",
            RingReason::NotOffered => {
                "not offered by the kernel (see /sys/module/fuse/parameters/enable_uring)"
            }
            RingReason::Disabled => "disabled by option or environment",
            RingReason::NotWanted => "turned off by the filesystem's init()",
        }
    }
}

/// Why there will be no session. The kernel is told EPROTO in each case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InitError {
    Truncated,
    Version { major: u32, minor: u32 },
    UnknownWant(u64),
    MaxRead { init: u32, option: u32 },
}

impl From<InitError> for Errno {
    fn from(_: InitError) -> Errno {
        Errno::new(libc::EPROTO)
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitError::Truncated => write!(f, "INIT message of the kernel is too short"),
            InitError::Version { major, minor } => {
                write!(
                    f,
                    "the kernel speaks protocol {major}.{minor}, at least 7.{MIN_MINOR_VERSION} is needed"
                )
            }
            InitError::UnknownWant(bits) => {
                write!(f, "init() wants connection features that are not available: {bits:#x}")
            }
            InitError::MaxRead { init, option } => {
                write!(f, "init() set max_read to {init}, but the mount option max_read is {option}")
            }
        }
    }
}

/// First step: reads the kernel's message (8 bytes or more; shorter forms lack flags) and prepares `conn`.
pub fn offer(raw: &[u8], config: &Config) -> Result<Offer, InitError> {
    if raw.len() < 8 {
        return Err(InitError::Truncated);
    }
    let sent = FuseInitIn::read_padded(raw);
    if sent.major > KERNEL_VERSION {
        let reply = FuseInitOut { major: KERNEL_VERSION, minor: KERNEL_MINOR_VERSION, ..Default::default() };
        return Ok(Offer::OtherMajor(reply));
    }
    if sent.major < KERNEL_VERSION || sent.minor < MIN_MINOR_VERSION {
        return Err(InitError::Version { major: sent.major, minor: sent.minor });
    }
    let mut kernel = Kernel { minor: sent.minor, flags: u64::from(sent.flags) };
    if kernel.flags & flag::INIT_EXT != 0 {
        kernel.flags |= u64::from(sent.flags2) << 32;
    }
    let capable_ext = cap::capable(&kernel, config);
    let want_ext = cap::default_want(&config.has) & capable_ext;
    let conn = shown(&sent, capable_ext, want_ext, config);
    Ok(Offer::Negotiate { conn, remembered: Remembered { want: conn.want, want_ext }, kernel })
}

/// The connection as the filesystem finds it.
fn shown(sent: &FuseInitIn, capable_ext: u64, want_ext: u64, config: &Config) -> ConnInfo {
    ConnInfo {
        proto_major: sent.major,
        proto_minor: sent.minor,
        max_write: config.max_pages.saturating_mul(config.page_size),
        max_readahead: sent.max_readahead,
        time_gran: 1,
        capable: capable_ext as u32,
        want: want_ext as u32,
        capable_ext,
        want_ext,
        ..Default::default()
    }
}

/// `want` and `want_ext` were both written to, with different results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BothChanged;

/// Makes `want` and `want_ext` agree, following the one that the filesystem wrote to; `want_ext` if it was both.
///
/// The ring's bit lies in the half that old programs overwrite as a whole, knowing nothing of it. An assignment there
/// says nothing about the ring, hence it stays; who does not want it says so through `want_ext` or
/// `fuse_unset_feature_flag`.
pub fn convert_want(conn: &mut ConnInfo, remembered: &Remembered) -> Result<(), BothChanged> {
    if conn.want != remembered.want && conn.want != conn.want_ext as u32 {
        if conn.want_ext != remembered.want_ext {
            return Err(BothChanged);
        }
        let high = conn.want_ext & !u64::from(u32::MAX);
        conn.want_ext = high | u64::from(conn.want) | (remembered.want_ext & cap::OVER_IO_URING);
    }
    conn.want = conn.want_ext as u32;
    Ok(())
}

/// Second step, after the filesystem had its way with `conn`. Values out of bounds are corrected in `conn` as well.
pub fn finish(
    conn: &mut ConnInfo,
    remembered: &Remembered,
    kernel: &Kernel,
    config: &Config,
) -> Result<Finished, InitError> {
    let want_ignored = convert_want(conn, remembered).is_err();
    check(conn, config)?;
    let ring_reason = ring(conn, kernel, config);
    let mut max_pages = limit_sizes(conn, kernel, config);
    let xattr_pages = LARGEST_XATTR.div_ceil(config.page_size);
    if ring_reason == RingReason::Used {
        // A ring entry has the room that this number says, and no request or reply is larger.
        max_pages = max_pages.max(xattr_pages);
    }
    let reply = reply(conn, kernel, max_pages, ring_reason == RingReason::Used);
    let payload_size = max_pages.max(xattr_pages) as usize * config.page_size as usize;
    let negotiated = Negotiated {
        proto: Proto {
            minor: kernel.minor.min(KERNEL_MINOR_VERSION),
            setxattr_ext: u64::from(reply.flags) & flag::SETXATTR_EXT != 0,
        },
        max_write: conn.max_write,
        max_pages,
        buffer_size: payload_size + BUFFER_HEADER_SIZE,
        payload_size,
        ring: ring_reason == RingReason::Used,
        ring_reason,
        no_interrupt: conn.no_interrupt,
        want_ext: conn.want_ext,
        capable_ext: conn.capable_ext,
    };
    Ok(Finished { reply, reply_len: reply_len(kernel.minor), negotiated, want_ignored })
}

/// What cannot be corrected, since the filesystem would go on believing otherwise.
fn check(conn: &ConnInfo, config: &Config) -> Result<(), InitError> {
    let unknown = conn.want_ext & !conn.capable_ext;
    if unknown != 0 {
        return Err(InitError::UnknownWant(unknown));
    }
    if conn.max_read != config.mount_max_read {
        return Err(InitError::MaxRead { init: conn.max_read, option: config.mount_max_read });
    }
    Ok(())
}

/// Brings the numbers in `conn` into their bounds; returns the pages that the largest request will have.
fn limit_sizes(conn: &mut ConnInfo, kernel: &Kernel, config: &Config) -> u32 {
    let most = match kernel.flags & flag::MAX_PAGES {
        0 => config.max_pages.min(MAX_PAGES_WITHOUT_FLAG),
        _ => config.max_pages.min(u32::from(u16::MAX)),
    }
    .max(1);
    conn.max_write = conn.max_write.min(most.saturating_mul(config.page_size)).max(MIN_MAX_WRITE);
    conn.max_background = conn.max_background.min(u32::from(u16::MAX));
    if conn.congestion_threshold == 0 {
        // Three quarters is also the kernel's own ratio.
        conn.congestion_threshold = conn.max_background * 3 / 4;
    }
    conn.congestion_threshold = conn.congestion_threshold.min(conn.max_background);
    match kernel.flags & flag::MAX_PAGES {
        // It will not learn of our number, and reads stay as large as they always were.
        0 => MAX_PAGES_WITHOUT_FLAG,
        _ => conn.max_write.div_ceil(config.page_size),
    }
}

fn ring(conn: &ConnInfo, kernel: &Kernel, config: &Config) -> RingReason {
    if kernel.flags & flag::OVER_IO_URING == 0 {
        RingReason::NotOffered
    } else if !config.uring {
        RingReason::Disabled
    } else if conn.want_ext & cap::OVER_IO_URING == 0 {
        RingReason::NotWanted
    } else {
        RingReason::Used
    }
}

fn reply(conn: &ConnInfo, kernel: &Kernel, max_pages: u32, ring: bool) -> FuseInitOut {
    let mut flags = flag::BIG_WRITES | cap::reply_flags(conn.want_ext);
    flags |= kernel.flags & (flag::INIT_EXT | flag::MAX_PAGES);
    if ring {
        flags |= flag::OVER_IO_URING;
    }
    let mut out = FuseInitOut {
        major: KERNEL_VERSION,
        minor: KERNEL_MINOR_VERSION,
        max_readahead: conn.max_readahead,
        max_background: match conn.max_background {
            0 => BACKGROUND,
            chosen => chosen as u16,
        },
        congestion_threshold: conn.congestion_threshold as u16,
        max_write: conn.max_write,
        time_gran: conn.time_gran,
        ..Default::default()
    };
    if kernel.flags & flag::MAX_PAGES != 0 {
        out.max_pages = max_pages as u16;
    }
    if conn.want_ext & cap::PASSTHROUGH != 0 {
        // The kernel counts the layer of this mount as well.
        out.max_stack_depth = conn.max_backing_stack_depth.saturating_add(1);
    }
    if conn.request_timeout != 0 && kernel.flags & flag::REQUEST_TIMEOUT != 0 {
        flags |= flag::REQUEST_TIMEOUT;
        out.request_timeout = conn.request_timeout;
    }
    out.flags = flags as u32;
    out.flags2 = (flags >> 32) as u32;
    out
}

/// The reply's length: the kernel refuses one that is longer than its own struct was at the time.
fn reply_len(minor: u32) -> usize {
    match minor {
        ..=22 => COMPAT_22_INIT_OUT_SIZE,
        _ => size_of::<FuseInitOut>(),
    }
}

const _: () = assert!(LARGEST_XATTR as usize > crate::wire::MIN_READ_BUFFER);

#[cfg(test)]
mod tests;
