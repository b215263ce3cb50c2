// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that never runs a handler, so that it is always there.
//!
//! It commits replies for which no worker is free; the entries are then armed in its ring, and what arrives in them
//! goes to a worker. It starts another worker where a queue has no armed entry left. While handlers run it looks every
//! few milliseconds for replies that were given before their handler's end, and sends them. With nothing to look after
//! it sleeps without a timeout.

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::errno::Errno;
use crate::log::warning;
use crate::stats::{self, role};
use crate::sys::cpu;
use crate::sys::time::now;
use crate::transport::threads::{Runs, spawn};
use crate::transport::uring::desk::Desk;
use crate::transport::uring::entry::Entry;
use crate::transport::uring::pool::Pool;
use crate::transport::uring::ring::{Completion, Ring, WAKE};
use crate::transport::uring::worker::connection_over;

const SUBMISSIONS: u32 = 64;
/// How often handlers are looked at while there is traffic; a held-up request waits two of these at most.
const TICK: Duration = Duration::from_millis(2);
/// A handler that takes longer, in nanoseconds, gets help: its reply is sent, its queue gets another worker.
pub const LONG: u64 = 1_000_000;
const VERY_LONG: u64 = 20_000_000;
/// So long a handler alone does not keep the keeper awake.
const FOREVER: u64 = 50_000_000;
/// A queue that nobody serves for so long is not just between two requests, nor is its worker kept from its CPU.
const BARE_FOR: u64 = 20_000_000;
/// Vain kicks until a dry queue is believed to be empty.
const MOST_KICKS: u32 = 6;
/// So many looks without a running handler, and the keeper sleeps.
const QUIET: u32 = 4;

/// How the keeper reports that it is ready, and hears that the ring was granted.
type Report = Sender<Result<(), Errno>>;

/// Starts the keeper; returns when its ring is there, and an entry for each queue that it shall register. That happens
/// when the second part of the result is told where to report.
pub fn start(pool: &Arc<Pool>, queues: u16) -> Result<(JoinHandle<()>, Sender<Report>), Errno> {
    let (report, ready) = channel();
    let (grant, granted) = channel();
    let pool = pool.clone();
    let thread = spawn("fuse-keeper", Runs::Library, move || run(pool, queues, report, granted))?;
    match ready.recv() {
        Ok(Ok(())) => Ok((thread, grant)),
        other => {
            let _ = thread.join();
            Err(other.ok().and_then(Result::err).unwrap_or(Errno::new(libc::EIO)))
        }
    }
}

fn run(pool: Arc<Pool>, queues: u16, report: Report, granted: Receiver<Report>) {
    let ring = Ring::new(SUBMISSIONS, pool.config.fuse_fd);
    let entries = (0..queues).map(|qid| pool.new_entry(qid)).collect::<Result<Vec<_>, _>>();
    let (mut ring, entries) = match (ring, entries) {
        (Ok(ring), Ok(entries)) => (ring, entries),
        (Err(e), _) | (_, Err(e)) => {
            let _ = report.send(Err(e));
            return;
        }
    };
    ring.enlist();
    pool.keeper.open(ring.fd());
    let _ = report.send(Ok(()));
    let spells = vec![Spell::default(); pool.queues.len()];
    let shared = pool.clone();
    let _seat = shared.stats().enter(role::KEEPER);
    let mut keeper = Keeper { pool, ring, quiet: 0, spells, looks: HashMap::new() };
    if queues > 0 {
        // Without an answer the ring is not wanted any more.
        let Ok(report) = granted.recv() else { return keeper.pool.keeper.shut() };
        let registered = keeper.register(entries);
        let refused = registered.is_err();
        let _ = report.send(registered);
        if refused {
            // What its entries still tell is not the end of the connection.
            return keeper.pool.keeper.shut();
        }
    }
    keeper.work();
}

struct Keeper {
    pool: Arc<Pool>,
    ring: Ring,
    quiet: u32,
    spells: Vec<Spell>,
    /// By thread id.
    looks: HashMap<i32, Look>,
}

/// A long handler when it was first looked at: when it had begun, then, and the CPU time of its thread.
struct Look {
    since: u64,
    at: u64,
    used: u64,
}

/// What was done about a dry queue.
#[derive(Clone, Copy, Default)]
struct Spell {
    number: u32,
    kicks: u32,
    /// Nanoseconds of the monotonic clock.
    next: u64,
    /// The queue's mark when it was first seen without an armed entry and without a handler, and when that was.
    bare: Option<(u32, u64)>,
}

