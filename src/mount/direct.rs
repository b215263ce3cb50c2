// SPDX-License-Identifier: MIT OR Apache-2.0
//! mount(2), for processes that may. It names the device by number, so the device is opened first and belongs to the
//! caller afterwards.

use std::env;
use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;

use super::options::MountOptions;
use crate::errno::Errno;
use crate::log::error;
use crate::opt;
use crate::sys::mount as sys;

/// Why there is no mount.
pub enum Failure {
    /// Nobody could do it; logged.
    Final(Errno),
    /// The helper may be allowed what this process is not.
    NotAllowed,
}

pub fn mount(point: &CStr, options: &MountOptions) -> Result<OwnedFd, Failure> {
    let mode = fs::metadata(OsStr::from_bytes(point.to_bytes())).map(|found| found.mode()).map_err(|e| {
        let e = Errno::from(e);
        error!("fuse: failed to access mountpoint {}: {e}", point.to_string_lossy());
        Failure::Final(e)
    })?;
    let path = device_path();
    let device = open(&path)?;
    let data = kernel_data(options, device.as_raw_fd(), mode & libc::S_IFMT);
    let first = naming(options, &path);
    let mut result = sys::mount(&first.source, point, &first.kind, options.flags, &data);
    if options.subtype.is_some() && result == Err(Errno::new(libc::ENODEV)) {
        // A kernel that knows no subtypes.
        let second = naming_without_subtype(options);
        result = sys::mount(&second.source, point, &second.kind, options.flags, &data);
    }
    match result {
        Ok(()) => Ok(device),
        Err(e) if e.raw() == libc::EPERM => Err(Failure::NotAllowed),
        Err(e) => {
            if options.blkdev && e.raw() == libc::ENODEV && !kernel_has_fuseblk() {
                error!("fuse: 'fuseblk' support missing");
            } else {
                error!("fuse: mount failed: {e}");
            }
            Err(Failure::Final(e))
        }
    }
}

fn device_path() -> CString {
    env::var_os("FUSE_KERN_DEVICE")
        .map_or_else(|| c"/dev/fuse".to_owned(), |path| opt::c_string(path.into_vec()))
}

fn open(path: &CStr) -> Result<OwnedFd, Failure> {
    sys::open_device(path).map_err(|e| {
        let name = path.to_string_lossy();
        match e.raw() {
            libc::ENODEV | libc::ENOENT => error!("fuse: device {name} not found. Kernel module not loaded?"),
            _ => error!("fuse: failed to open {name}: {e}"),
        }
        Failure::Final(e)
    })
}

fn kernel_data(options: &MountOptions, device: i32, kind: u32) -> CString {
    let (uid, gid) = sys::real_ids();
    let mut data = options.kernel.clone();
    opt::add_opt(&mut data, format!("fd={device},rootmode={kind:o},user_id={uid},group_id={gid}").as_bytes());
    opt::c_string(data)
}

/// What a mount is called in the mount table.
#[derive(Debug, PartialEq, Eq)]
struct Naming {
    source: CString,
    kind: CString,
}

fn base_kind(options: &MountOptions) -> &'static str {
    if options.blkdev { "fuseblk" } else { "fuse" }
}

fn naming(options: &MountOptions, device: &CStr) -> Naming {
    let mut kind = base_kind(options).as_bytes().to_vec();
    if let Some(subtype) = &options.subtype {
        kind.push(b'.');
        kind.extend_from_slice(subtype.to_bytes());
    }
    let source = options.fsname.as_deref().or(options.subtype.as_deref()).unwrap_or(device);
    Naming { source: source.to_owned(), kind: opt::c_string(kind) }
}

fn naming_without_subtype(options: &MountOptions) -> Naming {
    let kind = base_kind(options).as_bytes();
    let source = match (&options.fsname, &options.subtype) {
        (Some(fsname), Some(subtype)) if !options.blkdev => {
            [subtype.to_bytes(), b"#", fsname.to_bytes()].concat()
        }
        (Some(fsname), _) => fsname.to_bytes().to_vec(),
        (None, _) => kind.to_vec(),
    };
    Naming { source: opt::c_string(source), kind: opt::c_string(kind.to_vec()) }
}

fn kernel_has_fuseblk() -> bool {
    fs::read_to_string("/proc/filesystems")
        .map_or(true, |list| list.lines().any(|line| line.trim_start_matches("nodev").trim() == "fuseblk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(fsname: Option<&CStr>, subtype: Option<&CStr>, blkdev: bool) -> MountOptions {
        MountOptions {
            fsname: fsname.map(CStr::to_owned),
            subtype: subtype.map(CStr::to_owned),
            blkdev,
            ..MountOptions::default()
        }
    }

    #[test]
    fn names() {
        let table = [
            (None, None, false, "/dev/fuse", "fuse", "fuse", "fuse"),
            (None, Some(c"s"), false, "s", "fuse.s", "fuse", "fuse"),
            (Some(c"f"), None, false, "f", "fuse", "f", "fuse"),
            (Some(c"f"), Some(c"s"), false, "f", "fuse.s", "s#f", "fuse"),
            (Some(c"/dev/x"), Some(c"s"), true, "/dev/x", "fuseblk.s", "/dev/x", "fuseblk"),
            (None, Some(c"s"), true, "s", "fuseblk.s", "fuseblk", "fuseblk"),
        ];
        for (fsname, subtype, blkdev, source, kind, source2, kind2) in table {
            let options = options(fsname, subtype, blkdev);
            let first = naming(&options, c"/dev/fuse");
            assert_eq!((first.source.to_str(), first.kind.to_str()), (Ok(source), Ok(kind)));
            let second = naming_without_subtype(&options);
            assert_eq!((second.source.to_str(), second.kind.to_str()), (Ok(source2), Ok(kind2)));
        }
    }

    #[test]
    fn data() {
        let (uid, gid) = sys::real_ids();
        let mut options = options(None, None, false);
        let own = format!("fd=5,rootmode=40000,user_id={uid},group_id={gid}");
        assert_eq!(kernel_data(&options, 5, libc::S_IFDIR).to_str(), Ok(&*own));
        options.kernel = b"allow_other,max_read=5".to_vec();
        let both = format!("allow_other,max_read=5,{own}");
        assert_eq!(kernel_data(&options, 5, libc::S_IFDIR).to_str(), Ok(&*both));
    }
}
