// SPDX-License-Identifier: MIT OR Apache-2.0
//! The beginning and end of a pool's threads, over one loop or several. Entries stay the pool's throughout.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use super::{Pool, WORKER_OF};
use crate::errno::Errno;
use crate::transport::uring::desk::Desk;
use crate::transport::uring::{keeper, worker};

impl Pool {
    /// Starts the keeper. It registers an entry for each of so many queues when it is told where to report.
    pub fn start_keeper(self: &Arc<Pool>, queues: u16) -> Result<Sender<Sender<Result<(), Errno>>>, Errno> {
        let (thread, grant) = keeper::start(self, queues)?;
        *self.keeper_thread.lock() = Some(thread);
        Ok(grant)
    }

    /// Has the workers go on after an earlier loop, and starts those that are missing.
    pub fn restart(self: &Arc<Pool>) -> Result<(), Errno> {
        {
            let _workers = self.workers.lock();
            self.stopping.store(false, Ordering::SeqCst);
            self.resumed.notify_all();
        }
        for (qid, _) in self.queues.iter().enumerate().filter(|(_, queue)| !queue.has_armed()) {
            self.start_worker(Desk::new(), worker::Start::Extra { qid: qid as u16 })?;
        }
        self.keeper.wake();
        Ok(())
    }

    /// For a worker with an armed entry when the loop ends: waits for another loop. `false`: there will be none.
    pub fn pause(&self, desk: &Desk) -> bool {
        let mut workers = self.workers.lock();
        workers.running -= 1;
        desk.paused.store(true, Ordering::SeqCst);
        self.worker_ended.notify_all();
        while self.stopping() && !self.closed() {
            self.resumed.wait(&mut workers);
        }
        desk.paused.store(false, Ordering::SeqCst);
        workers.running += 1;
        !self.closed()
    }

    /// Ends the loop's work: each worker finishes its handler, and its reply goes out. Also waits for workers that
    /// somebody else is stopping; only a worker that calls this itself (a handler that unmounts) is not waited for.
    pub fn stop(&self) {
        let own = usize::from(WORKER_OF.get() == std::ptr::from_ref(self) as usize);
        let mut workers = self.workers.lock();
        self.stopping.store(true, Ordering::SeqCst);
        for desk in &*self.desks.lock() {
            desk.mailbox.wake();
        }
        while workers.running > own {
            self.worker_ended.wait(&mut workers);
        }
        drop(workers);
        self.all_handed_over();
        self.collect_leftovers();
    }

    /// Joins the workers, which were told to end.
    fn join_workers(&self) {
        let handles = {
            let mut workers = self.workers.lock();
            self.resumed.notify_all();
            std::mem::take(&mut workers.handles)
        };
        let current = std::thread::current().id();
        for worker in handles.into_iter().filter(|worker| worker.thread().id() != current) {
            let _ = worker.join();
        }
    }

    /// What workers left that were handed something when they were leaving: replies still go out, requests wait for
    /// another loop.
    fn collect_leftovers(&self) {
        self.lot.lock().parked.clear();
        let desks = self.desks.lock().clone();
        self.desks.lock().retain(|desk| desk.paused.load(Ordering::SeqCst));
        for entry in desks.iter().flat_map(|desk| desk.mailbox.collect()) {
            // SAFETY: the pool owns it.
            match unsafe { entry.as_ref() } {
                request if request.is_fetched() => self.keep(entry),
                reply => drop(self.hand_over(reply)),
            }
        }
    }

    /// Ends everything. Replies fail from now on.
    pub fn close(&self) {
        self.stop();
        self.closed.store(true, Ordering::SeqCst);
        self.join_workers();
        let keeper = self.keeper_thread.lock().take();
        if let Some(thread) = keeper {
            self.keeper.wake();
            let _ = thread.join();
        }
    }
}
