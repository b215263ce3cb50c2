// SPDX-License-Identifier: MIT OR Apache-2.0
//! Layers that do nothing but translate names: the built-in modules subdir and iconv.
//!
//! Such a layer owns what stands below it, from its factory on; its `destroy` ends both. It hands every operation on,
//! with its paths translated; translated names live until the operation returns.

pub mod iconv;
mod operations;
pub mod subdir;

use std::ffi::{CStr, CString, c_char, c_void};

use super::super::types::{FuseArgs, FuseConnInfo};
use super::context;
use super::fs::{FuseFs, fuse_fs_destroy, fuse_fs_init, fuse_fs_new};
use super::types::{FuseConfig, FuseOperations};
use crate::errno::Errno;

/// How a layer translates. Names above are the kernel's, names below those of the next layer.
pub trait Translate: Send + Sync {
    /// A path on its way down.
    fn path(&self, above: &CStr) -> Result<CString, Errno>;

    /// The target of a new symbolic link on its way down.
    fn target(&self, above: &CStr) -> Result<CString, Errno>;

    /// The target of the link `path` (as it is below) on its way up.
    fn target_of(&self, path: &CStr, below: &CStr) -> Result<CString, Errno>;

    /// A name in a directory on its way up.
    fn entry(&self, below: &CStr) -> Result<CString, Errno>;

    /// Whether `entry` leaves names as they are, so that they need not be copied.
    fn keeps_entries(&self) -> bool;
}

/// A layer's private data.
struct Layer {
    below: *mut FuseFs,
    translate: Box<dyn Translate>,
}

impl Layer {
    /// The layer whose operation this thread is in.
    ///
    /// # Safety
    /// Called by an operation of `operations::TABLE`, before it calls anything else.
    unsafe fn current<'a>() -> &'a Layer {
        // SAFETY: `fuse_fs_*` put our own data into the context before they called us.
        unsafe { &*(*context::fuse_get_context()).private_data.cast::<Layer>() }
    }

    /// A path on its way down; NULL, for an open file whose path nobody needs, stays NULL.
    ///
    /// # Safety
    /// `path` is NULL or a string.
    unsafe fn path(&self, path: *const c_char) -> Result<Translated, Errno> {
        if path.is_null() {
            return Ok(Translated(None));
        }
        // SAFETY: as promised by the caller.
        self.translate.path(unsafe { CStr::from_ptr(path) }).map(|path| Translated(Some(path)))
    }
}

/// A path for the layer below.
struct Translated(Option<CString>);

impl Translated {
    fn as_ptr(&self) -> *const c_char {
        self.0.as_ref().map_or(std::ptr::null(), |path| path.as_ptr())
    }
}

/// Puts a new layer on top of `below`; the caller gets it, and gives up what is below.
unsafe fn put_on(below: *mut FuseFs, translate: Box<dyn Translate>) -> *mut FuseFs {
    let layer = Box::into_raw(Box::new(Layer { below, translate }));
    // SAFETY: the table is copied; the data is freed by `destroy`.
    unsafe { fuse_fs_new(&raw const operations::TABLE, size_of::<FuseOperations>(), layer.cast()) }
}

unsafe extern "C" fn init(conn: *mut FuseConnInfo, cfg: *mut FuseConfig) -> *mut c_void {
    // SAFETY: an operation of ours, with what `fuse_fs_init` was given.
    unsafe {
        let layer = Layer::current();
        fuse_fs_init(layer.below, conn, cfg);
        std::ptr::from_ref(layer).cast_mut().cast()
    }
}

unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: from `put_on`, and nobody uses the layer any more.
    unsafe {
        let layer = Box::from_raw(data.cast::<Layer>());
        fuse_fs_destroy(layer.below);
    }
}

/// The one layer below that a factory was given.
///
/// # Safety
/// `fs` is NULL or a list that NULL ends.
unsafe fn only(fs: *mut *mut FuseFs) -> Option<*mut FuseFs> {
    // SAFETY: as promised by the caller; the second element is there if the first one is not NULL.
    unsafe { (!fs.is_null() && !(*fs).is_null() && (*fs.add(1)).is_null()).then(|| *fs) }
}

/// The options of a factory.
///
/// # Safety
/// `args` is a valid list, and `table` fits `data`.
unsafe fn options<T>(
    args: *mut FuseArgs,
    data: &mut T,
    table: &[super::super::fuse_opt::FuseOpt],
) -> Result<(), crate::opt::Refused> {
    // SAFETY: as promised by the caller.
    let status = unsafe {
        super::super::fuse_opt::fuse_opt_parse(args, (&raw mut *data).cast(), table.as_ptr(), None)
    };
    if status == 0 { Ok(()) } else { Err(crate::opt::Refused) }
}
