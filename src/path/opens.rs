// SPDX-License-Identifier: MIT OR Apache-2.0
//! The handles of open files, for filesystems that remove them at once (`hard_remove`): the kernel asks for attributes
//! of a file without saying by which of its handles, and a file that has no name has to be reached by one of them.

use std::sync::Arc;

use parking_lot::RwLock;

use super::side::Side;

/// Handles by node. Whoever uses one keeps it from being closed meanwhile.
pub struct Opens(Side<Arc<RwLock<Vec<u64>>>>);

impl Opens {
    pub fn new() -> Opens {
        Opens(Side::new())
    }

    pub fn add(&self, id: u32, fh: u64) {
        let handles = self.0.with(id, |handles| handles.clone());
        handles.write().push(fh);
    }

    /// Waits until nobody uses the handle.
    pub fn remove(&self, id: u32, fh: u64) {
        if let Some(handles) = self.0.peek(id, |handles| handles.clone()) {
            let mut handles = handles.write();
            if let Some(index) = handles.iter().position(|&other| other == fh) {
                handles.swap_remove(index);
            }
        }
    }

    /// Uses one of a node's handles, if it has any.
    pub fn with_one<R>(&self, id: u32, using: impl FnOnce(u64) -> R) -> Option<R> {
        let handles = self.0.peek(id, |handles| handles.clone())?;
        let handles = handles.read();
        handles.first().map(|&fh| using(fh))
    }

    pub fn forget(&self, id: u32) {
        self.0.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_those_that_are_open() {
        let opens = Opens::new();
        assert_eq!(opens.with_one(3, |fh| fh), None);
        opens.add(3, 10);
        opens.add(3, 11);
        opens.remove(3, 10);
        assert_eq!(opens.with_one(3, |fh| fh), Some(11));
        opens.remove(3, 11);
        opens.remove(3, 11);
        assert_eq!(opens.with_one(3, |fh| fh), None);
    }
}
