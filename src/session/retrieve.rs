// SPDX-License-Identifier: MIT OR Apache-2.0
//! Data that was asked for in a notification and comes back as a request of its own (NOTIFY_REPLY), and whose it is.
//!
//! The session keeps a cookie of the program's from the notification until the data is there; what a cookie means is
//! the program's business.

use std::collections::HashMap;

/// Where our own numbers begin: the kernel's are even and count up from 2, bit 63 marks one that is sent again, and
/// bit 0 an interrupt. On the ring a number also names the entry, so it must not be that of a request.
const FIRST: u64 = 1 << 62;
const STEP: u64 = 2;

/// See the module.
#[derive(Default)]
pub struct Retrieves {
    count: u64,
    waiting: HashMap<u64, usize>,
}

impl Retrieves {
    /// Keeps a cookie; the result is the unique for the notification.
    pub fn begin(&mut self, cookie: usize) -> u64 {
        let unique = FIRST | self.count.wrapping_mul(STEP) & (FIRST - 1);
        self.count = self.count.wrapping_add(1);
        self.waiting.insert(unique, cookie);
        unique
    }

    /// The cookie, when the data has come or will not come. `None`: nobody asked.
    pub fn end(&mut self, unique: u64) -> Option<usize> {
        self.waiting.remove(&unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cookie_comes_back_once() {
        let mut retrieves = Retrieves::default();
        let (a, b) = (retrieves.begin(1), retrieves.begin(2));
        assert!(a != b && a % 2 == 0 && b % 2 == 0 && a >> 62 == 1);
        assert_eq!((retrieves.end(b), retrieves.end(b), retrieves.end(a)), (Some(2), None, Some(1)));
        assert_eq!(retrieves.end(4), None);
    }
}
