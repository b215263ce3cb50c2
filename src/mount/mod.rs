// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounting and unmounting (since 3.0): directly where the process may, else through the fusermount3 program.
//!
//! [`mount`] gives the device, which the session owns, and a [`Mount`], which stands for the entry in the tree. The
//! strings are copies; nothing refers to the caller's memory afterwards.

mod direct;
mod fusermount;
mod options;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd, RawFd};

use crate::errno::Errno;
use crate::log::error;
use crate::sys::mount as sys;

use fusermount::Keeper;
pub use fusermount::helper_version;
pub use options::MountOptions;

/// A mount that this process made.
pub struct Mount {
    /// None when the mount was somebody else's (`/dev/fd/N`).
    point: Option<CString>,
    keeper: Option<Keeper>,
}

/// Mounts, and returns the device that the requests come through. What is wrong has been logged.
pub fn mount(point: &CStr, options: &MountOptions) -> Result<(OwnedFd, Mount), Errno> {
    if let Some(number) = device_number(point) {
        let device = sys::adopt(number).ok_or_else(|| {
            error!("fuse: Invalid file descriptor /dev/fd/{number}");
            Errno::new(libc::EBADF)
        })?;
        return Ok((device, Mount { point: None, keeper: None }));
    }
    let (device, keeper) = make(point, options)?;
    Ok((device, Mount { point: Some(point.to_owned()), keeper }))
}

fn make(point: &CStr, options: &MountOptions) -> Result<(OwnedFd, Option<Keeper>), Errno> {
    // The helper stays by itself only after a mount of its own, and only a recent one does it well.
    let helper_keeps = options.auto_unmount && fusermount::can_keep();
    let (device, keeper) = match direct::mount(point, options) {
        Ok(device) => (device, None),
        Err(direct::Failure::Final(error)) => return Err(error),
        Err(direct::Failure::NotAllowed) => fusermount::mount(point, options, helper_keeps)?,
    };
    if !options.auto_unmount || keeper.is_some() {
        return Ok((device, keeper));
    }
    match fusermount::keep(point, helper_keeps) {
        Ok(keeper) => Ok((device, Some(keeper))),
        Err(error) => {
            if let Some(mount) = (Mount { point: Some(point.to_owned()), keeper: None }).disconnect(device) {
                mount.unmount();
            }
            Err(error)
        }
    }
}

impl Mount {
    /// Where it is, if it was made here.
    pub fn point(&self) -> Option<&CStr> {
        self.point.as_deref()
    }

    /// Closes the device, which comes first: an unmount that has to ask the filesystem would wait for an answer that
    /// nobody gives any more. Returns what is left to unmount.
    pub fn disconnect(mut self, device: impl AsFd) -> Option<Mount> {
        self.point.as_ref()?;
        if sys::connection_gone(device.as_fd()) {
            self.dismiss_keeper();
            return None;
        }
        Some(self)
    }

    /// Takes the mount out of the tree. May wait for those who are in the middle of a call that looks at the filesystem.
    pub fn unmount(mut self) {
        let Some(point) = &self.point else { return };
        match sys::umount_detach(point) {
            Err(error) if error.raw() == libc::EPERM => fusermount::unmount(point),
            // Somebody unmounted already: what was wanted.
            Ok(()) | Err(_) => {}
        }
        self.dismiss_keeper();
    }

    fn dismiss_keeper(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.dismiss();
        }
    }
}

/// The N of a mount point `/dev/fd/N`.
pub fn device_number(point: &CStr) -> Option<RawFd> {
    let digits = point.to_bytes().strip_prefix(b"/dev/fd/")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers() {
        for (point, number) in [
            (c"/dev/fd/7", Some(7)),
            (c"/dev/fd/007", Some(7)),
            (c"/dev/fd/", None),
            (c"/dev/fd/7x", None),
            (c"/dev/fd/-7", None),
            (c"/dev/fd/+7", None),
            (c"/dev/fd/99999999999", None),
            (c"dev/fd/7", None),
            (c"/dev/fd/7/", None),
        ] {
            assert_eq!(device_number(point), number, "{point:?}");
        }
    }
}
