// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a filesystem tells the kernel on its own account. Always written to `/dev/fuse`, also beside a ring, by the
//! thread that says it; the kernel's error is the result.
//!
//! A message that the negotiated protocol does not know is ENOSYS without asking the kernel, one before INIT or after
//! the unmount ENOTCONN. Names and data are the caller's and are read until the call returns.

use std::io::IoSlice;

use crate::errno::Errno;
use crate::log::debug;
use crate::session::Session;
use crate::session::init::{Negotiated, cap};
use crate::wire::flags::{EXPIRE_ONLY, notify};
use crate::wire::{
    FuseNotifyDeleteOut, FuseNotifyInvalEntryOut, FuseNotifyInvalInodeOut, FuseNotifyPruneOut,
    FuseNotifyRetrieveOut, FuseNotifyStoreOut, Pod,
};

/// The minor protocol version that each message came with.
mod since {
    pub const INVAL: u32 = 12;
    pub const STORE_AND_RETRIEVE: u32 = 15;
    pub const DELETE: u32 = 18;
    pub const INC_EPOCH: u32 = 44;
    pub const PRUNE: u32 = 45;
}

/// How the kernel shall treat a name that may not be right any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// Forget it.
    Invalidate,
    /// Look it up again when it is next used.
    Expire,
}

impl Session {
    fn notify(&self, since: u32, code: i32, data: &[IoSlice<'_>]) -> Result<(), Errno> {
        let negotiated = self.settled()?;
        if negotiated.proto.minor < since {
            return Err(Errno::new(libc::ENOSYS));
        }
        let sent = self.registry.line().notify(code, data);
        if self.debug() {
            let length: usize = data.iter().map(|part| part.len()).sum();
            match sent {
                Ok(()) => debug!("NOTIFY: code={code} length={length}"),
                Err(e) => debug!("NOTIFY: code={code} length={length}: {e}"),
            }
        }
        sent
    }

    fn settled(&self) -> Result<&Negotiated, Errno> {
        self.negotiated.get().ok_or(Errno::new(libc::ENOTCONN))
    }

    /// Attributes of an inode are not right any more, nor (with `off` not negative) its data from there on, `len`
    /// bytes or to the end.
    pub fn notify_inval_inode(&self, ino: u64, off: i64, len: i64) -> Result<(), Errno> {
        let out = FuseNotifyInvalInodeOut { ino, off, len };
        self.notify(since::INVAL, notify::INVAL_INODE, &[IoSlice::new(out.as_bytes())])
    }

    /// A name may stand for something else, or nothing, by now.
    pub fn notify_entry(&self, parent: u64, name: &[u8], how: Name) -> Result<(), Errno> {
        let flags = match how {
            Name::Invalidate => 0,
            Name::Expire if self.settled()?.capable_ext & cap::EXPIRE_ONLY != 0 => EXPIRE_ONLY,
            Name::Expire => return Err(Errno::new(libc::ENOSYS)),
        };
        let out = FuseNotifyInvalEntryOut { parent, namelen: length_of(name.len())?, flags };
        self.notify_name(since::INVAL, notify::INVAL_ENTRY, out.as_bytes(), name)
    }

    /// `child` has lost a name.
    pub fn notify_delete(&self, parent: u64, child: u64, name: &[u8]) -> Result<(), Errno> {
        let out = FuseNotifyDeleteOut { parent, child, namelen: length_of(name.len())?, padding: 0 };
        self.notify_name(since::DELETE, notify::DELETE, out.as_bytes(), name)
    }

    /// The kernel wants the terminator, which `name` need not have.
    fn notify_name(&self, since: u32, code: i32, out: &[u8], name: &[u8]) -> Result<(), Errno> {
        self.notify(since, code, &[IoSlice::new(out), IoSlice::new(name), IoSlice::new(&[0])])
    }

    /// All names may stand for something else.
    pub fn notify_increment_epoch(&self) -> Result<(), Errno> {
        self.notify(since::INC_EPOCH, notify::INC_EPOCH, &[])
    }

    /// Inodes that nobody uses any more can be forgotten.
    pub fn notify_prune(&self, inodes: &[u64]) -> Result<(), Errno> {
        let out = FuseNotifyPruneOut { count: length_of(inodes.len())?, ..FuseNotifyPruneOut::default() };
        let list: Vec<u8> = inodes.iter().flat_map(|ino| ino.to_ne_bytes()).collect();
        let data = [IoSlice::new(out.as_bytes()), IoSlice::new(&list)];
        self.notify(since::PRUNE, notify::PRUNE, &data)
    }

    /// Data for the kernel's cache.
    pub fn notify_store(&self, nodeid: u64, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let out = FuseNotifyStoreOut { nodeid, offset, size: length_of(data.len())?, padding: 0 };
        let data = [IoSlice::new(out.as_bytes()), IoSlice::new(data)];
        self.notify(since::STORE_AND_RETRIEVE, notify::STORE, &data)
    }

    /// Asks for data in the kernel's cache. It comes as a request (`Filesystem::retrieved`), with the cookie.
    pub fn notify_retrieve(&self, nodeid: u64, offset: u64, size: usize, cookie: usize) -> Result<(), Errno> {
        let size = length_of(size)?;
        // Before the message: the answer may overtake its return.
        let notify_unique = self.retrieves.lock().begin(cookie);
        let out = FuseNotifyRetrieveOut { notify_unique, nodeid, offset, size, padding: 0 };
        let asked = self.notify(since::STORE_AND_RETRIEVE, notify::RETRIEVE, &[IoSlice::new(out.as_bytes())]);
        if asked.is_err() {
            self.retrieves.lock().end(notify_unique);
        }
        asked
    }
}

/// A length that fits into its field.
fn length_of(len: usize) -> Result<u32, Errno> {
    u32::try_from(len).map_err(|_| Errno::new(libc::EINVAL))
}
