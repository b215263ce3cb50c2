// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ringfuse check`: what a mount would use here, and what to do about what is missing.

use std::fmt::Write;
use std::process::ExitCode;

use crate::facts::{Device, ENABLE_URING, Facts, Helper, Switch, URING_DISABLED, Uring};
use crate::write_out;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Fine,
    /// Only to be known.
    Note,
    /// Keeps from the ring.
    NoRing,
    /// Keeps from mounting.
    NoMount,
}

struct Finding {
    mark: Mark,
    what: &'static str,
    is: String,
    /// What to do about it.
    advice: Option<String>,
}

/// What a mount would come to. The numbers are exit statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ring = 0,
    Device = 1,
    Nothing = 2,
}

pub fn main() -> ExitCode {
    let findings = examine(&Facts::gather());
    let verdict = verdict(&findings);
    // Whether somebody reads it does not change the answer.
    let _ = write_out(&report(&findings, verdict));
    ExitCode::from(verdict as u8)
}

fn finding(mark: Mark, what: &'static str, is: impl Into<String>, advice: Option<&str>) -> Finding {
    Finding { mark, what, is: is.into(), advice: advice.map(str::to_owned) }
}

fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        finding(Mark::Note, "kernel", format!("Linux {}", facts.kernel), None),
        device(facts),
        switch(facts.switch),
        uring(facts),
        mounting(facts),
        finding(
            Mark::Note,
            "allow_other",
            if facts.allow_other {
                "for every user (user_allow_other in /etc/fuse.conf)"
            } else {
                "for root only (no user_allow_other in /etc/fuse.conf)"
            },
            None,
        ),
        open_files(facts),
        finding(
            Mark::Note,
            "locked memory",
            match facts.locked_memory {
                None => "unlimited; not needed".to_owned(),
                Some(bytes) => format!("limit {bytes} bytes; not needed"),
            },
            None,
        ),
        payload(facts),
    ];
    if facts.switched_off_here {
        findings.push(finding(
            Mark::NoRing,
            "environment",
            "FUSE_URING_ENABLE=0 turns the ring off",
            Some("unset FUSE_URING_ENABLE, or mount with -o io_uring"),
        ));
    }
    findings.push(match &facts.library {
        Some(path) => finding(Mark::Note, "library", path.to_string_lossy(), None),
        None => finding(Mark::Note, "library", "libfuse3.so.4 is not installed beside this program", None),
    });
    findings
}

fn device(facts: &Facts) -> Finding {
    let path = facts.device_path.to_string_lossy();
    let bad = |is: String, advice: &str| finding(Mark::NoMount, "device", is, Some(advice));
    match &facts.device {
        Device::Opens => finding(Mark::Fine, "device", format!("{path} can be opened"), None),
        Device::Missing => bad(
            format!("{path} does not exist"),
            "modprobe fuse; in a container: pass the device on (docker run --device /dev/fuse)",
        ),
        Device::NoDriver => bad(format!("{path} has no driver behind it"), "modprobe fuse"),
        Device::Forbidden(mode) => bad(
            format!("{path} may not be opened by this user (mode {mode:04o})"),
            "chmod 0666 /dev/fuse as root, or run as a user who may; in a container, allow the device (a rule such as c 10:229 rwm)",
        ),
        Device::Fails(why) => bad(format!("{path}: {why}"), "see the kernel's log"),
    }
}

fn switch(switch: Switch) -> Finding {
    let what = "enable_uring";
    match switch {
        Switch::On => finding(Mark::Fine, what, "on", None),
        Switch::Off => finding(
            Mark::NoRing,
            what,
            "off: the kernel does not offer the ring",
            Some(
                "as root: echo Y > /sys/module/fuse/parameters/enable_uring\n\
                 for ever: echo 'options fuse enable_uring=Y' > /etc/modprobe.d/fuse-uring.conf\n\
                 (where fuse is built into the kernel: fuse.enable_uring=Y on the kernel's command line)",
            ),
        ),
        Switch::Absent => finding(
            Mark::NoRing,
            what,
            format!("{ENABLE_URING} does not exist: this kernel has no FUSE over io_uring"),
            Some("Linux 6.14 or newer, built with CONFIG_FUSE_IO_URING"),
        ),
        Switch::NoModule => {
            finding(Mark::NoMount, what, "the kernel has no fuse module loaded", Some("modprobe fuse"))
        }
        Switch::Unreadable => finding(
            Mark::NoRing,
            what,
            format!("{ENABLE_URING} can't be read, so it is not known whether the kernel offers the ring"),
            Some("mount /sys; or mount with -d, which says what was used"),
        ),
    }
}

