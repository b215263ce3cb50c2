// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the bytes of a request to an [`Operation`], for both transports.
//!
//! Both bring a request into one shape, [`Message`]: header, argument 0, everything else. On the ring that is how it
//! arrives; on the device [`split`] makes it so. [`decode`] then reads it. Nothing is allocated and nothing is owned:
//! an operation borrows its names and data from the transport's buffer, and lives no longer than the request in it.
//!
//! A message is believed only as far as it adds up: every byte has to belong to something, or there is an error.

use std::ffi::CStr;

use crate::errno::Errno;
use crate::wire::*;

/// What INIT settled about the shape of later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proto {
    /// The smaller of the two minor versions; never below 12.
    pub minor: u32,
    /// `SETXATTR` has its long form.
    pub setxattr_ext: bool,
}

/// A request in three parts, still raw.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub header: FuseInHeader,
    /// Argument 0, the request's fixed struct. Empty for requests that begin with a name or have no arguments.
    pub op: &'a [u8],
    /// All other arguments, one after another.
    pub payload: &'a [u8],
}

/// Why a message makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It ends before its arguments do.
    Truncated,
    /// A name without end.
    BadName,
    /// Lengths that contradict each other, or bytes that belong to nothing.
    BadLength,
    UnknownOpcode(u32),
}

impl From<DecodeError> for Errno {
    /// What the sender is told.
    fn from(error: DecodeError) -> Errno {
        match error {
            DecodeError::UnknownOpcode(_) => Errno::new(libc::ENOSYS),
            _ => Errno::new(libc::EIO),
        }
    }
}

