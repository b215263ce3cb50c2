// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this system is like, as far as it matters for a mount. Looked up, not judged: that is for `check`.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use io_uring::squeue::Entry128;
use io_uring::{IoUring, cqueue};

pub const ENABLE_URING: &str = "/sys/module/fuse/parameters/enable_uring";
pub const URING_DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";
const MODULE: &str = "/sys/module/fuse";
const MAX_PAGES: &str = "/proc/sys/fs/fuse/max_pages_limit";
const CONFIG: &str = "/etc/fuse.conf";
const CAP_SYS_ADMIN: u32 = 21;

/// The kernel's switch for FUSE over io_uring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
    /// The module is there, the parameter is not.
    Absent,
    NoModule,
    Unreadable,
}

/// The device for mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    Opens,
    Missing,
    /// It is there, but no driver behind it.
    NoDriver,
    /// With its permissions.
    Forbidden(u32),
    Fails(String),
}

/// What io_uring says to the setup that the library needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uring {
    Works,
    /// EPERM.
    Forbidden,
    /// ENOSYS.
    Unknown,
    Fails(String),
}

/// fusermount3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    pub path: PathBuf,
    /// Of root and set-uid.
    pub privileged: bool,
    pub version: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Facts {
    pub kernel: String,
    pub switch: Switch,
    pub device_path: PathBuf,
    pub device: Device,
    pub uring: Uring,
    /// kernel.io_uring_disabled, if there is such.
    pub uring_disabled: Option<u32>,
    pub helper: Option<Helper>,
    /// This process may mount by itself.
    pub may_mount: bool,
    pub no_new_privileges: bool,
    pub allow_other: bool,
    pub max_pages: Option<u64>,
    pub cpus: u64,
    /// Soft limits; `None` is unlimited.
    pub open_files: Option<u64>,
    pub locked_memory: Option<u64>,
    /// FUSE_URING_ENABLE=0.
    pub switched_off_here: bool,
    pub library: Option<PathBuf>,
}

impl Facts {
    pub fn gather() -> Facts {
        let device_path = env::var_os("FUSE_KERN_DEVICE").map_or("/dev/fuse".into(), PathBuf::from);
        // First, since opening it loads the module.
        let device = device(&device_path);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let capabilities =
            status_field(&status, "CapEff:").and_then(|text| u64::from_str_radix(text, 16).ok());
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Facts {
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            switch: switch(),
            device,
            device_path,
            uring: uring(),
            uring_disabled: read(URING_DISABLED).and_then(|text| text.parse().ok()),
            helper: helper(),
            may_mount: capabilities.is_some_and(|set| set >> CAP_SYS_ADMIN & 1 == 1),
            no_new_privileges: status_field(&status, "NoNewPrivs:") == Some("1"),
            allow_other: fs::read_to_string(CONFIG).is_ok_and(|text| allows_other(&text)),
            max_pages: read(MAX_PAGES).and_then(|text| text.parse().ok()),
            cpus: read("/sys/devices/system/cpu/possible").map_or(1, |list| count_of_list(&list)),
            open_files: limit(&limits, "Max open files"),
            locked_memory: limit(&limits, "Max locked memory"),
            switched_off_here: env::var("FUSE_URING_ENABLE").is_ok_and(|value| is_zero(&value)),
            library: library_dir().map(|dir| dir.join("libfuse3.so.4")),
        }
    }

    /// Descriptors that a mount on the ring takes, about: one for each queue, and a dozen.
    pub fn descriptors_needed(&self) -> u64 {
        self.cpus + 12
    }
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn switch() -> Switch {
    match fs::read_to_string(ENABLE_URING) {
        Ok(text) if matches!(text.trim(), "Y" | "1") => Switch::On,
        Ok(_) => Switch::Off,
        Err(e) if e.kind() != ErrorKind::NotFound => Switch::Unreadable,
        Err(_) if Path::new(MODULE).exists() => Switch::Absent,
        Err(_) if Path::new("/sys/module").exists() => Switch::NoModule,
        Err(_) => Switch::Unreadable,
    }
}

fn device(path: &Path) -> Device {
    let Err(error) = OpenOptions::new().read(true).write(true).open(path) else { return Device::Opens };
    match error.raw_os_error() {
        Some(libc::ENOENT) => Device::Missing,
        Some(libc::ENODEV | libc::ENXIO) => Device::NoDriver,
        Some(libc::EACCES | libc::EPERM) => {
            Device::Forbidden(fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o7777))
        }
        _ => Device::Fails(text(&error)),
    }
}

