// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets in `fuzz/` drive: the decoder as it is, and notifications of a whole session.
//!
//! `notifications` plays both the program and the kernel; the session, its device and everything it holds end with
//! the call.

pub use crate::request::decode::{Message, Operation, Proto, decode, extensions, ring_message, split};
pub use crate::wire::uring::OP_HEADER_SIZE;
pub use crate::wire::{FuseInHeader, Pod};

use std::ffi::CString;
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::opt::Args;
use crate::request::Request;
use crate::session::init::{ConnInfo, Has, Remembered};
use crate::session::{Filesystem, Name, Session};
use crate::transport::dev::Io;
use crate::wire::flags::notify;
use crate::wire::{
    FuseInitIn, FuseNotifyDeleteOut, FuseNotifyInvalEntryOut, FuseNotifyPruneOut, FuseNotifyRetrieveIn,
    FuseNotifyRetrieveOut, FuseNotifyStoreOut, FuseOutHeader, Opcode,
};

/// What the program hands to `notify_retrieve`, so that nothing else can come back as a cookie.
const COOKIE: usize = 0x5eed;

/// Takes what is sent, as strictly as the kernel would, and remembers what was asked for.
#[derive(Default)]
struct Kernel {
    asked: Mutex<Vec<u64>>,
}

impl Kernel {
    /// Whether a notification's parts add up.
    fn check(&self, code: i32, data: &[u8]) {
        let named = |struct_size: usize, namelen: u32| data.len() == struct_size + namelen as usize + 1;
        let adds_up = match code {
            notify::POLL => data.len() == 8,
            notify::INVAL_INODE => data.len() == 24,
            notify::INC_EPOCH => data.is_empty(),
            notify::INVAL_ENTRY => named(16, FuseNotifyInvalEntryOut::read_padded(data).namelen),
            notify::DELETE => named(24, FuseNotifyDeleteOut::read_padded(data).namelen),
            notify::STORE => data.len() == 24 + FuseNotifyStoreOut::read_padded(data).size as usize,
            notify::PRUNE => data.len() == 16 + 8 * FuseNotifyPruneOut::read_padded(data).count as usize,
            notify::RETRIEVE => {
                let unique = FuseNotifyRetrieveOut::read_padded(data).notify_unique;
                assert!(unique != 0 && unique & 1 == 0 && unique >> 63 == 0);
                self.asked.lock().push(unique);
                data.len() == 32
            }
            _ => false,
        };
        assert!(adds_up, "notification {code} of {} bytes", data.len());
    }
}

impl Io for Kernel {
    fn read(&self, _fd: RawFd, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::new(libc::ENODEV))
    }

    fn writev(&self, _fd: RawFd, data: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let bytes: Vec<u8> = data.iter().flat_map(|part| part.iter().copied()).collect();
        let (header, data) = FuseOutHeader::read_prefix(&bytes).ok_or(Errno::new(libc::EINVAL))?;
        assert_eq!(header.len as usize, bytes.len());
        if header.unique == 0 {
            self.check(header.error, data);
        }
        Ok(bytes.len())
    }

    fn clone_fd(&self, _fd: RawFd) -> Result<OwnedFd, Errno> {
        Err(Errno::new(libc::ENOSYS))
    }

    fn is_device(&self) -> bool {
        false
    }
}

/// A filesystem that counts what comes back.
struct Counter(Arc<AtomicU64>);

impl Filesystem for Counter {
    fn has(&self) -> Has {
        Has::default()
    }

    fn init(&self, _conn: &mut ConnInfo, _remembered: &mut Remembered) {}

    fn handle(&self, request: Request, _header: &FuseInHeader, operation: Operation<'_>, _want: u64) {
        std::hint::black_box(format!("{operation:?}"));
        let _ = request.fail(Errno::new(libc::ENOSYS));
    }