/// One request. Whom it is about (`nodeid`) and who asks (`uid`, `gid`, `pid`) stays in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub enum Operation<'a> {
    Lookup { name: &'a CStr },
    Forget { nlookup: u64 },
    BatchForget(Forgets<'a>),
    GetAttr { fh: Option<u64> },
    SetAttr(FuseSetattrIn),
    ReadLink,
    Symlink { name: &'a CStr, target: &'a CStr },
    MkNod { name: &'a CStr, mode: u32, rdev: u32, umask: u32 },
    MkDir { name: &'a CStr, mode: u32, umask: u32 },
    Unlink { name: &'a CStr },
    RmDir { name: &'a CStr },
    Rename { name: &'a CStr, newdir: u64, newname: &'a CStr, flags: u32 },
    Link { oldnodeid: u64, newname: &'a CStr },
    Open(FuseOpenIn),
    Read(FuseReadIn),
    Write { arg: FuseWriteIn, data: &'a [u8] },
    StatFs,
    Release(FuseReleaseIn),
    Fsync { fh: u64, datasync: bool },
    SetXattr { name: &'a CStr, value: &'a [u8], flags: u32, setxattr_flags: u32 },
    GetXattr { name: &'a CStr, size: u32 },
    ListXattr { size: u32 },
    RemoveXattr { name: &'a CStr },
    Flush(FuseFlushIn),
    /// Raw, since its length depends on the kernel's version.
    Init(&'a [u8]),
    OpenDir(FuseOpenIn),
    ReadDir(FuseReadIn),
    ReadDirPlus(FuseReadIn),
    ReleaseDir(FuseReleaseIn),
    FsyncDir { fh: u64, datasync: bool },
    GetLk(FuseLkIn),
    SetLk(FuseLkIn),
    SetLkW(FuseLkIn),
    Access { mask: u32 },
    Create { name: &'a CStr, arg: FuseCreateIn },
    /// `unique` names the request that is to be interrupted.
    Interrupt { unique: u64 },
    BMap { block: u64, blocksize: u32 },
    Destroy,
    Ioctl { arg: FuseIoctlIn, data: &'a [u8] },
    Poll(FusePollIn),
    NotifyReply { arg: FuseNotifyRetrieveIn, data: &'a [u8] },
    FAllocate(FuseFallocateIn),
    LSeek(FuseLseekIn),
    /// Answered with `FuseWriteOut`.
    CopyFileRange(FuseCopyFileRangeIn),
    /// The same request, answered with `FuseCopyFileRangeOut`.
    CopyFileRange64(FuseCopyFileRangeIn),
    TmpFile { name: &'a CStr, arg: FuseCreateIn },
    Statx(FuseStatxIn),
    SyncFs,
    /// Raw, like `Init`.
    CuseInit(&'a [u8]),
}

/// The array of a `BATCH_FORGET`; its length was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgets<'a>(&'a [u8]);

impl<'a> Forgets<'a> {
    /// Pairs of node id and number of lookups.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + use<'a> {
        self.0.chunks_exact(size_of::<FuseForgetOne>()).map(|bytes| {
            let one = FuseForgetOne::read_padded(bytes);
            (one.nodeid, one.nlookup)
        })
    }
}

/// The size of argument 0, or `None` for opcodes that are not served. `INIT` is all argument 0, at least so long.
fn arg0_size(opcode: Opcode, proto: Proto) -> Option<usize> {
    Some(match opcode {
        Opcode::LOOKUP | Opcode::SYMLINK | Opcode::UNLINK | Opcode::RMDIR | Opcode::REMOVEXATTR => 0,
        Opcode::READLINK | Opcode::STATFS | Opcode::DESTROY => 0,
        Opcode::FORGET | Opcode::BATCH_FORGET | Opcode::INTERRUPT | Opcode::SYNCFS => 8,
        Opcode::MKDIR | Opcode::RENAME | Opcode::LINK => 8,
        Opcode::OPEN | Opcode::OPENDIR | Opcode::GETXATTR | Opcode::LISTXATTR | Opcode::ACCESS => 8,
        Opcode::INIT => 8,
        Opcode::GETATTR | Opcode::MKNOD | Opcode::RENAME2 | Opcode::CREATE | Opcode::TMPFILE => 16,
        Opcode::FSYNC | Opcode::FSYNCDIR | Opcode::BMAP | Opcode::CUSE_INIT => 16,
        Opcode::SETXATTR if !proto.setxattr_ext => COMPAT_SETXATTR_IN_SIZE,
        Opcode::SETXATTR => size_of::<FuseSetxattrIn>(),
        Opcode::STATX | Opcode::RELEASE | Opcode::RELEASEDIR | Opcode::FLUSH => 24,
        Opcode::POLL | Opcode::LSEEK => 24,
        Opcode::IOCTL | Opcode::FALLOCATE => 32,
        Opcode::READ | Opcode::READDIR | Opcode::READDIRPLUS | Opcode::WRITE | Opcode::NOTIFY_REPLY => 40,
        Opcode::GETLK | Opcode::SETLK | Opcode::SETLKW => 48,
        Opcode::COPY_FILE_RANGE | Opcode::COPY_FILE_RANGE_64 => 56,
        Opcode::SETATTR => 88,
        _ => return None,
    })
}

/// Divides what was read from the device, `body` being all that follows the header.
///
/// A message of unknown opcode is not divided; `decode` refuses it.
pub fn split<'a>(header: FuseInHeader, body: &'a [u8], proto: Proto) -> Result<Message<'a>, Errno> {
    if header.len as usize != size_of::<FuseInHeader>() + body.len() {
        return Err(DecodeError::BadLength.into());
    }
    let opcode = Opcode(header.opcode);
    let size = match arg0_size(opcode, proto) {
        None => 0,
        Some(least) if matches!(opcode, Opcode::INIT | Opcode::CUSE_INIT) => least.max(body.len()),
        Some(size) => size,
    };
    let (op, payload) = body.split_at_checked(size).ok_or(DecodeError::Truncated)?;
    Ok(Message { header, op, payload })
}

/// How much of a ring entry's op header is used: the request's length less header and payload.
pub fn ring_op_size(header: &FuseInHeader, payload_sz: u32, proto: Proto) -> Result<usize, DecodeError> {
    let rest = header.len.checked_sub(size_of::<FuseInHeader>() as u32).ok_or(DecodeError::Truncated)?;
    let size = rest.checked_sub(payload_sz).ok_or(DecodeError::BadLength)? as usize;
    if size > uring::OP_HEADER_SIZE {
        return Err(DecodeError::BadLength);
    }
    match arg0_size(Opcode(header.opcode), proto) {
        _ if size == 0 && opens_payload(header) => Ok(0),
        Some(least) if size < least => Err(DecodeError::Truncated),
        _ => Ok(size),
    }
}

/// Linux 6.14 to 6.18 put the struct of this one in front of its data, as if it were a name.
fn opens_payload(header: &FuseInHeader) -> bool {
    Opcode(header.opcode) == Opcode::NOTIFY_REPLY
}

/// Puts together what lies in a ring entry. `payload` is the entry's whole buffer, `payload_sz` the kernel's word on
/// how much of it is used.
pub fn ring_message<'a>(
    header: FuseInHeader,
    op_in: &'a [u8; uring::OP_HEADER_SIZE],
    payload: &'a [u8],
    payload_sz: u32,
    proto: Proto,
) -> Result<Message<'a>, DecodeError> {
    let size = ring_op_size(&header, payload_sz, proto)?;
    let payload = payload.get(..payload_sz as usize).ok_or(DecodeError::BadLength)?;
    if size == 0 && opens_payload(&header) {
        let least = arg0_size(Opcode::NOTIFY_REPLY, proto).unwrap_or(0);
        let (op, payload) = payload.split_at_checked(least).ok_or(DecodeError::Truncated)?;
        return Ok(Message { header, op, payload });
    }
    let op = op_in.get(..size).ok_or(DecodeError::BadLength)?;
    Ok(Message { header, op, payload })
}

/// Where the extensions begin in the payload.
fn extensions_at(msg: &Message<'_>) -> Option<usize> {
    msg.payload.len().checked_sub(usize::from(msg.header.total_extlen) * 8)
}

/// The extensions of a request that creates something: security contexts and groups, one `FuseExtHeader` each.
/// Empty also when the header promises more of them than there are bytes (`decode` refuses such a message).
#[allow(dead_code)] // for the fuzz target and for what is to come: the C API has no place for them yet
pub fn extensions<'a>(msg: &Message<'a>) -> &'a [u8] {
    extensions_at(msg).and_then(|at| msg.payload.get(at..)).unwrap_or_default()
}

/// Reads a message. Every byte of it is accounted for, and none beyond it is looked at.
pub fn decode<'a>(msg: &Message<'a>, proto: Proto) -> Result<Operation<'a>, DecodeError> {
    let opcode = Opcode(msg.header.opcode);
    let least = arg0_size(opcode, proto).ok_or(DecodeError::UnknownOpcode(opcode.0))?;
    if msg.op.len() < least {
        return Err(DecodeError::Truncated);
    }
    if least == 0 && !msg.op.is_empty() {
        return Err(DecodeError::BadLength);
    }
    let end = extensions_at(msg).ok_or(DecodeError::BadLength)?;
    let payload = msg.payload.get(..end).unwrap_or_default();
    let mut args = Args { op: msg.op, payload };
    let operation = args.operation(opcode)?;
    if !args.payload.is_empty() {
        return Err(DecodeError::BadLength);
    }
    Ok(operation)
}

/// The arguments not consumed yet.
struct Args<'a> {
    op: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Args<'a> {
    /// Argument 0. A longer form than ours, from a kernel to come, is read as far as we know it.
    fn op<T: Pod>(&self) -> Result<T, DecodeError> {
        T::read(self.op).ok_or(DecodeError::Truncated)
    }

    fn name(&mut self) -> Result<&'a CStr, DecodeError> {
        let name = CStr::from_bytes_until_nul(self.payload).map_err(|_| DecodeError::BadName)?;
        self.payload = self.payload.get(name.count_bytes() + 1..).unwrap_or_default();
        Ok(name)
    }

    fn op_and_name<T: Pod>(&mut self) -> Result<(T, &'a CStr), DecodeError> {
        Ok((self.op()?, self.name()?))
    }

    /// The rest, which somebody said is that long.
    fn rest(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let rest = std::mem::take(&mut self.payload);
        match len.cmp(&(rest.len() as u64)) {
            std::cmp::Ordering::Equal => Ok(rest),
            std::cmp::Ordering::Greater => Err(DecodeError::Truncated),
            std::cmp::Ordering::Less => Err(DecodeError::BadLength),
        }
    }

    fn operation(&mut self, opcode: Opcode) -> Result<Operation<'a>, DecodeError> {
        if let Some(operation) = self.names(opcode)? {
            return Ok(operation);
        }
        if let Some(operation) = self.named(opcode)? {
            return Ok(operation);
        }
        match self.data(opcode)? {
            Some(operation) => Ok(operation),
            None => self.fixed(opcode),
        }
    }

    /// Requests that are nothing but names.
    fn names(&mut self, opcode: Opcode) -> Result<Option<Operation<'a>>, DecodeError> {
        let name = match opcode {
            Opcode::LOOKUP | Opcode::SYMLINK | Opcode::UNLINK | Opcode::RMDIR | Opcode::REMOVEXATTR => {
                self.name()?
            }
            _ => return Ok(None),
        };
        Ok(Some(match opcode {
            Opcode::LOOKUP => Operation::Lookup { name },
            Opcode::SYMLINK => Operation::Symlink { name, target: self.name()? },
            Opcode::UNLINK => Operation::Unlink { name },
            Opcode::RMDIR => Operation::RmDir { name },
            _ => Operation::RemoveXattr { name },
        }))
    }

    /// Requests whose struct is followed by names.
    fn named(&mut self, opcode: Opcode) -> Result<Option<Operation<'a>>, DecodeError> {
        Ok(Some(match opcode {
            Opcode::MKNOD => {
                let (arg, name) = self.op_and_name::<FuseMknodIn>()?;
                Operation::MkNod { name, mode: arg.mode, rdev: arg.rdev, umask: arg.umask }
            }
            Opcode::MKDIR => {
                let (arg, name) = self.op_and_name::<FuseMkdirIn>()?;
                Operation::MkDir { name, mode: arg.mode, umask: arg.umask }
            }
            Opcode::RENAME => {
                let (arg, name) = self.op_and_name::<FuseRenameIn>()?;
                Operation::Rename { name, newdir: arg.newdir, newname: self.name()?, flags: 0 }
            }
            Opcode::RENAME2 => {
                let (arg, name) = self.op_and_name::<FuseRename2In>()?;
                Operation::Rename { name, newdir: arg.newdir, newname: self.name()?, flags: arg.flags }
            }
            Opcode::LINK => {
                let (arg, newname) = self.op_and_name::<FuseLinkIn>()?;
                Operation::Link { oldnodeid: arg.oldnodeid, newname }
            }
            Opcode::GETXATTR => {
                let (arg, name) = self.op_and_name::<FuseGetxattrIn>()?;
                Operation::GetXattr { name, size: arg.size }
            }
            Opcode::CREATE => Operation::Create { arg: self.op()?, name: self.name()? },
            Opcode::TMPFILE => Operation::TmpFile { arg: self.op()?, name: self.name()? },
            _ => return Ok(None),
        }))
    }

    /// Requests that carry data.
    fn data(&mut self, opcode: Opcode) -> Result<Option<Operation<'a>>, DecodeError> {
        Ok(Some(match opcode {
            Opcode::WRITE => {
                let arg: FuseWriteIn = self.op()?;
                Operation::Write { arg, data: self.rest(arg.size.into())? }
            }
            Opcode::SETXATTR => {
                let arg = FuseSetxattrIn::read_padded(self.op);
                let (name, value) = (self.name()?, self.rest(arg.size.into())?);
                Operation::SetXattr { name, value, flags: arg.flags, setxattr_flags: arg.setxattr_flags }
            }
            Opcode::IOCTL => {
                let arg: FuseIoctlIn = self.op()?;
                Operation::Ioctl { arg, data: self.rest(arg.in_size.into())? }
            }
            Opcode::NOTIFY_REPLY => {
                let arg: FuseNotifyRetrieveIn = self.op()?;
                Operation::NotifyReply { arg, data: self.rest(arg.size.into())? }
            }
            Opcode::BATCH_FORGET => {
                let FuseBatchForgetIn { count, .. } = self.op()?;
                Operation::BatchForget(Forgets(
                    self.rest(u64::from(count) * size_of::<FuseForgetOne>() as u64)?,
                ))
            }
            Opcode::INIT => Operation::Init(self.op),
            Opcode::CUSE_INIT => Operation::CuseInit(self.op),
            _ => return Ok(None),
        }))
    }

    /// Requests that are argument 0 and nothing else, or nothing at all.
    fn fixed(&self, opcode: Opcode) -> Result<Operation<'a>, DecodeError> {
        Ok(match opcode {
            Opcode::OPEN => Operation::Open(self.op()?),
            Opcode::READ => Operation::Read(self.op()?),
            Opcode::RELEASE => Operation::Release(self.op()?),
            Opcode::FLUSH => Operation::Flush(self.op()?),
            Opcode::OPENDIR => Operation::OpenDir(self.op()?),
            Opcode::READDIR => Operation::ReadDir(self.op()?),
            Opcode::READDIRPLUS => Operation::ReadDirPlus(self.op()?),
            Opcode::RELEASEDIR => Operation::ReleaseDir(self.op()?),
            Opcode::SETATTR => Operation::SetAttr(self.op()?),
            Opcode::GETLK => Operation::GetLk(self.op()?),
            Opcode::SETLK => Operation::SetLk(self.op()?),
            Opcode::SETLKW => Operation::SetLkW(self.op()?),
            Opcode::POLL => Operation::Poll(self.op()?),
            Opcode::FALLOCATE => Operation::FAllocate(self.op()?),
            Opcode::LSEEK => Operation::LSeek(self.op()?),
            Opcode::COPY_FILE_RANGE => Operation::CopyFileRange(self.op()?),
            Opcode::COPY_FILE_RANGE_64 => Operation::CopyFileRange64(self.op()?),
            Opcode::STATX => Operation::Statx(self.op()?),
            Opcode::READLINK => Operation::ReadLink,
            Opcode::STATFS => Operation::StatFs,
            Opcode::SYNCFS => Operation::SyncFs,
            Opcode::DESTROY => Operation::Destroy,
            _ => return self.scalars(opcode),
        })
    }

    /// Those of which only a number or two matter.
    fn scalars(&self, opcode: Opcode) -> Result<Operation<'a>, DecodeError> {
        Ok(match opcode {
            Opcode::GETATTR => {
                let arg: FuseGetattrIn = self.op()?;
                Operation::GetAttr { fh: (arg.getattr_flags & flags::GETATTR_FH != 0).then_some(arg.fh) }
            }
            Opcode::FORGET => Operation::Forget { nlookup: self.op::<FuseForgetIn>()?.nlookup },
            Opcode::INTERRUPT => Operation::Interrupt { unique: self.op::<FuseInterruptIn>()?.unique },
            Opcode::ACCESS => Operation::Access { mask: self.op::<FuseAccessIn>()?.mask },
            Opcode::LISTXATTR => Operation::ListXattr { size: self.op::<FuseGetxattrIn>()?.size },
            Opcode::BMAP => {
                let FuseBmapIn { block, blocksize, .. } = self.op()?;
                Operation::BMap { block, blocksize }
            }
            Opcode::FSYNC | Opcode::FSYNCDIR => {
                let FuseFsyncIn { fh, fsync_flags, .. } = self.op()?;
                let datasync = fsync_flags & flags::FSYNC_FDATASYNC != 0;
                match opcode {
                    Opcode::FSYNC => Operation::Fsync { fh, datasync },
                    _ => Operation::FsyncDir { fh, datasync },
                }
            }
            _ => return Err(DecodeError::UnknownOpcode(opcode.0)),
        })
    }
}

#[cfg(test)]
pub mod tests;