/// Tries a ring as the library makes them.
fn uring() -> Uring {
    let tried = IoUring::<Entry128, cqueue::Entry>::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_taskrun_flag()
        .build(4);
    match tried.map_err(|e| (e.raw_os_error(), text(&e))) {
        Ok(_) => Uring::Works,
        Err((Some(libc::EPERM | libc::EACCES), _)) => Uring::Forbidden,
        Err((Some(libc::ENOSYS), _)) => Uring::Unknown,
        Err((_, text)) => Uring::Fails(text),
    }
}

fn text(error: &Error) -> String {
    let whole = error.to_string();
    whole.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Looked for where the library looks.
fn helper() -> Option<Helper> {
    let built_in = option_env!("RINGFUSE_FUSERMOUNT_DIR").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let places = built_in.into_iter().chain(env::split_paths(&path));
    let path = places.map(|dir| dir.join("fusermount3")).find(|file| is_executable(file))?;
    let metadata = fs::metadata(&path).ok()?;
    Some(Helper {
        privileged: metadata.uid() == 0 && metadata.mode() & 0o4000 != 0,
        version: version_of(&path),
        path,
    })
}

pub fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0)
}

/// From a line such as `fusermount3 version: 3.14.0`.
fn version_of(helper: &Path) -> Option<String> {
    let out = Command::new(helper).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    Some(text.rsplit_once(' ')?.1.trim().to_owned()).filter(|version| !version.is_empty())
}

fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// A soft limit in a table whose columns are the name, the soft and the hard limit. Unlimited, or unknown: `None`.
fn limit(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn allows_other(config: &str) -> bool {
    config.lines().any(|line| line.split('#').next().unwrap_or_default().trim() == "user_allow_other")
}

/// How many numbers a list like `0-3,8` has.
fn count_of_list(list: &str) -> u64 {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some(last.checked_sub(first)?.saturating_add(1))
    };
    list.split(',').filter_map(count).fold(0, u64::saturating_add)
}

/// Numbers as the library reads them: what follows the digits does not count.
fn is_zero(value: &str) -> bool {
    let value = value.trim_start();
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    digits.starts_with('0')
        && digits.trim_start_matches('0').chars().next().is_none_or(|c| !c.is_ascii_digit())
}

/// Where ringfuse's library is installed: beside this program, else where the build said.
pub fn library_dir() -> Option<PathBuf> {
    let relative = option_env!("RINGFUSE_LIBDIR").unwrap_or("lib");
    let beside =
        fs::canonicalize("/proc/self/exe").ok().and_then(|exe| Some(exe.parent()?.parent()?.join(relative)));
    let built_in = option_env!("RINGFUSE_PREFIX").map(|prefix| Path::new(prefix).join(relative));
    beside.into_iter().chain(built_in).find(|dir| dir.join("libfuse3.so.4").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files     1024    4096    files\n\
                      Max locked memory  unlimited unlimited bytes\n";
        assert_eq!((limit(limits, "Max open files"), limit(limits, "Max locked memory")), (Some(1024), None));
        assert_eq!(status_field("Name:\tx\nCapEff:\t000001ff\n", "CapEff:"), Some("000001ff"));
        assert_eq!((count_of_list("0-3,8"), count_of_list(""), count_of_list("5-2")), (5, 0, 0));
    }

    #[test]
    fn configuration() {
        assert!(allows_other("# x\nuser_allow_other # yes\n"));
        assert!(!allows_other("#user_allow_other\nmount_max = 1000\n"));
        assert!(["0", "00", " 0", "0x", "-0"].iter().all(|value| is_zero(value)));
        assert!(!["1", "", "no", "01", "off"].iter().any(|value| is_zero(value)));
    }

    #[test]
    fn this_system() {
        let facts = Facts::gather();
        assert!(facts.cpus > 0 && !facts.kernel.is_empty());
    }
}
