// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuse_opt.h` (since 2.6): the edge of the option parser.
//!
//! A list with `allocated` set owns its vector and its strings, all from malloc, since programs may hand them to
//! free(3); any other list is the caller's and is only read. Text stored for a `%s` is malloc'ed and becomes the
//! caller's; what was there before is freed. A parse builds a new list and gives it to the caller on success.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong, c_void};
use std::ptr;

use super::types::FuseArgs;
use crate::log::error;
use crate::opt::{self, Args, BadParam, Refused, Sink};

/// `struct fuse_opt`.
#[repr(C)]
pub struct FuseOpt {
    pub templ: *const c_char,
    pub offset: c_ulong,
    pub value: c_int,
}

const _: () = assert!(size_of::<FuseOpt>() == 24);

/// What `FUSE_OPT_KEY` stores: -1 as an unsigned int, not as an unsigned long.
const OFFSET_IS_KEY: c_ulong = 0xFFFF_FFFF;

/// `fuse_opt_proc_t`.
pub type OptProc = Option<unsafe extern "C" fn(*mut c_void, *const c_char, c_int, *mut FuseArgs) -> c_int>;

const EMPTY: FuseArgs = FuseArgs { argc: 0, argv: ptr::null_mut(), allocated: 0 };

fn status(result: Result<(), Refused>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}

fn refuse(function: &str, what: &str) -> Refused {
    error!("fuse: {function}: {what}");
    Refused
}

/// The strings of a list, which stay the caller's.
///
/// # Safety
/// `args` is NULL or a list whose first `argc` entries are strings or NULL, unchanged while the result is used.
unsafe fn strings<'a>(args: *const FuseArgs) -> Result<Vec<&'a CStr>, Refused> {
    // SAFETY: as promised.
    unsafe {
        let Some(args) = args.as_ref().filter(|args| !args.argv.is_null()) else {
            return Ok(Vec::new());
        };
        let count = usize::try_from(args.argc).unwrap_or(0);
        let one = |index| {
            let arg = *args.argv.add(index);
            if arg.is_null() { Err(refuse("fuse_args", "NULL within argv")) } else { Ok(CStr::from_ptr(arg)) }
        };
        (0..count).map(one).collect()
    }
}

/// Copies a list of the caller.
///
/// # Safety
/// As for [`strings`].
pub unsafe fn read_args(args: *const FuseArgs) -> Result<Args, Refused> {
    // SAFETY: the same promise; the strings are copied at once.
    unsafe { Ok(strings(args)?.into_iter().map(CStr::to_owned).collect()) }
}

/// Puts `new` in place of the caller's list, which is freed if it was allocated.
///
/// # Safety
/// `args` points to a valid list.
pub unsafe fn write_args(args: *mut FuseArgs, new: &Args) -> Result<(), Refused> {
    let mut list = EMPTY;
    for arg in new.iter() {
        // SAFETY: a list of our own.
        if let Err(e) = unsafe { insert(&mut list, None, arg) } {
            // SAFETY: the same.
            unsafe { free_list(&mut list) };
            return Err(e);
        }
    }
    // SAFETY: as promised.
    unsafe {
        free_list(args);
        *args = list;
    }
    Ok(())
}

/// Puts a copy of `arg` into an allocated list, at the end or before the one at `at`.
///
/// # Safety
/// `args` points to a valid list.
unsafe fn insert(args: *mut FuseArgs, at: Option<usize>, arg: &CStr) -> Result<(), Refused> {
    // SAFETY: the list is valid, and once it is known to be allocated its vector is ours to resize: it holds argc
    // strings and a NULL, so with one more there is room for the shifted tail and the new end.
    unsafe {
        let args = &mut *args;
        if !args.argv.is_null() && args.allocated == 0 {
            return Err(refuse("fuse_opt_add_arg", "the list is not an allocated one (parse it first)"));
        }
        let count = usize::try_from(args.argc).unwrap_or(0);
        let at = at.unwrap_or(count);
        if at > count {
            return Err(refuse("fuse_opt_insert_arg", "the position is behind the end of the list"));
        }
        let copy = libc::strdup(arg.as_ptr());
        let grown =
            libc::realloc(args.argv.cast(), (count + 2) * size_of::<*mut c_char>()) as *mut *mut c_char;
        if !grown.is_null() {
            args.argv = grown;
        }
        if copy.is_null() || grown.is_null() {
            libc::free(copy.cast());
            return Err(refuse("fuse_opt_add_arg", "out of memory"));
        }
        ptr::copy(grown.add(at), grown.add(at + 1), count - at);
        *grown.add(at) = copy;
        *grown.add(count + 1) = ptr::null_mut();
        args.argc = (count + 1) as c_int;
        args.allocated = 1;
        Ok(())
    }
}

