// SPDX-License-Identifier: MIT OR Apache-2.0
//! `auto_cache`: whether a file is still what it was when its data was cached, by size and modification time.

use std::time::{Duration, Instant};

use super::side::Side;

#[derive(Default)]
struct Seen {
    /// Data cached for the last open is still good.
    valid: bool,
    size: i64,
    mtime: (i64, i64),
    when: Option<Instant>,
}

impl Seen {
    fn update(&mut self, stat: &libc::stat) {
        let mtime = (stat.st_mtime, stat.st_mtime_nsec);
        if self.size != stat.st_size || self.mtime != mtime {
            self.valid = false;
        }
        (self.size, self.mtime, self.when) = (stat.st_size, mtime, Some(Instant::now()));
    }
}

/// What was seen of each file.
pub struct Watch(Side<Seen>);

impl Watch {
    pub fn new() -> Watch {
        Watch(Side::new())
    }

    /// Takes note of attributes that the filesystem gave.
    pub fn update(&self, id: u32, stat: &libc::stat) {
        self.0.with(id, |seen| seen.update(stat));
    }

    /// Whether attributes have to be asked for again before `open` can decide.
    pub fn is_stale(&self, id: u32, trust: Duration) -> bool {
        let stale = |seen: &mut Seen| seen.valid && seen.when.is_none_or(|when| when.elapsed() > trust);
        self.0.peek(id, stale).unwrap_or(false)
    }

    /// Whether cached data may be kept for a new open. `now`: what the filesystem says if it was asked again.
    pub fn open(&self, id: u32, now: Option<Option<&libc::stat>>) -> bool {
        self.0.with(id, |seen| {
            match now {
                Some(Some(stat)) => seen.update(stat),
                Some(None) => seen.valid = false,
                None => (),
            }
            std::mem::replace(&mut seen.valid, true)
        })
    }

    pub fn remove(&self, id: u32) {
        self.0.remove(id);
    }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_while_nothing_changes() {
        let watch = Watch::new();
        // SAFETY: all-zero is a value of this plain C struct.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        stat.st_size = 5;
        watch.update(7, &stat);
        assert!(!watch.open(7, None), "never opened before");
        assert!(watch.open(7, None));
        assert!(watch.is_stale(7, Duration::ZERO) && !watch.is_stale(7, Duration::from_secs(60)));
        watch.update(7, &stat);
        assert!(watch.open(7, None));
        stat.st_size = 6;
        assert!(!watch.open(7, Some(Some(&stat))), "changed");
        assert!(watch.open(7, Some(Some(&stat))));
        assert!(!watch.open(7, Some(None)), "can't be asked");
        watch.remove(7);
        assert!(!watch.open(7, None));
    }
}
