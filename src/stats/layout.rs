// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where everything is in a session's statistics, for the library that writes them and the tool that reads them: a file
//! of 64-bit words in the machine's byte order. A header, a few words for each queue of the kernel's, and blocks of
//! counters, each written by one thread at a time.
//!
//! A change of anything here is a new `VERSION`. The tool includes this file and shares nothing else with the library.

/// The name of the memory file; the tool looks for a link to it among the descriptors of processes.
pub const NAME: &str = "ringfuse-stats";
pub const MAGIC: u64 = u64::from_be_bytes(*b"ringfuse");
pub const VERSION: u64 = 1;

/// Words of the header.
pub const HEADER: usize = 512;
/// Indices in the header. What is not said to change is there before the magic.
pub mod header {
    /// Written last.
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 1;
    /// Of the file, in bytes.
    pub const SIZE: usize = 2;
    pub const QUEUES: usize = 3;
    pub const BLOCKS: usize = 4;
    /// Blocks that were ever used, from the first on; grows.
    pub const USED: usize = 5;
    /// See `transport`; changes once.
    pub const TRANSPORT: usize = 6;
    /// The number of the descriptor through which the mount is served, in the process that has this file.
    pub const DEVICE_FD: usize = 7;
    /// Seconds since 1970.
    pub const STARTED: usize = 8;
    pub const MAX_THREADS: usize = 9;
    pub const SPIN_US: usize = 10;
    /// Bytes of an entry's payload buffer; changes once.
    pub const PAYLOAD: usize = 11;
    /// Interrupts that the kernel told of; counts.
    pub const INTERRUPTS: usize = 12;
    /// Replies made by another thread, or after the handler's end; counts.
    pub const FOREIGN: usize = 13;
    /// Why it is not the ring: text, ended by a 0 unless it fills its place; changes once.
    pub const REASON: usize = 32;
    pub const REASON_WORDS: usize = 32;
    /// Where the session was mounted: text, empty if unknown or too long.
    pub const MOUNTPOINT: usize = 64;
    pub const MOUNTPOINT_WORDS: usize = 448;
}

/// What carries the requests.
pub mod transport {
    /// INIT has not come yet.
    #[allow(dead_code)] // the tool's
    pub const NONE: u64 = 0;
    pub const DEVICE: u64 = 1;
    pub const RING: u64 = 2;
    /// Added: all on one thread.
    pub const SINGLE: u64 = 16;
}

/// Words of a queue.
pub const QUEUE: usize = 8;
pub mod queue {
    /// Entries that wait for a request. Changed by several threads without a lock: at rest it may be one off.
    pub const ARMED: usize = 0;
    pub const ENTRIES: usize = 1;
}

/// Words of a block; whole cache lines.
pub const BLOCK: usize = 320;
/// Blocks in a file. The first is shared by threads that have none of their own.
pub const BLOCKS: usize = 256;
/// Indices in a block.
pub mod block {
    /// See `role`; 0 when no thread has the block.
    pub const ROLE: usize = 0;
    pub const THREAD: usize = 1;
    /// The opcode of the request whose handler runs here, or 0.
    pub const SERVING: usize = 2;
    /// Looking for the next request instead of sleeping...
    pub const SPINS: usize = 3;
    /// ...that found one.
    pub const REWARDED: usize = 4;
    /// Sleeps that ended with something to do.
    pub const WAKEUPS: usize = 5;
    /// Visits to the kernel that brought requests, how many those were together, and at most.
    pub const BATCHES: usize = 6;
    pub const BATCHED: usize = 7;
    pub const LARGEST_BATCH: usize = 8;
    /// Replies committed for other threads.
    pub const HANDED_OVER: usize = 9;
    /// Requests by opcode; the first is for those without a place.
    pub const OPERATIONS: usize = 16;
    pub const OPERATION_COUNT: usize = 64;
    /// Nanoseconds that handlers took: how many of the timed ones fell in each bucket.
    pub const HANDLER: usize = 80;
    /// The same from a request's arrival here to its reply.
    pub const TOTAL: usize = HANDLER + super::BUCKETS;
}

/// What a thread with a block does.
pub mod role {
    pub const NOBODY: u64 = 0;
    /// The first block.
    pub const SHARED: u64 = 1;
    /// Called the loop.
    pub const LOOP: u64 = 2;
    /// Serves the device.
    pub const DEVICE: u64 = 3;
    /// Serves the ring.
    pub const WORKER: u64 = 4;
    /// Keeps the ring going.
    pub const KEEPER: u64 = 5;
}

/// Times are counted in buckets, four to each doubling, from 128 ns to 34 s.
pub const BUCKETS: usize = 112;
const FIRST_BITS: u32 = 7;

/// The bucket for a time.
pub fn bucket(nanos: u64) -> usize {
    if nanos < 1 << FIRST_BITS {
        return 0;
    }
    let octave = nanos.ilog2();
    let quarter = (nanos >> (octave - 2)) as usize & 3;
    (1 + (octave - FIRST_BITS) as usize * 4 + quarter).min(BUCKETS - 1)
}

/// The time at which a bucket ends; the last one has no end.
#[allow(dead_code)] // the tool's
pub fn bucket_end(bucket: usize) -> Option<u64> {
    if bucket >= BUCKETS - 1 {
        return None;
    }
    let (octave, quarter) = (FIRST_BITS as usize + bucket / 4, bucket as u64 % 4);
    Some((1 << octave) + quarter * (1 << (octave - 2)))
}

/// Where the words of a queue begin.
pub fn queue_at(queue: usize) -> usize {
    HEADER + queue * QUEUE
}

/// Where a block begins in a file for so many queues.
pub fn block_at(queues: usize, block: usize) -> usize {
    queue_at(queues) + block * BLOCK
}

const _: () = {
    assert!(BLOCK % 8 == 0 && QUEUE % 8 == 0 && HEADER % 8 == 0);
    assert!(block::OPERATIONS + block::OPERATION_COUNT <= block::HANDLER);
    assert!(block::TOTAL + BUCKETS <= BLOCK);
    assert!(header::REASON + header::REASON_WORDS <= header::MOUNTPOINT);
    assert!(header::MOUNTPOINT + header::MOUNTPOINT_WORDS <= HEADER);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_join_without_gaps() {
        assert_eq!((bucket(0), bucket(127), bucket(128), bucket(159), bucket(160)), (0, 0, 1, 1, 2));
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket_end(BUCKETS - 1), None);
        for at in 0..BUCKETS - 1 {
            let end = bucket_end(at).unwrap();
            assert_eq!((bucket(end - 1), bucket(end)), (at, at + 1), "{at}");
        }
    }
}