/// # Safety
/// `args` points to a valid list, which is empty afterwards.
unsafe fn free_list(args: *mut FuseArgs) {
    // SAFETY: an allocated list owns its strings and its vector; a NULL may be freed.
    unsafe {
        let args = &mut *args;
        if args.allocated != 0 && !args.argv.is_null() {
            for index in 0..usize::try_from(args.argc).unwrap_or(0) {
                libc::free((*args.argv.add(index)).cast());
            }
            libc::free(args.argv.cast());
        }
        *args = EMPTY;
    }
}

/// A parse for a C program: its templates, its data, its function, and the list it will get.
struct Edge {
    opts: *const FuseOpt,
    data: *mut c_void,
    proc: OptProc,
    out: FuseArgs,
}

impl Edge {
    fn opt(&self, index: usize) -> Option<&FuseOpt> {
        // SAFETY: the engine asks for one after the other and stops at the end marker.
        unsafe { self.opts.as_ref().map(|first| &*ptr::from_ref(first).add(index)) }
    }

    fn text(&self, index: usize) -> Option<&CStr> {
        let templ = self.opt(index)?.templ;
        // SAFETY: a template is a string, or NULL at the end.
        if templ.is_null() { None } else { Some(unsafe { CStr::from_ptr(templ) }) }
    }

    /// Where option `index` stores. The first page holds nothing: an offset without data, or none at all.
    fn place(&self, index: usize) -> Result<*mut c_void, BadParam> {
        let offset = self.opt(index).map_or(0, |opt| opt.offset as usize);
        let place = self.data.cast::<u8>().wrapping_add(offset);
        if (place as usize) < 4096 {
            error!("fuse: fuse_opt_parse: no data to store an option in");
            return Err(BadParam);
        }
        Ok(place.cast())
    }

    /// # Safety
    /// `place` has what `format` says: for `%s` a pointer from malloc or NULL.
    unsafe fn scan(place: *mut c_void, format: &CStr, param: &CStr) -> Result<(), BadParam> {
        // SAFETY: as promised by the template's author.
        unsafe {
            if format.to_bytes().starts_with(b"%s") {
                let copy = libc::strdup(param.as_ptr());
                if copy.is_null() {
                    return Err(BadParam);
                }
                let old = ptr::replace(place.cast::<*mut c_char>(), copy);
                libc::free(old.cast());
                return Ok(());
            }
            match libc::sscanf(param.as_ptr(), format.as_ptr(), place) {
                1 => Ok(()),
                _ => Err(BadParam),
            }
        }
    }
}

impl Sink for Edge {
    fn template(&self, index: usize) -> Option<&[u8]> {
        self.text(index).map(CStr::to_bytes)
    }

    fn key(&self, index: usize) -> Option<i32> {
        self.opt(index).filter(|opt| opt.offset == OFFSET_IS_KEY).map(|opt| opt.value)
    }

    fn store(&mut self, index: usize, param: Option<&CStr>) -> Result<(), BadParam> {
        let place = self.place(index)?;
        let template = self.text(index).unwrap_or(c"");
        let format = opt::separator(template.to_bytes())
            .and_then(|at| CStr::from_bytes_with_nul(&template.to_bytes_with_nul()[at + 1..]).ok())
            .filter(|format| !format.is_empty());
        // SAFETY: the template's author promises that `data + offset` is an int, or what the format says.
        match (param, format) {
            (Some(param), Some(format)) => unsafe { Edge::scan(place, format, param) },
            _ => {
                let value = self.opt(index).map_or(0, |opt| opt.value);
                unsafe { ptr::write_unaligned(place.cast::<c_int>(), value) };
                Ok(())
            }
        }
    }

    fn handle(&mut self, arg: &CStr, key: i32) -> Result<bool, Refused> {
        let Some(proc) = self.proc else { return Ok(true) };
        // SAFETY: the caller's own function with the caller's own data; it may lengthen the list.
        match unsafe { proc(self.data, arg.as_ptr(), key, &mut self.out) } {
            -1 => Err(Refused),
            keep => Ok(keep != 0),
        }
    }

    fn out_len(&self) -> usize {
        usize::try_from(self.out.argc).unwrap_or(0)
    }

    fn out_push(&mut self, arg: &CStr) -> Result<(), Refused> {
        // SAFETY: the list is ours, or what the caller's function left of it.
        unsafe { insert(&mut self.out, None, arg) }
    }

    fn out_insert(&mut self, at: usize, arg: &CStr) -> Result<(), Refused> {
        // SAFETY: the same.
        unsafe { insert(&mut self.out, Some(at), arg) }
    }

    fn out_drop_separator(&mut self) {
        let Some(last) = self.out_len().checked_sub(1) else {
            return;
        };
        // SAFETY: `last` is within the list.
        unsafe {
            let place = self.out.argv.add(last);
            if CStr::from_ptr(*place) == c"--" {
                libc::free((*place).cast());
                *place = ptr::null_mut();
                self.out.argc = last as c_int;
            }
        }
    }
}

