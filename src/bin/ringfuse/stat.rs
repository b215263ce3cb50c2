// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ringfuse stat`: once, or again and again.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::find::{self, Daemon, Mounted};
use crate::snapshot::Snapshot;
use crate::{show, show_json, usage_error, write_out};

/// A heading is repeated after so many lines.
const PAGE: usize = 20;

struct Wish {
    json: bool,
    every: Option<Duration>,
    point: OsString,
}

pub fn main(arguments: &[OsString]) -> ExitCode {
    let wish = match understand(arguments) {
        Ok(wish) => wish,
        Err(why) => return usage_error(&why),
    };
    let found = find::mounted(&wish.point).and_then(|mount| Ok((find::daemon(&mount)?, mount)));
    let result = found.and_then(|(daemon, mount)| match wish.every {
        None => once(&daemon, &mount, wish.json),
        Some(every) => watch(&daemon, &mount, wish.json, every),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ringfuse stat: {why}");
            ExitCode::FAILURE
        }
    }
}

fn understand(arguments: &[OsString]) -> Result<Wish, String> {
    let (mut json, mut every, mut point) = (false, None, None);
    let mut options = true;
    for argument in arguments {
        match argument.to_str() {
            Some("--json") if options => json = true,
            Some("--watch") if options => every = Some(Duration::from_secs(1)),
            Some("--") if options => options = false,
            Some(text) if options && text.starts_with("--watch=") => every = Some(seconds(&text[8..])?),
            Some(text) if options && text.starts_with('-') => {
                return Err(format!("stat: no such option: {text}"));
            }
            _ if point.is_some() => return Err("stat: one mount point, please".to_owned()),
            _ => point = Some(argument.clone()),
        }
    }
    let point = point.ok_or("stat: of which mount point?")?;
    Ok(Wish { json, every, point })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: Option<f64> = text.parse().ok().filter(|seconds| (0.1..=86400.0).contains(seconds));
    number.map(Duration::from_secs_f64).ok_or_else(|| format!("stat: --watch={text}: 0.1 to 86400 seconds"))
}

fn read(daemon: &Daemon) -> Result<Snapshot, String> {
    Snapshot::read(&daemon.stats)
        .map_err(|why| format!("the statistics of process {}: the file {why}", daemon.process))
}

fn once(daemon: &Daemon, mount: &Mounted, json: bool) -> Result<(), String> {
    let snapshot = read(daemon)?;
    let full = if json { show_json::full } else { show::full };
    write_out(&full(&snapshot, mount, Some(daemon.process))).map_err(|e| e.to_string())
}

/// A line for each interval, until the mount or the reader is gone.
fn watch(daemon: &Daemon, mount: &Mounted, json: bool, every: Duration) -> Result<(), String> {
    let (mut before, mut then) = (read(daemon)?.counts, Instant::now());
    for line in 0usize.. {
        std::thread::sleep(every);
        if !is_there(mount) {
            return Ok(());
        }
        let (snapshot, now) = (read(daemon)?, Instant::now());
        let text = if json {
            show_json::full(&snapshot, mount, Some(daemon.process))
        } else {
            let heading = if line % PAGE == 0 { show::HEADING } else { "" };
            let row = show::row(&snapshot.counts.since(&before), now - then, mount.waiting());
            format!("{heading}{row}")
        };
        if write_out(&text).is_err() {
            return Ok(());
        }
        (before, then) = (snapshot.counts, now);
    }
    Ok(())
}

/// Whether it is still the mount that it was; the file of statistics alone outlives it.
fn is_there(mount: &Mounted) -> bool {
    let point: &OsStr = &mount.point;
    find::mounted(point).is_ok_and(|now| now == *mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(list: &[&str]) -> Result<Wish, String> {
        understand(&list.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn command_lines() {
        let plain = wish(&["/mnt"]).ok().unwrap();
        assert!(!plain.json && plain.every.is_none() && plain.point == "/mnt");
        let both = wish(&["--watch=0.5", "/mnt", "--json"]).ok().unwrap();
        assert!(both.json && both.every == Some(Duration::from_millis(500)));
        assert_eq!(wish(&["--", "--json"]).ok().unwrap().point, "--json");
        for bad in [
            &[][..],
            &["a", "b"],
            &["--nope", "a"],
            &["--watch=0", "a"],
            &["--watch=x", "a"],
            &["--watch=NaN", "a"],
        ] {
            assert!(wish(bad).is_err(), "{bad:?}");
        }
    }
}
