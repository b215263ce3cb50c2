// SPDX-License-Identifier: MIT OR Apache-2.0
//! From what filesystems know (`struct stat`, seconds as floating point) to what the kernel's protocol says.
//! Pure; nothing is owned.

use crate::wire::{FuseAttr, FuseDirent, FuseKstatfs, FuseStatx, FuseSxTime, Pod, rec_align};

/// Seconds and nanoseconds of a timeout. Negative ones and NaN are 0, what does not fit is for ever.
pub fn timeout(seconds: f64) -> (u64, u32) {
    if seconds.is_nan() || seconds <= 0.0 {
        return (0, 0);
    }
    if seconds >= u64::MAX as f64 {
        return (u64::MAX, 999_999_999);
    }
    let whole = seconds as u64;
    let nanos = ((seconds - whole as f64) * 1e9) as u32;
    (whole, nanos.min(999_999_999))
}

/// Attributes as the kernel wants them.
pub fn attr(stat: &libc::stat) -> FuseAttr {
    FuseAttr {
        ino: stat.st_ino,
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        atime: stat.st_atime as u64,
        mtime: stat.st_mtime as u64,
        ctime: stat.st_ctime as u64,
        atimensec: stat.st_atime_nsec as u32,
        mtimensec: stat.st_mtime_nsec as u32,
        ctimensec: stat.st_ctime_nsec as u32,
        mode: stat.st_mode,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        // The low half of the C library's form is the kernel's.
        rdev: stat.st_rdev as u32,
        blksize: stat.st_blksize as u32,
        flags: 0,
    }
}

/// Attributes in the form of statx(2).
pub fn statx(statx: &libc::statx) -> FuseStatx {
    let time = |t: &libc::statx_timestamp| FuseSxTime {
        tv_sec: t.tv_sec,
        tv_nsec: t.tv_nsec,
        ..FuseSxTime::default()
    };
    FuseStatx {
        mask: statx.stx_mask,
        blksize: statx.stx_blksize,
        attributes: statx.stx_attributes,
        nlink: statx.stx_nlink,
        uid: statx.stx_uid,
        gid: statx.stx_gid,
        mode: statx.stx_mode,
        ino: statx.stx_ino,
        size: statx.stx_size,
        blocks: statx.stx_blocks,
        attributes_mask: statx.stx_attributes_mask,
        atime: time(&statx.stx_atime),
        btime: time(&statx.stx_btime),
        ctime: time(&statx.stx_ctime),
        mtime: time(&statx.stx_mtime),
        rdev_major: statx.stx_rdev_major,
        rdev_minor: statx.stx_rdev_minor,
        dev_major: statx.stx_dev_major,
        dev_minor: statx.stx_dev_minor,
        ..FuseStatx::default()
    }
}

/// Statistics of a filesystem as the kernel wants them.
pub fn statfs(stat: &libc::statvfs) -> FuseKstatfs {
    FuseKstatfs {
        blocks: stat.f_blocks,
        bfree: stat.f_bfree,
        bavail: stat.f_bavail,
        files: stat.f_files,
        ffree: stat.f_ffree,
        bsize: stat.f_bsize as u32,
        namelen: stat.f_namemax as u32,
        frsize: stat.f_frsize as u32,
        ..FuseKstatfs::default()
    }
}

/// How long a directory entry is that has `lead` bytes (attributes, for readdirplus) before it.
pub fn dirent_size(lead: usize, name: &[u8]) -> usize {
    rec_align(lead + size_of::<FuseDirent>() + name.len())
}

/// Writes a directory entry at the start of `room`, which must hold `dirent_size` bytes.
pub fn dirent(room: &mut [u8], lead: &[u8], ino: u64, mode: u32, off: i64, name: &[u8]) -> bool {
    let size = dirent_size(lead.len(), name);
    let Some(room) = room.get_mut(..size) else {
        return false;
    };
    let header =
        FuseDirent { ino, off: off as u64, namelen: name.len() as u32, kind: (mode & libc::S_IFMT) >> 12 };
    let parts = [lead, header.as_bytes(), name];
    let mut at = 0;
    for part in parts {
        room[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    room[at..].fill(0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        assert_eq!(timeout(1.5), (1, 500_000_000));
        assert_eq!(timeout(-1.0), (0, 0));
        assert_eq!(timeout(f64::NAN), (0, 0));
        assert_eq!(timeout(f64::INFINITY), (u64::MAX, 999_999_999));
        assert_eq!(timeout(0.0), (0, 0));
        assert_eq!(timeout(86400.0), (86400, 0));
    }

    #[test]
    fn a_directory_entry_is_padded_and_bounded() {
        let mut room = [0xffu8; 40];
        assert!(dirent(&mut room, &[], 7, libc::S_IFDIR, 3, b"abc"));
        assert_eq!(dirent_size(0, b"abc"), 32);
        assert_eq!(&room[..8], &7u64.to_ne_bytes());
        assert_eq!(&room[16..20], &3u32.to_ne_bytes());
        assert_eq!(&room[20..24], &4u32.to_ne_bytes());
        assert_eq!(&room[24..32], b"abc\0\0\0\0\0");
        assert_eq!(room[32], 0xff);
        assert!(!dirent(&mut room[..31], &[], 7, 0, 0, b"abc"));
    }
}
