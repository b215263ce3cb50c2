// SPDX-License-Identifier: MIT OR Apache-2.0
//! `remember=`: nodes that the kernel has forgotten are dropped when their time is over, by a thread that is started
//! with the loop and ends with it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::HighLevel;
use crate::errno::Errno;
use crate::log::error;
use crate::path::Table;
use crate::transport::threads::{Runs, spawn};

/// See the module.
#[derive(Default)]
pub struct Cleanup {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Somebody started the cleaning; the thread itself waits for something to clean.
    wanted: bool,
    running: Option<(Arc<Stop>, JoinHandle<()>)>,
}

#[derive(Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

fn run(table: &Table, stop: &Stop) {
    let mut stopped = stop.stopped.lock();
    while !*stopped {
        drop(stopped);
        let wait = table.clean().max(Duration::from_millis(100));
        stopped = stop.stopped.lock();
        if !*stopped {
            stop.changed.wait_for(&mut stopped, wait);
        }
    }
}

impl State {
    fn start(&mut self, table: &Arc<Table>) -> Result<(), Errno> {
        if !self.wanted || self.running.is_some() || table.remember() <= 0 {
            return Ok(());
        }
        let stop = Arc::new(Stop::default());
        let (table, other) = (table.clone(), stop.clone());
        let thread = spawn("fuse_clean", Runs::Library, move || run(&table, &other))?;
        self.running = Some((stop, thread));
        Ok(())
    }
}

impl HighLevel {
    /// Starts the thread, or has it started once `init()` asks for it.
    pub fn start_cleanup(&self) -> Result<(), Errno> {
        let mut state = self.cleanup.state.lock();
        state.wanted = true;
        state.start(&self.table)
    }

    pub(super) fn cleanup_after_init(&self) {
        if let Err(e) = self.cleanup.state.lock().start(&self.table) {
            error!("fuse: error creating thread: {e}; nothing is forgotten");
        }
    }

    pub fn stop_cleanup(&self) {
        let running = {
            let mut state = self.cleanup.state.lock();
            state.wanted = false;
            state.running.take()
        };
        if let Some((stop, thread)) = running {
            *stop.stopped.lock() = true;
            stop.changed.notify_all();
            let _ = thread.join();
        }
    }

    /// Drops what is due. Returns the seconds until that is to be done again.
    pub fn clean_cache(&self) -> i32 {
        let wait = self.table.clean();
        i32::try_from(wait.as_secs()).unwrap_or(i32::MAX).max(1)
    }
}