fn uring(facts: &Facts) -> Finding {
    let what = "io_uring";
    let bad = |is: String, advice: &str| finding(Mark::NoRing, what, is, Some(advice));
    match (&facts.uring, facts.uring_disabled.unwrap_or(0)) {
        (Uring::Works, _) => finding(Mark::Fine, what, "can be used by this process", None),
        (Uring::Forbidden, 0) => bad(
            "forbidden for this process, by seccomp or a security module".to_owned(),
            "in a container: allow io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile",
        ),
        (Uring::Forbidden, 1) => bad(
            "kernel.io_uring_disabled=1: only for root and the group kernel.io_uring_group".to_owned(),
            "as root: sysctl kernel.io_uring_disabled=0, or put this user into that group",
        ),
        (Uring::Forbidden, number) => bad(
            format!("kernel.io_uring_disabled={number}: for nobody ({URING_DISABLED})"),
            "as root: sysctl kernel.io_uring_disabled=0",
        ),
        (Uring::Unknown, _) => bad(
            "unknown to this kernel, or hidden by seccomp".to_owned(),
            "a kernel with CONFIG_IO_URING; in a container: its seccomp profile",
        ),
        (Uring::Fails(why), _) => bad(format!("can't be set up: {why}"), "Linux 6.14 or newer"),
    }
}

fn mounting(facts: &Facts) -> Finding {
    let what = "mounting";
    let bad = |is: String, advice: &str| finding(Mark::NoMount, what, is, Some(advice));
    let found = facts.helper.as_ref().map(describe);
    match (&facts.helper, facts.may_mount) {
        (_, true) => {
            let helper = found.unwrap_or("no fusermount3 for other users".to_owned());
            finding(Mark::Fine, what, format!("this process may mount by itself; {helper}"), None)
        }
        (None, false) => bad(
            "this user may not mount, and there is no fusermount3".to_owned(),
            "install the package fuse3, or run as root",
        ),
        (Some(helper), false) if !helper.privileged => bad(
            format!("this user may not mount, and neither can fusermount3: {}", found.unwrap_or_default()),
            "as root: chown root and chmod u+s that fusermount3",
        ),
        (Some(_), false) if facts.no_new_privileges => bad(
            "this user may not mount, and set-uid programs gain nothing here (no_new_privs)".to_owned(),
            "start it from a process without that flag (systemd: NoNewPrivileges=no), or run as root",
        ),
        (Some(_), false) => finding(Mark::Fine, what, format!("through {}", found.unwrap_or_default()), None),
    }
}

fn describe(helper: &Helper) -> String {
    format!(
        "{}, version {}, {}",
        helper.path.display(),
        helper.version.as_deref().unwrap_or("unknown"),
        if helper.privileged { "set-uid root" } else { "not set-uid root" }
    )
}

fn open_files(facts: &Facts) -> Finding {
    let needed = facts.descriptors_needed();
    match facts.open_files {
        Some(limit) if limit < needed => finding(
            Mark::NoRing,
            "open files",
            format!("limit {limit}; the ring needs about {needed} beside the program's own"),
            Some("ulimit -n with a larger number (systemd: LimitNOFILE=)"),
        ),
        Some(limit) => {
            finding(Mark::Fine, "open files", format!("limit {limit}; about {needed} needed"), None)
        }
        None => finding(Mark::Fine, "open files", "unlimited", None),
    }
}

fn payload(facts: &Facts) -> Finding {
    let is = match facts.max_pages {
        Some(pages) => format!("up to {pages} pages (fs.fuse.max_pages_limit)"),
        None => "up to 256 pages".to_owned(),
    };
    finding(Mark::Note, "request size", is, None)
}

fn verdict(findings: &[Finding]) -> Verdict {
    let any = |mark| findings.iter().any(|finding| finding.mark == mark);
    match (any(Mark::NoMount), any(Mark::NoRing)) {
        (true, _) => Verdict::Nothing,
        (false, true) => Verdict::Device,
        (false, false) => Verdict::Ring,
    }
}

fn report(findings: &[Finding], verdict: Verdict) -> String {
    let mut out = String::new();
    for finding in findings {
        let mark = match finding.mark {
            Mark::Fine => "ok",
            Mark::Note => "",
            Mark::NoRing => "no ring",
            Mark::NoMount => "NO MOUNT",
        };
        let _ = writeln!(out, "{mark:<9} {:<14} {}", finding.what, finding.is);
        for line in finding.advice.iter().flat_map(|advice| advice.lines()) {
            let _ = writeln!(out, "{:<24} -> {line}", "");
        }
    }
    out += match verdict {
        Verdict::Ring => "\nA mount would use the ring (io_uring).\n",
        Verdict::Device => {
            "\nA mount would work, on /dev/fuse. What keeps it from the ring is marked above.\n"
        }
        Verdict::Nothing => "\nNothing can be mounted here. What is in the way is marked above.\n",
    };
    out
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
