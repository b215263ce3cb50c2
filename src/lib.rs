// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ringfuse: the C API and ABI of libfuse 3.18, with FUSE-over-io_uring as its transport.
//!
//! # The life of a request
//!
//! The kernel puts a request into a ring entry (`transport::uring`), or gives it out on a read of `/dev/fuse`
//! (`transport::dev`). Either way it becomes an `Incoming`: header, argument 0, everything else, and the handle of the
//! slot it lives in (`transport::slot`). The session (`session::serve`) checks and decodes it (`request::decode`) into
//! an `Operation`, and hands that to the filesystem. For a C filesystem that is `capi::fuse_lowlevel::ops`, which
//! calls the program's function with the handle as `fuse_req_t`; for one on the high-level API it is `capi::fuse::ops`,
//! which finds and locks the path (`path`) and calls the program's function with that.
//!
//! The reply comes back through `capi::fuse_lowlevel::reply`, from whatever thread and whenever the program likes.
//! It claims the slot, which works once, encodes the answer (`request::encode`) and sends it the way the request
//! came: written to the device, or put into the entry's payload and committed. The commit is made by a thread that
//! owns an io_uring, which at the same time fetches the next request.
//!
//! # The rooms
//!
//! From the edge down; imports point down only, but for tests.
//!
//! - `capi`: all exported functions and all calls into C, a module for each public header.
//! - `path`: files by number and by path, for the high-level API: node table, path locks, hidden files, directories.
//! - `session`: a mount's state from `fuse_session_new` to `fuse_session_destroy`; INIT, loops, dispatch.
//! - `request`: the right to answer, decoding, encoding.
//! - `transport`: how requests come and replies go; threads live here.
//! - `stats`: what a session counts, in memory that the `ringfuse` command reads.
//! - `mount`, `opt`, `buf`, `log`, `help`, `signals`, `daemonize`: what a filesystem needs around that.
//! - `wire`: the kernel's protocol as types. `sys`: system calls, one function each. `errno`: the error type.
//!
//! Unsafe code is denied, and allowed by name where it has to be: `capi` (pointers of C programs), `transport`, what of
//! `request` and `session` refers to slots by address, what of `path` shares nodes between threads, `stats` (memory that is
//! a file's), `sys`, and the `Pod` trait of `wire`. Each says who owns which memory and when. A panic never crosses the
//! edge: it aborts.
#![deny(unsafe_code)]

mod buf;
mod capi;
mod daemonize;
mod errno;
#[cfg(test)]
#[path = "../tests/flow/mod.rs"]
mod flow;
mod help;
mod log;
mod mount;
mod opt;
mod path;
mod request;
mod session;
mod signals;
mod stats;
mod sys;
mod transport;
mod wire;

/// What the fuzz targets in `fuzz/` reach for; not part of any interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
