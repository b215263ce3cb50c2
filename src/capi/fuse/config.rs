// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second stage of the options: what `fuse_new` knows. The values land in a `struct fuse_config`, which `init()`
//! may still change; see `include/fuse.h`.
//!
//! The text of `modules=` comes from malloc, as programs expect of a `char *` in a C structure, and is freed with the
//! [`LibOptions`].

use std::ffi::{CStr, CString, c_char, c_ulong};
use std::mem::offset_of;
use std::ptr::null_mut;

use super::super::fuse_opt::{FuseOpt, fuse_opt_parse};
use super::super::types::FuseArgs;
use super::types::FuseConfig;
use crate::opt::{KEY_KEEP, Refused};

/// What the command line says to the high-level library.
pub struct LibOptions {
    pub config: FuseConfig,
    /// The text that `config.modules` begins with; `init()` may write anything there.
    modules: *mut c_char,
}

// SAFETY: the text is not written to, and freed once.
unsafe impl Send for LibOptions {}
unsafe impl Sync for LibOptions {}

impl Default for FuseConfig {
    fn default() -> FuseConfig {
        FuseConfig {
            set_gid: 0,
            gid: 0,
            set_uid: 0,
            uid: 0,
            set_mode: 0,
            umask: 0,
            entry_timeout: 1.0,
            negative_timeout: 0.0,
            attr_timeout: 1.0,
            intr: 0,
            intr_signal: libc::SIGUSR1,
            remember: 0,
            hard_remove: 0,
            use_ino: 0,
            readdir_ino: 0,
            direct_io: 0,
            kernel_cache: 0,
            auto_cache: 0,
            ac_attr_timeout_set: 0,
            ac_attr_timeout: 0.0,
            nullpath_ok: 0,
            show_help: 0,
            modules: null_mut(),
            debug: 0,
            #[cfg(soname3)]
            end: 0,
            fmask: 0,
            dmask: 0,
            no_rofd_flush: 0,
            parallel_direct_writes: 0,
            flags: 0,
            reserved: [0; 48],
        }
    }
}

/// A line that sets an int to 1, or reads a number or text in scanf's format.
macro_rules! option {
    ($template:literal, $member:ident) => {
        option!($template, $member, 1)
    };
    ($template:literal, $member:ident, $value:expr) => {
        FuseOpt {
            templ: $template.as_ptr(),
            offset: offset_of!(FuseConfig, $member) as c_ulong,
            value: $value,
        }
    };
}

const fn stays(template: &'static CStr) -> FuseOpt {
    // What FUSE_OPT_KEY stores.
    FuseOpt { templ: template.as_ptr(), offset: 0xFFFF_FFFF, value: KEY_KEEP }
}

const END: FuseOpt = FuseOpt { templ: null_mut(), offset: 0, value: 0 };

/// `-h`, for programs of API 3.0 that leave it to `fuse_new`.
const HELP: [FuseOpt; 3] = [option!(c"-h", show_help), option!(c"--help", show_help), END];

const OPTIONS: [FuseOpt; 28] = [
    option!(c"debug", debug),
    stays(c"debug"),
    option!(c"-d", debug),
    stays(c"-d"),
    option!(c"kernel_cache", kernel_cache),
    option!(c"auto_cache", auto_cache),
    option!(c"noauto_cache", auto_cache, 0),
    option!(c"no_rofd_flush", no_rofd_flush),
    option!(c"umask=", set_mode),
    option!(c"umask=%o", umask),
    option!(c"fmask=", set_mode),
    option!(c"fmask=%o", fmask),
    option!(c"dmask=", set_mode),
    option!(c"dmask=%o", dmask),
    option!(c"uid=", set_uid),
    option!(c"uid=%d", uid),
    option!(c"gid=", set_gid),
    option!(c"gid=%d", gid),
    option!(c"entry_timeout=%lf", entry_timeout),
    option!(c"attr_timeout=%lf", attr_timeout),
    option!(c"ac_attr_timeout=%lf", ac_attr_timeout),
    option!(c"ac_attr_timeout=", ac_attr_timeout_set),
    option!(c"negative_timeout=%lf", negative_timeout),
    option!(c"noforget", remember, -1),
    option!(c"remember=%u", remember),
    option!(c"modules=%s", modules),
    option!(c"parallel_direct_write=%d", parallel_direct_writes),
    END,
];

impl LibOptions {
    /// Takes the known options out of `args`; what is wrong has been logged.
    ///
    /// # Safety
    /// `args` is a valid list.
    pub unsafe fn parse(args: *mut FuseArgs) -> Result<LibOptions, Refused> {
        // SAFETY: as promised, and the table fits the structure.
        let mut options = unsafe { LibOptions::parse_table(args, &OPTIONS) }?;
        let config = &mut options.config;
        if config.ac_attr_timeout_set == 0 {
            config.ac_attr_timeout = config.attr_timeout;
        }
        Ok(options)
    }

    /// Whether `-h` is in the list, which is taken out.
    ///
    /// # Safety
    /// `args` is a valid list.
    pub unsafe fn take_help(args: *mut FuseArgs) -> Result<bool, Refused> {
        // SAFETY: as promised, and the table fits the structure.
        Ok(unsafe { LibOptions::parse_table(args, &HELP) }?.config.show_help != 0)
    }

    /// # Safety
    /// `args` is a valid list; `table` ends with a NULL and its offsets and formats fit `FuseConfig`.
    unsafe fn parse_table(args: *mut FuseArgs, table: &[FuseOpt]) -> Result<LibOptions, Refused> {
        let mut options = LibOptions { config: FuseConfig::default(), modules: null_mut() };
        // SAFETY: as promised.
        let status = unsafe { fuse_opt_parse(args, (&raw mut options.config).cast(), table.as_ptr(), None) };
        options.modules = options.config.modules;
        if status == 0 { Ok(options) } else { Err(Refused) }
    }

    /// The modules of `modules=`, from the bottom of the stack to its top.
    pub fn modules(&self) -> Vec<CString> {
        if self.modules.is_null() {
            return Vec::new();
        }
        // SAFETY: not NULL, hence a string of the option parser.
        let names = unsafe { CStr::from_ptr(self.modules) }.to_bytes();
        names
            .split(|&c| c == b':')
            .filter(|name| !name.is_empty())
            .map(|name| crate::opt::c_string(name.to_vec()))
            .collect()
    }
}

impl Drop for LibOptions {
    fn drop(&mut self) {
        // SAFETY: NULL or from malloc, and nobody else's.
        unsafe { libc::free(self.modules.cast()) };
    }
}
