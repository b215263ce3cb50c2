// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edge of `fuse_common.h`: versions, loop configuration, connection features, buffer vectors.
//!
//! # Safety
//! Pointers are the caller's and are used only until the function returns, with these exceptions: a
//! `fuse_loop_config` is ours from `fuse_loop_cfg_create` to `fuse_loop_cfg_destroy`; the `fuse_conn_info` that
//! `init()` gets is ours and lives as long as that call.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint};
use std::ptr;

use libc::{size_t, ssize_t};

use super::types::{FuseBuf, FuseBufvec, FuseConnInfo, FuseLoopConfigV1};
use crate::buf::{self, File, Piece, Pieces, Place, Vector};
use crate::errno::Errno;
use crate::session::init::{ConnInfo, Remembered, convert_want};
use crate::sys::splice::Memory;

/// `FUSE_VERSION` of the headers that belong to us.
#[unsafe(no_mangle)]
pub extern "C" fn fuse_version() -> c_int {
    318
}

#[unsafe(no_mangle)]
pub extern "C" fn fuse_pkgversion() -> *const c_char {
    c"3.18.3".as_ptr()
}

/// What no `clone_fd` of the older public struct, whose first member that is, would ever be.
const LOOP_CONFIG_MAGIC: c_int = c_int::MAX - 2;
const MAX_IDLE_THREADS: c_uint = 100_000;

/// `struct fuse_loop_config`, opaque to programs since API 3.12.
#[repr(C)]
pub struct FuseLoopConfig {
    magic: c_int,
    clone_fd: c_int,
    max_idle_threads: c_uint,
    max_threads: c_uint,
}

/// What a loop configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopConfig {
    pub clone_fd: bool,
    /// `c_uint::MAX`: idle threads are kept.
    pub max_idle_threads: c_uint,
    pub max_threads: c_uint,
}

impl Default for LoopConfig {
    fn default() -> LoopConfig {
        LoopConfig { clone_fd: false, max_idle_threads: c_uint::MAX, max_threads: 10 }
    }
}

impl LoopConfig {
    /// Reads the argument of `fuse_session_loop_mt`; null is the default, the older struct is EINVAL.
    ///
    /// # Safety
    /// `config` is null or points to either of the structs.
    pub unsafe fn from_ptr(config: *const FuseLoopConfig) -> Result<LoopConfig, Errno> {
        if config.is_null() {
            return Ok(LoopConfig::default());
        }
        // SAFETY: both structs begin with an int; the rest is looked at only if it is there.
        unsafe {
            if (*config).magic != LOOP_CONFIG_MAGIC {
                return Err(Errno::new(libc::EINVAL));
            }
            Ok(LoopConfig {
                clone_fd: (*config).clone_fd != 0,
                max_idle_threads: (*config).max_idle_threads,
                max_threads: (*config).max_threads,
            })
        }
    }

    /// The same for programs of API 3.11 and older, which knew no bound for the number of threads.
    ///
    /// # Safety
    /// `config` is null or points to the older struct.
    pub unsafe fn from_v1(config: *const FuseLoopConfigV1) -> LoopConfig {
        let mut result = LoopConfig::default();
        // SAFETY: not null, hence valid.
        if let Some(config) = unsafe { config.as_ref() } {
            result.clone_fd = config.clone_fd != 0;
            if config.max_idle_threads <= MAX_IDLE_THREADS {
                result.max_idle_threads = config.max_idle_threads;
            }
        }
        result
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fuse_loop_cfg_create() -> *mut FuseLoopConfig {
    let LoopConfig { max_idle_threads, max_threads, .. } = LoopConfig::default();
    let config = FuseLoopConfig { magic: LOOP_CONFIG_MAGIC, clone_fd: 0, max_idle_threads, max_threads };
    Box::into_raw(Box::new(config))
}

/// # Safety
/// `config` comes from `fuse_loop_cfg_create` and is not used afterwards; null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_cfg_destroy(config: *mut FuseLoopConfig) {
    if !config.is_null() {
        // SAFETY: made by Box::into_raw, and given up by the caller.
        drop(unsafe { Box::from_raw(config) });
    }
}

/// Ignores numbers that make no sense, silently the -1 that means "no limit", which is the default.
///
/// # Safety
/// `config` comes from `fuse_loop_cfg_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_cfg_set_idle_threads(config: *mut FuseLoopConfig, value: c_uint) {
    if value == c_uint::MAX {
        return;
    }
    if value > MAX_IDLE_THREADS {
        crate::log::error!("fuse: ignoring max_idle_threads={value}, more than {MAX_IDLE_THREADS}");
        return;
    }
    // SAFETY: by contract.
    unsafe { (*config).max_idle_threads = value };
}

/// # Safety
/// `config` comes from `fuse_loop_cfg_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_cfg_set_max_threads(config: *mut FuseLoopConfig, value: c_uint) {
    // SAFETY: by contract.
    unsafe { (*config).max_threads = value };
}

