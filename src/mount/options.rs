// SPDX-License-Identifier: MIT OR Apache-2.0
//! The last stage of the options: each one is for the mount flags, the kernel, the helper or the mount table.

use std::ffi::{CStr, CString};

use libc::c_ulong;

use crate::opt::{self, Act, Args, Refused, Spec};

/// What the mount layer found in the list; all of it is owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    /// `MS_*` for mount(2).
    pub flags: c_ulong,
    /// Options that the kernel's fuse reads, as a list.
    pub kernel: Vec<u8>,
    /// Options that only a mount table would hold, as a list.
    pub table: Vec<u8>,
    /// Options that fusermount3 reads, as a list; without the subtype and `auto_unmount`, which it isn't always told.
    pub helper: Vec<u8>,
    pub fsname: Option<CString>,
    pub subtype: Option<CString>,
    pub blkdev: bool,
    pub auto_unmount: bool,
    /// The largest read that was asked for, 0 when nothing was said. `init()` has to agree with it.
    pub max_read: u32,
}

impl Default for MountOptions {
    fn default() -> MountOptions {
        MountOptions {
            flags: libc::MS_NOSUID | libc::MS_NODEV,
            kernel: Vec::new(),
            table: Vec::new(),
            helper: Vec::new(),
            fsname: None,
            subtype: None,
            blkdev: false,
            auto_unmount: false,
            max_read: 0,
        }
    }
}

/// Not in libc's list of mount flags yet: Linux 5.10.
const MS_NOSYMFOLLOW: c_ulong = 256;

const KERNEL: i32 = 0;
const HELPER: i32 = 1;
const TABLE: i32 = 2;

const fn set(template: &'static str, with: fn(&mut MountOptions)) -> Spec<MountOptions> {
    Spec::new(template, Act::Set(with))
}

const fn goes(template: &'static str, to: i32) -> Spec<MountOptions> {
    Spec::new(template, Act::Key(to))
}

const SPECS: &[Spec<MountOptions>] = &[
    set("rw", |o| o.flags &= !libc::MS_RDONLY),
    set("ro", |o| o.flags |= libc::MS_RDONLY),
    set("-r", |o| o.flags |= libc::MS_RDONLY),
    set("suid", |o| o.flags &= !libc::MS_NOSUID),
    set("nosuid", |o| o.flags |= libc::MS_NOSUID),
    set("dev", |o| o.flags &= !libc::MS_NODEV),
    set("nodev", |o| o.flags |= libc::MS_NODEV),
    set("exec", |o| o.flags &= !libc::MS_NOEXEC),
    set("noexec", |o| o.flags |= libc::MS_NOEXEC),
    set("async", |o| o.flags &= !libc::MS_SYNCHRONOUS),
    set("sync", |o| o.flags |= libc::MS_SYNCHRONOUS),
    set("dirsync", |o| o.flags |= libc::MS_DIRSYNC),
    set("noatime", |o| o.flags |= libc::MS_NOATIME),
    set("nodiratime", |o| o.flags |= libc::MS_NODIRATIME),
    set("nostrictatime", |o| o.flags &= !libc::MS_STRICTATIME),
    set("symfollow", |o| o.flags &= !MS_NOSYMFOLLOW),
    set("nosymfollow", |o| o.flags |= MS_NOSYMFOLLOW),
    goes("allow_other", KERNEL),
    goes("default_permissions", KERNEL),
    goes("blksize=", KERNEL),
    goes("max_read=", KERNEL),
    Spec::new("max_read=", Act::Unsigned(|o, n| o.max_read = n)),
    goes("context=", KERNEL),
    goes("fscontext=", KERNEL),
    goes("defcontext=", KERNEL),
    goes("rootcontext=", KERNEL),
    goes("fsname=", HELPER),
    Spec::new("fsname=", Act::Text(|o, name| o.fsname = Some(name.to_owned()))),
    Spec::new("subtype=", Act::Text(|o, name| o.subtype = Some(name.to_owned()))),
    goes("blkdev", HELPER),
    set("blkdev", |o| o.blkdev = true),
    set("auto_unmount", |o| o.auto_unmount = true),
    goes("user=", TABLE),
    goes("-n", TABLE),
];

/// The flags by the names that fusermount3 knows, in the order it is told.
const FLAG_NAMES: [(c_ulong, &str); 9] = [
    (libc::MS_NOSUID, "nosuid"),
    (libc::MS_NODEV, "nodev"),
    (libc::MS_NOEXEC, "noexec"),
    (libc::MS_SYNCHRONOUS, "sync"),
    (libc::MS_DIRSYNC, "dirsync"),
    (libc::MS_NOATIME, "noatime"),
    (libc::MS_NODIRATIME, "nodiratime"),
    (libc::MS_STRICTATIME, "strictatime"),
    (MS_NOSYMFOLLOW, "nosymfollow"),
];

impl MountOptions {
    /// Takes the known options out of `args`; errors have been logged.
    pub fn parse(args: &mut Args) -> Result<MountOptions, Refused> {
        let mut options = MountOptions::default();
        args.parse(&mut options, SPECS, &mut sort)?;
        Ok(options)
    }

    /// The list for `fusermount3 -o`.
    pub fn for_helper(&self, auto_unmount: bool, subtype: Option<&CStr>) -> Vec<u8> {
        let access = if self.flags & libc::MS_RDONLY == 0 { "rw" } else { "ro" };
        let mut list = access.as_bytes().to_vec();
        for (flag, name) in FLAG_NAMES {
            if self.flags & flag != 0 {
                opt::add_opt(&mut list, name.as_bytes());
            }
        }
        for part in [&self.kernel, &self.table, &self.helper] {
            if !part.is_empty() {
                opt::add_opt(&mut list, part);
            }
        }
        if auto_unmount {
            opt::add_opt(&mut list, b"auto_unmount");
        }
        if let Some(subtype) = subtype {
            opt::add_opt_escaped(&mut list, &[b"subtype=", subtype.to_bytes()].concat());
        }
        list
    }
}

fn sort(options: &mut MountOptions, arg: &CStr, key: i32, _: &mut Args) -> Result<bool, Refused> {
    let arg = arg.to_bytes();
    match key {
        KERNEL => opt::add_opt(&mut options.kernel, arg),
        HELPER => opt::add_opt_escaped(&mut options.helper, arg),
        TABLE => opt::add_opt(&mut options.table, arg),
        opt::KEY_OPT if arg.starts_with(b"x-") => opt::add_opt(&mut options.table, arg),
        _ => return Ok(true),
    }
    Ok(false)
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
