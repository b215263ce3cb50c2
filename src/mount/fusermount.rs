// SPDX-License-Identifier: MIT OR Apache-2.0
//! fusermount3: the program that mounts for those who may not, and unmounts behind a daemon that died.
//!
//! The two sides share a socket. The child's end is named in `_FUSE_COMMFD`; the device comes back over it. With
//! `auto_unmount` a child stays, and our end, owned by the [`Keeper`], tells it by closing that we are gone.

use std::ffi::{CStr, OsStr};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::options::MountOptions;
use crate::errno::Errno;
use crate::log::error;
use crate::sys::mount as sys;
use crate::sys::process;

const NAME: &str = "fusermount3";

/// The directory given to the build; programs elsewhere are found through PATH.
const BUILT_IN: Option<&str> = option_env!("RINGFUSE_FUSERMOUNT_DIR");

/// Where Debian and others have it, for a daemon whose PATH lacks that: libfuse has the directory compiled in.
const USUAL: &str = "/usr/bin";

/// A helper whose work is over gets this long to go, so that no zombie stays.
const PATIENCE: (u32, Duration) = (100, Duration::from_millis(10));

/// Stands in for a helper that can't: a line on stdin sends it away, the end of stdin without one means that the
/// daemon has died. A directory that can be listed is not its mount (any more).
const STAND_IN: &str = "trap '' HUP INT QUIT TERM
read -r _ && exit
ls -- \"$1\" >/dev/null 2>&1 && exit
\"$2\" -u -q -z -- \"$1\" 2>/dev/null || exec \"$3\" -u -q -z -- \"$1\"";

/// A process that unmounts when our end of the socket closes, however that comes about.
pub struct Keeper {
    socket: UnixStream,
    child: Child,
}