/// # Safety
/// `config` comes from `fuse_loop_cfg_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_cfg_set_clone_fd(config: *mut FuseLoopConfig, value: c_uint) {
    // SAFETY: by contract.
    unsafe { (*config).clone_fd = value as c_int };
}

/// # Safety
/// `config` comes from `fuse_loop_cfg_create`, `v1_conf` points to the older struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_loop_cfg_convert(config: *mut FuseLoopConfig, v1_conf: *mut FuseLoopConfigV1) {
    // SAFETY: by contract.
    unsafe {
        fuse_loop_cfg_set_idle_threads(config, (*v1_conf).max_idle_threads);
        fuse_loop_cfg_set_clone_fd(config, (*v1_conf).clone_fd as c_uint);
    }
}

/// What the feature functions have to know of the connection that they are called for.
#[derive(Clone, Copy)]
struct Shown {
    conn: *mut FuseConnInfo,
    remembered: *mut Remembered,
}

const NOTHING_SHOWN: Shown = Shown { conn: ptr::null_mut(), remembered: ptr::null_mut() };

thread_local! {
    /// The connection that this thread's `init()` is looking at: the feature functions get a bare `fuse_conn_info`,
    /// and must find what belongs to it without trusting that it is ours.
    static SHOWN: Cell<Shown> = const { Cell::new(NOTHING_SHOWN) };
}

/// The bit of `FuseConnInfo::flag_bits` that does without INTERRUPT.
pub const NO_INTERRUPT: u32 = 1;

/// Shows a connection to a filesystem's `init()`, in a place that lives on, and takes over what that changes.
pub fn show(
    conn: &mut ConnInfo,
    remembered: &mut Remembered,
    place: &mut FuseConnInfo,
    init: impl FnOnce(*mut FuseConnInfo),
) {
    *place = to_c(conn);
    let shown = Shown { conn: ptr::from_mut(place), remembered: ptr::from_mut(remembered) };
    let outer = SHOWN.replace(shown);
    init(shown.conn);
    SHOWN.set(outer);
    // SAFETY: the place is borrowed by this function.
    from_c(conn, unsafe { &*shown.conn });
}

fn to_c(conn: &ConnInfo) -> FuseConnInfo {
    FuseConnInfo {
        proto_major: conn.proto_major,
        proto_minor: conn.proto_minor,
        max_write: conn.max_write,
        max_read: conn.max_read,
        max_readahead: conn.max_readahead,
        capable: conn.capable,
        want: conn.want,
        max_background: conn.max_background,
        congestion_threshold: conn.congestion_threshold,
        time_gran: conn.time_gran,
        max_backing_stack_depth: conn.max_backing_stack_depth,
        flag_bits: if conn.no_interrupt { NO_INTERRUPT } else { 0 },
        capable_ext: conn.capable_ext,
        want_ext: conn.want_ext,
        request_timeout: conn.request_timeout,
        ..Default::default()
    }
}

/// What the kernel offered is not the filesystem's to change, and stays.
fn from_c(conn: &mut ConnInfo, shown: &FuseConnInfo) {
    *conn = ConnInfo {
        proto_major: conn.proto_major,
        proto_minor: conn.proto_minor,
        capable: conn.capable,
        capable_ext: conn.capable_ext,
        max_write: shown.max_write,
        max_read: shown.max_read,
        max_readahead: shown.max_readahead,
        want: shown.want,
        max_background: shown.max_background,
        congestion_threshold: shown.congestion_threshold,
        time_gran: shown.time_gran,
        max_backing_stack_depth: shown.max_backing_stack_depth,
        no_interrupt: shown.flag_bits & NO_INTERRUPT != 0,
        want_ext: shown.want_ext,
        request_timeout: shown.request_timeout,
    };
}

/// Runs `change` with the memory that belongs to `conn`, or with a stand-in if it is not the one being shown.
///
/// # Safety
/// `conn` points to a connection that nobody else uses meanwhile.
unsafe fn with_remembered<T>(
    conn: *mut FuseConnInfo,
    change: impl FnOnce(&mut FuseConnInfo, &mut Remembered) -> T,
) -> T {
    let shown = SHOWN.get();
    // SAFETY: what SHOWN points to is valid (`show` takes it out again), and borrowed only here.
    unsafe {
        if !shown.conn.is_null() && ptr::eq(shown.conn, conn) {
            change(&mut *shown.conn, &mut *shown.remembered)
        } else {
            let mut unknown = Remembered { want: (*conn).want_ext as u32, want_ext: (*conn).want_ext };
            change(&mut *conn, &mut unknown)
        }
    }
}

