// SPDX-License-Identifier: MIT OR Apache-2.0
//! A filesystem from its command line to its end.

/// `struct fuse`, opaque to programs.
pub struct Fuse {
    _later: (),
}
