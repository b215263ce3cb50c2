// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modules: layers that are put on top of a filesystem by `-o modules=A:B`. Built in are subdir and iconv; others are
//! in the program itself (FUSE_REGISTER_MODULE, if it is linked with -rdynamic) or in `libfusemod_NAME.so`.
//!
//! A loaded module stays loaded as long as one of its layers lives. The stack owns its layers; each layer destroys
//! those below it.

use std::ffi::{CStr, CString, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::super::fuse_opt::{fuse_opt_add_arg, fuse_opt_free_args};
use super::super::types::FuseArgs;
use super::fs::{FuseFs, fuse_fs_destroy};
use super::layers::{iconv, subdir};
use super::types::FuseModuleFactoryT;
use crate::log::error;
use crate::opt::{Refused, c_string};
use crate::sys::text;

const BUILT_IN: [&CStr; 2] = [c"subdir", c"iconv"];

/// Where the layers of one name come from.
pub struct Module {
    factory: FuseModuleFactoryT,
    /// From dlopen; NULL for what is there anyway.
    library: *mut c_void,
}

// SAFETY: a handle of the dynamic linker, which any thread may use.
unsafe impl Send for Module {}
unsafe impl Sync for Module {}

impl Drop for Module {
    fn drop(&mut self) {
        if !self.library.is_null() {
            // SAFETY: from dlopen, and no layer refers to its code any more.
            unsafe { libc::dlclose(self.library) };
        }
    }
}

impl Module {
    /// The module of a name; what is wrong has been logged.
    fn find(name: &CStr) -> Result<Arc<Module>, Refused> {
        let factory: FuseModuleFactoryT = match name.to_bytes() {
            b"subdir" => Some(subdir::factory),
            b"iconv" => Some(iconv::factory),
            _ => return Module::load(name).map(Arc::new),
        };
        Ok(Arc::new(Module { factory, library: null_mut() }))
    }

    fn load(name: &CStr) -> Result<Module, Refused> {
        let symbol = c_string([b"fuse_module_", name.to_bytes(), b"_factory"].concat());
        if let Some(factory) = variable(libc::RTLD_DEFAULT, &symbol) {
            return Ok(Module { factory, library: null_mut() });
        }
        let file = c_string([b"libfusemod_", name.to_bytes(), b".so"].concat());
        // SAFETY: a string; what the constructors of a module do is the business of who named it.
        let library = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            error!("fuse: dlopen({}) failed: {}", file.to_string_lossy(), linker_message());
            return Err(Refused);
        }
        let mut module = Module { factory: None, library };
        module.factory = variable(library, &symbol).unwrap_or(None);
        if module.factory.is_none() {
            error!("fuse: module `{}': no {} in it", name.to_string_lossy(), symbol.to_string_lossy());
            return Err(Refused);
        }
        Ok(module)
    }

    /// Has the module print its options.
    fn print_help(&self, name: &CStr) {
        let Some(factory) = self.factory else { return };
        let mut args = FuseArgs { argc: 0, argv: null_mut(), allocated: 0 };
        text::print(&c_string([b"\nOptions for ", name.to_bytes(), b" module:\n"].concat()));
        // SAFETY: a list of our own; without layers a factory only prints its help.
        unsafe {
            if fuse_opt_add_arg(&raw mut args, c"".as_ptr()) == 0
                && fuse_opt_add_arg(&raw mut args, c"-h".as_ptr()) == 0
            {
                factory(&raw mut args, null_mut());
            }
            fuse_opt_free_args(&raw mut args);
        }
    }
}

/// The factory that a variable of a module holds; the outer `None`: no such variable.
fn variable(library: *mut c_void, symbol: &CStr) -> Option<FuseModuleFactoryT> {
    // SAFETY: a name that only FUSE_REGISTER_MODULE makes, for a variable of this type.
    unsafe { libc::dlsym(library, symbol.as_ptr()).cast::<FuseModuleFactoryT>().as_ref().copied() }
}

fn linker_message() -> String {
    // SAFETY: NULL, or a string until the next call of the dynamic linker on this thread.
    unsafe {
        let message = libc::dlerror();
        if message.is_null() { String::new() } else { CStr::from_ptr(message).to_string_lossy().into_owned() }
    }
}

/// The help of the built-in modules, and of others in `names`.
pub fn print_help(names: &[CString]) {
    let others = names.iter().map(CString::as_c_str).filter(|name| !BUILT_IN.contains(name));
    for name in BUILT_IN.into_iter().chain(others) {
        if let Ok(module) = Module::find(name) {
            module.print_help(name);
        }
    }
}

/// The layers of one filesystem.
pub struct Stack {
    /// What requests go to. Layers destroy what is below them.
    top: AtomicPtr<FuseFs>,
    /// The program's own layer.
    bottom: AtomicPtr<FuseFs>,
}

impl Stack {
    /// Owns `bottom`, the program's own layer.
    ///
    /// # Safety
    /// `bottom` comes from `fuse_fs_new` and is given up by the caller.
    pub unsafe fn new(bottom: *mut FuseFs) -> Stack {
        Stack { top: AtomicPtr::new(bottom), bottom: AtomicPtr::new(bottom) }
    }

    /// What requests go to. NULL once it was destroyed.
    pub fn top(&self) -> *mut FuseFs {
        self.top.load(Ordering::Acquire)
    }

    /// Puts the module `name` on top, which takes its options out of `args`. What is wrong has been logged.
    ///
    /// # Safety
    /// `args` is a valid list.
    pub unsafe fn push(&mut self, name: &CStr, args: *mut FuseArgs) -> Result<(), Refused> {
        let module = Module::find(name)?;
        let Some(factory) = module.factory else {
            return Err(Refused);
        };
        let mut below = [self.top(), null_mut()];
        // SAFETY: the module's function, with what its header promises.
        let layer = unsafe { factory(args, below.as_mut_ptr()) };
        // SAFETY: NULL, or a new layer that nobody else knows.
        let Some(new) = (unsafe { layer.as_mut() }) else {
            return Err(Refused); // the module has said why
        };
        new.set_module(module);
        *self.top.get_mut() = layer;
        Ok(())
    }

    /// Logs all calls of the topmost layer.
    pub fn set_debug(&self) {
        // SAFETY: NULL or live.
        if let Some(top) = unsafe { self.top().as_ref() } {
            top.set_debug(true);
        }
    }

    /// Ends all layers, once; when no request uses them any more.
    pub fn destroy(&self) {
        self.bottom.store(null_mut(), Ordering::Release);
        // SAFETY: the topmost layer destroys the others; nobody uses them any more.
        unsafe { fuse_fs_destroy(self.top.swap(null_mut(), Ordering::AcqRel)) };
    }
}

impl Drop for Stack {
    /// What was never started is not told of its end: its `init` made nothing that `destroy` could release.
    fn drop(&mut self) {
        // SAFETY: NULL or live, and ours alone now.
        if let Some(bottom) = unsafe { self.bottom.get_mut().as_mut() } {
            bottom.forget_destroy();
        }
        self.destroy();
    }
}