/// Matches a list against templates; see the header. Returns 0, or -1 with the list unchanged.
///
/// # Safety
/// `args` is NULL or valid, `opts` NULL or ended by a NULL template, and `data` has what the templates store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_parse(
    args: *mut FuseArgs,
    data: *mut c_void,
    opts: *const FuseOpt,
    proc: OptProc,
) -> c_int {
    // SAFETY: as promised; the strings are only used until the list is replaced.
    let list = match unsafe { strings(args) } {
        Ok(list) if list.is_empty() => return 0,
        Ok(list) => list,
        Err(Refused) => return -1,
    };
    let mut edge = Edge { opts, data, proc, out: EMPTY };
    let result = opt::parse(&list, &mut edge);
    // SAFETY: `args` is not NULL, or the list were empty; `out` is a valid list.
    unsafe {
        match result {
            Ok(()) => {
                free_list(args);
                *args = edge.out;
            }
            Err(Refused) => free_list(&mut edge.out),
        }
    }
    status(result)
}

/// # Safety
/// `opts` is NULL or points to a string from malloc or NULL; `opt` is NULL or a string.
unsafe fn add_to_list(opts: *mut *mut c_char, opt: *const c_char, add: fn(&mut Vec<u8>, &[u8])) -> c_int {
    if opts.is_null() || opt.is_null() {
        return status(Err(refuse("fuse_opt_add_opt", "NULL argument")));
    }
    // SAFETY: as promised, and neither is NULL.
    unsafe {
        let old = *opts;
        let mut list = if old.is_null() { Vec::new() } else { CStr::from_ptr(old).to_bytes().to_vec() };
        add(&mut list, CStr::from_ptr(opt).to_bytes());
        let list: CString = opt::c_string(list);
        let new = libc::strdup(list.as_ptr());
        if new.is_null() {
            return status(Err(refuse("fuse_opt_add_opt", "out of memory")));
        }
        libc::free(old.cast());
        *opts = new;
    }
    0
}

/// Appends to a comma separated list. Returns 0, or -1 without memory.
///
/// # Safety
/// `opts` points to NULL or to a string from malloc, which is replaced; `opt` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_add_opt(opts: *mut *mut c_char, opt: *const c_char) -> c_int {
    // SAFETY: the same promise.
    unsafe { add_to_list(opts, opt, opt::add_opt) }
}

/// As `fuse_opt_add_opt`, with commas and backslashes protected.
///
/// # Safety
/// As for `fuse_opt_add_opt`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_add_opt_escaped(opts: *mut *mut c_char, opt: *const c_char) -> c_int {
    // SAFETY: the same promise.
    unsafe { add_to_list(opts, opt, opt::add_opt_escaped) }
}

/// Appends a copy of `arg` to an allocated or empty list. Returns 0, or -1.
///
/// # Safety
/// `args` is a valid list, `arg` a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_add_arg(args: *mut FuseArgs, arg: *const c_char) -> c_int {
    if args.is_null() || arg.is_null() {
        return status(Err(refuse("fuse_opt_add_arg", "NULL argument")));
    }
    // SAFETY: as promised, and neither is NULL.
    unsafe { status(insert(args, None, CStr::from_ptr(arg))) }
}

/// Puts a copy of `arg` at position `pos` of an allocated or empty list. Returns 0, or -1.
///
/// # Safety
/// `args` is a valid list, `arg` a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_insert_arg(args: *mut FuseArgs, pos: c_int, arg: *const c_char) -> c_int {
    if args.is_null() || arg.is_null() {
        return status(Err(refuse("fuse_opt_insert_arg", "NULL argument")));
    }
    let Ok(at) = usize::try_from(pos) else {
        return status(Err(refuse("fuse_opt_insert_arg", "negative position")));
    };
    // SAFETY: as promised, and neither is NULL.
    unsafe { status(insert(args, Some(at), CStr::from_ptr(arg))) }
}

/// Empties a list, and frees what it owns.
///
/// # Safety
/// `args` is NULL or a valid list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_free_args(args: *mut FuseArgs) {
    if !args.is_null() {
        // SAFETY: as promised.
        unsafe { free_list(args) }
    }
}

/// 1 if an option matches one of the templates, else 0.
///
/// # Safety
/// `opts` is NULL or ended by a NULL template; `opt` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fuse_opt_match(opts: *const FuseOpt, opt: *const c_char) -> c_int {
    if opt.is_null() {
        return 0;
    }
    let edge = Edge { opts, data: ptr::null_mut(), proc: None, out: EMPTY };
    // SAFETY: as promised, and not NULL.
    let opt = unsafe { CStr::from_ptr(opt) }.to_bytes();
    (0..).map_while(|index| edge.template(index)).any(|template| opt::hit(template, opt).is_some()).into()
}
