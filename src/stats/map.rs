// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory file and its words. The mapping lives as long as the session or the last thread that counts in it.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;

use crate::errno::Errno;
use crate::stats::About;
use crate::stats::layout::{self, BLOCK, BLOCKS, VERSION, block, header, role};
use crate::sys::memfd;

/// Words of one writer, or of several.
#[derive(Clone, Copy)]
pub struct Counters {
    /// As many as the part of the file has that they are; the mapping outlives all users.
    pub words: *const AtomicU64,
    /// Several threads add here.
    pub shared: bool,
}

impl Counters {
    fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: indices are those of `layout`, within the part that `words` begins.
        unsafe { &*self.words.add(index) }
    }

    pub fn set(&self, index: usize, value: u64) {
        self.word(index).store(value, Ordering::Relaxed);
    }

    pub fn add(&self, index: usize, number: u64) {
        let word = self.word(index);
        if self.shared {
            word.fetch_add(number, Ordering::Relaxed);
        } else {
            word.store(word.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
        }
    }

    pub fn raise(&self, index: usize, to: u64) {
        if self.word(index).load(Ordering::Relaxed) < to {
            self.word(index).fetch_max(to, Ordering::Relaxed);
        }
    }
}

/// See the module.
pub struct Map {
    memory: MmapRaw,
    queues: usize,
    free: Mutex<Blocks>,
    /// Open so that the tool finds it.
    pub file: OwnedFd,
}

struct Blocks {
    /// Given back, to be used again: their counts go on.
    returned: Vec<usize>,
    used: usize,
}

impl Map {
    pub fn new(about: &About<'_>) -> Result<Map, Errno> {
        let queues = usize::from(about.queues);
        let bytes = layout::block_at(queues, BLOCKS) * size_of::<u64>();
        let file = memfd::create(layout::NAME, bytes)?;
        memfd::allocate(file.as_fd(), 0, layout::block_at(queues, 1) * size_of::<u64>())?;
        let memory = MmapOptions::new().len(bytes).map_raw(&file)?;
        memfd::seal(file.as_fd())?;
        let free = Mutex::new(Blocks { returned: Vec::new(), used: 1 });
        let map = Map { memory, queues, free, file };
        map.describe(about, bytes);
        Ok(map)
    }

    fn describe(&self, about: &About<'_>, bytes: usize) {
        let words = self.header();
        words.set(header::VERSION, VERSION);
        words.set(header::SIZE, bytes as u64);
        words.set(header::QUEUES, self.queues as u64);
        words.set(header::BLOCKS, BLOCKS as u64);
        words.set(header::USED, 1);
        words.set(header::DEVICE_FD, about.device_fd as u64);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        words.set(header::STARTED, since_1970.as_secs());
        words.set(header::MAX_THREADS, about.max_threads.into());
        words.set(header::SPIN_US, about.spin_us);
        // Half a path would be another one.
        let point = about.mountpoint.map(CStr::to_bytes).unwrap_or_default();
        if point.len() <= header::MOUNTPOINT_WORDS * 8 {
            self.set_text(header::MOUNTPOINT, header::MOUNTPOINT_WORDS, point);
        }
        words.word(header::MAGIC).store(layout::MAGIC, Ordering::Release);
    }

    fn at(&self, word: usize, shared: bool) -> Counters {
        // SAFETY: `layout` places everything within the file, whose length is that of the mapping.
        Counters { words: unsafe { self.memory.as_ptr().cast::<AtomicU64>().add(word) }, shared }
    }

    pub fn header(&self) -> Counters {
        self.at(0, true)
    }

    pub fn queue(&self, qid: u16) -> Option<Counters> {
        let qid = usize::from(qid);
        (qid < self.queues).then(|| self.at(layout::queue_at(qid), true))
    }

    /// The first one is shared.
    pub fn block(&self, block: usize) -> Counters {
        self.at(layout::block_at(self.queues, block), block == 0)
    }

    /// Writes text into words of the header, as much of it as they hold.
    pub fn set_text(&self, word: usize, words: usize, text: &[u8]) {
        for (index, piece) in text.chunks(8).take(words).enumerate() {
            let mut bytes = [0; 8];
            bytes[..piece.len()].copy_from_slice(piece);
            self.header().set(word + index, u64::from_ne_bytes(bytes));
        }
    }

    /// A block for one thread; the shared one when there is no other left.
    pub fn take_block(&self) -> usize {
        let mut free = self.free.lock();
        if let Some(block) = free.returned.pop() {
            return block;
        }
        let block = free.used;
        if block == BLOCKS || self.allocate(block).is_err() {
            return 0;
        }
        free.used += 1;
        self.header().set(header::USED, free.used as u64);
        block
    }

    fn allocate(&self, block: usize) -> Result<(), Errno> {
        let at = layout::block_at(self.queues, block) * size_of::<u64>();
        memfd::allocate(self.file.as_fd(), at, BLOCK * size_of::<u64>())
    }

    pub fn give_back(&self, block: usize) {
        if block != 0 {
            self.block(block).set(block::ROLE, role::NOBODY);
            self.free.lock().returned.push(block);
        }
    }
}
