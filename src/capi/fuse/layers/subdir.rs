// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module subdir: shows a directory of the filesystem below as the root. With `rellinks`, absolute targets of
//! symbolic links that lie in that directory are shown as relative ones, so that they lead to the same file from
//! wherever the filesystem is mounted.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::mem::offset_of;
use std::ptr::null_mut;

use super::super::super::fuse_opt::FuseOpt;
use super::super::super::types::FuseArgs;
use super::super::fs::FuseFs;
use super::Translate;
use crate::errno::Errno;
use crate::log::error;
use crate::opt::c_string;
use crate::sys::text;

const HELP: &CStr = c"    \
    -o subdir=DIR          show DIR of the filesystem below as the root\n    \
    -o [no]rellinks        show absolute links in DIR as relative ones (off)\n";

/// What the options say; the text is from malloc.
#[repr(C)]
struct Options {
    subdir: *mut c_char,
    rellinks: c_int,
    help: c_int,
}

const fn option(templ: &'static CStr, offset: usize, value: c_int) -> FuseOpt {
    FuseOpt { templ: templ.as_ptr(), offset: offset as c_ulong, value }
}

const TABLE: [FuseOpt; 6] = [
    option(c"-h", offset_of!(Options, help), 1),
    option(c"--help", offset_of!(Options, help), 1),
    option(c"subdir=%s", offset_of!(Options, subdir), 0),
    option(c"rellinks", offset_of!(Options, rellinks), 1),
    option(c"norellinks", offset_of!(Options, rellinks), 0),
    FuseOpt { templ: null_mut(), offset: 0, value: 0 },
];

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: NULL or from the option parser.
        unsafe { libc::free(self.subdir.cast()) };
    }
}

/// The factory of the module.
///
/// # Safety
/// See `fuse_module_factory_t`.
pub unsafe extern "C" fn factory(args: *mut FuseArgs, fs: *mut *mut FuseFs) -> *mut FuseFs {
    let mut options = Options { subdir: null_mut(), rellinks: 0, help: 0 };
    // SAFETY: as promised by the caller.
    unsafe {
        if super::options(args, &mut options, &TABLE).is_err() {
            return null_mut();
        }
        if options.help != 0 {
            text::print(HELP);
            return null_mut();
        }
        let Some(below) = super::only(fs) else {
            error!("fuse-subdir: exactly one next filesystem required");
            return null_mut();
        };
        if options.subdir.is_null() {
            error!("fuse-subdir: missing 'subdir' option");
            return null_mut();
        }
        let subdir = Subdir::new(CStr::from_ptr(options.subdir), options.rellinks != 0);
        super::put_on(below, Box::new(subdir))
    }
}

struct Subdir {
    /// With a slash at its end, or empty.
    base: Vec<u8>,
    relative_links: bool,
}

impl Subdir {
    fn new(directory: &CStr, relative_links: bool) -> Subdir {
        let mut base = directory.to_bytes().to_vec();
        if base.last().is_some_and(|&c| c != b'/') {
            base.push(b'/');
        }
        Subdir { base, relative_links }
    }
}

impl Translate for Subdir {
    fn path(&self, above: &CStr) -> Result<CString, Errno> {
        let above = above.to_bytes();
        let path = [&self.base, above.strip_prefix(b"/").unwrap_or(above)].concat();
        Ok(c_string(if path.is_empty() { b".".to_vec() } else { path }))
    }

    fn target(&self, above: &CStr) -> Result<CString, Errno> {
        Ok(above.to_owned())
    }

    fn target_of(&self, path: &CStr, below: &CStr) -> Result<CString, Errno> {
        if self.relative_links && self.base.first() == Some(&b'/') {
            if let Some(target) = relative(&self.base, path.to_bytes(), below.to_bytes()) {
                return Ok(c_string(target));
            }
        }
        Ok(below.to_owned())
    }

    fn entry(&self, below: &CStr) -> Result<CString, Errno> {
        Ok(below.to_owned())
    }

    fn keeps_entries(&self) -> bool {
        true
    }
}

/// The way from the link `path` to `target`, if that is in `base`; the directory itself, without a slash at its end,
/// does not count, as with libfuse.
fn relative(base: &[u8], path: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if !target.starts_with(base) {
        return None;
    }
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|&c| c == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (path, target) = (parts(path), parts(target));
    // The directory that the link is in is where the way begins.
    let from = &path[..path.len().saturating_sub(1)];
    let common = from.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let mut way = vec![b"..".to_vec(); from.len() - common];
    way.extend_from_slice(&target[common..]);
    Some(if way.is_empty() { b".".to_vec() } else { way.join(&b'/') })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_get_the_directory_in_front() {
        for (base, above, below) in [
            (c"/a", c"/", c"/a/"),
            (c"/a", c"/b/c", c"/a/b/c"),
            (c"/a/", c"/b", c"/a/b"),
            (c"/", c"/b", c"/b"),
            (c"a", c"/b", c"a/b"),
            (c"", c"/b", c"b"),
            (c"", c"/", c"."),
        ] {
            assert_eq!(Subdir::new(base, false).path(above).as_deref(), Ok(below), "{base:?} {above:?}");
        }
    }

    #[test]
    fn links_in_the_directory_become_relative() {
        for (path, target, shown) in [
            (c"/b/l", c"/b/x", c"x"),
            (c"/b/d/l", c"/b/x", c"../x"),
            (c"/b/d/e/l", c"/b/d/f/x", c"../f/x"),
            (c"/b/l", c"/b/", c"."),
            (c"/b/d/l", c"/b/", c".."),
            (c"/b/d/l", c"/b", c"/b"),
            (c"/b/l", c"/bc/x", c"/bc/x"),
            (c"/b/l", c"/x", c"/x"),
            (c"/b/l", c"x", c"x"),
        ] {
            let subdir = Subdir::new(c"/b", true);
            assert_eq!(subdir.target_of(path, target).as_deref(), Ok(shown), "{path:?} {target:?}");
            let subdir = Subdir::new(c"/b", false);
            assert_eq!(subdir.target_of(path, target).as_deref(), Ok(target), "{path:?} {target:?}");
        }
    }
}
