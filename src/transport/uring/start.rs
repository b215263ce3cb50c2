// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starting a ring in two steps, so that it can fail without harm.
//!
//! Before the reply to INIT grants the ring, everything that can be refused is tried: the keeper and one worker with
//! their io_urings, and the memory of the first entries. After it, the keeper registers these, one for each queue; if the
//! kernel refuses one, it goes back to `/dev/fuse` by itself, for good. A queue's worker comes with its first request.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::errno::Errno;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::pool::{Config, Owner, Pool};
use crate::transport::uring::worker::Start;

/// A ring whose threads are there and wait. Dropping it ends them.
pub struct Prepared {
    pool: Arc<Pool>,
    grant: Option<Sender<Sender<Result<(), Errno>>>>,
    started: bool,
}

impl Prepared {
    /// Makes the threads with their io_urings and the memory of the first entries.
    pub fn new(config: Config, owner: Owner) -> Result<Prepared, Errno> {
        let queues = config.queues;
        let mut prepared = Prepared { pool: Pool::new(config, owner), grant: None, started: false };
        prepared.grant = Some(prepared.pool.start_keeper(queues)?);
        let (report, ready) = channel();
        prepared.pool.start_worker(Desk::new(), Start::Idle { report })?;
        ready.recv().unwrap_or(Err(Errno::new(libc::EIO)))?;
        Ok(prepared)
    }

    /// Registers the entries; the INIT reply is out. On an error the mount is on `/dev/fuse`.
    pub fn start(mut self) -> Result<Arc<Pool>, Errno> {
        let (report, registered) = channel();
        let lost = Errno::new(libc::EIO);
        let granted = self.grant.take().is_some_and(|grant| grant.send(report).is_ok());
        if !granted {
            return Err(lost);
        }
        registered.recv().unwrap_or(Err(lost))?;
        self.started = true;
        Ok(self.pool.clone())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.grant = None;
        if !self.started {
            self.pool.close();
        }
    }
}