impl Keeper {
    /// Ends the process and collects it, where it is still a child of ours (it isn't after `fuse_daemonize`).
    /// The socket is shut down, not just closed, since a forked child of the program may hold a copy.
    pub fn dismiss(mut self) {
        sys::send_line(self.socket.as_fd()); // to fusermount3 no more than the end that follows
        let _ = self.socket.shutdown(Shutdown::Both);
        for _ in 0..PATIENCE.0 {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(PATIENCE.1),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}

/// Has the helper mount, with the subtype first and without it when that fails. With `stay` it stays as the keeper.
pub fn mount(point: &CStr, options: &MountOptions, stay: bool) -> Result<(OwnedFd, Option<Keeper>), Errno> {
    if let Some(subtype) = options.subtype.as_deref() {
        // Quiet, as an old helper does not know it and the second try tells what else is wrong.
        if let Ok(done) = mount_once(point, &options.for_helper(stay, Some(subtype)), stay, true) {
            return Ok(done);
        }
    }
    mount_once(point, &options.for_helper(stay, None), stay, false)
}

fn mount_once(
    point: &CStr,
    list: &[u8],
    stay: bool,
    quiet: bool,
) -> Result<(OwnedFd, Option<Keeper>), Errno> {
    let (socket, mut child) = start(quiet, |command| {
        command.arg("-o").arg(OsStr::from_bytes(list)).arg("--").arg(path(point));
    })?;
    let device = sys::receive_fd(socket.as_fd());
    if let Ok(Some(device)) = device {
        if stay {
            return Ok((device, Some(Keeper { socket, child })));
        }
        let _ = child.wait();
        return Ok((device, None));
    }
    if let Err(e) = device {
        error!("fuse: no answer from {NAME}: {e}");
    }
    drop(socket);
    let _ = child.wait();
    Err(Errno::new(libc::EPERM)) // the helper has said why
}

/// Leaves a process behind that watches a mount that is already there: the helper, or its stand-in.
pub fn keep(point: &CStr, helper: bool) -> Result<Keeper, Errno> {
    let started = if helper {
        start(false, |command| {
            command.arg("--auto-unmount").arg("--").arg(path(point));
        })
    } else {
        start_stand_in(point)
    };
    match started {
        Ok((socket, child)) => Ok(Keeper { socket, child }),
        Err(e) => {
            error!("fuse: Setting up auto-unmount failed: {e}");
            Err(e)
        }
    }
}

fn start_stand_in(point: &CStr) -> Result<(UnixStream, Child), Errno> {
    let (ours, theirs) = UnixStream::pair()?;
    let ours = UnixStream::from(process::above_stdio(ours.as_fd())?);
    let built_in = BUILT_IN.map_or_else(|| NAME.to_owned(), |directory| format!("{directory}/{NAME}"));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", STAND_IN, NAME]).arg(path(point)).args([&built_in, NAME]);
    let child = command.current_dir("/").process_group(0).stdin(OwnedFd::from(theirs)).spawn()?;
    Ok((ours, child))
}

/// `--auto-unmount` came with 3.15, and older helpers leave mounts alone that their user alone may enter. An unknown
/// version is taken for a new one.
pub fn can_keep() -> bool {
    version().as_deref().and_then(minor_version).is_none_or(|minor| minor >= 15)
}

/// The 14 of "fusermount3 version: 3.14.0".
fn minor_version(text: &str) -> Option<u32> {
    let version = text.trim_end().rsplit(' ').next()?;
    let mut parts = version.split('.');
    match parts.next()? {
        "3" => parts.next()?.parse().ok(),
        _ => None,
    }
}

/// For those who may not unmount themselves. Errors show in the mount table; there is nobody to tell.
pub fn unmount(point: &CStr) {
    let run = each_program(|mut command| {
        command.args(["--unmount", "--quiet", "--lazy", "--"]).arg(path(point)).status()
    });
    if let Err(e) = run {
        error!("fuse: Spawning {NAME} to unmount failed: {e}");
    }
}

fn path(point: &CStr) -> &OsStr {
    OsStr::from_bytes(point.to_bytes())
}

/// What the helper says about its version, a line; empty, and logged, when it can't be asked.
pub fn helper_version() -> String {
    version().unwrap_or_else(|| {
        error!("fuse: Running '{NAME} --version' failed");
        String::new()
    })
}

fn version() -> Option<String> {
    let output: Output =
        each_program(|mut command| command.arg("--version").stdin(Stdio::null()).output()).ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts the helper with one end of a socket, and returns the other.
fn start(quiet: bool, arguments: impl Fn(&mut Command)) -> Result<(UnixStream, Child), Errno> {
    let (ours, theirs) = UnixStream::pair()?;
    // The helper refuses a socket among its stdio, where a daemon without any would put it.
    let ours = UnixStream::from(process::above_stdio(ours.as_fd())?);
    let theirs = process::above_stdio(theirs.as_fd())?;
    let spawned = each_program(|mut command| {
        arguments(&mut command);
        command.env("_FUSE_COMMFD", theirs.as_raw_fd().to_string());
        command.env("_FUSE_COMMFD2", ours.as_raw_fd().to_string());
        if quiet {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        sys::pass_to_child(&mut command, theirs.as_raw_fd());
        command.spawn()
    });
    match spawned {
        Ok(child) => Ok((ours, child)),
        Err(e) => {
            if !quiet {
                error!("fuse: failed to run {NAME}: {e}");
            }
            Err(e.into())
        }
    }
}

/// Tries the program of the build first, then what PATH finds, then the usual place.
fn each_program<T>(run: impl Fn(Command) -> io::Result<T>) -> io::Result<T> {
    if let Some(directory) = BUILT_IN {
        let result = run(Command::new(format!("{directory}/{NAME}")));
        if result.is_ok() {
            return result;
        }
    }
    let result = run(Command::new(NAME));
    if result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return run(Command::new(format!("{USUAL}/{NAME}")));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::minor_version;

    #[test]
    fn versions() {
        assert_eq!(minor_version("fusermount3 version: 3.14.0\n"), Some(14));
        assert_eq!(minor_version("fusermount3 version: 3.18.3-rc1\n"), Some(18));
        assert_eq!(minor_version("fusermount version: 2.9.9\n"), None);
        assert_eq!(minor_version(""), None);
    }
}
