// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starting a ring in two steps, so that it can fail without harm.
//!
//! Before the reply to INIT grants the ring, everything that can be refused is tried: threads, io_urings, memory.
//! After it, the first entry of each queue is registered; if the kernel refuses one, it goes back to `/dev/fuse` by
//! itself, for good.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::errno::Errno;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::pool::{Config, Owner, Pool};
use crate::transport::uring::worker::Start;

/// A ring whose threads are there and wait. Dropping it ends them.
pub struct Prepared {
    pool: Arc<Pool>,
    reports: Vec<Receiver<Result<(), Errno>>>,
    go: Vec<Sender<()>>,
    started: bool,
}

impl Prepared {
    /// Makes the threads with their io_urings and the memory of the first entries.
    pub fn new(config: Config, owner: Owner) -> Result<Prepared, Errno> {
        let pool = Pool::new(config, owner);
        let mut prepared = Prepared { pool, reports: Vec::new(), go: Vec::new(), started: false };
        prepared.pool.start_keeper()?;
        for qid in 0..prepared.pool.config.queues {
            let (report, reports) = channel();
            let (tell, go) = channel();
            prepared.pool.start_worker(Desk::new(), Start::First { qid, report, go })?;
            prepared.reports.push(reports);
            prepared.go.push(tell);
        }
        prepared.all_report()?;
        Ok(prepared)
    }

    /// Registers the entries; the INIT reply is out. On an error the mount is on `/dev/fuse`.
    pub fn start(mut self) -> Result<Arc<Pool>, Errno> {
        for go in self.go.drain(..) {
            let _ = go.send(());
        }
        self.all_report()?;
        self.started = true;
        Ok(self.pool.clone())
    }

    fn all_report(&self) -> Result<(), Errno> {
        let lost = Errno::new(libc::EIO);
        let mut results = self.reports.iter().map(|report| report.recv().unwrap_or(Err(lost)));
        // All are waited for, whatever the first says.
        let failure = results.by_ref().find_map(Result::err);
        results.for_each(drop);
        failure.map_or(Ok(()), Err)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.go.clear();
        if !self.started {
            self.pool.close();
        }
    }
}
