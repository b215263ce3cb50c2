// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statistics for programs: one line of JSON.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use crate::find::Mounted;
use crate::layout::{role, transport};
use crate::show::{age, name_of, operation};
use crate::snapshot::{Counts, Snapshot, Times};

/// An object under construction.
struct Object(String);

impl Object {
    fn new() -> Object {
        Object("{".to_owned())
    }

    fn raw(&mut self, key: &str, value: impl std::fmt::Display) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}{}:{value}", quoted(key));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, quoted(value));
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        self.raw(key, value.map_or("null".to_owned(), |value| value.to_string()));
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Everything.
pub fn full(snapshot: &Snapshot, mount: &Mounted, process: Option<u32>) -> String {
    let mut object = Object::new();
    object.text("mountpoint", &String::from_utf8_lossy(mount.point.as_bytes()));
    object.text("type", &mount.kind);
    object.number("connection", Some(mount.connection));
    object.number("pid", process.map(u64::from));
    object.text("program", &process.map(name_of).unwrap_or_default());
    object.number("seconds", Some(age(snapshot)));
    object.text("transport", transport_of(snapshot));
    object.raw("single_threaded", snapshot.transport & transport::SINGLE != 0);
    object.text("reason", &snapshot.reason);
    object.number("payload_bytes", Some(snapshot.payload));
    object.number("max_threads", Some(snapshot.max_threads));
    object.number("spin_us", Some(snapshot.spin_us));
    object.number("unanswered", mount.waiting());
    object.raw("threads", threads(snapshot));
    object.raw("queues", queues(snapshot));
    add_counts(&mut object, &snapshot.counts);
    object.end() + "\n"
}

fn transport_of(snapshot: &Snapshot) -> &'static str {
    match snapshot.transport & !transport::SINGLE {
        transport::RING => "io_uring",
        transport::DEVICE => "/dev/fuse",
        _ => "none",
    }
}

fn threads(snapshot: &Snapshot) -> String {
    list(snapshot.threads.iter().map(|thread| {
        let mut object = Object::new();
        object.number("tid", Some(thread.id));
        let role = match thread.role {
            role::LOOP => "loop",
            role::DEVICE => "device",
            role::WORKER => "worker",
            role::KEEPER => "keeper",
            _ => "other",
        };
        object.text("role", role);
        object.text("serving", if thread.serving == 0 { "" } else { operation(thread.serving as usize) });
        object.end()
    }))
}

fn queues(snapshot: &Snapshot) -> String {
    let is_ring = snapshot.transport & !transport::SINGLE == transport::RING;
    list(snapshot.queues.iter().filter(|_| is_ring).map(|queue| {
        let mut object = Object::new();
        object.number("entries", Some(queue.entries));
        object.number("busy", Some(queue.busy()));
        object.number("armed", Some(queue.armed));
        object.end()
    }))
}

fn add_counts(object: &mut Object, counts: &Counts) {
    object.number("requests", Some(counts.requests()));
    let mut operations = Object::new();
    for (opcode, &number) in counts.operations.iter().enumerate().filter(|&(_, &number)| number > 0) {
        // Several numbers without a name would be one key.
        if opcode == 0 || operation(opcode) != operation(0) {
            operations.number(operation(opcode), Some(number));
        } else {
            operations.number(&format!("OPCODE_{opcode}"), Some(number));
        }
    }
    object.raw("operations", operations.end());
    object.raw("handler_ns", times(&counts.handler));
    object.raw("until_reply_ns", times(&counts.total));
    for (key, value) in [
        ("spins", counts.spins),
        ("spins_rewarded", counts.rewarded),
        ("wakeups", counts.wakeups),
        ("keeper_wakeups", counts.keeper_wakeups),
        ("batches", counts.batches),
        ("batched_requests", counts.batched),
        ("largest_batch", counts.largest_batch),
        ("foreign_replies", counts.foreign),
        ("handed_over", counts.handed_over),
        ("interrupts", counts.interrupts),
    ] {
        object.number(key, Some(value));
    }
}

fn times(times: &Times) -> String {
    let mut object = Object::new();
    object.number("timed", Some(times.count()));
    for (key, of_ten_thousand) in
        [("p50", 5000), ("p90", 9000), ("p99", 9900), ("p999", 9990), ("max", 10_000)]
    {
        object.number(key, times.within(of_ten_thousand));
    }
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_can_not_hold_is_escaped() {
        assert_eq!(quoted("a\"\\\n\u{1b}ü"), "\"a\\\"\\\\\\u000a\\u001bü\"");
        let mut object = Object::new();
        object.number("none", None);
        object.text("text", "x");
        object.raw("list", list([1, 2].iter().map(u32::to_string)));
        assert_eq!(object.end(), r#"{"none":null,"text":"x","list":[1,2]}"#);
    }
}
