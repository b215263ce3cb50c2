// SPDX-License-Identifier: MIT OR Apache-2.0
//! The third stage of the options: what `fuse_session_new` knows, and which transport is asked for. The environment
//! gives defaults, the options have the last word. Nothing here refers to the list once it is parsed.

use std::env;
use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::log::{error, warning};
use crate::opt::{self, Act, Args, Refused, Spec};

/// Whether the session may, must not or must use the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UringChoice {
    /// Use it when the kernel offers it.
    #[default]
    Auto,
    Off,
    /// A session without it is an error.
    Require,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    pub debug: bool,
    /// Only root and the daemon's user may use the mount, although the kernel lets everybody in.
    pub allow_root: bool,
    pub uring: UringChoice,
    /// Entries per queue, never 0; None leaves it to the transport.
    pub q_depth: Option<u32>,
    /// How long to look for the next request before sleeping, in microseconds; None leaves it to the transport.
    pub spin_us: Option<u32>,
    /// Requests that one thread may have before it; None leaves it to the transport.
    pub batch: Option<u32>,
    /// Count for `ringfuse stat`.
    pub stats: bool,
}

impl Default for SessionOptions {
    fn default() -> SessionOptions {
        SessionOptions {
            debug: false,
            allow_root: false,
            uring: UringChoice::default(),
            q_depth: None,
            spin_us: None,
            batch: None,
            stats: true,
        }
    }
}

const KEY_ALLOW_ROOT: i32 = 0;
const KEY_URING: i32 = 1;
const KEY_DEPTH: i32 = 2;
const KEY_SPIN: i32 = 3;
const KEY_BATCH: i32 = 4;

/// Longer would only take CPU time from others.
const LONGEST_SPIN_US: u32 = 1000;
/// More gains nothing.
const LARGEST_BATCH: u32 = 64;

const SPECS: &[Spec<SessionOptions>] = &[
    Spec::new("-d", Act::Set(|o| o.debug = true)),
    Spec::new("--debug", Act::Set(|o| o.debug = true)),
    Spec::new("debug", Act::Set(|o| o.debug = true)),
    Spec::new("allow_root", Act::Key(KEY_ALLOW_ROOT)),
    Spec::new("io_uring", Act::Set(allow_uring)),
    Spec::new("no_io_uring", Act::Set(|o| o.uring = UringChoice::Off)),
    Spec::new("io_uring=", Act::Key(KEY_URING)),
    Spec::new("io_uring_q_depth=", Act::Key(KEY_DEPTH)),
    Spec::new("io_uring_spin_us=", Act::Key(KEY_SPIN)),
    Spec::new("io_uring_batch=", Act::Key(KEY_BATCH)),
];

fn allow_uring(options: &mut SessionOptions) {
    if options.uring == UringChoice::Off {
        options.uring = UringChoice::Auto;
    }
}

/// Takes the known options out of `args`; errors have been logged.
pub fn parse(args: &mut Args) -> Result<SessionOptions, Refused> {
    parse_with(args, |name| env::var_os(name))
}

fn parse_with(args: &mut Args, env: impl Fn(&str) -> Option<OsString>) -> Result<SessionOptions, Refused> {
    let mut options = defaults(env);
    args.parse(&mut options, SPECS, &mut take)?;
    Ok(options)
}

fn defaults(env: impl Fn(&str) -> Option<OsString>) -> SessionOptions {
    let number = |name: &str| {
        let value = env(name)?;
        let number = opt::integer(value.as_bytes());
        if number.is_none() {
            warning!("fuse: {name} is not a number, ignored: `{}'", value.to_string_lossy());
        }
        number
    };
    let mut options = SessionOptions::default();
    if number("FUSE_URING_ENABLE") == Some(0) {
        options.uring = UringChoice::Off;
    }
    options.stats = number("FUSE_STATS") != Some(0);
    if let Some(depth) = number("FUSE_URING_QUEUE_DEPTH") {
        options.q_depth = depth_of(depth);
        if options.q_depth.is_none() {
            warning!("fuse: FUSE_URING_QUEUE_DEPTH is out of range, ignored: `{depth}'");
        }
    }
    if let Some(spin) = number("FUSE_URING_SPIN_US") {
        options.spin_us = spin_of(spin);
        if options.spin_us.is_none() {
            warning!("fuse: FUSE_URING_SPIN_US is out of range, ignored: `{spin}'");
        }
    }
    if let Some(batch) = number("FUSE_URING_BATCH") {
        options.batch = batch_of(batch);
        if options.batch.is_none() {
            warning!("fuse: FUSE_URING_BATCH is out of range, ignored: `{batch}'");
        }
    }
    options
}

