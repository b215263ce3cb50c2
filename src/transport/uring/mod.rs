// SPDX-License-Identifier: MIT OR Apache-2.0
//! FUSE over io_uring.
//!
//! A request waits in the kernel's queue of its caller's CPU until an entry of that queue is armed. Here the rule
//! that keeps everybody moving: a thread in a handler has no armed entry. A worker arms one entry or several, serves when
//! a request has arrived in each, and arms them again with the replies. Where that is not enough, the keeper, a thread that never runs a
//! handler, helps: it registers each queue's first entry, commits replies that come from other threads when no worker is free to, hands on what then
//! arrives, and starts workers for queues whose own are held up.
//!
//! - `pool`: who is free to do what; owns entries and threads, whose beginning and end is `pool::loops`. `queue`: the account of one kernel queue.
//! - `desk`: what is known of a worker; `hand`: what it has received and not served or sent yet. `worker`: a thread with an
//!   io_uring that runs handlers (`handler`). `single`: the same for `fuse_session_loop`. `pace`: whether one more entry would pay. `company`: whether several in one hand do. `crowd`: how many clients there are.
//! - `keeper`: see above. `kicker`: brings forth requests that the kernel keeps back. `mailbox`: entries on their way to another thread.
//! - `entry`: the memory of one request and whose it is. `ring`: one io_uring.

mod company;
mod crowd;
mod desk;
pub mod entry;
mod hand;
mod handler;
mod keeper;
mod kicker;
mod mailbox;
mod pace;
pub mod pool;
mod queue;
mod ring;
pub mod single;
mod start;
mod worker;

pub use pool::{Config, DEFAULT_BATCH, Owner, Pool};
pub use start::Prepared;
