// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statistics for people.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::find::Mounted;
use crate::layout::{role, transport};
use crate::opcode::Opcode;
use crate::snapshot::{Counts, Snapshot, Times, printable};

/// Queues are listed one by one up to this number.
const FEW_QUEUES: usize = 16;
const WIDTH: usize = 96;

pub const HEADING: &str = "\
requests/s  waiting   handler 50 %      99 %   until reply 50 %      99 %   spins/s  paid  wake-ups/s  foreign/s
";

/// What one interval brought.
pub fn row(counts: &Counts, time: Duration, waiting: Option<u64>) -> String {
    let per_second = |number: u64| format!("{:.0}", number as f64 / time.as_secs_f64());
    format!(
        "{:>10} {:>8} {:>14} {:>9} {:>18} {:>9} {:>9} {:>5} {:>11} {:>10}\n",
        per_second(counts.requests()),
        waiting.map_or("?".to_owned(), |waiting| waiting.to_string()),
        within(&counts.handler, 5000),
        within(&counts.handler, 9900),
        within(&counts.total, 5000),
        within(&counts.total, 9900),
        per_second(counts.spins),
        percent(counts.rewarded, counts.spins),
        per_second(counts.wakeups),
        per_second(counts.foreign)
    )
}

/// Everything.
pub fn full(snapshot: &Snapshot, mount: &Mounted, process: Option<u32>) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: String| {
        let _ = writeln!(out, "{label:<14} {text}");
    };
    let counts = &snapshot.counts;
    line("mount", format!("{}, {}", printable(mount.point.as_bytes()), printable(mount.kind.as_bytes())));
    if let Some(process) = process {
        line("daemon", format!("process {process} ({}), since {} s", name_of(process), age(snapshot)));
    }
    line("transport", transport_of(snapshot));
    line("threads", threads(snapshot));
    line("requests", counts.requests().to_string());
    for row in wrap(&operations(counts)) {
        line("", row);
    }
    if let Some(waiting) = mount.waiting() {
        line("unanswered", format!("{waiting}, says the kernel"));
    }
    for (number, row) in queues(snapshot).into_iter().enumerate() {
        line(if number == 0 { "queues" } else { "" }, row);
    }
    line("handlers took", percentiles(&counts.handler));
    line("until reply", percentiles(&counts.total));
    let paid = percent(counts.rewarded, counts.spins);
    line("spins", format!("{} of up to {} us; {paid} found a request", counts.spins, snapshot.spin_us));
    line(
        "wake-ups",
        format!("{} of threads that serve, {} of the keeper", counts.wakeups, counts.keeper_wakeups),
    );
    if counts.batches > 0 {
        let mean = counts.batched as f64 / counts.batches as f64;
        line("at a time", format!("{mean:.2} requests from the ring, {} at most", counts.largest_batch));
    }
    line(
        "foreign",
        format!("{} replies, {} handed to another thread of ours", counts.foreign, counts.handed_over),
    );
    line("interrupts", counts.interrupts.to_string());
    out
}

fn transport_of(snapshot: &Snapshot) -> String {
    let single = if snapshot.transport & transport::SINGLE != 0 { ", one thread for all" } else { "" };
    match snapshot.transport & !transport::SINGLE {
        transport::RING => format!(
            "io_uring, {} queues, {} bytes of payload per entry{single}",
            snapshot.queues.len(),
            snapshot.payload
        ),
        transport::DEVICE if snapshot.reason.is_empty() => format!("/dev/fuse{single}"),
        transport::DEVICE => format!("/dev/fuse ({}){single}", snapshot.reason),
        _ => "none yet: the kernel's INIT has not been answered".to_owned(),
    }
}

fn threads(snapshot: &Snapshot) -> String {
    let count = |role| snapshot.threads.iter().filter(|thread| thread.role == role).count();
    let mut text = format!("{}:", snapshot.threads.len());
    for (role, what) in [
        (role::WORKER, "for the ring"),
        (role::DEVICE, "for /dev/fuse"),
        (role::LOOP, "that called the loop"),
        (role::KEEPER, "keeper"),
    ] {
        match count(role) {
            0 => (),
            number => {
                let comma = if text.ends_with(':') { "" } else { "," };
                text += &format!("{comma} {number} {what}");
            }
        }
    }
    let busy: Vec<&str> =
        snapshot.threads.iter().filter(|t| t.serving != 0).map(|t| Opcode(t.serving).name()).collect();
    text += &format!("; {} of at most {} handlers run", busy.len(), snapshot.max_threads);
    if !busy.is_empty() {
        let more = if busy.len() > 8 { ", ..." } else { "" };
        text += &format!(": {}{more}", busy[..busy.len().min(8)].join(", "));
    }
    text
}

