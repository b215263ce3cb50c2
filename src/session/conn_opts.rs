// SPDX-License-Identifier: MIT OR Apache-2.0
//! Options with which the user of a filesystem changes its connection (since 3.0). They are no stage of the chain: a
//! filesystem that offers them asks for them. Plain numbers, that a C program may keep and give to free(3).

use std::ffi::CStr;

use crate::opt::{Act, Args, Refused, Spec};
use crate::session::init::cap;

/// A number, if one was given.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Number {
    given: u32,
    value: u32,
}

impl Number {
    fn set(&mut self, value: u32) {
        *self = Number { given: 1, value };
    }

    pub fn get(self) -> Option<u32> {
        (self.given != 0).then_some(self.value)
    }
}

/// What was asked for.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct ConnInfoOpts {
    pub max_write: Number,
    pub max_readahead: Number,
    pub max_background: Number,
    pub congestion_threshold: Number,
    pub time_gran: Number,
    /// Capabilities to turn on, where there are such, and then those to turn off.
    pub on: u64,
    pub off: u64,
}

type O = ConnInfoOpts;

const fn number(template: &'static str, with: fn(&mut O, u32)) -> Spec<O> {
    Spec::new(template, Act::Unsigned(with))
}

const fn set(template: &'static str, with: fn(&mut O)) -> Spec<O> {
    Spec::new(template, Act::Set(with))
}

const SPECS: &[Spec<O>] = &[
    number("max_write=", |o, n| o.max_write.set(n)),
    number("max_readahead=", |o, n| o.max_readahead.set(n)),
    number("max_background=", |o, n| o.max_background.set(n)),
    number("congestion_threshold=", |o, n| o.congestion_threshold.set(n)),
    number("time_gran=", |o, n| o.time_gran.set(n)),
    set("async_read", |o| o.on |= cap::ASYNC_READ),
    set("sync_read", |o| o.off |= cap::ASYNC_READ),
    // In force anyway, and libfuse lets nobody turn it off here either.
    set("atomic_o_trunc", |_| ()),
    set("no_remote_lock", |o| o.off |= cap::POSIX_LOCKS | cap::FLOCK_LOCKS),
    set("no_remote_flock", |o| o.off |= cap::FLOCK_LOCKS),
    set("no_remote_posix_lock", |o| o.off |= cap::POSIX_LOCKS),
    set("splice_write", |o| o.on |= cap::SPLICE_WRITE),
    set("no_splice_write", |o| o.off |= cap::SPLICE_WRITE),
    set("splice_move", |o| o.on |= cap::SPLICE_MOVE),
    set("no_splice_move", |o| o.off |= cap::SPLICE_MOVE),
    set("splice_read", |o| o.on |= cap::SPLICE_READ),
    set("no_splice_read", |o| o.off |= cap::SPLICE_READ),
    set("auto_inval_data", |o| o.on |= cap::AUTO_INVAL_DATA),
    set("no_auto_inval_data", |o| o.off |= cap::AUTO_INVAL_DATA),
    set("async_dio", |o| o.on |= cap::ASYNC_DIO),
    set("no_async_dio", |o| o.off |= cap::ASYNC_DIO),
    set("writeback_cache", |o| o.on |= cap::WRITEBACK_CACHE),
    set("no_writeback_cache", |o| o.off |= cap::WRITEBACK_CACHE),
    set("readdirplus=no", |o| o.off |= cap::READDIRPLUS),
    set("readdirplus=yes", |o| {
        o.off &= !cap::READDIRPLUS;
        o.off |= cap::READDIRPLUS_AUTO;
    }),
    set("readdirplus=auto", |o| o.off &= !(cap::READDIRPLUS | cap::READDIRPLUS_AUTO)),
];

/// Takes the known options out of `args`; what is wrong has been logged.
pub fn parse(args: &mut Args) -> Result<ConnInfoOpts, Refused> {
    let mut opts = ConnInfoOpts::default();
    args.parse(&mut opts, SPECS, &mut |_, _: &CStr, _, _| Ok(true))?;
    Ok(opts)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    fn run(list: &[&str]) -> (Result<ConnInfoOpts, Refused>, String) {
        let mut args: Args =
            std::iter::once("prog").chain(list.iter().copied()).map(|s| CString::new(s).unwrap()).collect();
        let result = parse(&mut args);
        let left = args.iter().skip(1).map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
        (result, left)
    }

    #[test]
    fn known_options_leave_the_list() {
        let (opts, left) =
            run(&["-omax_write=7,fsname=x", "mnt", "-o", "time_gran=0,no_async_dio,max_read=3"]);
        let opts = opts.unwrap();
        assert_eq!(
            (opts.max_write.get(), opts.time_gran.get(), opts.max_background.get()),
            (Some(7), Some(0), None)
        );
        assert_eq!((opts.on, opts.off), (0, cap::ASYNC_DIO));
        assert_eq!(left, "-o fsname=x,max_read=3 mnt");
        assert_eq!(run(&["-omax_write=x"]).0, Err(Refused));
    }

    #[test]
    fn the_last_word_on_readdirplus() {
        let off = |list: &[&str]| run(list).0.unwrap().off;
        let (plus, auto) = (cap::READDIRPLUS, cap::READDIRPLUS_AUTO);
        assert_eq!(off(&["-oreaddirplus=no"]), plus);
        assert_eq!(off(&["-oreaddirplus=yes"]), auto);
        assert_eq!(off(&["-oreaddirplus=no,readdirplus=yes"]), auto);
        assert_eq!(off(&["-oreaddirplus=yes,readdirplus=no"]), plus | auto);
        assert_eq!(off(&["-oreaddirplus=yes,readdirplus=auto"]), 0);
        assert_eq!(run(&["-oreaddirplus=maybe"]).1, "-o readdirplus=maybe");
    }
}
