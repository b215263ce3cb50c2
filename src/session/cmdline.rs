// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first stage of the options: what `fuse_parse_cmdline` takes out of a program's arguments (since 3.0;
//! `max_threads` since 3.12). Everything here is owned; the C edge turns the mount point into malloc'ed memory.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::errno::Errno;
use crate::log::error;
use crate::mount;
use crate::opt::{self, Act, Args, KEY_NONOPT, Refused, Spec};

/// What the command line says to the program, as in `struct fuse_cmdline_opts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CmdlineOpts {
    pub singlethread: bool,
    pub foreground: bool,
    pub debug: bool,
    pub nodefault_subtype: bool,
    pub mountpoint: Option<CString>,
    pub show_version: bool,
    pub show_help: bool,
    pub clone_fd: bool,
    pub max_idle_threads: u32,
    pub max_threads: u32,
}

impl Default for CmdlineOpts {
    fn default() -> CmdlineOpts {
        CmdlineOpts {
            singlethread: false,
            foreground: false,
            debug: false,
            nodefault_subtype: false,
            mountpoint: None,
            show_version: false,
            show_help: false,
            clone_fd: false,
            max_idle_threads: u32::MAX,
            max_threads: 10,
        }
    }
}

const fn set(template: &'static str, with: fn(&mut CmdlineOpts)) -> Spec<CmdlineOpts> {
    Spec::new(template, Act::Set(with))
}

const fn stays(template: &'static str) -> Spec<CmdlineOpts> {
    Spec::new(template, Act::Key(opt::KEY_KEEP))
}

const SPECS: &[Spec<CmdlineOpts>] = &[
    set("-h", |o| o.show_help = true),
    set("--help", |o| o.show_help = true),
    set("-V", |o| o.show_version = true),
    set("--version", |o| o.show_version = true),
    set("-d", debug),
    stays("-d"),
    set("debug", debug),
    stays("debug"),
    set("-f", |o| o.foreground = true),
    set("-s", |o| o.singlethread = true),
    set("fsname=", |o| o.nodefault_subtype = true),
    stays("fsname="),
    set("subtype=", |o| o.nodefault_subtype = true),
    stays("subtype="),
    set("clone_fd", |o| o.clone_fd = true),
    Spec::new("max_idle_threads=", Act::Unsigned(|o, n| o.max_idle_threads = n)),
    Spec::new("max_threads=", Act::Unsigned(|o, n| o.max_threads = n)),
];

fn debug(opts: &mut CmdlineOpts) {
    opts.debug = true;
    opts.foreground = true;
}

/// Takes the known options out of `args`. On an error, which has been logged, `opts` holds what was read until then.
pub fn parse(args: &mut Args, opts: &mut CmdlineOpts) -> Result<(), Refused> {
    *opts = CmdlineOpts::default();
    args.parse(opts, SPECS, &mut |opts, arg, key, _| match key {
        KEY_NONOPT => take_mountpoint(opts, arg).map(|()| false),
        _ => Ok(true),
    })?;
    if !opts.nodefault_subtype {
        add_default_subtype(args);
    }
    Ok(())
}

fn take_mountpoint(opts: &mut CmdlineOpts, arg: &CStr) -> Result<(), Refused> {
    if opts.mountpoint.is_some() {
        error!("fuse: invalid argument `{}'", arg.to_string_lossy());
        return Err(Refused);
    }
    opts.mountpoint = Some(absolute(arg).map_err(|e| {
        error!("fuse: bad mount point `{}': {e}", arg.to_string_lossy());
        Refused
    })?);
    Ok(())
}

/// The path as it will still be right after `chdir("/")`; one that names a descriptor stays as it is.
fn absolute(path: &CStr) -> Result<CString, Errno> {
    if mount::device_number(path).is_some() {
        return Ok(path.to_owned());
    }
    let path = std::fs::canonicalize(OsStr::from_bytes(path.to_bytes()))?;
    Ok(opt::c_string(path.into_os_string().into_vec()))
}

