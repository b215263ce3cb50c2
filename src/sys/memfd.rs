// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory with a descriptor.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::errno::Errno;
use crate::sys::fault;

/// Never to be executed (Linux 6.3); without it some systems refuse, others complain in the kernel's log.
const MFD_NOEXEC_SEAL: libc::c_uint = 8;

fn check(result: libc::c_int) -> Result<libc::c_int, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

/// Whether this process may make a file of so many bytes; one that must not gets a deadly signal for trying.
fn may_be_as_large_as(bytes: usize) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: an rlimit to write to.
    unsafe {
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) == 0 && limit.rlim_cur >= bytes as libc::rlim_t
    }
}

/// A file of so many zeros that has no name in any filesystem. It has no memory yet: see `allocate`.
pub fn create(name: &str, bytes: usize) -> Result<OwnedFd, Errno> {
    fault::check("memfd")?;
    if !may_be_as_large_as(bytes) {
        return Err(Errno::new(libc::EFBIG));
    }
    let name = CString::new(name).map_err(|_| Errno::new(libc::EINVAL))?;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: a NUL-terminated string; the descriptor is new and ours alone.
    let file = unsafe {
        let fd = match check(libc::memfd_create(name.as_ptr(), flags | MFD_NOEXEC_SEAL)) {
            Err(e) if e.raw() == libc::EINVAL => check(libc::memfd_create(name.as_ptr(), flags))?,
            other => other?,
        };
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: no pointers.
    check(unsafe { libc::ftruncate(file.as_raw_fd(), bytes as libc::off_t) })?;
    Ok(file)
}

/// Gives a part of the file its memory. Without this, memory that can't be had would be a signal at the first touch.
pub fn allocate(file: BorrowedFd<'_>, at: usize, bytes: usize) -> Result<(), Errno> {
    let (at, bytes) = (at as libc::off_t, bytes as libc::off_t);
    // SAFETY: no pointers.
    check(unsafe { libc::fallocate(file.as_raw_fd(), 0, at, bytes) }).map(drop)
}

/// From now on the file keeps its size, and can be written through mappings only that exist already (Linux 5.1).
pub fn seal(file: BorrowedFd<'_>) -> Result<(), Errno> {
    let size = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
    let set = |seals: libc::c_int| {
        // SAFETY: no pointers.
        check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
    };
    set(size | libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SEAL).or_else(|_| set(size | libc::F_SEAL_SEAL))
}