fn take(options: &mut SessionOptions, arg: &CStr, key: i32, out: &mut Args) -> Result<bool, Refused> {
    match key {
        KEY_ALLOW_ROOT => {
            options.allow_root = true;
            // In front, where no `--` can hide it from the mount layer.
            out.insert(1, c"-oallow_other".to_owned());
        }
        KEY_URING => match value(arg) {
            b"require" => options.uring = UringChoice::Require,
            _ => return Err(bad(arg, "only `require' is possible")),
        },
        KEY_DEPTH => {
            let depth = opt::integer(value(arg)).and_then(depth_of);
            options.q_depth = Some(depth.ok_or_else(|| bad(arg, "a number from 1 to 65535 is needed"))?);
        }
        KEY_SPIN => {
            let spin = opt::integer(value(arg)).and_then(spin_of);
            options.spin_us = Some(spin.ok_or_else(|| bad(arg, "a number from 0 to 1000 is needed"))?);
        }
        KEY_BATCH => {
            let batch = opt::integer(value(arg)).and_then(batch_of);
            options.batch = Some(batch.ok_or_else(|| bad(arg, "a number from 1 to 64 is needed"))?);
        }
        _ => return Ok(true),
    }
    Ok(false)
}

fn spin_of(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|&spin| spin <= LONGEST_SPIN_US)
}

fn batch_of(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|batch| (1..=LARGEST_BATCH).contains(batch))
}

fn depth_of(number: i64) -> Option<u32> {
    u16::try_from(number).ok().filter(|&depth| depth > 0).map(u32::from)
}

fn value(arg: &CStr) -> &[u8] {
    let arg = arg.to_bytes();
    arg.iter().position(|&c| c == b'=').map_or(b"", |at| &arg[at + 1..])
}

fn bad(arg: &CStr, needed: &str) -> Refused {
    error!("fuse: invalid parameter in option `{}': {needed}", arg.to_string_lossy());
    Refused
}

