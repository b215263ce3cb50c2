// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module iconv: names in another character set. The filesystem below has names in `from_code`, users see them in
//! `to_code`. Names that can't be converted don't exist for users; asking for one is EILSEQ.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::mem::offset_of;
use std::ptr::null_mut;

use libc::iconv_t;
use parking_lot::Mutex;

use super::super::super::fuse_opt::FuseOpt;
use super::super::super::types::FuseArgs;
use super::super::fs::FuseFs;
use super::Translate;
use crate::errno::Errno;
use crate::log::error;
use crate::opt::c_string;
use crate::sys::text;

/// What the options say; the texts are from malloc.
#[repr(C)]
struct Options {
    from_code: *mut c_char,
    to_code: *mut c_char,
    help: c_int,
}

const fn option(templ: &'static CStr, offset: usize, value: c_int) -> FuseOpt {
    FuseOpt { templ: templ.as_ptr(), offset: offset as c_ulong, value }
}

const TABLE: [FuseOpt; 5] = [
    option(c"-h", offset_of!(Options, help), 1),
    option(c"--help", offset_of!(Options, help), 1),
    option(c"from_code=%s", offset_of!(Options, from_code), 0),
    option(c"to_code=%s", offset_of!(Options, to_code), 0),
    FuseOpt { templ: null_mut(), offset: 0, value: 0 },
];

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: NULL or from the option parser.
        unsafe {
            libc::free(self.from_code.cast());
            libc::free(self.to_code.cast());
        }
    }
}

impl Options {
    fn text(text: *const c_char) -> Option<CString> {
        // SAFETY: NULL or a string of the option parser.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
    }
}

/// The character set of the locale that the environment names; the program's own locale stays as it is.
fn locale_charset() -> CString {
    // SAFETY: strings of the C library, copied at once.
    unsafe {
        let old = Options::text(libc::setlocale(libc::LC_CTYPE, std::ptr::null()));
        libc::setlocale(libc::LC_CTYPE, c"".as_ptr());
        let charset = Options::text(libc::nl_langinfo(libc::CODESET)).unwrap_or_default();
        if let Some(old) = old {
            libc::setlocale(libc::LC_CTYPE, old.as_ptr());
        }
        charset
    }
}

fn print_help() {
    let charset = locale_charset();
    let help = [
        b"    -o from_code=CHARSET   character set of names below (UTF-8)\n    \
          -o to_code=CHARSET     character set of names as users see them\n                           ("
            .as_slice(),
        charset.to_bytes(),
        b")\n",
    ];
    text::print(&c_string(help.concat()));
}

/// The factory of the module.
///
/// # Safety
/// See `fuse_module_factory_t`.
pub unsafe extern "C" fn factory(args: *mut FuseArgs, fs: *mut *mut FuseFs) -> *mut FuseFs {
    let mut options = Options { from_code: null_mut(), to_code: null_mut(), help: 0 };
    // SAFETY: as promised by the caller.
    unsafe {
        if super::options(args, &mut options, &TABLE).is_err() {
            return null_mut();
        }
        if options.help != 0 {
            print_help();
            return null_mut();
        }
        let Some(below) = super::only(fs) else {
            error!("fuse-iconv: exactly one next filesystem required");
            return null_mut();
        };
        let from = Options::text(options.from_code).unwrap_or_else(|| c"UTF-8".to_owned());
        let to = Options::text(options.to_code).unwrap_or_else(locale_charset);
        let (Some(down), Some(up)) = (Converter::new(&to, &from), Converter::new(&from, &to)) else {
            error!("fuse-iconv: cannot convert from {} to {}", from.to_string_lossy(), to.to_string_lossy());
            return null_mut();
        };
        super::put_on(below, Box::new(Iconv { down, up }))
    }
}

struct Iconv {
    down: Converter,
    up: Converter,
}

impl Translate for Iconv {
    fn path(&self, above: &CStr) -> Result<CString, Errno> {
        self.down.convert(above)
    }

    fn target(&self, above: &CStr) -> Result<CString, Errno> {
        self.down.convert(above)
    }

    fn target_of(&self, _path: &CStr, below: &CStr) -> Result<CString, Errno> {
        self.up.convert(below)
    }

    fn entry(&self, below: &CStr) -> Result<CString, Errno> {
        self.up.convert(below)
    }

    fn keeps_entries(&self) -> bool {
        false
    }
}