/// Operations and their numbers, most frequent first.
fn operations(counts: &Counts) -> Vec<String> {
    let mut list: Vec<(usize, u64)> =
        counts.operations.iter().copied().enumerate().filter(|&(_, n)| n > 0).collect();
    list.sort_by_key(|&(_, number)| std::cmp::Reverse(number));
    list.iter().map(|&(opcode, number)| format!("{} {number}", operation(opcode))).collect()
}

/// How an operation is called here.
pub fn operation(opcode: usize) -> &'static str {
    match Opcode(opcode as u32).name() {
        "???" => "OTHER",
        name => name,
    }
}

fn wrap(words: &[String]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in words {
        match rows.last_mut() {
            Some(row) if row.len() + word.len() < WIDTH => *row += &format!("  {word}"),
            _ => rows.push(word.clone()),
        }
    }
    rows
}

fn queues(snapshot: &Snapshot) -> Vec<String> {
    if snapshot.transport & !transport::SINGLE != transport::RING {
        return Vec::new();
    }
    let say = |queue: &crate::snapshot::Queue| {
        let entries = if queue.entries == 1 { "entry" } else { "entries" };
        format!("{} {entries}, {} with a request, {} wait for one", queue.entries, queue.busy(), queue.armed)
    };
    let sum = snapshot.queues.iter().fold(crate::snapshot::Queue { armed: 0, entries: 0 }, |sum, queue| {
        let join = u64::saturating_add;
        crate::snapshot::Queue {
            armed: join(sum.armed, queue.armed),
            entries: join(sum.entries, queue.entries),
        }
    });
    let mut rows = vec![say(&sum)];
    if (2..=FEW_QUEUES).contains(&snapshot.queues.len()) {
        rows.extend(
            snapshot.queues.iter().enumerate().map(|(cpu, queue)| format!("CPU {cpu}: {}", say(queue))),
        );
    }
    rows
}

fn percentiles(times: &Times) -> String {
    let count = times.count();
    if count == 0 {
        return "not known: no request was timed yet".to_owned();
    }
    let points = [(5000, "50 %"), (9000, "90 %"), (9900, "99 %"), (9990, "99.9 %"), (10_000, "all")];
    let list: Vec<String> =
        points.iter().map(|&(at, name)| format!("{name} {}", within(times, at))).collect();
    format!("at most: {} ({count} timed)", list.join(", "))
}

fn within(times: &Times, of_ten_thousand: u64) -> String {
    match (times.count(), times.within(of_ten_thousand)) {
        (0, _) => "-".to_owned(),
        (_, None) => "> 30 s".to_owned(),
        (_, Some(nanos)) => time(nanos),
    }
}

fn time(nanos: u64) -> String {
    let number = nanos as f64;
    match nanos {
        0..10_000 => format!("{:.1} us", number / 1e3),
        10_000..1_000_000 => format!("{:.0} us", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", number / 1e6),
        _ => format!("{:.1} s", number / 1e9),
    }
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{:.0} %", part as f64 * 100.0 / whole as f64),
    }
}

/// What a process is called.
pub fn name_of(process: u32) -> String {
    let name = std::fs::read(format!("/proc/{process}/comm")).unwrap_or_default();
    printable(name.trim_ascii_end())
}

/// How many seconds ago the session began.
pub fn age(snapshot: &Snapshot) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs().saturating_sub(snapshot.started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let cases =
            [(0, "0.0 us"), (4096, "4.1 us"), (10_240, "10 us"), (1_310_720, "1.3 ms"), (1 << 32, "4.3 s")];
        for (nanos, text) in cases {
            assert_eq!(time(nanos), text);
        }
        assert_eq!((percent(1, 3), percent(0, 0)), ("33 %".to_owned(), "-".to_owned()));
        assert_eq!((operation(15), operation(0)), ("READ", "OTHER"));
        let words = vec!["w".repeat(50), "x".repeat(50), "y".to_owned()];
        assert_eq!(wrap(&words).len(), 2);
    }
}
