// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults on demand, for tests: `RINGFUSE_FAULT=point:N,...` makes the Nth and every later pass of a point fail.
//!
//! Points: `setup` (making an io_uring), `register` (the kernel refuses a REGISTER), `thread` (starting a thread),
//! `mmap` (memory for an entry), `memfd` (a memory file). Without the cargo feature `fault-injection` nothing is read
//! and nothing fails.

use crate::errno::Errno;

#[cfg(not(feature = "fault-injection"))]
pub fn check(_point: &str) -> Result<(), Errno> {
    Ok(())
}

#[cfg(feature = "fault-injection")]
pub fn check(point: &str) -> Result<(), Errno> {
    use parking_lot::Mutex;
    use std::collections::HashMap;
    static PASSED: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

    let Ok(wanted) = std::env::var("RINGFUSE_FAULT") else {
        return Ok(());
    };
    let from = wanted.split(',').find_map(|fault| {
        let (name, from) = fault.split_once(':').unwrap_or((fault, "1"));
        (name == point).then(|| from.parse::<u64>().unwrap_or(1))
    });
    let Some(from) = from else { return Ok(()) };
    let mut passed = PASSED.lock();
    let count = passed.get_or_insert_with(HashMap::new).entry(point.to_owned()).or_insert(0);
    *count += 1;
    let error = match point {
        "register" => libc::EINVAL,
        "thread" => libc::EAGAIN,
        "mmap" => libc::ENOMEM,
        _ => libc::EPERM,
    };
    if *count >= from { Err(Errno::new(error)) } else { Ok(()) }
}