/// A mount without a name carries that of its program. Its commas are protected, which libfuse does not do.
fn add_default_subtype(args: &mut Args) {
    let Some(program) = args.get(0) else { return };
    let program = program.to_bytes();
    // A path that ends in a slash keeps it: the text behind the last one that has something behind it.
    let name = match program.iter().rposition(|&c| c == b'/') {
        Some(slash) if slash + 1 < program.len() => &program[slash + 1..],
        Some(slash) => &program[slash..],
        None => program,
    };
    let mut list = b"-osubtype=".to_vec();
    let mut escaped = Vec::new();
    opt::add_opt_escaped(&mut escaped, name);
    list.append(&mut escaped);
    args.push(opt::c_string(list));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(list: &[&str]) -> Args {
        std::iter::once("prog").chain(list.iter().copied()).map(|s| CString::new(s).unwrap()).collect()
    }

    fn run(list: &[&str]) -> (Result<(), Refused>, CmdlineOpts, String) {
        let mut args = args(list);
        let mut opts = CmdlineOpts::default();
        let result = parse(&mut args, &mut opts);
        let left = args.iter().skip(1).map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
        (result, opts, left)
    }

    #[test]
    fn each_option_has_its_effect_and_leaves_or_stays() {
        type Check = fn(&CmdlineOpts) -> bool;
        let table: &[(&[&str], Check, &str)] = &[
            (&[], |o| *o == CmdlineOpts::default(), "-osubtype=prog"),
            (&["-h"], |o| o.show_help, "-osubtype=prog"),
            (&["--help"], |o| o.show_help, "-osubtype=prog"),
            (&["-V"], |o| o.show_version, "-osubtype=prog"),
            (&["--version"], |o| o.show_version, "-osubtype=prog"),
            (&["-d"], |o| o.debug && o.foreground, "-d -osubtype=prog"),
            (&["-o", "debug"], |o| o.debug && o.foreground, "-o debug -osubtype=prog"),
            (&["-f"], |o| o.foreground && !o.debug, "-osubtype=prog"),
            (&["-s"], |o| o.singlethread, "-osubtype=prog"),
            (&["-ofsname=a"], |o| o.nodefault_subtype, "-o fsname=a"),
            (&["-osubtype=b"], |o| o.nodefault_subtype, "-o subtype=b"),
            (&["-oclone_fd"], |o| o.clone_fd, "-osubtype=prog"),
            (&["-omax_threads=3x"], |o| o.max_threads == 3, "-osubtype=prog"),
            (&["-omax_idle_threads=-1"], |o| o.max_idle_threads == u32::MAX, "-osubtype=prog"),
            (&["-ounknown,ro", "-x"], |o| *o == CmdlineOpts::default(), "-o unknown,ro -x -osubtype=prog"),
            (&["/"], |o| o.mountpoint.as_deref() == Some(c"/"), "-osubtype=prog"),
            (&["--", "/"], |o| o.mountpoint.as_deref() == Some(c"/"), "-osubtype=prog"),
            (&["/dev/fd/77"], |o| o.mountpoint.as_deref() == Some(c"/dev/fd/77"), "-osubtype=prog"),
        ];
        for (list, check, left) in table {
            let (result, opts, rest) = run(list);
            assert_eq!(result, Ok(()), "{list:?}");
            assert!(check(&opts), "{list:?}: {opts:?}");
            assert_eq!(rest, *left, "{list:?}");
        }
    }

    #[test]
    fn refuses_what_libfuse_refuses() {
        for list in [&["/", "/"][..], &["/nowhere/at/all"], &[""], &["-omax_threads=x"], &["/dev/fd/3x"]] {
            let (result, _, left) = run(list);
            assert_eq!(result, Err(Refused), "{list:?}");
            assert_eq!(left, list.join(" "));
        }
    }

    #[test]
    fn names_the_program() {
        for (program, subtype) in
            [("/a/b", "b"), ("b", "b"), ("a/b/", "/"), ("", ""), ("a,b", "a\\,b"), ("/x/y\\z", "y\\\\z")]
        {
            let mut args: Args = [CString::new(program).unwrap()].into_iter().collect();
            assert_eq!(parse(&mut args, &mut CmdlineOpts::default()), Ok(()));
            assert_eq!(args.get(1).unwrap().to_str(), Ok(&*format!("-osubtype={subtype}")));
        }
    }
}
