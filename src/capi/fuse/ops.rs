// SPDX-License-Identifier: MIT OR Apache-2.0
//! From requests on nodes to calls on paths: the filesystem that the high-level library is to a session.
//!
//! A request becomes a path (or two) under locks, a call of the topmost layer, and a reply; the layers' functions get
//! paths and structures that are valid until they return. `HighLevel` owns the node table, the open directories, the
//! layers and the configuration that `init()` was shown; it is shared by the session and the `struct fuse`.
//!
//! - `call`: one request. `names`: what goes by name. `hide`: files that are removed while they are open.
//! - `files`, `data`, `locks`: what goes by open file. `dirs`: directories. `attrs`: all else.
//! - `intr`: signals for interrupted requests. `cleanup`: the thread for `remember=`.

mod attrs;
mod call;
mod cleanup;
mod data;
mod dirs;
mod files;
mod hide;
mod intr;
mod locks;
mod names;

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::super::fuse_common::{NO_INTERRUPT, fuse_get_feature_flag, fuse_set_feature_flag, show};
use super::super::types::FuseConnInfo;
use super::config::LibOptions;
use super::context::{self, RequestContext};
use super::fs::fuse_fs_init;
use super::main::Fuse;
use super::modules::Stack;
use super::types::FuseConfig;
use crate::errno::Errno;
use crate::log::debug;
use crate::path::{Counts, Handles, Masks, Settings, Table};
use crate::request::Request;
use crate::request::decode::Operation;
use crate::session::Filesystem;
use crate::session::init::{ConnInfo, Has, Remembered, cap};
use crate::wire::FuseInHeader;
use call::Call;

/// See the module.
pub struct HighLevel {
    fuse: AtomicPtr<Fuse>,
    stack: Stack,
    /// What `init()` was shown: programs keep the pointers.
    options: Mutex<Box<LibOptions>>,
    shown: Mutex<Option<Box<FuseConnInfo>>>,
    settings: OnceLock<Settings>,
    table: Arc<Table>,
    dirs: Handles<dirs::Directory>,
    /// Numbers for hidden names.
    hidden: AtomicU32,
    resend: Arc<intr::Resend>,
    cleanup: cleanup::Cleanup,
}

impl HighLevel {
    pub fn new(fuse: *mut Fuse, stack: Stack, options: LibOptions) -> Arc<HighLevel> {
        let table = Arc::new(Table::new());
        table.set_remember(options.config.remember);
        Arc::new(HighLevel {
            fuse: AtomicPtr::new(fuse),
            stack,
            options: Mutex::new(Box::new(options)),
            shown: Mutex::new(None),
            settings: OnceLock::new(),
            table,
            dirs: Handles::new(),
            hidden: AtomicU32::new(0),
            resend: Arc::default(),
            cleanup: cleanup::Cleanup::default(),
        })
    }

    /// The node that a path leads to, if the kernel knows it.
    pub fn find(&self, path: &CStr) -> Option<u64> {
        self.table.resolve(path).map(u64::from)
    }

    fn enter(&self, request: RequestContext) -> context::Guard {
        context::enter(self.fuse.load(Ordering::Relaxed), request)
    }

    fn settings(&self) -> &Settings {
        self.settings.get_or_init(Settings::default)
    }

    fn settle(&self, config: &FuseConfig) {
        self.table.set_remember(config.remember);
        let settings = settings_of(config);
        if let Some(signal) = settings.intr_signal {
            intr::install(signal);
        }
        let _ = self.settings.set(settings);
    }
}

