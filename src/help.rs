// SPDX-License-Identifier: MIT OR Apache-2.0
//! The texts of `--help` and `--version`.

use crate::mount;
use crate::wire::{KERNEL_MINOR_VERSION, KERNEL_VERSION};

/// What `fuse_parse_cmdline` knows.
pub const CMDLINE: &str = "    \
    -h   --help            show this help\n    \
    -V   --version         show the versions\n    \
    -d   -o debug          log every request and reply (implies -f)\n    \
    -f                     stay in the foreground\n    \
    -s                     handle one request at a time\n    \
    -o clone_fd            a device descriptor of its own for each thread\n                           \
                           (without io_uring; may be faster)\n    \
    -o max_idle_threads    end threads above this number when idle\n                           \
                           (default: never)\n    \
    -o max_threads         most requests handled at once (default: 10)\n";

/// What `fuse_session_new` and the mount layer know, as far as users of a filesystem need it.
pub const LOWLEVEL: &str = "    \
    -o allow_other         let all users in\n    \
    -o allow_root          let root in, besides the user\n    \
    -o auto_unmount        unmount when the process ends, however it ends\n    \
    -o io_uring            use io_uring if the kernel offers it (default)\n    \
    -o io_uring=require    fail without io_uring\n    \
    -o no_io_uring         use /dev/fuse only\n    \
    -o io_uring_q_depth=N  most requests under way per queue, that is, CPU\n                           \
                           (1 to 65535; default: as many as are needed)\n    \
    -o io_uring_batch=N    answer up to so many fast requests of a CPU\n                           \
                           together (1 to 64, default 8)\n    \
    -o io_uring_spin_us=N  look for the next request so long before sleeping,\n                           \
                           where that pays (0 to 1000, default 200)\n";

/// What `fuse_new` knows, as far as users of a filesystem need it.
pub const HIGHLEVEL: &str = "    \
    -o kernel_cache        keep cached data when a file is opened\n    \
    -o [no]auto_cache      drop cached data on open if the file has changed\n                           \
                           (off)\n    \
    -o no_rofd_flush       no flush for files opened read-only (off)\n    \
    -o umask=M             permissions of everything (octal)\n    \
    -o fmask=M             the same, of all but directories (octal)\n    \
    -o dmask=M             the same, of directories (octal)\n    \
    -o uid=N               owner of everything\n    \
    -o gid=N               group of everything\n    \
    -o entry_timeout=T     remember names for so many seconds (1.0)\n    \
    -o negative_timeout=T  remember missing names as well (0.0)\n    \
    -o attr_timeout=T      remember attributes for so many seconds (1.0)\n    \
    -o ac_attr_timeout=T   the same for auto_cache (attr_timeout)\n    \
    -o noforget            never drop the number of a file\n    \
    -o remember=T          keep unused numbers for so many seconds (0)\n    \
    -o modules=M1[:M2...]  put modules on top of the filesystem\n";

/// The kernel protocol and the mount helper; without the library's own version, which `fuse_version` tells.
pub fn lowlevel_version() -> String {
    let mut text = format!("using FUSE kernel interface version {KERNEL_VERSION}.{KERNEL_MINOR_VERSION}\n");
    text.push_str(&mount::helper_version());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options at column 4, their meaning at column 27, and nothing wider than a terminal.
    #[test]
    fn columns() {
        for line in CMDLINE.lines().chain(LOWLEVEL.lines()).chain(HIGHLEVEL.lines()) {
            assert!(line.len() <= 80, "{line}");
            let (option, meaning) = line.split_at(27);
            assert!(
                option.starts_with("    -") && option.ends_with(' ') || option.trim().is_empty(),
                "{line}"
            );
            assert!(!meaning.starts_with(' ') && !meaning.is_empty(), "{line}");
        }
    }
}
