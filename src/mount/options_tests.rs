// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::CString;

use super::*;

fn run(list: &[&str]) -> (Result<MountOptions, Refused>, String) {
    let mut args: Args =
        std::iter::once("prog").chain(list.iter().copied()).map(|s| CString::new(s).unwrap()).collect();
    let result = MountOptions::parse(&mut args);
    let left = args.iter().skip(1).map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
    (result, left)
}

fn flags(list: &str) -> c_ulong {
    let (result, left) = run(&["-o", list]);
    assert_eq!(left, "", "{list}");
    result.unwrap().flags
}

#[test]
fn flags_start_safe_and_follow_the_options() {
    use libc::*;
    let safe = MS_NOSUID | MS_NODEV;
    for (list, expected) in [
        ("rw", safe),
        ("ro", safe | MS_RDONLY),
        ("ro,rw", safe),
        ("suid", MS_NODEV),
        ("suid,nosuid", safe),
        ("dev", MS_NOSUID),
        ("dev,nodev", safe),
        ("noexec", safe | MS_NOEXEC),
        ("noexec,exec", safe),
        ("sync", safe | MS_SYNCHRONOUS),
        ("sync,async", safe),
        ("dirsync", safe | MS_DIRSYNC),
        ("noatime", safe | MS_NOATIME),
        ("nodiratime", safe | MS_NODIRATIME),
        ("nostrictatime", safe),
        ("nosymfollow", safe | MS_NOSYMFOLLOW),
        ("nosymfollow,symfollow", safe),
    ] {
        assert_eq!(flags(list), expected, "{list}");
    }
    assert_eq!(run(&["-r"]).0.unwrap().flags, safe | MS_RDONLY);
}

#[test]
fn each_option_reaches_its_reader() {
    // option, kernel, table, helper
    let table = [
        ("allow_other", "allow_other", "", ""),
        ("default_permissions", "default_permissions", "", ""),
        ("blksize=512", "blksize=512", "", ""),
        ("max_read=4096", "max_read=4096", "", ""),
        ("context=a:b", "context=a:b", "", ""),
        ("fscontext=a", "fscontext=a", "", ""),
        ("defcontext=a", "defcontext=a", "", ""),
        ("rootcontext=a", "rootcontext=a", "", ""),
        ("fsname=x\\,y", "", "", "fsname=x\\,y"),
        ("subtype=s", "", "", ""),
        ("blkdev", "", "", "blkdev"),
        ("auto_unmount", "", "", ""),
        ("user=u", "", "user=u", ""),
        ("x-systemd.x=1", "", "x-systemd.x=1", ""),
    ];
    for (option, kernel, mtab, helper) in table {
        let (result, left) = run(&["-o", option]);
        let options = result.unwrap();
        assert_eq!(left, "", "{option}");
        assert_eq!(options.kernel, kernel.as_bytes(), "{option}");
        assert_eq!(options.table, mtab.as_bytes(), "{option}");
        assert_eq!(options.helper, helper.as_bytes(), "{option}");
    }
    assert_eq!(run(&["-n"]).0.unwrap().table, b"-n");
}

#[test]
fn values_are_kept() {
    let options = run(&["-ofsname=a\\,b,subtype=s,blkdev,auto_unmount,max_read=77"]).0.unwrap();
    assert_eq!(options.fsname.as_deref(), Some(c"a,b"));
    assert_eq!(options.subtype.as_deref(), Some(c"s"));
    assert!(options.blkdev && options.auto_unmount);
    assert_eq!(options.max_read, 77);
    assert_eq!(run(&["-omax_read=x"]).0, Err(Refused));
}

#[test]
fn what_only_mount_8_knows_stays() {
    for option in [
        "atime",
        "diratime",
        "relatime",
        "norelatime",
        "strictatime",
        "lazytime",
        "nolazytime",
        "nofail",
        "_netdev",
        "nonempty",
        "fd=3",
        "rootmode=1",
        "user_id=0",
        "group_id=0",
        "foo",
    ] {
        let (result, left) = run(&["-o", option]);
        assert!(result.is_ok());
        assert_eq!(left, format!("-o {option}"));
    }
    assert_eq!(run(&["-w", "file"]).1, "-w file");
}

#[test]
fn the_helpers_list() {
    let of = |list| {
        let options = run(&["-o", list]).0.unwrap();
        let list = options.for_helper(options.auto_unmount, options.subtype.as_deref());
        String::from_utf8(list).unwrap()
    };
    // As fusermount3 got it from libfuse 3.18.3 for the same options.
    assert_eq!(
        of("fsname=q\\,w,ro,max_read=4096,x-a,user=u,blksize=5,noatime,sync"),
        "ro,nosuid,nodev,sync,noatime,max_read=4096,blksize=5,x-a,user=u,fsname=q\\,w"
    );
    assert_eq!(of("auto_unmount,suid,allow_other"), "rw,nodev,allow_other,auto_unmount");
    assert_eq!(of("auto_unmount,subtype=s"), "rw,nosuid,nodev,auto_unmount,subtype=s");
    assert_eq!(of("rw"), "rw,nosuid,nodev");
    // Here libfuse forgets to protect the comma.
    assert_eq!(of("subtype=a\\,b"), "rw,nosuid,nodev,subtype=a\\,b");
}
