// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signal dispositions, and the pieces that handlers are made of: nothing here allocates or locks.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::errno::Errno;
use crate::sys::log;

/// A signal handler.
pub type Handler = extern "C" fn(c_int);

/// The default comes back when the handler is entered.
pub const ONCE: c_int = libc::SA_RESETHAND;

/// What a handler works on: one reference, exchanged atomically.
pub struct Slot<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Slot<T> {
    pub const fn empty() -> Slot<T> {
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    /// Returns what was there before, for comparison.
    pub fn set(&self, value: Option<&'static T>) -> *const T {
        self.0.swap(value.map_or(ptr::null_mut(), |value| ptr::from_ref(value).cast_mut()), Ordering::SeqCst)
    }

    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or a shared reference that lives for ever.
        unsafe { self.0.load(Ordering::SeqCst).as_ref() }
    }
}

/// Installs a handler, unless the program has given the signal a disposition of its own.
pub fn install(signal: c_int, handler: Handler, flags: c_int) -> Result<(), Errno> {
    if current(signal)? == libc::SIG_DFL { set(signal, handler as usize, flags) } else { Ok(()) }
}

/// Gives the signal its default back if the handler is still there.
pub fn remove(signal: c_int, handler: Handler) -> Result<(), Errno> {
    if current(signal)? == handler as usize { set(signal, libc::SIG_DFL, 0) } else { Ok(()) }
}

/// Runs a handler's work without a trace in the errno of the code that was interrupted.
pub fn keeping_errno(work: impl FnOnce()) {
    // SAFETY: the calling thread's own errno.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        work();
        *errno = saved;
    }
}

/// Sends a signal to the calling thread; within its handler it arrives when that returns.
pub fn raise(signal: c_int) {
    // SAFETY: no pointers.
    unsafe { libc::raise(signal) };
}

fn current(signal: c_int) -> Result<usize, Errno> {
    // SAFETY: all-zero is a valid sigaction, and only the kernel writes to it.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        match libc::sigaction(signal, ptr::null(), &mut action) {
            -1 => Err(Errno::last()),
            _ => Ok(action.sa_sigaction),
        }
    }
}

fn set(signal: c_int, handler: usize, flags: c_int) -> Result<(), Errno> {
    // SAFETY: a complete action whose handler is one of ours (an `extern "C" fn(c_int)`) or SIG_DFL.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigemptyset(&mut action.sa_mask);
        match libc::sigaction(signal, &action, ptr::null_mut()) {
            -1 => Err(Errno::last()),
            _ => Ok(()),
        }
    }
}

/// Loads what a backtrace needs, which must not happen in the handler.
pub fn prepare_report() {
    let mut frames = [ptr::null_mut(); 1];
    // SAFETY: room for one frame, as said.
    unsafe { libc::backtrace(frames.as_mut_ptr(), 1) };
}

/// Logs the signal and where the thread is.
pub fn report(signal: c_int) {
    let mut line = Line::new();
    line.text(b"fuse: got signal ").number(signal as usize, 10).log();
    let mut frames = [ptr::null_mut::<c_void>(); 64];
    // SAFETY: room for as many frames as said.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), frames.len() as c_int) };
    for &frame in frames.iter().take(usize::try_from(count).unwrap_or(0)) {
        report_frame(frame);
    }
}

/// `object(+0xoffset) [0xaddress]`, as addr2line wants it; without allocating.
fn report_frame(frame: *mut c_void) {
    let mut line = Line::new();
    // SAFETY: all-zero is a valid Dl_info; a name that dladdr finds stays valid while its object is loaded.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        if libc::dladdr(frame, &mut info) != 0 && !info.dli_fname.is_null() {
            line.text(CStr::from_ptr(info.dli_fname).to_bytes()).text(b"(+0x");
            line.number((frame as usize).wrapping_sub(info.dli_fbase as usize), 16).text(b") ");
        }
    }
    line.text(b"[0x").number(frame as usize, 16).text(b"]").log();
}

/// A line of the log on the stack; what doesn't fit is cut off.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    fn new() -> Line {
        Line { bytes: [0; 512], len: 0 }
    }

    fn text(&mut self, text: &[u8]) -> &mut Line {
        // Room for the end of the line and the NUL stays.
        let room = self.bytes.len() - 2 - self.len;
        let text = &text[..text.len().min(room)];
        self.bytes[self.len..][..text.len()].copy_from_slice(text);
        self.len += text.len();
        self
    }

    fn number(&mut self, mut value: usize, base: usize) -> &mut Line {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[value % base];
            value /= base;
            if value == 0 {
                return self.text(&digits[at..]);
            }
        }
    }

    fn log(&mut self) {
        self.bytes[self.len] = b'\n';
        if let Ok(line) = CStr::from_bytes_until_nul(&self.bytes) {
            log::line(3, line);
        }
    }
}
