// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a transport's message to the filesystem's operation: checks, decodes, dispatches.
//!
//! Runs on the thread that received the message. What makes no sense is answered with an error and not looked at any
//! further.

use crate::errno::Errno;
use crate::log::{debug, error};
use crate::request::Request;
use crate::request::decode::{self, DecodeError, Message, Operation, Proto};
use crate::session::Session;
use crate::session::initialise::RingFor;
use crate::transport::{Incoming, Service};
use crate::wire::{FuseInHeader, Opcode};

/// Before INIT nothing else is decoded, so that these do not matter.
const BEFORE_INIT: Proto = Proto { minor: 12, setxattr_ext: false };

impl Service for Session {
    fn serve(&self, incoming: Incoming<'_>) {
        let proto = self.negotiated.get().map_or(BEFORE_INIT, |n| n.proto);
        let request = Request::new(incoming.handle);
        let header = incoming.header;
        let visit = self.registry.stats().arrived(header.opcode, request.raw());
        if visit.since() != 0 {
            request.set_since(visit.since());
        }
        if self.debug() {
            log_request(&incoming);
        }
        let message = match message_of(&incoming, proto) {
            Ok(message) => message,
            Err(e) => return refuse(request, &header, e),
        };
        match decode::decode(&message, proto) {
            Ok(operation) => self.dispatch(request, &header, operation),
            Err(DecodeError::UnknownOpcode(_)) => drop(request.fail(Errno::new(libc::ENOSYS))),
            Err(e) => refuse(request, &header, e),
        }
    }

    fn ended(&self, error: i32) {
        match error {
            0 => self.exit.exit(),
            error => self.exit.exit_with(error),
        }
    }
}

fn message_of<'a>(incoming: &Incoming<'a>, proto: Proto) -> Result<Message<'a>, DecodeError> {
    match incoming.op_in {
        Some(op_in) => {
            decode::ring_message(incoming.header, op_in, incoming.payload, incoming.payload_size, proto)
        }
        None => decode::split(incoming.header, incoming.payload, proto).map_err(|_| DecodeError::BadLength),
    }
}

fn refuse(request: Request, header: &FuseInHeader, why: DecodeError) {
    let name = Opcode(header.opcode).name();
    error!("fuse: malformed {name} (opcode {}, unique {}): {why:?}", header.opcode, header.unique);
    let _ = request.fail(Errno::new(libc::EIO));
}

fn log_request(incoming: &Incoming<'_>) {
    let header = &incoming.header;
    debug!(
        "unique: {}, opcode: {} ({}), nodeid: {}, insize: {}, pid: {}",
        header.unique,
        Opcode(header.opcode).name(),
        header.opcode,
        header.nodeid,
        header.len,
        header.pid
    );
}

impl Session {
    fn dispatch(&self, request: Request, header: &FuseInHeader, operation: Operation<'_>) {
        let Some(negotiated) = self.negotiated.get() else {
            match (operation, self.filesystem.device()) {
                (Operation::Init(raw), None) => drop(self.initialise(request, raw, RingFor::Nobody)),
                (Operation::CuseInit(raw), Some(device)) => self.initialise_device(request, raw, device),
                _ => drop(request.fail(Errno::new(libc::EIO))),
            }
            return;
        };
        match operation {
            Operation::Init(_) | Operation::CuseInit(_) => drop(request.fail(Errno::new(libc::EIO))),
            Operation::Interrupt { .. } if negotiated.no_interrupt => {
                request.no_reply();
                // Stops the kernel from sending more. One for a request of the ring it does not find by this device;
                // then the next comes as well, to no effect.
                if let Some(channel) = self.channel() {
                    let _ = channel.send(header.unique, -libc::ENOSYS, &[]);
                }
            }
            Operation::Interrupt { unique } => {
                request.no_reply();
                if self.debug() {
                    debug!("INTERRUPT: {unique}");
                }
                self.registry.interrupt(unique);
            }
            Operation::Destroy => {
                self.call_destroy();
                let _ = request.done();
            }
            Operation::NotifyReply { arg, data } => {
                let cookie = self.retrieves.lock().end(header.unique);
                match cookie {
                    Some(cookie) => {
                        self.filesystem.retrieved(request, header.nodeid, cookie, arg.offset, data)
                    }
                    None => request.no_reply(),
                }
            }
            _ if self.must_deny(header) => drop(request.fail(Errno::new(libc::EACCES))),
            operation => {
                if let Some(umask) = umask_of(&operation) {
                    request.set_umask(umask);
                }
                self.filesystem.handle(request, header, operation, negotiated.want_ext);
            }
        }
    }

    /// `allow_root`: others may only go on with what they have open.
    fn must_deny(&self, header: &FuseInHeader) -> bool {
        self.options.allow_root
            && header.uid != self.owner_uid
            && header.uid != 0
            && !matches!(
                Opcode(header.opcode),
                Opcode::READ
                    | Opcode::WRITE
                    | Opcode::FSYNC
                    | Opcode::RELEASE
                    | Opcode::READDIR
                    | Opcode::READDIRPLUS
                    | Opcode::FSYNCDIR
                    | Opcode::RELEASEDIR
                    | Opcode::FLUSH
                    | Opcode::FORGET
                    | Opcode::BATCH_FORGET
            )
    }
}

fn umask_of(operation: &Operation<'_>) -> Option<u32> {
    match operation {
        Operation::MkNod { umask, .. } | Operation::MkDir { umask, .. } => Some(*umask),
        Operation::Create { arg, .. } | Operation::TmpFile { arg, .. } => Some(arg.umask),
        _ => None,
    }
}
