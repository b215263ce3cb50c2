// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the high-level interface is made of below the calls into C: nodes and paths, and what `struct fuse_config`
//! does to attributes, caches and directories.
//!
//! `table` knows the nodes (`slab`: where they live, `index`: by name, `remember`: for how long) and gives out paths
//! under locks (`lock`, `wait`, `text`). Nodes belong to the table; numbers are only hints about them, which is
//! checked whenever one comes in. `settings` holds the configuration, `watch` what auto_cache remembers of a file,
//! `locks` POSIX locks for F_GETLK, `opens` handles of files that may lose
//! their names, `listing` the entries of an open directory, `handles` open directories.

mod handles;
mod index;
mod listing;
mod lock;
mod locks;
mod node;
mod opens;
mod remember;
mod settings;
mod side;
mod slab;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod wait;
mod watch;

pub use handles::Handles;
pub use listing::{Entry, Listing};
pub use lock::{Locked, Target};
pub use locks::Lock;
pub use settings::{Masks, Settings};
#[cfg(test)]
use table::ROOT;
pub use table::{Counts, Found, Table};