fn settings_of(config: &FuseConfig) -> Settings {
    let when = |set: i32, value: u32| (set != 0).then_some(value);
    let masks = Masks { umask: config.umask, fmask: config.fmask, dmask: config.dmask };
    let trust = if config.ac_attr_timeout_set != 0 { config.ac_attr_timeout } else { config.attr_timeout };
    Settings {
        uid: when(config.set_uid, config.uid),
        gid: when(config.set_gid, config.gid),
        masks: (config.set_mode != 0).then_some(masks),
        entry_timeout: config.entry_timeout,
        negative_timeout: config.negative_timeout,
        attr_timeout: config.attr_timeout,
        intr_signal: (config.intr != 0).then_some(config.intr_signal),
        hard_remove: config.hard_remove != 0,
        use_ino: config.use_ino != 0,
        readdir_ino: config.readdir_ino != 0,
        direct_io: config.direct_io != 0,
        kernel_cache: config.kernel_cache != 0,
        auto_cache: (config.auto_cache != 0).then(|| Settings::duration(trust)),
        nullpath_ok: config.nullpath_ok != 0,
        no_rofd_flush: config.no_rofd_flush != 0,
        parallel_direct_writes: config.parallel_direct_writes != 0,
    }
}

/// A `HighLevel` as the session has it.
pub struct Handle(pub Arc<HighLevel>);

impl Filesystem for Handle {
    fn has(&self) -> Has {
        // Layers that lack one of these take it back in `fuse_fs_init`.
        Has { getlk: true, setlk: true, flock: true, readdir: true, readdirplus: true, write_buf: true }
    }

    fn init(&self, conn: &mut ConnInfo, remembered: &mut Remembered) {
        let high = &*self.0;
        let _context = high.enter(RequestContext::default());
        let mut place = Box::<FuseConnInfo>::default();
        let mut options = high.options.lock();
        show(conn, remembered, &mut place, |shown| {
            // SAFETY: both structures are ours and stay where they are; the layers live until `destroy`.
            unsafe {
                if fuse_get_feature_flag(shown, cap::EXPORT_SUPPORT) {
                    fuse_set_feature_flag(shown, cap::EXPORT_SUPPORT);
                }
                fuse_fs_init(high.stack.top(), shown, &raw mut options.config);
                // Nobody would hear of them, so the kernel need not send any.
                if options.config.intr == 0 {
                    (*shown).flag_bits |= NO_INTERRUPT;
                }
            }
        });
        *high.shown.lock() = Some(place);
        high.settle(&options.config);
        drop(options);
        high.cleanup_after_init();
    }

    fn destroy(&self) {
        self.0.remove_hidden();
        if self.0.options.lock().config.debug != 0 {
            let Counts { nodes, lookups } = self.0.table.counts();
            debug!("fuse: at the end: {nodes} nodes, {lookups} lookups");
        }
        let _context = self.0.enter(RequestContext::default());
        self.0.stack.destroy();
        if let Some(signal) = self.0.settings().intr_signal {
            intr::uninstall(signal);
        }
    }

    fn handle(&self, request: Request, header: &FuseInHeader, operation: Operation<'_>, _want: u64) {
        let high = &*self.0;
        match operation {
            Operation::Forget { nlookup } => {
                request.no_reply();
                return high.table.forget(header.nodeid, nlookup);
            }
            Operation::BatchForget(forgets) => {
                request.no_reply();
                return forgets.iter().for_each(|(nodeid, nlookup)| high.table.forget(nodeid, nlookup));
            }
            Operation::NotifyReply { .. } => return request.no_reply(),
            _ => (),
        }
        let top = high.stack.top();
        if top.is_null() {
            let _ = request.fail(Errno::new(libc::ENOTCONN));
            return;
        }
        let umask = request.details().map_or(0, |details| details.caller.umask);
        let _context = high.enter(RequestContext {
            uid: header.uid,
            gid: header.gid,
            pid: header.pid as libc::pid_t,
            umask,
            raw_req: request.raw(),
            ..RequestContext::default()
        });
        let signal = high.settings().intr_signal;
        let watch = signal.map(|signal| intr::Watch::new(&request, signal, &high.resend));
        let call = Call { high, settings: high.settings(), fs: top, request, nodeid: header.nodeid, watch };
        call.dispatch(operation);
    }
}
