// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way to the kernel for what is no reply: notifications and ioctls, from any thread, whatever transport the
//! requests take.
//!
//! A session and everything that has to find its connection later (poll handles) share the line. It is open from the
//! mount to the unmount, and lends the device to whoever sends: an unmount meanwhile can't make the descriptor's
//! number that of another file.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::transport::dev::Channel;

/// A connection to use for one call.
#[derive(Clone)]
pub struct Connection {
    pub channel: Arc<Channel>,
    /// The device, unless it is the program's own.
    _device: Option<Arc<OwnedFd>>,
}

/// See the module.
#[derive(Default)]
pub struct Line {
    connection: Mutex<Option<Connection>>,
}

impl Line {
    pub fn open(&self, channel: Arc<Channel>, device: Option<Arc<OwnedFd>>) {
        *self.connection.lock() = Some(Connection { channel, _device: device });
    }

    /// From here on nothing is sent any more; what is just being sent goes on.
    pub fn close(&self) {
        *self.connection.lock() = None;
    }

    pub fn is_open(&self) -> bool {
        self.connection.lock().is_some()
    }

    /// The connection, or ENOTCONN.
    pub fn connection(&self) -> Result<Connection, Errno> {
        self.connection.lock().clone().ok_or(Errno::new(libc::ENOTCONN))
    }

    /// Sends a notification. It may take as long as the kernel waits for locks of its own.
    pub fn notify(&self, code: i32, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        self.connection()?.channel.send(0, code, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::memory::{Memory, Reply};

    #[test]
    fn sends_only_while_it_is_open() {
        let (line, kernel) = (Line::default(), Arc::new(Memory::default()));
        assert_eq!(line.notify(2, &[]), Err(Errno::new(libc::ENOTCONN)));
        line.open(Channel::new(-1, kernel.clone()), None);
        assert!(line.is_open());
        assert_eq!(line.notify(2, &[IoSlice::new(b"ab"), IoSlice::new(b"c")]), Ok(()));
        line.close();
        assert_eq!(line.notify(2, &[]), Err(Errno::new(libc::ENOTCONN)));
        assert_eq!(kernel.take_replies(), [Reply { unique: 0, error: 2, data: b"abc".to_vec() }]);
    }
}
