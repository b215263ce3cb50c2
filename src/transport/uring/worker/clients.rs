// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who asks a worker: one client or several, and whether one at a time.

/// So many requests of one client in a row that did not wait for each other, and it is taken for one that goes on so.
const STEADY: u32 = 32;

/// See the module. Clients are known by their thread id.
#[derive(Default)]
pub(super) struct Clients {
    last: u32,
    /// Requests in a row of one client that did not wait for the answer to the one before.
    overlaps: u32,
    takes_turns: bool,
}

impl Clients {
    /// A request came; `waited`: after a wait for one.
    pub fn came(&mut self, client: u32, waited: bool) {
        self.takes_turns = client != self.last;
        self.overlaps = if waited || self.takes_turns { 0 } else { self.overlaps.saturating_add(1) };
        self.last = client;
    }

    /// Whether the last request was of another client than the one before.
    pub fn take_turns(&self) -> bool {
        self.takes_turns
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
