// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who asks a worker: one client or several, and whether one at a time.

/// Clients that are told apart.
const RECENT: usize = 8;
/// So many requests of one client in a row that did not wait for each other, and it is taken for one that goes on so.
const STEADY: u32 = 32;

/// See the module. Clients are known by their thread id.
#[derive(Default)]
pub(super) struct Clients {
    /// The last ones.
    recent: [u32; RECENT],
    /// Requests in a row that were of none of these.
    strangers: u32,
    /// Requests in a row of one client that did not wait for the answer to the one before.
    overlaps: u32,
    takes_turns: bool,
}

impl Clients {
    /// A request came; `waited`: after a wait for one.
    pub fn came(&mut self, client: u32, waited: bool) {
        self.takes_turns = client != self.recent[0];
        self.overlaps = if waited || self.takes_turns { 0 } else { self.overlaps.saturating_add(1) };
        self.strangers = if self.recent.contains(&client) { 0 } else { self.strangers.saturating_add(1) };
        self.recent.rotate_right(1);
        self.recent[0] = client;
    }

    /// Whether the last request was of another client than the one before.
    pub fn take_turns(&self) -> bool {
        self.takes_turns
    }

    /// Whether there are more of them than can be told apart.
    pub fn are_many(&self) -> bool {
        self.strangers as usize >= RECENT
    }

    /// Whether a single one has begun to have several requests under way at a time.
    pub fn is_one_ahead(&self) -> bool {
        self.overlaps == STEADY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_more_clients_than_are_remembered() {
        let mut clients = Clients::default();
        for n in 0..RECENT as u32 * 4 {
            clients.came(100 + n % RECENT as u32, true);
        }
        assert!(clients.take_turns() && !clients.are_many());
        for n in 0..RECENT as u32 * 4 {
            clients.came(200 + n % (RECENT as u32 + 1), true);
        }
        assert!(clients.are_many());
        clients.came(200, true);
        clients.came(200, true);
        assert!(!clients.take_turns() && !clients.are_many());
    }

    #[test]
    fn one_client_that_does_not_wait() {
        let mut clients = Clients::default();
        (0..STEADY).for_each(|_| clients.came(7, false));
        assert!(!clients.is_one_ahead());
        clients.came(7, false);
        assert!(clients.is_one_ahead(), "once");
        clients.came(7, false);
        assert!(!clients.is_one_ahead());
    }
}