/// After the last stage only the program's name may be left; anything else is named in the log.
pub fn refuse_leftovers(args: &Args) -> Result<(), Refused> {
    let left: Vec<_> = args.iter().skip(1).map(CStr::to_string_lossy).collect();
    if left.is_empty() {
        return Ok(());
    }
    error!("fuse: unknown option(s): `{}'", left.join(" "));
    Err(Refused)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    type Env = &'static [(&'static str, &'static str)];
    type Outcome = Result<Option<u32>, Refused>;

    fn run(list: &[&str], env: Env) -> (Result<SessionOptions, Refused>, String) {
        let mut args: Args =
            std::iter::once("prog").chain(list.iter().copied()).map(|s| CString::new(s).unwrap()).collect();
        let result = parse_with(&mut args, |name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        });
        let left = args.iter().skip(1).map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
        (result, left)
    }

    #[test]
    fn transport_choice() {
        use UringChoice::*;
        let off: Env = &[("FUSE_URING_ENABLE", "0")];
        let on: Env = &[("FUSE_URING_ENABLE", "1")];
        let table: &[(&[&str], Env, UringChoice)] = &[
            (&[], &[], Auto),
            (&["-oio_uring"], &[], Auto),
            (&["-ono_io_uring"], &[], Off),
            (&["-oio_uring=require"], &[], Require),
            (&["-oio_uring=require,io_uring"], &[], Require),
            (&["-oio_uring,no_io_uring"], &[], Off),
            (&[], off, Off),
            (&[], on, Auto),
            (&[], &[("FUSE_URING_ENABLE", "yes")], Auto),
            (&["-oio_uring"], off, Auto),
            (&["-oio_uring=require"], off, Require),
            (&["-ono_io_uring"], on, Off),
        ];
        for (list, env, choice) in table {
            let (result, left) = run(list, env);
            assert_eq!(result.map(|o| o.uring), Ok(*choice), "{list:?} {env:?}");
            assert_eq!(left, "");
        }
    }

    #[test]
    fn queue_depth() {
        let env: Env = &[("FUSE_URING_QUEUE_DEPTH", "4")];
        type Row = (&'static [&'static str], Env, Result<Option<u32>, Refused>);
        let table: &[Row] = &[
            (&[], &[], Ok(None)),
            (&[], env, Ok(Some(4))),
            (&["-oio_uring_q_depth=16x"], env, Ok(Some(16))),
            (&[], &[("FUSE_URING_QUEUE_DEPTH", "0")], Ok(None)),
            (&["-oio_uring_q_depth=0"], &[], Err(Refused)),
            (&["-oio_uring_q_depth=-1"], &[], Err(Refused)),
            (&["-oio_uring_q_depth="], &[], Err(Refused)),
        ];
        for (list, env, depth) in table {
            assert_eq!(run(list, env).0.map(|o| o.q_depth), *depth, "{list:?} {env:?}");
        }
    }

    #[test]
    fn statistics() {
        let table: &[(Env, bool)] = &[
            (&[], true),
            (&[("FUSE_STATS", "0")], false),
            (&[("FUSE_STATS", "1")], true),
            (&[("FUSE_STATS", "x")], true),
        ];
        for (env, stats) in table {
            assert_eq!(run(&[], env).0.map(|o| o.stats), Ok(*stats), "{env:?}");
        }
    }

    #[test]
    fn batch() {
        let env: Env = &[("FUSE_URING_BATCH", "4")];
        let wrong: Env = &[("FUSE_URING_BATCH", "0")];
        let table: &[(&[&str], Env, Outcome)] = &[
            (&[], &[], Ok(None)),
            (&[], env, Ok(Some(4))),
            (&[], wrong, Ok(None)),
            (&["-oio_uring_batch=8"], env, Ok(Some(8))),
            (&["-oio_uring_batch=0"], &[], Err(Refused)),
            (&["-oio_uring_batch=65"], &[], Err(Refused)),
            (&["-oio_uring_batch=few"], &[], Err(Refused)),
        ];
        for (list, env, batch) in table {
            assert_eq!(run(list, env).0.map(|o| o.batch), *batch, "{list:?} {env:?}");
        }
    }

    #[test]
    fn spin_time() {
        let env: Env = &[("FUSE_URING_SPIN_US", "20")];
        type Row = (&'static [&'static str], Env, Result<Option<u32>, Refused>);
        let table: &[Row] = &[
            (&[], &[], Ok(None)),
            (&[], env, Ok(Some(20))),
            (&["-oio_uring_spin_us=0"], env, Ok(Some(0))),
            (&["-oio_uring_spin_us=1000"], &[], Ok(Some(1000))),
            (&[], &[("FUSE_URING_SPIN_US", "1001")], Ok(None)),
            (&["-oio_uring_spin_us=1001"], &[], Err(Refused)),
            (&["-oio_uring_spin_us=-1"], &[], Err(Refused)),
            (&["-oio_uring_spin_us=much"], &[], Err(Refused)),
        ];
        for (list, env, spin) in table {
            assert_eq!(run(list, env).0.map(|o| o.spin_us), *spin, "{list:?} {env:?}");
        }
    }

    #[test]
    fn debug_and_allow_root() {
        for debug in ["-d", "--debug", "-odebug"] {
            assert_eq!(run(&[debug], &[]).0.map(|o| o.debug), Ok(true));
        }
        let (result, left) = run(&["-oallow_root,ro", "-x", "--", "y"], &[]);
        assert_eq!(result.map(|o| o.allow_root), Ok(true));
        assert_eq!(left, "-o ro -oallow_other -x -- y");
        assert_eq!(run(&["-oio_uring=on"], &[]).0, Err(Refused));
    }

    #[test]
    fn leftovers_are_refused() {
        let of = |list: &[&str]| list.iter().map(|s| CString::new(*s).unwrap()).collect::<Args>();
        assert_eq!(refuse_leftovers(&of(&["prog"])), Ok(()));
        assert_eq!(refuse_leftovers(&of(&[])), Ok(()));
        assert_eq!(refuse_leftovers(&of(&["prog", "-o", "foo"])), Err(Refused));
    }
}
