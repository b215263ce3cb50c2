// SPDX-License-Identifier: MIT OR Apache-2.0
//! Going into the background (since 2.7). The parent waits until the child is detached, then ends the process that
//! the user started; the child returns to the program. Descriptors stay with the child, except stdio.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use crate::errno::Errno;
use crate::log::error;
use crate::sys::process::{self, Side};

/// In the foreground only the directory changes, so that no filesystem is kept busy by the daemon.
pub fn daemonize(foreground: bool) -> Result<(), Errno> {
    if foreground {
        return step("chdir", env::set_current_dir("/").map_err(Errno::from));
    }
    let (reader, writer) = step("pipe", process::pipe())?;
    let (reader, writer) = (step("pipe", above_stdio(reader))?, step("pipe", above_stdio(writer))?);
    match step("fork", process::fork())? {
        Side::Parent => {
            drop(writer);
            let done = File::from(reader).read_exact(&mut [0u8; 1]).is_ok();
            // A child that ended before it was detached has failed, and said so.
            process::exit_now(if done { 0 } else { 1 })
        }
        Side::Child => {
            drop(reader);
            detach()?;
            let _ = File::from(writer).write_all(&[1]); // the parent may have been killed meanwhile
            Ok(())
        }
    }
}

fn detach() -> Result<(), Errno> {
    step("setsid", process::setsid())?;
    step("chdir", env::set_current_dir("/").map_err(Errno::from))?;
    // Without /dev/null, stdio stays what it was: better than no daemon.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    if let Ok(null) = null.map_err(Errno::from).and_then(above_stdio) {
        step("dup2", process::replace_stdio(&null))?;
    }
    Ok(())
}

/// Moves a descriptor out of the way: a program that was started without stdio gets its numbers.
fn above_stdio(fd: impl Into<OwnedFd>) -> Result<OwnedFd, Errno> {
    process::above_stdio(fd.into().as_fd())
}

fn step<T>(name: &str, result: Result<T, Errno>) -> Result<T, Errno> {
    result.inspect_err(|e| error!("fuse: fuse_daemonize: {name}: {e}"))
}
