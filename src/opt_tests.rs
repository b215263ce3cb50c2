// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

#[derive(Debug, Default, PartialEq)]
struct Data {
    flag: i32,
    text: String,
    unsigned: u32,
    long: u32,
    seen: Vec<(String, i32)>,
}

const SPECS: &[Spec<Data>] = &[
    Spec::new("-x", Act::Set(|d| d.flag = 5)),
    Spec::new("foo", Act::Set(|d| d.flag = 7)),
    Spec::new("bar=", Act::Text(|d, s| d.text = s.to_string_lossy().into_owned())),
    Spec::new("u=", Act::Unsigned(|d, n| d.unsigned = n)),
    Spec::new("--long=", Act::Unsigned(|d, n| d.long = n)),
    Spec::new("-p ", Act::Text(|d, s| d.text = s.to_string_lossy().into_owned())),
    Spec::new("-q ", Act::Key(33)),
    Spec::new("key=", Act::Key(44)),
    Spec::new("dual", Act::Set(|d| d.flag = 9)),
    Spec::new("dual", Act::Key(55)),
    Spec::new("keep", Act::Key(KEY_KEEP)),
    Spec::new("disc", Act::Key(KEY_DISCARD)),
];

fn list(of: &[&str]) -> Args {
    of.iter().map(|s| CString::new(*s).unwrap()).collect()
}

fn shown(args: &Args) -> Vec<String> {
    args.iter().map(|a| a.to_string_lossy().into_owned()).collect()
}

/// Keeps everything that does not say "drop", refuses "fail", and notes what it saw.
fn note(data: &mut Data, arg: &CStr, key: i32, out: &mut Args) -> Result<bool, Refused> {
    let arg = arg.to_string_lossy().into_owned();
    if arg == "addme" {
        out.push(c"-Zadded".to_owned());
    }
    let (refuse, keep) = (arg == "fail", arg != "drop");
    data.seen.push((arg, key));
    if refuse { Err(Refused) } else { Ok(keep) }
}

fn run(of: &[&str]) -> (Result<(), Refused>, Data, Vec<String>) {
    let mut args = list(&[&["p"], of].concat());
    let mut data = Data::default();
    let result = args.parse(&mut data, SPECS, &mut note);
    (result, data, shown(&args)[1..].to_vec())
}

/// The output lists are what libfuse 3.18.3 made of the same input.
#[test]
fn lists_come_out_as_libfuses() {
    let table: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (&["-x", "-y", "file", "-o", "foo,bar=x,unk", "-oun2"], &["-o", "unk,un2", "-y", "file"]),
        (&["--", "-x", "--", "b"], &["--", "-x", "--", "b"]),
        (&["a", "--", "b", "c"], &["a", "--", "b", "c"]),
        (&["-o", "bar=a\\,b\\103,u\\,nk,q\\\\r\\"], &["-o", "u\\,nk,q\\\\r\\\\"]),
        (&["-odual"], &["-o", "dual"]),
        (&["-o", "keep,disc"], &["-o", "keep"]),
        (&["-o", ",,foo,,"], &["-o", ""]),
        (&["-o "], &["-o", " "]),
        (&["-"], &["-"]),
        (&["--unk", "-o", "a", "-b", "-o", "c"], &["-o", "a,c", "--unk", "-b"]),
        (&["-o", "drop,addme"], &["-o", "addme", "-Zadded"]),
        (&["-o", "bar"], &["-o", "bar"]),
        (&["-o", "foobar,xfoo,foo=3"], &["-o", "foobar,xfoo,foo=3"]),
        (&["-o", "-x,-pval"], &[]),
        (&["--"], &[]),
        (&["x", "--"], &["x"]),
        (&["--", "--"], &["--", "--"]),
        (&["--", "drop"], &[]),
        (&["-o", "a", "--"], &["-o", "a", "--"]),
        (&["-o", "a\\400b,\\1,\\777,\\08"], &["-o", "a400b,1,777,08"]),
        (&["-o", "a\\000b"], &["-o", "a"]),
        (&["-o", ""], &["-o", ""]),
        (&[""], &[""]),
        (&["-q", "v", "-qw"], &["-qv", "-qw"]),
        (&["key=1", "-okey=2"], &["-o", "key=2", "key=1"]),
    ];
    for (input, output) in table {
        let (result, _, left) = run(input);
        assert_eq!(result, Ok(()), "{input:?}");
        assert_eq!(left, *output, "{input:?}");
    }
}

