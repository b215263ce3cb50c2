// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `ringfuse` command: would a mount use the ring here (`check`), start a program on this library (`run`), what is
//! a mount doing (`stat`).
//!
//! Nothing here is part of the library. What the two have in common, the layout of the statistics and the names of the
//! opcodes, is included as source.
#![forbid(unsafe_code)]

mod check;
mod elf;
mod facts;
mod find;
#[path = "../../stats/layout.rs"]
#[allow(dead_code)] // the library's half
mod layout;
#[path = "../../wire/opcode.rs"]
#[allow(dead_code)] // only the names are wanted
mod opcode;
mod run;
mod show;
mod show_json;
mod snapshot;
mod stat;

use std::ffi::OsString;
use std::process::ExitCode;

/// A command line that makes no sense, as in sysexits.h.
const USAGE_ERROR: u8 = 64;

const USAGE: &str = "\
usage: ringfuse check
       ringfuse run [--force] PROGRAM [ARGUMENT]...
       ringfuse stat [--json] [--watch[=SECONDS]] MOUNTPOINT

check   says whether a mount would use FUSE over io_uring on this system, and how to get what is
        missing; the exit status is 0 if it would, 1 if it would use /dev/fuse, 2 if nothing can be mounted
run     starts a program that was linked to libfuse3.so.4 with ringfuse's library in front
stat    shows what a mount that ringfuse serves is doing; for root and the owner of its daemon
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match command.to_str() {
        Some("check") if rest.is_empty() => check::main(),
        Some("run") => run::main(&rest),
        Some("stat") => stat::main(&rest),
        Some("-h" | "--help" | "help") => say(USAGE),
        Some("-V" | "--version") => say(concat!("ringfuse ", env!("CARGO_PKG_VERSION"), "\n")),
        _ => usage_error("which command?"),
    }
}

fn say(text: &str) -> ExitCode {
    match write_out(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes to stdout; a reader that has gone is no reason to panic.
fn write_out(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn usage_error(what: &str) -> ExitCode {
    eprint!("ringfuse: {what}\n{USAGE}");
    ExitCode::from(USAGE_ERROR)
}
