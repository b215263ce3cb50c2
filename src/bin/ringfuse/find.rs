// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a mount point to the statistics of the daemon behind it.
//!
//! The mount's number is in the mount table, so the filesystem itself is not asked for anything: it may hang. The daemon
//! is who has statistics open and, beside them, the device of that number (Linux 6.15 tells); else who says that it
//! mounted there. Opening a descriptor of another process takes the right to debug it, which the kernel checks.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::layout;
use crate::snapshot::{Snapshot, printable};

const MOUNTS: &str = "/proc/self/mountinfo";

/// A mount, as the mount table has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Mounted {
    pub point: OsString,
    /// `fuse.NAME` or the like.
    pub kind: String,
    /// As the kernel numbers the connection.
    pub connection: u64,
}

impl Mounted {
    /// Requests that the kernel waits for, if it tells us.
    pub fn waiting(&self) -> Option<u64> {
        let text =
            fs::read_to_string(format!("/sys/fs/fuse/connections/{}/waiting", self.connection)).ok()?;
        text.trim().parse().ok()
    }

    #[cfg(test)]
    pub fn example() -> Mounted {
        Mounted { point: "/mnt".into(), kind: "fuse.x".to_owned(), connection: u64::MAX }
    }
}

/// The daemon of a mount.
#[derive(Debug)]
pub struct Daemon {
    pub process: u32,
    pub stats: File,
}

/// Looks a mount up by its mount point.
pub fn mounted(point: &OsStr) -> Result<Mounted, String> {
    let table = fs::read(MOUNTS).map_err(|e| format!("{MOUNTS}: {e}"))?;
    let wanted = absolute(Path::new(point));
    let name = printable(point.as_bytes());
    match in_table(&table, wanted.as_os_str()) {
        None => Err(format!("{name}: nothing is mounted there")),
        Some(mount) if !is_fuse(&mount.kind) => {
            Err(format!("{name}: a mount of {}, not of FUSE", printable(mount.kind.as_bytes())))
        }
        Some(mount) => Ok(mount),
    }
}

