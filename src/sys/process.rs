// SPDX-License-Identifier: MIT OR Apache-2.0
//! Processes: what going into the background is made of.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::c_int;

use crate::errno::Errno;

fn check(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

/// Which side of a fork this is.
pub enum Side {
    Parent,
    Child,
}

/// fork(2). The child has the calling thread only; threads of the program are gone there, as in any C program.
pub fn fork() -> Result<Side, Errno> {
    // SAFETY: no pointers. That the child runs on is what the caller of fuse_daemonize asks for.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Side::Child),
        _ => Ok(Side::Parent),
    }
}

/// Ends the process without running anything that is registered for its end, which is the child's to do.
pub fn exit_now(status: c_int) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(status) }
}

pub fn setsid() -> Result<(), Errno> {
    // SAFETY: no arguments.
    check(unsafe { libc::setsid() }).map(drop)
}

/// The read end and the write end of a new pipe.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors, which are new and ours alone afterwards.
    unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// The same descriptor under a number above stdio, closed on exec.
pub fn above_stdio(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers; a returned descriptor is new and ours alone.
    unsafe { Ok(OwnedFd::from_raw_fd(check(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3))?)) }
}

/// Points stdin, stdout and stderr to `fd`.
pub fn replace_stdio(fd: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: no pointers; the three numbers stay open throughout.
    (0..=2).try_for_each(|number| check(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop))
}

/// Supplementary groups of a thread, as the kernel writes them down; `None` if there is no such thread.
pub fn groups_of(thread: i32) -> Option<Vec<u32>> {
    let status = std::fs::read(format!("/proc/{thread}/task/{thread}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"))?;
    Some(line.split_whitespace().filter_map(|group| group.parse().ok()).collect())
}