#[test]
fn values_are_stored() {
    let of = |input: &[&str]| run(input).1;
    assert_eq!(of(&["-odual"]).flag, 9);
    assert_eq!(of(&["-o", "bar=a\\,b\\103"]).text, "a,bC");
    assert_eq!(of(&["-p", "val"]).text, "val");
    assert_eq!(of(&["-pval2"]).text, "val2");
    assert_eq!(of(&["-p=3"]).text, "=3");
    assert_eq!(of(&["-o", "bar="]).text, "");
    assert_eq!(of(&["-ou=12junk"]).unsigned, 12);
    assert_eq!(of(&["-ou=-1"]).unsigned, u32::MAX);
    assert_eq!(of(&["--long=7"]).long, 7);
}

#[test]
fn the_handler_learns_why() {
    let seen = run(&["-y", "-o", "u\\,nk,dual,key=1", "-q", "v", "f", "--", "-x"]).1.seen;
    let seen: Vec<_> = seen.iter().map(|(arg, key)| (arg.as_str(), *key)).collect();
    assert_eq!(
        seen,
        [("-y", -1), ("u,nk", -1), ("dual", 55), ("key=1", 44), ("-qv", 33), ("f", -2), ("-x", -2)]
    );
}

#[test]
fn errors_leave_the_list_alone() {
    for input in [
        &["-o"][..],
        &["-p"],
        &["-o", "-p"],
        &["-o", "u=junk"],
        &["-o", "bar=,u="],
        &["--long=zz"],
        &["-o", "fail"],
        &["fail"],
        &["-x", "-y", "fail"],
    ] {
        let (result, _, left) = run(input);
        assert_eq!(result, Err(Refused), "{input:?}");
        assert_eq!(left, input, "{input:?}");
    }
}

#[test]
fn an_empty_list_stays_empty() {
    let mut args = Args::new();
    assert_eq!(args.parse(&mut Data::default(), SPECS, &mut note), Ok(()));
    assert_eq!(args.len(), 0);
}

#[test]
fn templates_match() {
    let table = [
        ("foo=", "foo", None),
        ("foo=", "foo=1", Some(Hit::Param { at: 4, split: false })),
        ("foo=%s", "foo=", Some(Hit::Param { at: 4, split: false })),
        ("foo=%s", "foo", None),
        ("-x ", "-x", Some(Hit::Param { at: 2, split: true })),
        ("-x %s", "-xa", Some(Hit::Param { at: 2, split: true })),
        ("bar", "bar", Some(Hit::Exact)),
        ("bar", "bar=", None),
        ("lit=val", "lit=val", Some(Hit::Exact)),
        ("lit=val", "lit=v", None),
        ("", "", Some(Hit::Exact)),
    ];
    for (template, arg, expected) in table {
        assert_eq!(hit(template.as_bytes(), arg.as_bytes()), expected, "{template} {arg}");
    }
}

#[test]
fn numbers_are_read_like_scanfs() {
    let table = [
        ("12junk", Some(12)),
        (" \t12", Some(12)),
        ("+5", Some(5)),
        ("-5", Some(-5)),
        ("", None),
        ("-", None),
        ("x", None),
        ("0x10", Some(0)),
        ("99999999999999999999999", Some(i64::MAX)),
    ];
    for (text, expected) in table {
        assert_eq!(integer(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn lists_grow_and_are_escaped() {
    let mut list = Vec::new();
    add_opt_escaped(&mut list, b"a,b\\c");
    add_opt(&mut list, b"d,e");
    assert_eq!(list, b"a\\,b\\\\c,d,e");
    assert_eq!(split_list(&list), [c"a,b\\c".to_owned(), c"d".to_owned(), c"e".to_owned()]);
}

#[test]
fn args_insert_within_bounds() {
    let mut args = list(&["a", "b"]);
    args.insert(1, c"x".to_owned());
    args.insert(99, c"z".to_owned());
    assert_eq!(shown(&args), ["a", "x", "b", "z"]);
    assert_eq!(args.get(9), None);
}
