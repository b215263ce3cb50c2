// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

/// A system on which all is well, for root.
fn good() -> Facts {
    Facts {
        kernel: "6.18.1".to_owned(),
        switch: Switch::On,
        device_path: "/dev/fuse".into(),
        device: Device::Opens,
        uring: Uring::Works,
        uring_disabled: Some(0),
        helper: Some(helper(true)),
        may_mount: true,
        no_new_privileges: false,
        allow_other: false,
        max_pages: Some(256),
        cpus: 4,
        open_files: Some(1024),
        locked_memory: Some(0),
        switched_off_here: false,
        library: None,
    }
}

fn helper(privileged: bool) -> Helper {
    Helper { path: "/usr/bin/fusermount3".into(), privileged, version: Some("3.14.0".to_owned()) }
}

fn user() -> Facts {
    Facts { may_mount: false, ..good() }
}

#[test]
fn the_verdict_and_its_reason() {
    use Verdict::*;
    let table: Vec<(Facts, Verdict, &str)> = vec![
        (good(), Ring, "this process may mount by itself"),
        (user(), Ring, "through /usr/bin/fusermount3, version 3.14.0, set-uid root"),
        (Facts { helper: None, ..good() }, Ring, "no fusermount3 for other users"),
        (Facts { open_files: None, locked_memory: None, max_pages: None, ..good() }, Ring, "unlimited"),
        (
            Facts { switch: Switch::Off, ..good() },
            Device,
            "echo Y > /sys/module/fuse/parameters/enable_uring",
        ),
        (Facts { switch: Switch::Absent, ..good() }, Device, "CONFIG_FUSE_IO_URING"),
        (Facts { switch: Switch::Unreadable, ..good() }, Device, "can't be read"),
        (Facts { uring: Uring::Forbidden, ..good() }, Device, "seccomp"),
        (Facts { uring: Uring::Forbidden, uring_disabled: Some(1), ..user() }, Device, "io_uring_group"),
        (
            Facts { uring: Uring::Forbidden, uring_disabled: Some(2), ..good() },
            Device,
            "io_uring_disabled=2: for nobody",
        ),
        (Facts { uring: Uring::Unknown, ..good() }, Device, "unknown to this kernel"),
        (Facts { uring: Uring::Fails("Invalid argument".to_owned()), ..good() }, Device, "Invalid argument"),
        (Facts { switched_off_here: true, ..good() }, Device, "FUSE_URING_ENABLE=0"),
        (Facts { open_files: Some(10), ..good() }, Device, "limit 10; the ring needs about 16"),
        (Facts { switch: Switch::NoModule, ..good() }, Nothing, "modprobe fuse"),
        (Facts { device: super::Device::Missing, ..good() }, Nothing, "/dev/fuse does not exist"),
        (Facts { device: super::Device::Forbidden(0o600), ..user() }, Nothing, "(mode 0600)"),
        (Facts { device: super::Device::NoDriver, ..good() }, Nothing, "no driver"),
        (
            Facts { device: super::Device::Fails("No such luck".to_owned()), ..good() },
            Nothing,
            "No such luck",
        ),
        (Facts { helper: None, ..user() }, Nothing, "install the package fuse3"),
        (Facts { helper: Some(helper(false)), ..user() }, Nothing, "chmod u+s"),
        (Facts { no_new_privileges: true, ..user() }, Nothing, "no_new_privs"),
        // The worst counts.
        (Facts { switch: Switch::Off, device: super::Device::Missing, ..good() }, Nothing, "enable_uring"),
    ];
    for (facts, wanted, reason) in table {
        let findings = examine(&facts);
        let text = report(&findings, verdict(&findings));
        assert_eq!(verdict(&findings), wanted, "{text}");
        assert!(text.contains(reason), "no `{reason}' in: {text}");
        let complaints = findings.iter().filter(|f| matches!(f.mark, Mark::NoRing | Mark::NoMount));
        assert!(complaints.into_iter().all(|f| f.advice.is_some()), "advice for everything: {text}");
    }
}
