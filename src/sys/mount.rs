// SPDX-License-Identifier: MIT OR Apache-2.0
//! What mounting needs from the kernel: mount, umount2, the device, and the socket to fusermount3.

use std::ffi::CStr;
use std::io::IoSliceMut;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use libc::{c_int, c_ulong};

use crate::errno::Errno;

fn check(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

/// mount(2) with a string of options.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: c_ulong, data: &CStr) -> Result<(), Errno> {
    // SAFETY: four NUL-terminated strings that outlive the call.
    let result =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) };
    check(result).map(drop)
}

/// Takes a mount out of the tree at once, even while it is in use.
pub fn umount_detach(target: &CStr) -> Result<(), Errno> {
    // SAFETY: a NUL-terminated string.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

pub fn open_device(path: &CStr) -> Result<OwnedFd, Errno> {
    // SAFETY: a NUL-terminated string; a returned descriptor is new and ours alone.
    unsafe {
        let fd = check(libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The user and group that the process came with, not those it may have taken on.
pub fn real_ids() -> (u32, u32) {
    // SAFETY: no arguments, cannot fail.
    unsafe { (libc::getuid(), libc::getgid()) }
}

/// Takes over a descriptor that the program named by its number; None when nothing is open there. The caller's
/// program gives it away by naming it: nobody else may close it.
pub fn adopt(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: the descriptor is open, and handed over as said above.
    unsafe {
        check(libc::fcntl(fd, libc::F_GETFD)).ok()?;
        Some(OwnedFd::from_raw_fd(fd))
    }
}

/// True when the device reports that its connection is gone, without waiting.
pub fn connection_gone(device: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd { fd: device.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: one pollfd, as said.
    let ready = unsafe { libc::poll(&mut poll, 1, 0) };
    ready == 1 && poll.revents & libc::POLLERR != 0
}

/// Lets the child of `command` keep `fd`, which stays close-on-exec in this process.
pub fn pass_to_child(command: &mut Command, fd: RawFd) {
    // SAFETY: the closure runs between fork and exec and makes one system call.
    unsafe {
        command.pre_exec(move || match libc::fcntl(fd, libc::F_SETFD, 0) {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
}

/// Sends an empty line; nothing happens when the other end is gone, in particular no SIGPIPE.
pub fn send_line(socket: BorrowedFd<'_>) {
    // SAFETY: one readable byte.
    unsafe { libc::send(socket.as_raw_fd(), b"\n".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
}

/// Receives one message with a descriptor; None when the other end closed without one.
pub fn receive_fd(socket: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Errno> {
    #[repr(C, align(8))]
    struct Control([u8; 64]);

    let mut byte = [0u8; 1];
    let mut data = [IoSliceMut::new(&mut byte)];
    let mut control = MaybeUninit::<Control>::zeroed();
    // SAFETY: all-zero is a valid msghdr; it gets one iovec and a control buffer, both alive until the end.
    // recvmsg writes no more than it was told, and CMSG_* stay within msg_controllen.
    unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_iov = data.as_mut_ptr().cast();
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = mem::size_of::<Control>();
        while libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) == -1 {
            let error = Errno::last();
            if error.raw() != libc::EINTR {
                return Err(error);
            }
        }
        let header = libc::CMSG_FIRSTHDR(&message);
        if header.is_null()
            || (*header).cmsg_level != libc::SOL_SOCKET
            || (*header).cmsg_type != libc::SCM_RIGHTS
            || ((*header).cmsg_len as usize) < libc::CMSG_LEN(4) as usize
        {
            return Ok(None);
        }
        let fd: RawFd = ptr::read_unaligned(libc::CMSG_DATA(header).cast());
        Ok(Some(OwnedFd::from_raw_fd(fd)))
    }
}

/// Asks for the statistics of the filesystem at `path`, only for the request that this makes. It holds on to the mount
/// until that is answered.
pub fn statfs(path: &CStr) {
    let mut unused = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a C string, and room for the result.
    unsafe { libc::statfs(path.as_ptr(), unused.as_mut_ptr()) };
}

/// The same for the filesystem with a device number, whose mounts it leaves alone. An error where there is no such call.
#[cfg(target_arch = "x86_64")]
pub fn ustat(device: u32) -> Result<(), Errno> {
    let mut unused = std::mem::MaybeUninit::<[u64; 4]>::uninit(); // struct ustat
    // SAFETY: room for the result.
    match unsafe { libc::syscall(libc::SYS_ustat, device, unused.as_mut_ptr()) } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}

/// See above.
#[cfg(not(target_arch = "x86_64"))]
pub fn ustat(_device: u32) -> Result<(), Errno> {
    Err(Errno::new(libc::ENOSYS))
}
