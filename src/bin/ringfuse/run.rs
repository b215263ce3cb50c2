// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ringfuse run`: an unmodified program with this library in front, or a clear word on why that can't be.
//!
//! The dynamic linker itself is asked which libraries the program gets; it does not run the program for that.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::elf::{self, Kind};
use crate::facts::{is_executable, library_dir};
use crate::usage_error;

const SEARCH: &str = "LD_LIBRARY_PATH";
const LIBRARY: &str = "libfuse3.so";
/// As shells have it.
const CAN_NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;
/// As much of a program as its head may take.
const HEAD: u64 = 1 << 20;

pub fn main(arguments: &[OsString]) -> ExitCode {
    let (force, arguments) = match arguments {
        [first, rest @ ..] if first == "--force" => (true, rest),
        all => (false, all),
    };
    let arguments = arguments.strip_prefix(&[OsString::from("--")]).unwrap_or(arguments);
    let Some((program, rest)) = arguments.split_first() else { return usage_error("run: which program?") };
    if program.as_bytes().starts_with(b"-") {
        return usage_error(&format!("run: no such option: {}", program.to_string_lossy()));
    }
    let Err((status, why)) = start(program, rest, force);
    eprintln!("ringfuse run: {}: {why}", program.to_string_lossy());
    ExitCode::from(status)
}

type Failure = (u8, String);

/// Comes back only if it fails.
fn start(program: &OsStr, arguments: &[OsString], force: bool) -> Result<std::convert::Infallible, Failure> {
    let no = |why: String| (CAN_NOT_RUN, why);
    let path = find(program)?;
    let library = library_dir().ok_or_else(|| no("ringfuse's libfuse3.so.4 is not installed".to_owned()))?;
    let search = search_path(&library, env::var_os(SEARCH));
    if !force {
        check(&path, &library, &search)
            .map_err(|why| no(format!("{why} (--force starts it all the same)")))?;
    }
    let error = Command::new(&path).arg0(program).args(arguments).env(SEARCH, search).exec();
    Err(no(error.to_string()))
}

/// As a shell would.
fn find(program: &OsStr) -> Result<PathBuf, Failure> {
    let given = Path::new(program);
    if program.as_bytes().contains(&b'/') {
        return match fs::metadata(given) {
            Err(e) => Err((NOT_FOUND, e.to_string())),
            Ok(_) if is_executable(given) => Ok(given.to_owned()),
            Ok(_) => Err((CAN_NOT_RUN, "not a program".to_owned())),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join(given)).find(|file| is_executable(file));
    found.ok_or_else(|| (NOT_FOUND, "not found in PATH".to_owned()))
}

fn search_path(library: &Path, before: Option<OsString>) -> OsString {
    let mut search = library.as_os_str().to_owned();
    if let Some(before) = before.filter(|before| !before.is_empty()) {
        search.push(":");
        search.push(before);
    }
    search
}

fn check(path: &Path, library: &Path, search: &OsStr) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|e| e.to_string())?;
    if gains_rights(&metadata) {
        return Err("it is set-user-ID or set-group-ID: the dynamic linker ignores LD_LIBRARY_PATH for such programs. \
                    Relink it with ringfuse, or run it as its owner"
            .to_owned());
    }
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(HEAD).read_to_end(&mut head).map_err(|e| e.to_string())?;
    match elf::kind(&head) {
        // The programs that it starts inherit the variable.
        Kind::Script => Ok(()),
        Kind::Foreign => Err("it is built for another kind of machine than ringfuse's library".to_owned()),
        Kind::Static => {
            Err("it is linked statically: it has to be linked with ringfuse's libfuse3.a instead".to_owned())
        }
        Kind::Dynamic(linker) => judge(&libraries(&linker, path, search)?, library),
    }
}

/// Whether the program starts with other rights than its caller's.
fn gains_rights(program: &Metadata) -> bool {
    let own = fs::metadata("/proc/self");
    let (uid, gid) = own.map_or((u32::MAX, u32::MAX), |own| (own.uid(), own.gid()));
    (program.mode() & 0o4000 != 0 && program.uid() != uid)
        || (program.mode() & 0o2000 != 0 && program.gid() != gid)
}

/// What the dynamic linker says that it would load.
fn libraries(linker: &str, program: &Path, search: &OsStr) -> Result<String, String> {
    let program = fs::canonicalize(program).map_err(|e| e.to_string())?;
    let mut command = Command::new(linker);
    command.arg("--list").arg(program).env(SEARCH, search).stdin(Stdio::null());
    let out = command.output().map_err(|e| format!("its dynamic linker {linker}: {e}"))?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Judges by lines such as `libfuse3.so.4 => /usr/lib/libfuse3.so.4 (0x...)`.
fn judge(list: &str, library: &Path) -> Result<(), String> {
    let named = |name: &str| list.lines().map(str::trim).find(|line| line.starts_with(name));
    if let Some((name, found)) = named(LIBRARY).and_then(|line| line.split_once(" => ")) {
        let ours = library.join(name);
        let found = Path::new(found.split(" (").next().unwrap_or_default());
        if found == ours || is_same(found, &ours) {
            return Ok(());
        }
        if !ours.exists() {
            return Err(format!(
                "it asks for {name}, and ringfuse is libfuse3.so.4 (the interface of libfuse 3.17 and newer): \
                 it has to be compiled again"
            ));
        }
        return Err(format!(
            "it takes {} all the same: its own search path (RPATH) comes before LD_LIBRARY_PATH",
            found.display()
        ));
    }
    match named("libfuse.so") {
        Some(_) => Err("it is written for libfuse 2 (libfuse.so.2), which is another interface".to_owned()),
        None => Err("it is not linked to libfuse3.so.4".to_owned()),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.dev() == other.dev() && one.ino() == other.ino(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dynamic_linker_says() {
        let library = Path::new("/opt/ringfuse/lib");
        let judge = |list: &str| judge(list, library).err().unwrap_or_default();
        let libc = "\tlibc.so.6 => /lib/libc.so.6 (0x7f0)\n";
        assert_eq!(judge(&format!("{libc}\tlibfuse3.so.4 => /opt/ringfuse/lib/libfuse3.so.4 (0x7f1)\n")), "");
        assert!(judge("\tlibfuse3.so.3 => /lib/libfuse3.so.3 (0x7f1)\n").contains("compiled again"));
        assert!(judge("\tlibfuse3.so.3 => not found\n").contains("asks for libfuse3.so.3"));
        assert!(judge("\tlibfuse.so.2 => /lib/libfuse.so.2 (0x7f1)\n").contains("libfuse 2"));
        assert!(judge(libc).contains("not linked"));
        assert!(judge("").contains("not linked"));
    }

    #[test]
    fn ours_comes_first() {
        let path = |before: Option<&str>| search_path(Path::new("/a"), before.map(OsString::from));
        assert_eq!(
            (path(None), path(Some("")), path(Some("/b:/c"))),
            ("/a".into(), "/a".into(), "/a:/b:/c".into())
        );
    }
}