    fn retrieved(&self, request: Request, _ino: u64, cookie: usize, _offset: u64, data: &[u8]) {
        assert_eq!(cookie, COOKIE);
        std::hint::black_box(data.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
        self.0.fetch_add(1, Ordering::Relaxed);
        request.no_reply();
    }

    fn destroy(&self) {}
}

/// Reads `input` as a list of things that program and kernel do.
pub fn notifications(input: &[u8]) {
    let (kernel, count) = (Arc::new(Kernel::default()), Arc::new(AtomicU64::new(0)));
    let mut args: Args = [CString::from(c"fuzz")].into_iter().collect();
    let session = Session::new(&mut args, Box::new(Counter(count.clone())), 0);
    let (Ok(session), Ok(file)) = (session, File::open("/dev/null")) else {
        return;
    };
    session.custom_io(file.into(), kernel.clone());
    let Some((&minor, mut rest)) = input.split_first() else {
        return;
    };
    let arg = FuseInitIn { major: 7, minor: minor.into(), ..FuseInitIn::default() };
    session.process(&message(Opcode::INIT, 2, arg.as_bytes(), &[]));
    let mut answered = 0;
    while let Some((step, more)) = Step::take(rest) {
        rest = more;
        answered += step.run(&session, &kernel);
    }
    assert_eq!(count.load(Ordering::Relaxed), answered);
}

fn message(opcode: Opcode, unique: u64, op: &[u8], data: &[u8]) -> Vec<u8> {
    let len = (size_of::<FuseInHeader>() + op.len() + data.len()) as u32;
    let header = FuseInHeader { len, opcode: opcode.0, unique, nodeid: 1, ..FuseInHeader::default() };
    [header.as_bytes(), op, data].concat()
}

/// One thing to do: what, with which numbers, with which bytes.
struct Step<'a> {
    what: u8,
    a: u64,
    b: i64,
    data: &'a [u8],
}

impl<'a> Step<'a> {
    fn take(input: &'a [u8]) -> Option<(Step<'a>, &'a [u8])> {
        let (&what, rest) = input.split_first()?;
        let (a, rest) = u64::read_prefix(rest)?;
        let (b, rest) = i64::read_prefix(rest)?;
        let (&length, rest) = rest.split_first()?;
        let (data, rest) = rest.split_at_checked(length.into())?;
        Some((Step { what, a, b, data }, rest))
    }

    /// How many answers that must have brought to the filesystem.
    fn run(&self, session: &Session, kernel: &Kernel) -> u64 {
        let Step { what, a, b, data } = *self;
        let _ = match what % 10 {
            0 => session.notify_inval_inode(a, b, b),
            1 => session.notify_entry(a, data, Name::Invalidate),
            2 => session.notify_entry(a, data, Name::Expire),
            3 => session.notify_delete(a, b as u64, data),
            4 => session.notify_store(a, b as u64, data),
            5 => session.notify_retrieve(a, b as u64, data.len(), COOKIE),
            6 => session.notify_increment_epoch(),
            7 => session.notify_prune(&[a, b as u64]),
            8 => return answer(session, kernel, a, data),
            _ => {
                // Anything at all, also shorter than its header.
                let opcode = Opcode::ALL[a as usize % Opcode::ALL.len()];
                if !matches!(opcode, Opcode::NOTIFY_REPLY) {
                    session.process(&message(opcode, a | 1, data, &[]));
                }
                Ok(())
            }
        };
        0
    }
}

/// The kernel's answer to a retrieve, or to none; with the length that belongs to it, or another.
fn answer(session: &Session, kernel: &Kernel, a: u64, data: &[u8]) -> u64 {
    let asked = if a & 1 == 0 { kernel.asked.lock().pop() } else { None };
    let honest = a & 2 == 0;
    let size = if honest { data.len() as u32 } else { (a >> 8) as u32 };
    let arg = FuseNotifyRetrieveIn { offset: a, size, ..FuseNotifyRetrieveIn::default() };
    session.process(&message(Opcode::NOTIFY_REPLY, asked.unwrap_or(a), arg.as_bytes(), data));
    u64::from(asked.is_some() && size as usize == data.len())
}
