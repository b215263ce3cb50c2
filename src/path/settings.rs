// SPDX-License-Identifier: MIT OR Apache-2.0
//! `struct fuse_config` after `init()`, and what it does to attributes.

use std::time::Duration;

/// See `include/fuse.h`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Permission bits that are taken away from 0777, if the filesystem's own do not count.
    pub masks: Option<Masks>,
    pub entry_timeout: f64,
    pub negative_timeout: f64,
    pub attr_timeout: f64,
    /// The signal for threads whose request is interrupted.
    pub intr_signal: Option<i32>,
    pub hard_remove: bool,
    pub use_ino: bool,
    pub readdir_ino: bool,
    pub direct_io: bool,
    pub kernel_cache: bool,
    /// For how long attributes are trusted, with `auto_cache`.
    pub auto_cache: Option<Duration>,
    pub nullpath_ok: bool,
    pub no_rofd_flush: bool,
    pub parallel_direct_writes: bool,
}

/// 0: not given.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Masks {
    pub umask: u32,
    pub fmask: u32,
    pub dmask: u32,
}

impl Masks {
    fn permissions(&self, mode: u32) -> u32 {
        let is_dir = mode & libc::S_IFMT == libc::S_IFDIR;
        let mask = match (is_dir, self.dmask, self.fmask) {
            (true, dmask, _) if dmask != 0 => dmask,
            (_, _, fmask) if fmask != 0 => fmask,
            _ => self.umask,
        };
        0o777 & !mask
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            uid: None,
            gid: None,
            masks: None,
            entry_timeout: 1.0,
            negative_timeout: 0.0,
            attr_timeout: 1.0,
            intr_signal: None,
            hard_remove: false,
            use_ino: false,
            readdir_ino: false,
            direct_io: false,
            kernel_cache: false,
            auto_cache: None,
            nullpath_ok: false,
            no_rofd_flush: false,
            parallel_direct_writes: false,
        }
    }
}

impl Settings {
    /// Seconds, as `ac_attr_timeout` has them, as a duration.
    pub fn duration(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }

    /// The mode that the kernel is told.
    pub fn mode(&self, mode: u32) -> u32 {
        self.masks.map_or(mode, |masks| (mode & libc::S_IFMT) | masks.permissions(mode))
    }

    /// Makes the filesystem's attributes of node `id` those that the kernel is told.
    pub fn apply(&self, id: u32, stat: &mut libc::stat) {
        if !self.use_ino {
            stat.st_ino = u64::from(id);
        }
        stat.st_mode = self.mode(stat.st_mode);
        stat.st_uid = self.uid.unwrap_or(stat.st_uid);
        stat.st_gid = self.gid.unwrap_or(stat.st_gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_by_kind() {
        let settings = |umask, fmask, dmask| Settings {
            masks: Some(Masks { umask, fmask, dmask }),
            ..Settings::default()
        };
        let (file, dir) = (libc::S_IFREG | 0o640, libc::S_IFDIR | 0o1700);
        assert_eq!(Settings::default().mode(file), file);
        assert_eq!(settings(0o22, 0, 0).mode(file), libc::S_IFREG | 0o755);
        assert_eq!(settings(0o22, 0, 0).mode(dir), libc::S_IFDIR | 0o755);
        assert_eq!(settings(0o22, 0o133, 0).mode(dir), libc::S_IFDIR | 0o644);
        assert_eq!(settings(0o22, 0o133, 0o77).mode(file), libc::S_IFREG | 0o644);
        assert_eq!(settings(0o22, 0o133, 0o77).mode(dir), libc::S_IFDIR | 0o700);
        assert_eq!(settings(0o22, 0, 0o77).mode(file), libc::S_IFREG | 0o755);
        assert_eq!(Settings::duration(f64::INFINITY), Duration::MAX);
        assert_eq!(Settings::duration(-1.0), Duration::ZERO);
    }
}
