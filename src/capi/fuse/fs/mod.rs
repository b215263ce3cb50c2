// SPDX-License-Identifier: MIT OR Apache-2.0
//! A layer of a filesystem: `struct fuse_fs`, and the functions that call into one.
//!
//! A layer is a copy of a table of operations and the data that its `init` returned. `fuse_fs_new` makes one, which
//! is the caller's until `fuse_fs_destroy`; a layer that stands on others destroys them. Functions take a layer and
//! the operation's own arguments, show the operation its layer's data in the context, and answer for what a layer
//! does not have.
//!
//! - here: a layer's life. `names`: operations on paths. `files`: on open files and directories. `data`: reading and
//!   writing. `trace`: what `-d` says about all of them.

mod data;
mod files;
mod names;
mod trace;

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::size_t;

use super::super::fuse_common::fuse_unset_feature_flag;
use super::super::types::FuseConnInfo;
use super::context;
use super::modules::Module;
use super::types::{FuseConfig, FuseOperations};
use crate::log::{error, warning};
use crate::session::init::cap;

pub use data::*;
pub use files::*;
pub use names::*;

/// `struct fuse_fs`, opaque to programs.
pub struct FuseFs {
    ops: FuseOperations,
    user_data: AtomicPtr<c_void>,
    debug: AtomicBool,
    /// Where the code of `ops` comes from; kept loaded for as long as the layer lives.
    module: Option<Arc<Module>>,
}

impl FuseFs {
    /// Which operations there are.
    pub fn operations(&self) -> &FuseOperations {
        &self.ops
    }

    /// What the operations find in their context.
    pub fn user_data(&self) -> *mut c_void {
        self.user_data.load(Ordering::Acquire)
    }

    /// Has every call logged.
    pub fn set_debug(&self, debug: bool) {
        self.debug.store(debug, Ordering::Relaxed);
    }

    pub fn debug(&self) -> bool {
        self.debug.load(Ordering::Relaxed)
    }

    pub fn set_module(&mut self, module: Arc<Module>) {
        self.module = Some(module);
    }

    /// For a filesystem that was never started: its `destroy` is not called.
    pub fn forget_destroy(&mut self) {
        self.ops.destroy = None;
    }

    /// Runs `call` with the layer's data in the context; then the data of the layer above is back.
    fn within<R>(&self, call: impl FnOnce() -> R) -> R {
        let above = context::set_private_data(self.user_data());
        let result = call();
        context::set_private_data(above);
        result
    }
}

/// The layer behind a pointer; `None`, logged, for NULL.
///
/// # Safety
/// `fs` is NULL or a live layer.
unsafe fn layer<'a>(fs: *mut FuseFs, caller: &str) -> Option<&'a FuseFs> {
    // SAFETY: as promised by the caller.
    let layer = unsafe { fs.as_ref() };
    if layer.is_none() {
        error!("fuse: {caller}: the layer is NULL");
    }
    layer
}

/// Calls an operation of a layer, or returns what stands for a missing one (-ENOSYS unless said otherwise).
macro_rules! forward {
    ($fs:ident, $op:ident ( $($arg:expr),* )) => {
        forward!($fs, $op($($arg),*), missing (-libc::ENOSYS))
    };
    ($fs:ident, $op:ident ( $($arg:expr),* ), missing $missing:expr) => {{
        let Some(layer) = layer($fs, concat!("fuse_fs_", stringify!($op))) else {
            return (-libc::EINVAL) as _;
        };
        match layer.ops.$op {
            Some(op) => layer.within(|| {
                if layer.debug() {
                    trace::begin(stringify!($op), &[$(trace::Show::show(&$arg)),*]);
                }
                let result = op($($arg),*);
                if layer.debug() {
                    trace::end(stringify!($op), result as i64);
                }
                result
            }),
            None => ($missing) as _,
        }
    }};
}
use forward;

/// Makes a layer of a table of operations, of which as much is copied as both sides know.
///
/// # Safety
/// `op` is NULL or points to `op_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_new(
    op: *const FuseOperations,
    op_size: size_t,
    private_data: *mut c_void,
) -> *mut FuseFs {
    let mut ops = FuseOperations::default();
    if op_size > size_of::<FuseOperations>() {
        warning!("fuse: warning: library too old, some operations may not work");
    }
    if !op.is_null() {
        let length = op_size.min(size_of::<FuseOperations>());
        // SAFETY: as promised by the caller; a null function pointer is None.
        unsafe { std::ptr::copy_nonoverlapping(op.cast::<u8>(), (&raw mut ops).cast::<u8>(), length) };
    }
    Box::into_raw(Box::new(FuseFs {
        ops,
        user_data: AtomicPtr::new(private_data),
        debug: AtomicBool::new(false),
        module: None,
    }))
}

/// Starts a layer. What it does not have, the kernel is asked to do by itself.
///
/// # Safety
/// `fs` is a live layer; `conn` and `cfg` are what the `init` of the layer above got.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_init(fs: *mut FuseFs, conn: *mut FuseConnInfo, cfg: *mut FuseConfig) {
    // SAFETY: as promised by the caller.
    let Some(layer) = (unsafe { layer(fs, "fuse_fs_init") }) else {
        return;
    };
    if conn.is_null() || cfg.is_null() {
        return error!("fuse: fuse_fs_init: NULL argument");
    }
    let optional = [
        (layer.ops.write_buf.is_some(), cap::SPLICE_READ),
        (layer.ops.lock.is_some(), cap::POSIX_LOCKS),
        (layer.ops.flock.is_some(), cap::FLOCK_LOCKS),
    ];
    for (there, capability) in optional {
        if !there {
            // SAFETY: not NULL, and as promised.
            unsafe { fuse_unset_feature_flag(conn, capability) };
        }
    }
    if let Some(init) = layer.ops.init {
        // SAFETY: the program's function, with what its header promises.
        let data = layer.within(|| unsafe { init(conn, cfg) });
        layer.user_data.store(data, Ordering::Release);
    }
    if layer.debug() {
        trace::begin("init", &[]);
    }
}

/// Ends a layer and releases it.
///
/// # Safety
/// `fs` is a live layer that is not used afterwards; NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_fs_destroy(fs: *mut FuseFs) {
    if fs.is_null() {
        return;
    }
    // SAFETY: came from `fuse_fs_new`, and is given up by the caller.
    let layer = unsafe { Box::from_raw(fs) };
    if layer.debug() {
        trace::begin("destroy", &[]);
    }
    if let Some(destroy) = layer.ops.destroy {
        // SAFETY: the program's function with its own data; its code is loaded until the layer is dropped.
        layer.within(|| unsafe { destroy(layer.user_data()) });
    }
    drop(layer);
}
