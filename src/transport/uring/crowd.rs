// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many clients ask a queue at a time.

use std::sync::atomic::{AtomicU32, Ordering};

/// Requests that are remembered, and so clients that are told apart.
const RECENT: usize = 8;

/// See the module. Clients are known by their thread id. Two requests noted at a time may lose one, no more.
#[derive(Default)]
pub struct Crowd {
    /// The clients of the last requests, in a circle.
    recent: [AtomicU32; RECENT],
    at: AtomicU32,
}

impl Crowd {
    /// A request came.
    pub fn came(&self, client: u32) {
        let at = self.at.load(Ordering::Relaxed).wrapping_add(1);
        self.at.store(at, Ordering::Relaxed);
        self.recent[at as usize % RECENT].store(client, Ordering::Relaxed);
    }

    /// Whether more than so many have asked lately.
    pub fn is_more_than(&self, number: u32) -> bool {
        let recent = self.recent.each_ref().map(|client| client.load(Ordering::Relaxed));
        let first = |(n, client): &(usize, &u32)| !recent[..*n].contains(client);
        recent.iter().enumerate().filter(first).count() as u32 > number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_counted_as_long_as_they_ask() {
        let crowd = Crowd::default();
        for n in 0..RECENT as u32 * 4 {
            crowd.came(100 + n % 3);
        }
        assert!(crowd.is_more_than(2) && !crowd.is_more_than(3));
        (0..RECENT).for_each(|_| crowd.came(100));
        assert!(!crowd.is_more_than(1));
    }
}