impl Keeper {
    /// Registers the first entry of each queue. A refusal completes at once.
    fn register(&mut self, entries: Vec<NonNull<Entry>>) -> Result<(), Errno> {
        for entry in entries {
            // SAFETY: the pool owns it.
            let entry = unsafe { entry.as_ref() };
            self.pool.arming(entry);
            self.ring.register(entry);
        }
        let submitted = self.ring.submit_and_wait(0, None);
        let mut refused = submitted.err();
        while let Some(completion) = self.ring.pop() {
            if completion.user_data != WAKE && completion.result < 0 {
                refused = refused.or(Some(Errno::new(completion.result)));
            } else {
                self.completed(completion);
            }
        }
        let Some(e) = refused else { return Ok(()) };
        self.ring.refuse();
        let _ = self.ring.submit_and_wait(0, None);
        Err(e)
    }

    fn work(&mut self) {
        self.collect();
        while !self.pool.closed() {
            let watching = self.pool.watching.load(Ordering::SeqCst);
            if let Err(e) = self.ring.submit_and_wait(1, watching.then_some(TICK)) {
                warning!("fuse: the ring's keeper can't wait: {e}");
                break;
            }
            stats::woken();
            while let Some(completion) = self.ring.pop() {
                self.completed(completion);
            }
            if watching {
                self.look_around();
            }
            self.grant_wishes();
        }
        // Replies that were accepted before the end still go out.
        self.pool.all_handed_over();
        self.collect();
        let _ = self.ring.submit_and_wait(0, None);
        self.pool.keeper.shut();
    }

    fn collect(&mut self) {
        for entry in self.pool.keeper.collect() {
            stats::handed_over();
            self.commit(entry);
        }
    }

    fn commit(&mut self, entry: NonNull<Entry>) {
        // SAFETY: the pool owns it, and its taker passed it on.
        let entry = unsafe { entry.as_ref() };
        self.pool.arming(entry);
        self.ring.commit(entry);
    }

    fn completed(&mut self, completion: Completion) {
        if completion.user_data == WAKE {
            return self.collect();
        }
        let Some(entry) = NonNull::new(completion.user_data as *mut Entry) else {
            return;
        };
        // SAFETY: user data of entries are their addresses, and the pool keeps them.
        let request = unsafe { entry.as_ref() };
        self.pool.taken(request);
        match completion.result {
            0.. if self.pool.kicker.is_kick(&request.peek()) => {
                request.answer_kick();
                self.commit(entry);
            }
            0.. => self.pool.dispatch(entry),
            error if connection_over(error) => self.pool.service().ended(0),
            _ => drop(self.pool.queue(request).wish_for_worker()),
        }
    }

    /// Does what workers have asked for.
    fn grant_wishes(&mut self) {
        self.pool.drain_backlog();
        for (qid, queue) in self.pool.queues.iter().enumerate() {
            if queue.take_wish() {
                self.pool.grow(qid as u16);
            }
            if queue.take_kick() {
                let now = now();
                // What the kick that is under way brings forth calls for the next one.
                if !self.pool.kicker.is_kicking(qid, now) {
                    self.pool.kicker.kick(qid, now);
                }
                self.pool.stay_awake();
            }
        }
    }

    /// Kicks again where a kick has missed because its entry was taken by somebody else, and, less and less often, where
    /// it is only possible that something waits. Returns whether it is still worth a look.
    fn look_after_dry_queues(&mut self, now: u64) -> bool {
        let mut hopeful = false;
        for (qid, (queue, spell)) in self.pool.queues.iter().zip(&mut self.spells).enumerate() {
            let missed = self.pool.kicker.has_missed(qid, now);
            let Some(number) = queue.dry_spell().or(missed.then_some(spell.number)) else { continue };
            if spell.number != number {
                *spell = Spell { number, kicks: 0, next: now + TICK.as_nanos() as u64, bare: spell.bare };
            }
            let worth_it = queue.has_armed() && (missed || spell.kicks < MOST_KICKS);
            if worth_it && now >= spell.next && !self.pool.kicker.is_kicking(qid, now) {
                self.pool.kicker.kick(qid, now);
                spell.kicks += 1;
                spell.next = now + ((TICK.as_nanos() as u64) << spell.kicks.min(3));
            }
            hopeful |= worth_it;
        }
        hopeful
    }

    /// A queue without an armed entry whose requests nobody serves (all wait for replies from elsewhere) gets one, whatever
    /// has become of those who should have seen to it. Returns whether there may be such a queue.
    fn look_for_bare_queues(&mut self, served: &[u16], now: u64) -> bool {
        let possible = !self.pool.config.single && self.pool.config.gate.has_room();
        let mut any = false;
        for (qid, (queue, spell)) in self.pool.queues.iter().zip(&mut self.spells).enumerate() {
            let bare = possible
                && !queue.has_armed()
                && !queue.is_full(self.pool.config.most_entries)
                && !served.contains(&(qid as u16));
            let mark = queue.mark();
            let first = spell.bare.filter(|first| first.0 == mark).unwrap_or((mark, now));
            if bare && now - first.1 > BARE_FOR {
                queue.wish_for_worker();
            }
            spell.bare = bare.then_some(first);
            any |= bare;
        }
        any
    }

