// SPDX-License-Identifier: MIT OR Apache-2.0
//! POSIX locks that were granted, by file: what F_GETLK is answered from before the filesystem is asked. A
//! filesystem that keeps locks of another one holds them all as one process, and would find no conflict.

use super::side::Side;

/// A lock on the bytes from `start` to `end`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    /// F_RDLCK, F_WRLCK or F_UNLCK.
    pub kind: i32,
    pub start: u64,
    pub end: u64,
    pub pid: u32,
    pub owner: u64,
}

impl Lock {
    fn overlaps(&self, other: &Lock) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    fn touches(&self, other: &Lock) -> bool {
        self.start <= other.end.saturating_add(1) && other.start <= self.end.saturating_add(1)
    }
}

/// The locks of all files.
pub struct Locks(Side<Vec<Lock>>);

impl Locks {
    pub fn new() -> Locks {
        Locks(Side::new())
    }

    /// A lock of another owner that keeps `wanted` from being granted.
    pub fn conflict(&self, id: u32, wanted: &Lock) -> Option<Lock> {
        let against = |lock: &&Lock| {
            lock.owner != wanted.owner
                && lock.overlaps(wanted)
                && (lock.kind == libc::F_WRLCK || wanted.kind == libc::F_WRLCK)
        };
        self.0.peek(id, |locks| locks.iter().find(against).copied()).flatten()
    }

    /// Takes note of a lock, or of an unlock.
    pub fn set(&self, id: u32, new: Lock) {
        if new.kind == libc::F_UNLCK && self.0.peek(id, |_| ()).is_none() {
            return;
        }
        let empty = self.0.with(id, |locks| {
            replace(locks, new);
            locks.is_empty()
        });
        if empty {
            self.0.remove(id);
        }
    }

    pub fn remove(&self, id: u32) {
        self.0.remove(id);
    }
}

/// The owner's earlier locks give way where the new one lies, and join it where they are alike.
fn replace(locks: &mut Vec<Lock>, mut new: Lock) {
    let mut kept = Vec::with_capacity(locks.len() + 1);
    for old in locks.drain(..) {
        if old.owner == new.owner && old.kind == new.kind && old.touches(&new) {
            (new.start, new.end) = (new.start.min(old.start), new.end.max(old.end));
        } else if old.owner == new.owner && old.overlaps(&new) {
            if old.start < new.start {
                kept.push(Lock { end: new.start - 1, ..old });
            }
            if old.end > new.end {
                kept.push(Lock { start: new.end + 1, ..old });
            }
        } else {
            kept.push(old);
        }
    }
    if new.kind != libc::F_UNLCK {
        kept.push(new);
    }
    *locks = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(kind: i32, start: u64, end: u64, owner: u64) -> Lock {
        Lock { kind, start, end, pid: owner as u32, owner }
    }

    #[test]
    fn conflicts_are_between_owners_and_with_writers() {
        let locks = Locks::new();
        locks.set(3, lock(libc::F_RDLCK, 0, 9, 1));
        assert_eq!(locks.conflict(3, &lock(libc::F_RDLCK, 0, 9, 2)), None);
        assert_eq!(locks.conflict(3, &lock(libc::F_WRLCK, 9, 20, 2)).map(|lock| lock.pid), Some(1));
        assert_eq!(locks.conflict(3, &lock(libc::F_WRLCK, 10, 20, 2)), None);
        assert_eq!(locks.conflict(3, &lock(libc::F_WRLCK, 0, 9, 1)), None);
        assert_eq!(locks.conflict(4, &lock(libc::F_WRLCK, 0, 9, 2)), None);
    }

    #[test]
    fn an_unlock_splits_and_alike_locks_join() {
        let mut locks = vec![];
        replace(&mut locks, lock(libc::F_WRLCK, 0, 99, 1));
        replace(&mut locks, lock(libc::F_UNLCK, 10, 19, 1));
        assert_eq!(locks, [lock(libc::F_WRLCK, 0, 9, 1), lock(libc::F_WRLCK, 20, 99, 1)]);
        replace(&mut locks, lock(libc::F_WRLCK, 10, 19, 1));
        assert_eq!(locks, [lock(libc::F_WRLCK, 0, 99, 1)]);
        replace(&mut locks, lock(libc::F_RDLCK, 50, u64::MAX, 1));
        assert_eq!(locks, [lock(libc::F_WRLCK, 0, 49, 1), lock(libc::F_RDLCK, 50, u64::MAX, 1)]);
        replace(&mut locks, lock(libc::F_UNLCK, 0, u64::MAX, 1));
        assert_eq!(locks, []);
    }
}
