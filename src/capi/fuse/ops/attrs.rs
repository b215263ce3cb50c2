// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attributes, plain and extended, and what is rare.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};

use super::super::super::fuse_lowlevel::ops_args::{handle_of, wanted_stat};
use super::super::super::types::FuseFileInfo;
use super::super::fs::{
    fuse_fs_access, fuse_fs_bmap, fuse_fs_chmod, fuse_fs_chown, fuse_fs_getattr, fuse_fs_getxattr,
    fuse_fs_ioctl, fuse_fs_listxattr, fuse_fs_poll, fuse_fs_removexattr, fuse_fs_setxattr, fuse_fs_statfs,
    fuse_fs_statx, fuse_fs_truncate, fuse_fs_utimens,
};
use super::super::seam;
use super::call::{Call, blank, check, count, pointer};
use crate::errno::Errno;
use crate::request::decode::Operation;
use crate::request::encode;
use crate::wire::flags::{self, fattr};
use crate::wire::{
    FuseAttrOut, FuseBmapOut, FuseIoctlIn, FuseIoctlOut, FusePollIn, FusePollOut, FuseSetattrIn,
    FuseStatfsOut, FuseStatxIn, FuseStatxOut, Pod,
};

impl Call<'_> {
    pub(super) fn attributes(self, operation: Operation<'_>) {
        match operation {
            Operation::GetAttr { fh } => self.getattr(fh),
            Operation::SetAttr(arg) => self.setattr(&arg),
            Operation::Statx(arg) => self.statx(&arg),
            Operation::Access { mask } => self.with_path(|call, path| {
                // SAFETY: the layer lives, the path is valid for the call.
                check(unsafe { fuse_fs_access(call.fs, path, mask as c_int) })
            }),
            Operation::StatFs => self.statfs(),
            Operation::SetXattr { name, value, flags, .. } => self.with_path(|call, path| {
                let (name, value, size) = (name.as_ptr(), value.as_ptr().cast(), value.len());
                // SAFETY: the layer lives; path, name and value are valid for the call.
                check(unsafe { fuse_fs_setxattr(call.fs, path, name, value, size, flags as c_int) })
            }),
            Operation::GetXattr { name, size } => self.getxattr(name, size),
            Operation::ListXattr { size } => self.reply_value(size, |call, list, size| {
                let path = call.path()?;
                // SAFETY: the layer lives, path and list are valid for the call.
                count(unsafe { fuse_fs_listxattr(call.fs, path.path(0).as_ptr(), list, size) }.into())
            }),
            Operation::RemoveXattr { name } => self.with_path(|call, path| {
                // SAFETY: the layer lives, path and name are valid for the call.
                check(unsafe { fuse_fs_removexattr(call.fs, path, name.as_ptr()) })
            }),
            Operation::BMap { block, blocksize } => self.bmap(block, blocksize),
            Operation::Ioctl { arg, data } => self.ioctl(&arg, data),
            Operation::Poll(arg) => self.poll(&arg),
            // TMPFILE and SYNCFS have no function in this interface.
            _ => self.fail(Errno::new(libc::ENOSYS)),
        }
    }

    fn with_path(self, how: impl FnOnce(&Self, *const c_char) -> Result<(), Errno>) {
        let result = self.path().and_then(|path| how(&self, path.path(0).as_ptr()));
        self.finish(result);
    }

    /// Asks for attributes and makes them what the kernel is told.
    fn attr(&self, path: *const c_char, fi: *mut FuseFileInfo) -> Result<FuseAttrOut, Errno> {
        let (id, mut stat) = (self.id()?, blank());
        // SAFETY: the layer lives, path and file are valid for the call.
        check(unsafe { fuse_fs_getattr(self.fs, path, &raw mut stat, fi) })?;
        if self.settings.auto_cache.is_some() {
            self.table().watch.update(id, &stat);
        }
        self.settings.apply(id, &mut stat);
        if self.table().is_hidden(id) {
            // Its hidden name is the library's, and not a link that anybody made.
            stat.st_nlink = stat.st_nlink.saturating_sub(1);
        }
        let (attr_valid, attr_valid_nsec) = encode::timeout(self.settings.attr_timeout);
        Ok(FuseAttrOut { attr_valid, attr_valid_nsec, dummy: 0, attr: encode::attr(&stat) })
    }

    /// Runs `how` with the node's path and open file, as far as there are such. A file that has no name any more is
    /// reached by any handle that is open.
    fn on_node<R>(
        &self,
        fh: Option<u64>,
        how: impl FnOnce(*const c_char, *mut FuseFileInfo) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut fi = handle_of(fh.unwrap_or(0));
        match self.path_or_file(fh.is_some()) {
            Ok(path) => how(pointer(&path), if fh.is_some() { &raw mut fi } else { null_mut() }),
            Err(e) if fh.is_none() && e.raw() == libc::ESTALE && self.settings.hard_remove => {
                let by_handle = self.table().opens.with_one(self.id()?, |fh| {
                    fi.fh = fh;
                    how(null(), &raw mut fi)
                });
                by_handle.unwrap_or(Err(e))
            }
            Err(e) => Err(e),
        }
    }

    fn getattr(self, fh: Option<u64>) {
        let attr = self.on_node(fh, |path, fi| self.attr(path, fi));
        self.reply_with(attr);
    }

    fn setattr(self, arg: &FuseSetattrIn) {
        let fh = (arg.valid & fattr::FH != 0).then_some(arg.fh);
        let attr = self.on_node(fh, |path, fi| {
            self.change(arg, path, fi)?;
            self.attr(path, fi)
        });
        self.reply_with(attr);
    }

    fn change(&self, arg: &FuseSetattrIn, path: *const c_char, fi: *mut FuseFileInfo) -> Result<(), Errno> {
        let has = |bits: u32| arg.valid & bits != 0;
        let stat = wanted_stat(arg);
        // SAFETY: the layer lives; path, file and times are valid for the calls.
        unsafe {
            if has(fattr::MODE) {
                check(fuse_fs_chmod(self.fs, path, stat.st_mode, fi))?;
            }
            if has(fattr::UID | fattr::GID) {
                let uid = if has(fattr::UID) { stat.st_uid } else { u32::MAX };
                let gid = if has(fattr::GID) { stat.st_gid } else { u32::MAX };
                check(fuse_fs_chown(self.fs, path, uid, gid, fi))?;
            }
            if has(fattr::SIZE) {
                check(fuse_fs_truncate(self.fs, path, stat.st_size, fi))?;
            }
            if has(fattr::ATIME | fattr::MTIME) {
                let times = times(arg.valid, &stat);
                check(fuse_fs_utimens(self.fs, path, times.as_ptr(), fi))?;
            }
        }
        Ok(())
    }

    fn statx(self, arg: &FuseStatxIn) {
        let fh = (arg.getattr_flags & flags::GETATTR_FH != 0).then_some(arg.fh);
        let mut statx: libc::statx = blank();
        let result = self.on_node(fh, |path, fi| {
            let (flags, mask, place) = (arg.sx_flags as c_int, arg.sx_mask as c_int, &raw mut statx);
            // SAFETY: the layer lives; path, file and attributes are valid for the call.
            check(unsafe { fuse_fs_statx(self.fs, path, flags, mask, place, fi) })?;
            self.id()
        });
        let (attr_valid, attr_valid_nsec) = encode::timeout(self.settings.attr_timeout);
        let settings = self.settings;
        self.reply_with(result.map(|id| {
            statx.stx_mode = settings.mode(statx.stx_mode.into()) as u16;
            statx.stx_uid = settings.uid.unwrap_or(statx.stx_uid);
            statx.stx_gid = settings.gid.unwrap_or(statx.stx_gid);
            if !settings.use_ino {
                statx.stx_ino = id.into();
            }
            let stat = encode::statx(&statx);
            FuseStatxOut { attr_valid, attr_valid_nsec, stat, ..FuseStatxOut::default() }
        }));
    }

    fn statfs(self) {
        let mut stat: libc::statvfs = blank();
        let path = if self.nodeid == 0 { Ok(None) } else { self.path().map(Some) };
        let result = path.and_then(|path| {
            let path = if path.is_some() { pointer(&path) } else { c"/".as_ptr() };
            // SAFETY: the layer lives, path and buffer are valid for the call.
            check(unsafe { fuse_fs_statfs(self.fs, path, &raw mut stat) })
        });
        self.reply_with(result.map(|()| FuseStatfsOut { st: encode::statfs(&stat) }));
    }

    fn getxattr(self, name: &CStr, size: u32) {
        self.reply_value(size, |call, value, size| {
            let path = call.path()?;
            let (path, name) = (path.path(0).as_ptr(), name.as_ptr());
            // SAFETY: the layer lives; path, name and value are valid for the call.
            count(unsafe { fuse_fs_getxattr(call.fs, path, name, value, size) }.into())
        });
    }

    fn bmap(self, mut block: u64, blocksize: u32) {
        let result = self.path().and_then(|path| {
            let (path, size) = (path.path(0).as_ptr(), blocksize as usize);
            // SAFETY: the layer lives, path and number are valid for the call.
            check(unsafe { fuse_fs_bmap(self.fs, path, size, &raw mut block) })
        });
        self.reply_with(result.map(|()| FuseBmapOut { block }));
    }

    fn ioctl(self, arg: &FuseIoctlIn, data: &[u8]) {
        if arg.flags & flags::ioctl::UNRESTRICTED != 0 {
            return self.fail(Errno::new(libc::EPERM));
        }
        let out_size = arg.out_size as usize;
        let mut room = Vec::new();
        if room.try_reserve_exact(out_size.max(data.len())).is_err() {
            return self.fail(Errno::new(libc::ENOMEM));
        }
        room.extend_from_slice(data);
        room.resize(out_size.max(data.len()), 0u8);
        let result = self.ioctl_on(arg, &mut room);
        match result {
            Err(e) => self.fail(e),
            Ok(result) => {
                let out = FuseIoctlOut { result: result as i32, ..FuseIoctlOut::default() };
                let _ = self.reply(&[out.as_bytes(), &room[..out_size]]);
            }
        }
    }

    fn ioctl_on(&self, arg: &FuseIoctlIn, room: &mut [u8]) -> Result<i64, Errno> {
        let fh = match arg.flags & flags::ioctl::DIR {
            0 => arg.fh,
            _ => self.directory(arg.fh)?.fh(),
        };
        let mut fi = handle_of(fh);
        let path = self.path_of_file()?;
        let address = arg.arg as usize as *mut c_void;
        let data: *mut c_void = if room.is_empty() { null_mut() } else { room.as_mut_ptr().cast() };
        // SAFETY: the layer lives; path, file and data are valid for the call; the address is the client's, a number.
        count(
            unsafe { fuse_fs_ioctl(self.fs, pointer(&path), arg.cmd, address, &raw mut fi, arg.flags, data) }
                .into(),
        )
    }

    /// The poll handle becomes the program's, if it wants to hear of changes.
    fn poll(self, arg: &FusePollIn) {
        let mut fi = handle_of(arg.fh);
        fi.poll_events = arg.events;
        let mut revents: c_uint = 0;
        let result = self.path_of_file().and_then(|path| {
            let handle = match arg.flags & flags::POLL_SCHEDULE_NOTIFY {
                0 => null_mut(),
                _ => seam::poll_handle(&self.request, arg.kh),
            };
            // SAFETY: the layer lives; path, file and result are valid for the call, the handle is the layer's.
            let result =
                unsafe { fuse_fs_poll(self.fs, pointer(&path), &raw mut fi, handle, &raw mut revents) };
            if result == -libc::ENOSYS {
                // SAFETY: made above, and nobody took it.
                unsafe { seam::drop_poll_handle(handle) };
            }
            check(result)
        });
        self.reply_with(result.map(|()| FusePollOut { revents, padding: 0 }));
    }
}

/// The two times that a SETATTR sets; what it does not set is left as it is.
fn times(valid: u32, stat: &libc::stat) -> [libc::timespec; 2] {
    let time = |set: u32, now: u32, tv_sec: i64, tv_nsec: i64| {
        if valid & now != 0 {
            libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW }
        } else if valid & set != 0 {
            libc::timespec { tv_sec, tv_nsec }
        } else {
            libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT }
        }
    };
    [
        time(fattr::ATIME, fattr::ATIME_NOW, stat.st_atime, stat.st_atime_nsec),
        time(fattr::MTIME, fattr::MTIME_NOW, stat.st_mtime, stat.st_mtime_nsec),
    ]
}