fn is_fuse(kind: &str) -> bool {
    ["fuse", "fuseblk"]
        .iter()
        .any(|name| kind == *name || kind.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The path from the root on, without links. Only what is above the mount point is looked at.
fn absolute(point: &Path) -> PathBuf {
    let whole = std::path::absolute(point).unwrap_or_else(|_| point.to_owned());
    let (Some(parent), Some(last)) = (whole.parent(), whole.file_name()) else { return whole };
    fs::canonicalize(parent).map_or(whole.clone(), |parent| parent.join(last))
}

/// The topmost mount at a point.
fn in_table(table: &[u8], point: &OsStr) -> Option<Mounted> {
    table.split(|&byte| byte == b'\n').filter_map(entry).rfind(|mount| mount.point == point)
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS...] - TYPE ...`
fn entry(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let (major, minor): (u64, u64) = (major.parse().ok()?, minor.parse().ok()?);
    let point = unescape(fields.nth(1)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mounted {
        point: OsString::from_vec(point),
        kind: String::from_utf8_lossy(kind).into_owned(),
        connection: major << 20 | minor,
    })
}

/// Spaces and the like are written as a backslash and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) if byte == b'\\' => {
                out.push(code);
                rest = &after[3..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// Finds the daemon that serves a mount.
pub fn daemon(mount: &Mounted) -> Result<Daemon, String> {
    let mut hidden = false;
    let mut complaints = Vec::new();
    let mut by_path = None;
    for process in processes() {
        for fd in descriptors(process, &mut hidden) {
            let stats = match open(process, &fd, &mut hidden) {
                Some(stats) => stats,
                None => continue,
            };
            let snapshot = match Snapshot::read(&stats) {
                Ok(snapshot) => snapshot,
                Err(why) => {
                    complaints.push(format!("the statistics of process {process}: the file {why}"));
                    continue;
                }
            };
            match connection_of(process, snapshot.device_fd) {
                Some(connection) if connection == mount.connection => return Ok(Daemon { process, stats }),
                None if snapshot.mountpoint == mount.point.as_bytes() => {
                    by_path = Some(Daemon { process, stats })
                }
                _ => (),
            }
        }
    }
    by_path.ok_or_else(|| not_found(mount, hidden, &complaints))
}

fn not_found(mount: &Mounted, hidden: bool, complaints: &[String]) -> String {
    let mut text = format!("{}: no statistics of it are to be found", printable(mount.point.as_bytes()));
    if hidden {
        text += "; there are processes that only root, or their owner, may look into";
    }
    text += "\nA mount has statistics if it is served by ringfuse's library (not by libfuse), in a loop of the library's\n\
             (fuse_session_loop and the like), and FUSE_STATS=0 is not set for it.";
    for complaint in complaints {
        text += "\n";
        text += complaint;
    }
    text
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn descriptors(process: u32, hidden: &mut bool) -> Vec<OsString> {
    match fs::read_dir(format!("/proc/{process}/fd")) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
        Err(e) => {
            *hidden |= e.kind() == ErrorKind::PermissionDenied;
            Vec::new()
        }
    }
}

/// Opens a descriptor of another process if it is a file of statistics. The descriptor may become something else between
/// a look and the opening, and opening can have effects: so it is taken hold of first, looked at, and then opened.
fn open(process: u32, fd: &OsStr, hidden: &mut bool) -> Option<File> {
    let path = Path::new("/proc").join(process.to_string()).join("fd").join(fd);
    let ours = format!("/memfd:{} (deleted)", layout::NAME);
    let is_ours =
        |path: &Path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == OsStr::new(&ours));
    if !is_ours(&path) {
        return None;
    }
    let held = match OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(&path) {
        Ok(held) => held,
        Err(e) => {
            *hidden |= e.kind() == ErrorKind::PermissionDenied;
            return None;
        }
    };
    let same = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let is_file = held.metadata().is_ok_and(|metadata| metadata.is_file());
    (is_file && is_ours(&same)).then(|| File::open(&same).ok()).flatten()
}

/// The connection of a device that a process has open, where the kernel tells.
fn connection_of(process: u32, fd: u64) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/fdinfo/{fd}")).ok()?;
    connection_in(&text)
}

fn connection_in(fdinfo: &str) -> Option<u64> {
    let line = fdinfo.lines().find_map(|line| line.strip_prefix("fuse_connection:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
        36 22 0:50 / /mnt/a\\040b rw,nosuid shared:7 master:2 - fuse.sshfs host: rw,user_id=0\n\
        37 22 0:51 / /mnt/two rw - fuse x rw\n\
        38 37 8:17 / /mnt/two rw - fuseblk.ntfs /dev/sdb1 rw\n\
        39 22 0:5 / /mnt/fusectl rw - fusectl fusectl rw\n\
        broken line\n";

    #[test]
    fn the_mount_table() {
        let found = |point: &str| in_table(TABLE, OsStr::new(point));
        let sshfs = found("/mnt/a b").unwrap();
        assert_eq!((sshfs.kind.as_str(), sshfs.connection), ("fuse.sshfs", 50));
        assert_eq!(found("/mnt/two").unwrap().connection, 8 << 20 | 17, "the topmost");
        assert!(found("/mnt").is_none());
        assert!(["fuse", "fuse.x", "fuseblk", "fuseblk.ntfs"].into_iter().all(is_fuse));
        assert!(!["fusectl", "ext4", "fuse3", ""].into_iter().any(is_fuse));
    }

    #[test]
    fn escapes() {
        for (field, text) in
            [("a\\040b", "a b"), ("\\134\\011", "\\\t"), ("a\\", "a\\"), ("\\04", "\\04"), ("\\999", "\\999")]
        {
            assert_eq!(unescape(field.as_bytes()), text.as_bytes());
        }
    }

    #[test]
    fn descriptors_tell_their_connection() {
        assert_eq!(connection_in("pos:\t0\nflags:\t02\nfuse_connection:\t50\n"), Some(50));
        assert_eq!(connection_in("pos:\t0\n"), None);
    }

    #[test]
    fn what_is_not_mounted() {
        assert!(mounted(OsStr::new("/proc/self/nowhere")).unwrap_err().contains("nothing is mounted"));
        assert!(mounted(OsStr::new("/proc")).unwrap_err().contains("not of FUSE"));
        let text = daemon(&Mounted::example()).unwrap_err();
        assert!(text.contains("FUSE_STATS=0"), "{text}");
    }
}
