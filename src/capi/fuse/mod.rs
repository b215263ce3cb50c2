// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edge of `fuse.h`: filesystems whose handlers work on paths and return a result.
//!
//! - `types`: the structures of the header. `config`: the options of `fuse_new`. `main`: a filesystem step by
//!   step. `program`: `fuse_main`, which takes all of them.
//! - `context`: who calls. `fs`: a layer and the calls into it. `modules`: layers that options put on top of each
//!   other. `layers`: those that are built in.
//! - `ops`: from requests on nodes to calls on paths. `notify`: what a filesystem says by itself.
//! - `seam`: what this takes from the low-level interface.

mod config;
mod context;
mod fs;
mod layers;
mod main;
mod modules;
mod notify;
mod ops;
mod program;
mod seam;
mod types;