    /// Helps where handlers are held up.
    fn look_around(&mut self) {
        let desks: Vec<Arc<Desk>> = self.pool.desks.lock().clone();
        let mut busy = false;
        let mut served_queues = Vec::new();
        let now = now();
        for desk in desks {
            let Some(entry) = NonNull::new(desk.serving.load(Ordering::Acquire)) else {
                continue;
            };
            let since = desk.since.load(Ordering::Relaxed);
            let time = now.saturating_sub(since);
            // SAFETY: the pool owns it.
            let served = unsafe { entry.as_ref() };
            served_queues.push(served.qid);
            if time > LONG {
                // Whatever else comes must not be left with it: nobody may look there any more.
                self.pool.queues.iter().for_each(|queue| queue.be_no_host(&desk));
                self.unload(&desk);
            }
            // A long one needs no more looks if others can be served. When it replies at last, it wakes us.
            busy |= time < FOREVER || served.is_replied() || self.pool.may_help(served);
            if time > LONG {
                self.help(entry, &desk, since, now);
            }
        }
        busy |= self.look_after_dry_queues(now);
        busy |= self.look_for_bare_queues(&served_queues, now);
        self.quiet = if busy { 0 } else { self.quiet + 1 };
        if self.quiet > QUIET {
            self.sleep();
        }
    }

    /// Takes from a worker that a handler keeps what else it has in hand.
    fn unload(&mut self, desk: &Desk) {
        let mut replies = Vec::new();
        desk.hand.take_replies(&mut replies);
        for reply in replies {
            self.commit(reply);
        }
        if self.pool.config.single {
            return;
        }
        // A worker for these is found next.
        for request in desk.hand.take_requests() {
            // SAFETY: the pool owns it.
            unsafe { request.as_ref() }.fetched();
            self.pool.keep(request);
        }
        for entry in desk.mailbox.collect() {
            // SAFETY: the pool owns it.
            match unsafe { entry.as_ref() }.is_fetched() {
                true => self.pool.keep(entry),
                false => self.commit(entry),
            }
        }
    }

    fn help(&mut self, serving: NonNull<Entry>, desk: &Desk, since: u64, now: u64) {
        let thread = desk.thread.load(Ordering::Relaxed);
        // A worker that has come to its end meanwhile may sleep for another reason.
        let goes_on = || {
            desk.serving.load(Ordering::SeqCst) == serving.as_ptr()
                && desk.since.load(Ordering::Relaxed) == since
        };
        // SAFETY: the pool owns it.
        let entry = unsafe { serving.as_ref() };
        // What is lent to a handler is taken from under it only if it does not come back for long.
        let patience = if entry.is_lent() { VERY_LONG } else { LONG };
        if now.saturating_sub(since) > patience && entry.take_reply() {
            // A handler that was not let on a CPU since its reply has no work left, as far as we know.
            if cpu::sleeps(thread) && goes_on() {
                self.pool.note_tail_work(entry);
            }
            self.commit(serving);
        } else if !self.pool.queue(entry).has_armed()
            && (cpu::sleeps(thread) || self.computes(thread, since, now))
            && goes_on()
        {
            // The wish is granted next, unless no thread can be had: nobody has to wake us.
            self.pool.queue(entry).handler_blocks();
        }
    }

    /// Whether a handler that is not asleep keeps its CPU busy, rather than waiting for one: then another thread can
    /// do better.
    fn computes(&mut self, thread: i32, since: u64, now: u64) -> bool {
        let used = cpu::time_of(thread);
        let first = self.looks.entry(thread).or_insert(Look { since, at: now, used });
        if first.since != since {
            *first = Look { since, at: now, used };
        }
        let span = now - first.at;
        span > LONG && used.saturating_sub(first.used) > span / 2
    }

    fn sleep(&mut self) {
        self.quiet = 0;
        self.pool.watching.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let now = now();
        let serves = |desk: &Arc<Desk>| {
            let serving = NonNull::new(desk.serving.load(Ordering::SeqCst));
            let young = now.saturating_sub(desk.since.load(Ordering::Relaxed)) < FOREVER;
            let left = !desk.mailbox.is_empty();
            // SAFETY: the pool owns it.
            serving.is_some_and(|entry| young || left || unsafe { entry.as_ref() }.is_replied())
        };
        if self.pool.desks.lock().iter().any(serves) {
            self.pool.watching.store(true, Ordering::SeqCst);
        }
    }
}