/// One direction. A descriptor of iconv(3) serves one thread at a time; idle ones wait here.
struct Converter {
    from: CString,
    to: CString,
    idle: Mutex<Vec<Descriptor>>,
}

impl Converter {
    /// `None` if there is no such conversion.
    fn new(from: &CStr, to: &CStr) -> Option<Converter> {
        let first = Descriptor::open(from, to)?;
        Some(Converter { from: from.to_owned(), to: to.to_owned(), idle: Mutex::new(vec![first]) })
    }

    fn convert(&self, text: &CStr) -> Result<CString, Errno> {
        let idle = self.idle.lock().pop();
        let Some(mut descriptor) = idle.or_else(|| Descriptor::open(&self.from, &self.to)) else {
            return Err(Errno::new(libc::ENOMEM));
        };
        let result = descriptor.convert(text.to_bytes());
        self.idle.lock().push(descriptor);
        result.map(c_string)
    }
}

struct Descriptor(iconv_t);

// SAFETY: used by one thread at a time.
unsafe impl Send for Descriptor {}

impl Descriptor {
    fn open(from: &CStr, to: &CStr) -> Option<Descriptor> {
        // SAFETY: two strings.
        let descriptor = unsafe { libc::iconv_open(to.as_ptr(), from.as_ptr()) };
        (descriptor as isize != -1).then_some(Descriptor(descriptor))
    }

    fn convert(&mut self, text: &[u8]) -> Result<Vec<u8>, Errno> {
        // SAFETY: back to the first state, which needs no buffers.
        unsafe { libc::iconv(self.0, null_mut(), null_mut(), null_mut(), null_mut()) };
        let mut out = vec![0u8; text.len() + text.len() / 2 + 16];
        let mut input: *mut c_char = text.as_ptr().cast_mut().cast();
        let (mut left, mut done) = (text.len(), 0);
        // The last round, without input, writes what the state still holds.
        loop {
            let mut place: *mut c_char = out[done..].as_mut_ptr().cast();
            let mut room = out.len() - done;
            let flushing = left == 0;
            let source = if flushing { null_mut() } else { &raw mut input };
            // SAFETY: `left` bytes to read, `room` bytes to write; iconv does not write to its input.
            let result = unsafe { libc::iconv(self.0, source, &raw mut left, &raw mut place, &raw mut room) };
            done = out.len() - room;
            if result != usize::MAX {
                if flushing {
                    break;
                }
                continue;
            }
            match Errno::last().raw() {
                libc::E2BIG => out.resize(out.len() * 2, 0),
                _ => return Err(Errno::new(libc::EILSEQ)),
            }
        }
        out.truncate(done);
        Ok(out)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: from iconv_open, and nobody uses it any more.
        unsafe { libc::iconv_close(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_both_ways_and_refuses_what_is_wrong() {
        let up = Converter::new(c"UTF-8", c"ISO-8859-1").unwrap();
        let down = Converter::new(c"ISO-8859-1", c"UTF-8").unwrap();
        assert_eq!(up.convert(c"/gr\u{fc}n").as_deref(), Ok(c"/gr\xfcn"));
        assert_eq!(down.convert(c"/gr\xfcn").as_deref(), Ok(c"/gr\u{fc}n"));
        assert_eq!(up.convert(c"").as_deref(), Ok(c""));
        let long = CString::new("\u{fc}".repeat(5000)).unwrap();
        let narrow = up.convert(&long).unwrap();
        assert_eq!(narrow.count_bytes(), 5000);
        assert_eq!(down.convert(&narrow), Ok(long));
        assert_eq!(up.convert(c"\u{20ac}"), Err(Errno::new(libc::EILSEQ)));
        assert_eq!(up.convert(c"\xff"), Err(Errno::new(libc::EILSEQ)));
        assert!(Converter::new(c"UTF-8", c"NO-SUCH-SET").is_none());
    }

    #[test]
    fn shift_sequences_are_ended() {
        let up = Converter::new(c"UTF-8", c"ISO-2022-JP").unwrap();
        let down = Converter::new(c"ISO-2022-JP", c"UTF-8").unwrap();
        let name = up.convert(c"\u{6f22}\u{5b57}").unwrap();
        assert!(name.to_bytes().ends_with(b"\x1b(B"));
        assert_eq!(down.convert(&name).as_deref(), Ok(c"\u{6f22}\u{5b57}"));
    }
}