/// Asks for a feature; false if it cannot be had, and then nothing changes.
///
/// # Safety
/// `conn` is what `init()` got.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_set_feature_flag(conn: *mut FuseConnInfo, flag: u64) -> bool {
    let set = |conn: &mut FuseConnInfo, remembered: &mut Remembered| {
        if conn.capable_ext & flag == 0 {
            return false;
        }
        conn.want |= flag as u32;
        conn.want_ext |= flag;
        remembered.want |= flag as u32;
        remembered.want_ext |= flag;
        true
    };
    // SAFETY: by contract.
    unsafe { with_remembered(conn, set) }
}

/// # Safety
/// `conn` is what `init()` got.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_unset_feature_flag(conn: *mut FuseConnInfo, flag: u64) {
    let unset = |conn: &mut FuseConnInfo, remembered: &mut Remembered| {
        conn.want &= !(flag as u32);
        conn.want_ext &= !flag;
        remembered.want &= !(flag as u32);
        remembered.want_ext &= !flag;
    };
    // SAFETY: by contract.
    unsafe { with_remembered(conn, unset) }
}

/// Whether a feature can be had; not whether it is wanted.
///
/// # Safety
/// `conn` is what `init()` got.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_get_feature_flag(conn: *mut FuseConnInfo, flag: u64) -> bool {
    // SAFETY: by contract.
    unsafe { (*conn).capable_ext & flag != 0 }
}

/// Makes `want` and `want_ext` agree; -EINVAL if both were written to, and then `want_ext` is what counts.
///
/// # Safety
/// `conn` is what `init()` got.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_convert_to_conn_want_ext(conn: *mut FuseConnInfo) -> c_int {
    let convert = |conn: &mut FuseConnInfo, remembered: &mut Remembered| {
        let mut pair = ConnInfo { want: conn.want, want_ext: conn.want_ext, ..Default::default() };
        if convert_want(&mut pair, remembered).is_err() {
            crate::log::error!("fuse: init() changed both want and want_ext; only want_ext counts");
            return -libc::EINVAL;
        }
        (conn.want, conn.want_ext) = (pair.want, pair.want_ext);
        0
    };
    // SAFETY: by contract.
    unsafe { with_remembered(conn, convert) }
}

/// The bits of `enum fuse_buf_flags`.
pub const BUF_IS_FD: c_uint = 1 << 1;
pub const BUF_FD_SEEK: c_uint = 1 << 2;
pub const BUF_FD_RETRY: c_uint = 1 << 3;

/// The buffers of a C vector: `count` of them, the first one in place.
struct Buffers {
    first: *const FuseBuf,
    count: usize,
}

impl Buffers {
    /// # Safety
    /// `bufv` is valid, with all its buffers and their memory, as long as the result is used.
    unsafe fn new(bufv: *const FuseBufvec) -> Buffers {
        // SAFETY: by contract. The pointer keeps its right to all buffers, so no reference is made on the way.
        unsafe { Buffers { first: (&raw const (*bufv).buf).cast(), count: (*bufv).count } }
    }
}

impl Pieces for Buffers {
    fn count(&self) -> usize {
        self.count
    }

    fn piece(&self, index: usize) -> Option<Piece> {
        if index >= self.count {
            return None;
        }
        // SAFETY: within `count`, and valid by the promise of `new`.
        let buffer = unsafe { *self.first.add(index) };
        let place = if buffer.flags & BUF_IS_FD != 0 {
            Place::File(File {
                fd: buffer.fd,
                pos: (buffer.flags & BUF_FD_SEEK != 0).then_some(buffer.pos),
                retry: buffer.flags & BUF_FD_RETRY != 0,
            })
        } else {
            // SAFETY: likewise.
            Place::Memory(unsafe { Memory::new(buffer.mem.cast(), buffer.size) })
        };
        Some(Piece { size: buffer.size, place })
    }
}

/// # Safety
/// `bufv` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_buf_size(bufv: *const FuseBufvec) -> size_t {
    // SAFETY: by contract.
    buf::size(&unsafe { Buffers::new(bufv) })
}

/// # Safety
/// Both vectors are valid, with the memory they point to; that of `dst` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_buf_copy(dst: *mut FuseBufvec, src: *mut FuseBufvec, flags: c_uint) -> ssize_t {
    // SAFETY: by contract; `idx` and `off` are read before and written after, while nothing else is.
    unsafe {
        if ptr::eq(dst, src) {
            return fuse_buf_size(dst) as ssize_t;
        }
        let mut to = Vector { pieces: Buffers::new(dst), idx: (*dst).idx, off: (*dst).off };
        let mut from = Vector { pieces: Buffers::new(src), idx: (*src).idx, off: (*src).off };
        let result = buf::copy(&mut to, &mut from, flags);
        ((*dst).idx, (*dst).off) = (to.idx, to.off);
        ((*src).idx, (*src).off) = (from.idx, from.off);
        match result {
            Ok(copied) => copied as ssize_t,
            Err(error) => error.negated() as ssize_t,
        }
    }
}

#[cfg(test)]
mod tests;
