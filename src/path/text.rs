// SPDX-License-Identifier: MIT OR Apache-2.0
//! A path being put together from its end to its beginning, in a buffer that its thread keeps for the next one.

use std::cell::RefCell;
use std::ffi::CStr;

const FIRST_SIZE: usize = 1024;
/// Longer ones are not kept.
const LARGEST_KEPT: usize = 16384;
const KEPT: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A path with its final NUL, at the end of a buffer.
pub struct PathText {
    buffer: Vec<u8>,
    start: usize,
}

impl PathText {
    pub fn new() -> PathText {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        let mut text = PathText { buffer: spare.unwrap_or_else(|| vec![0; FIRST_SIZE]), start: 0 };
        text.clear();
        text
    }

    /// Makes it the empty path.
    pub fn clear(&mut self) {
        self.start = self.buffer.len() - 1;
        self.buffer[self.start] = 0;
    }

    /// Puts `/name` in front.
    pub fn prepend(&mut self, name: &[u8]) {
        let length = name.len() + 1;
        if self.start < length {
            self.grow(length);
        }
        self.start -= length;
        let room = &mut self.buffer[self.start..self.start + length];
        room[0] = b'/';
        room[1..].copy_from_slice(name);
    }

    fn grow(&mut self, more: usize) {
        let used = self.buffer.len() - self.start;
        let mut larger = vec![0; 2 * (used + more).max(FIRST_SIZE)];
        let start = larger.len() - used;
        larger[start..].copy_from_slice(&self.buffer[self.start..]);
        (self.buffer, self.start) = (larger, start);
    }

    /// The path; the root if nothing was put in front.
    pub fn get(&self) -> &CStr {
        match CStr::from_bytes_until_nul(&self.buffer[self.start..]) {
            Ok(path) if !path.is_empty() => path,
            _ => c"/",
        }
    }
}

impl Drop for PathText {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.len() <= LARGEST_KEPT {
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < KEPT {
                    spare.push(buffer);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_any_length_and_starts_afresh() {
        let mut text = PathText::new();
        assert_eq!(text.get(), c"/");
        text.prepend(b"c");
        text.prepend(b"bb");
        assert_eq!(text.get(), c"/bb/c");
        let long = vec![b'x'; 5000];
        text.prepend(&long);
        assert_eq!(text.get().count_bytes(), 5001 + 5);
        assert!(text.get().to_bytes().ends_with(b"x/bb/c"));
        drop(text);
        assert_eq!(PathText::new().get(), c"/");
    }
}
