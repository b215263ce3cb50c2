// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests from their arrival to their reply, through a whole session on the memory transport: no kernel, no C.
//!
//! A `Bench` owns the session and the kernel's end of it. Messages are served on the calling thread.
#![allow(unsafe_code)]

mod ends;
mod hostile;
mod interrupts;
mod replies;

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::opt::Args;
use crate::request::Request;
use crate::request::decode::Operation;
use crate::request::decode::tests::table::Sent;
use crate::session::init::{ConnInfo, Has, Remembered, cap};
use crate::session::{Filesystem, Session};
use crate::transport::dev::Channel;
use crate::transport::memory::{Memory, Reply, RingEntry, Wire};
use crate::transport::slot::Caller;
use crate::wire::flags::init::SETXATTR_EXT;
use crate::wire::{FuseInHeader, FuseInitIn, FuseInterruptIn, Opcode, Pod};

const HEADER: usize = size_of::<FuseInHeader>();
const EIO: i32 = -libc::EIO;

/// How a message arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Device,
    Ring,
}

const SHAPES: [Shape; 2] = [Shape::Device, Shape::Ring];

type Handler = Box<dyn Fn(Request, &Operation<'_>) + Send + Sync>;

/// A filesystem that writes down what it is asked.
struct Recorder {
    handler: Handler,
    init: fn(&mut ConnInfo),
    seen: Mutex<Vec<(String, Caller)>>,
    inits: AtomicU32,
    destroys: AtomicU32,
}

impl Filesystem for Arc<Recorder> {
    fn has(&self) -> Has {
        Has::default()
    }

    fn init(&self, conn: &mut ConnInfo, _remembered: &mut Remembered) {
        self.inits.fetch_add(1, Ordering::SeqCst);
        (self.init)(conn);
    }

    fn handle(&self, request: Request, _header: &FuseInHeader, operation: Operation<'_>, _want: u64) {
        let caller = request.details().expect("a live request").caller;
        // Printing reads every byte that the operation borrows.
        self.seen.lock().push((format!("{operation:?}"), caller));
        (self.handler)(request, &operation);
    }

    fn retrieved(&self, request: Request, _ino: u64, cookie: usize, offset: u64, data: &[u8]) {
        let seen = format!("cookie {cookie}, from {offset}: {data:?}");
        self.seen.lock().push((seen, Caller::default()));
        request.no_reply();
    }

    fn destroy(&self) {
        self.destroys.fetch_add(1, Ordering::SeqCst);
    }
}

/// Answers as a filesystem should.
fn answer(request: Request, operation: &Operation<'_>) {
    let sent = match operation {
        Operation::Forget { .. } => {
            request.no_reply();
            Ok(())
        }
        Operation::BatchForget(forgets) => {
            for _ in forgets.iter() {
                request.another().expect("a part").no_reply();
            }
            request.no_reply();
            Ok(())
        }
        Operation::Read(_) => request.reply_filled(5, |start, size| {
            // SAFETY: room for `size` bytes, as promised.
            unsafe { start.write_bytes(b'r', size) };
            Ok(size)
        }),
        Operation::Lookup { .. } => request.fail(Errno::new(libc::ENOENT)),
        Operation::ReadLink => request.reply_bytes(b"target"),
        _ => request.done(),
    };
    assert_eq!(sent, Ok(()));
}

struct Bench {
    recorder: Arc<Recorder>,
    memory: Arc<Memory>,
    channel: Arc<Channel>,
    session: Session,
    /// Stands for the device: it is always readable, and is never read.
    _file: File,
}

impl Bench {
    /// A session that INIT has reached.
    fn new(handler: impl Fn(Request, &Operation<'_>) + Send + Sync + 'static) -> Bench {
        let bench = Bench::fresh(&[], want_long_setxattr, handler);
        bench.bring(Shape::Device, &init(), 1);
        assert_eq!(bench.only_reply().error, 0);
        bench
    }

    /// A session that nothing has reached.
    fn fresh(
        options: &[&str],
        init: fn(&mut ConnInfo),
        handler: impl Fn(Request, &Operation<'_>) + Send + Sync + 'static,
    ) -> Bench {
        mute();
        let recorder = Arc::new(Recorder {
            handler: Box::new(handler),
            init,
            seen: Mutex::default(),
            inits: AtomicU32::new(0),
            destroys: AtomicU32::new(0),
        });
        let mut args: Args =
            ["flow"].iter().chain(options).map(|arg| CString::new(*arg).expect("an option")).collect();
        let session = Session::new(&mut args, Box::new(recorder.clone()), 0).expect("a session");
        let memory = Arc::new(Memory::default());
        let file = File::open("/dev/null").expect("/dev/null");
        session.custom_io(file.as_raw_fd(), memory.clone());
        let channel = Channel::new(file.as_raw_fd(), memory.clone());
        Bench { recorder, memory, channel, session, _file: file }
    }

    fn wire(&self) -> Wire<'_> {
        Wire { channel: &self.channel, registry: self.session.registry(), service: &self.session }
    }

    /// Brings a request of a caller with the user id 7.
    fn bring(&self, shape: Shape, sent: &Sent, unique: u64) {
        self.bring_from(shape, sent, FuseInHeader { unique, uid: 7, ..sent.header() });
    }

    fn bring_from(&self, shape: Shape, sent: &Sent, header: FuseInHeader) {
        match shape {
            Shape::Device => self.wire().bring(&bytes_of(&header, &sent.body())),
            Shape::Ring => self.wire().bring_entry(&RingEntry::new(header, &sent.op, &sent.rest)),
        }
    }

    fn interrupt(&self, unique: u64) {
        let arg = FuseInterruptIn { unique };
        self.bring(Shape::Device, &request(Opcode::INTERRUPT, arg.as_bytes(), &[]), unique | 1);
    }

    #[track_caller]
    fn only_reply(&self) -> Reply {
        let mut replies = self.memory.await_replies(1);
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.remove(0)
    }

    #[track_caller]
    fn no_reply(&self) {
        assert_eq!(self.memory.take_replies(), []);
    }
}

/// The table of requests has SETXATTR in its long form.
fn want_long_setxattr(conn: &mut ConnInfo) {
    conn.want_ext |= cap::SETXATTR_EXT;
}

fn bytes_of(header: &FuseInHeader, body: &[u8]) -> Vec<u8> {
    [header.as_bytes(), body].concat()
}

fn request(opcode: Opcode, op: &[u8], rest: &[u8]) -> Sent {
    Sent { opcode, op: op.to_vec(), rest: rest.to_vec() }
}

fn lookup() -> Sent {
    request(Opcode::LOOKUP, &[], b"name\0")
}

fn init() -> Sent {
    let flags = SETXATTR_EXT as u32;
    let arg = FuseInitIn { major: 7, minor: 45, max_readahead: 131_072, flags, ..Default::default() };
    request(Opcode::INIT, arg.as_bytes(), &[])
}

thread_local! {
    static LOGGED: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread had something to say.
fn logged() -> usize {
    LOGGED.get()
}

/// Counts what is logged instead of printing it.
fn mute() {
    type LogFunc = unsafe extern "C" fn(level: c_int, format: *const c_char, arguments: *mut c_void);
    unsafe extern "C" {
        fn fuse_set_log_func(func: Option<LogFunc>);
    }
    unsafe extern "C" fn count(_level: c_int, _format: *const c_char, _arguments: *mut c_void) {
        LOGGED.set(LOGGED.get() + 1);
    }
    static ONCE: Once = Once::new();
    // SAFETY: the function stays, and may be called from any thread.
    ONCE.call_once(|| unsafe { fuse_set_log_func(Some(count)) });
}
