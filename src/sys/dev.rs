// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls on FUSE device descriptors, and on what may stand in for one.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::errno::Errno;
use crate::wire::flags::dev_ioctl;
use crate::wire::{FuseBackingMap, Pod};

fn check(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::last())
}

pub fn read(fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the buffer is writable for its length.
    check(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
}

pub fn writev(fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno> {
    // SAFETY: IoSlice has the layout of iovec, its memory is readable.
    check(unsafe { libc::writev(fd, data.as_ptr().cast(), data.len() as libc::c_int) })
}

/// Opens `/dev/fuse` again for the connection of `master`, non-blocking.
pub fn clone_device(master: RawFd) -> Result<OwnedFd, Errno> {
    let flags = libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: a constant path; the descriptor is new and ours.
    let clone = unsafe {
        match libc::open(c"/dev/fuse".as_ptr(), flags) {
            -1 => return Err(Errno::last()),
            fd => OwnedFd::from_raw_fd(fd),
        }
    };
    let master = master as u32;
    // SAFETY: the ioctl reads four bytes.
    match unsafe { libc::ioctl(clone.as_raw_fd(), dev_ioctl::CLONE as libc::Ioctl, &raw const master) } {
        -1 => Err(Errno::last()),
        _ => Ok(clone),
    }
}

/// The device number of the filesystem behind a descriptor, as system calls take it, where the kernel tells.
pub fn filesystem(fd: RawFd) -> Option<u32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let number = info.lines().find_map(|line| line.strip_prefix("fuse_connection:"))?;
    number.trim().parse().ok().map(for_calls)
}

/// From the kernel's own form of a device number: twelve bits and twenty.
fn for_calls(number: u32) -> u32 {
    let (major, minor) = (number >> 20, number & 0xf_ffff);
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// Has the kernel use a file as the backing of others; the result is its id, above 0.
pub fn open_backing(device: RawFd, file: RawFd) -> Result<i32, Errno> {
    let map = FuseBackingMap { fd: file, ..FuseBackingMap::default() };
    // SAFETY: the ioctl reads so many bytes.
    let id = unsafe { libc::ioctl(device, dev_ioctl::BACKING_OPEN as libc::Ioctl, map.as_bytes().as_ptr()) };
    if id > 0 { Ok(id) } else { Err(if id < 0 { Errno::last() } else { Errno::new(libc::EIO) }) }
}

/// Gives up what `open_backing` returned.
pub fn close_backing(device: RawFd, id: i32) -> Result<(), Errno> {
    // SAFETY: the ioctl reads four bytes.
    match unsafe { libc::ioctl(device, dev_ioctl::BACKING_CLOSE as libc::Ioctl, &raw const id) } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}

/// Switches `O_NONBLOCK` and returns what it was.
pub fn set_nonblocking(fd: RawFd, on: bool) -> Result<bool, Errno> {
    // SAFETY: no pointers.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags == -1 {
            return Err(Errno::last());
        }
        let was = flags & libc::O_NONBLOCK != 0;
        let wanted = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
        if wanted != flags && libc::fcntl(fd, libc::F_SETFL, wanted) == -1 {
            return Err(Errno::last());
        }
        Ok(was)
    }
}

/// Waits until one of two descriptors is readable or in error; a signal ends the wait as well.
pub fn wait_readable(first: RawFd, second: RawFd) -> Result<(), Errno> {
    let ask = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds = [ask(first), ask(second)];
    // SAFETY: two pollfds.
    match unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}

/// An epoll that tells of `device` (to one waiter at a time) and of `exit` (to all).
pub fn epoll_device(device: RawFd, exit: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers but to live events; the descriptor is new and ours.
    unsafe {
        let epoll = match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
            -1 => return Err(Errno::last()),
            fd => OwnedFd::from_raw_fd(fd),
        };
        for (fd, events) in [(device, libc::EPOLLIN | libc::EPOLLEXCLUSIVE), (exit, libc::EPOLLIN)] {
            let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
            if libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) == -1 {
                return Err(Errno::last());
            }
        }
        Ok(epoll)
    }
}

/// Waits for either descriptor of `epoll_device` and tells which it was; a signal ends the wait as an error.
pub fn epoll_wait(epoll: &OwnedFd) -> Result<RawFd, Errno> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event.
    match unsafe { libc::epoll_wait(epoll.as_raw_fd(), &raw mut event, 1, -1) } {
        -1 => Err(Errno::last()),
        _ => Ok(event.u64 as RawFd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_as_calls_take_it() {
        assert_eq!((for_calls(45), for_calls(0x123), for_calls(8 << 20 | 17)), (45, 0x10_0023, 8 << 8 | 17));
        assert_eq!(for_calls(0x123), libc::makedev(0, 0x123) as u32);
        assert_eq!(filesystem(0), None, "not such a descriptor");
    }
}
