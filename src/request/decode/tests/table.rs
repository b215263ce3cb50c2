// SPDX-License-Identifier: MIT OR Apache-2.0
//! One well-formed request per operation.

use super::super::*;
use super::HEADER;

/// A request as the kernel would send it: argument 0, then the others.
pub struct Sent {
    pub opcode: Opcode,
    pub op: Vec<u8>,
    pub rest: Vec<u8>,
}

pub fn sent(opcode: Opcode, op: &[u8], rest: &[u8]) -> Sent {
    Sent { opcode, op: op.to_vec(), rest: rest.to_vec() }
}

impl Sent {
    pub fn header(&self) -> FuseInHeader {
        let len = (HEADER + self.op.len() + self.rest.len()) as u32;
        FuseInHeader { len, opcode: self.opcode.0, unique: 2, nodeid: 1, ..Default::default() }
    }

    pub fn body(&self) -> Vec<u8> {
        [self.op.as_slice(), self.rest.as_slice()].concat()
    }

    /// The operation must come out the same on both transports.
    #[track_caller]
    pub fn expect(&self, proto: Proto, wanted: Operation<'_>) {
        let body = self.body();
        let message = split(self.header(), &body, proto).unwrap();
        assert_eq!(message.op.len(), self.op.len());
        assert_eq!(decode(&message, proto), Ok(wanted));

        if self.op.len() <= uring::OP_HEADER_SIZE {
            let mut op_in = [0xEEu8; uring::OP_HEADER_SIZE];
            op_in[..self.op.len()].copy_from_slice(&self.op);
            let room = [self.rest.as_slice(), &[0xEE; 64]].concat();
            let size = self.rest.len() as u32;
            let message = ring_message(self.header(), &op_in, &room, size, proto).unwrap();
            assert_eq!(decode(&message, proto), Ok(wanted));
        }
    }
}

fn read_in() -> FuseReadIn {
    FuseReadIn { fh: 7, offset: 4096, size: 100, lock_owner: 9, flags: 2, ..Default::default() }
}

fn release_in() -> FuseReleaseIn {
    FuseReleaseIn { fh: 7, flags: 1, release_flags: 2, lock_owner: 3 }
}

fn lk_in() -> FuseLkIn {
    let lk = FuseFileLock { start: 1, end: 2, kind: 3, pid: 4 };
    FuseLkIn { fh: 7, owner: 8, lk, lk_flags: 1, padding: 0 }
}

fn copy_in() -> FuseCopyFileRangeIn {
    FuseCopyFileRangeIn { fh_in: 1, off_in: 2, nodeid_out: 3, fh_out: 4, off_out: 5, len: 6, flags: 7 }
}

/// One well-formed request per operation, with the operation expected of it.
pub fn table() -> Vec<(Sent, Operation<'static>)> {
    let mut table = with_names();
    table.extend(with_data());
    table.extend(with_structs());
    table.extend(with_numbers());
    table
}

fn with_names() -> Vec<(Sent, Operation<'static>)> {
    use Operation as Op;
    let mknod = FuseMknodIn { mode: 0o644, rdev: 5, umask: 0o22, padding: 0 };
    let mkdir = FuseMkdirIn { mode: 0o755, umask: 0o22 };
    let rename = FuseRenameIn { newdir: 5 };
    let rename2 = FuseRename2In { newdir: 5, flags: 1, padding: 0 };
    let create = FuseCreateIn { flags: 2, mode: 0o600, umask: 0o22, open_flags: 1 };
    let link = FuseLinkIn { oldnodeid: 77 };
    let get = FuseGetxattrIn { size: 10, padding: 0 };
    let (mode, umask) = (0o644, 0o22);
    vec![
        (sent(Opcode::LOOKUP, &[], b"a name\0"), Op::Lookup { name: c"a name" }),
        (sent(Opcode::SYMLINK, &[], b"n\0t/u\0"), Op::Symlink { name: c"n", target: c"t/u" }),
        (sent(Opcode::UNLINK, &[], b"n\0"), Op::Unlink { name: c"n" }),
        (sent(Opcode::RMDIR, &[], b"n\0"), Op::RmDir { name: c"n" }),
        (sent(Opcode::REMOVEXATTR, &[], b"user.x\0"), Op::RemoveXattr { name: c"user.x" }),
        (sent(Opcode::MKNOD, mknod.as_bytes(), b"n\0"), Op::MkNod { name: c"n", mode, rdev: 5, umask }),
        (sent(Opcode::MKDIR, mkdir.as_bytes(), b"n\0"), Op::MkDir { name: c"n", mode: 0o755, umask }),
        (
            sent(Opcode::RENAME, rename.as_bytes(), b"n\0m\0"),
            Op::Rename { name: c"n", newdir: 5, newname: c"m", flags: 0 },
        ),
        (
            sent(Opcode::RENAME2, rename2.as_bytes(), b"n\0m\0"),
            Op::Rename { name: c"n", newdir: 5, newname: c"m", flags: 1 },
        ),
        (sent(Opcode::LINK, link.as_bytes(), b"m\0"), Op::Link { oldnodeid: 77, newname: c"m" }),
        (sent(Opcode::CREATE, create.as_bytes(), b"n\0"), Op::Create { name: c"n", arg: create }),
        (sent(Opcode::TMPFILE, create.as_bytes(), b"/\0"), Op::TmpFile { name: c"/", arg: create }),
        (sent(Opcode::GETXATTR, get.as_bytes(), b"user.x\0"), Op::GetXattr { name: c"user.x", size: 10 }),
    ]
}

fn with_data() -> Vec<(Sent, Operation<'static>)> {
    use Operation as Op;
    let write = FuseWriteIn { fh: 7, offset: 8, size: 5, write_flags: 1, ..Default::default() };
    let xattr = FuseSetxattrIn { size: 3, flags: 1, setxattr_flags: 1, padding: 0 };
    let ioctl = FuseIoctlIn { fh: 7, flags: 1, cmd: 2, arg: 3, in_size: 4, out_size: 5 };
    let retrieved = FuseNotifyRetrieveIn { offset: 1, size: 2, ..Default::default() };
    let batch = [2u32.to_ne_bytes(), [0; 4]].concat();
    static FORGETS: [u8; 32] = [1; 32];
    let set = Op::SetXattr { name: c"user.x", value: b"v\0w", flags: 1, setxattr_flags: 1 };
    vec![
        (sent(Opcode::WRITE, write.as_bytes(), b"hello"), Op::Write { arg: write, data: b"hello" }),
        (sent(Opcode::SETXATTR, xattr.as_bytes(), b"user.x\0v\0w"), set),
        (sent(Opcode::IOCTL, ioctl.as_bytes(), b"data"), Op::Ioctl { arg: ioctl, data: b"data" }),
        (
            sent(Opcode::NOTIFY_REPLY, retrieved.as_bytes(), b"hi"),
            Op::NotifyReply { arg: retrieved, data: b"hi" },
        ),
        (sent(Opcode::BATCH_FORGET, &batch, &FORGETS), Op::BatchForget(Forgets(&FORGETS))),
        (sent(Opcode::INIT, &[7; 64], &[]), Op::Init(&[7; 64])),
        (sent(Opcode::INIT, &[7; 16], &[]), Op::Init(&[7; 16])),
        (sent(Opcode::CUSE_INIT, &[7; 16], &[]), Op::CuseInit(&[7; 16])),
    ]
}

fn with_structs() -> Vec<(Sent, Operation<'static>)> {
    use Operation as Op;
    let setattr = FuseSetattrIn { valid: 1, mode: 0o600, uid: 5, gid: 6, ..Default::default() };
    let open = FuseOpenIn { flags: 2, open_flags: 1 };
    let flush = FuseFlushIn { fh: 7, lock_owner: 8, ..Default::default() };
    let poll = FusePollIn { fh: 7, kh: 8, flags: 1, events: 5 };
    let fallocate = FuseFallocateIn { fh: 7, offset: 1, length: 2, mode: 3, padding: 0 };
    let lseek = FuseLseekIn { fh: 7, offset: 1, whence: 3, padding: 0 };
    let statx = FuseStatxIn { getattr_flags: 1, fh: 7, sx_flags: 2, sx_mask: 3, ..Default::default() };
    let (read, release, lk, copy) = (read_in(), release_in(), lk_in(), copy_in());
    vec![
        (sent(Opcode::SETATTR, setattr.as_bytes(), &[]), Op::SetAttr(setattr)),
        (sent(Opcode::OPEN, open.as_bytes(), &[]), Op::Open(open)),
        (sent(Opcode::OPENDIR, open.as_bytes(), &[]), Op::OpenDir(open)),
        (sent(Opcode::READ, read.as_bytes(), &[]), Op::Read(read)),
        (sent(Opcode::READDIR, read.as_bytes(), &[]), Op::ReadDir(read)),
        (sent(Opcode::READDIRPLUS, read.as_bytes(), &[]), Op::ReadDirPlus(read)),
        (sent(Opcode::RELEASE, release.as_bytes(), &[]), Op::Release(release)),
        (sent(Opcode::RELEASEDIR, release.as_bytes(), &[]), Op::ReleaseDir(release)),
        (sent(Opcode::FLUSH, flush.as_bytes(), &[]), Op::Flush(flush)),
        (sent(Opcode::GETLK, lk.as_bytes(), &[]), Op::GetLk(lk)),
        (sent(Opcode::SETLK, lk.as_bytes(), &[]), Op::SetLk(lk)),
        (sent(Opcode::SETLKW, lk.as_bytes(), &[]), Op::SetLkW(lk)),
        (sent(Opcode::POLL, poll.as_bytes(), &[]), Op::Poll(poll)),
        (sent(Opcode::FALLOCATE, fallocate.as_bytes(), &[]), Op::FAllocate(fallocate)),
        (sent(Opcode::LSEEK, lseek.as_bytes(), &[]), Op::LSeek(lseek)),
        (sent(Opcode::COPY_FILE_RANGE, copy.as_bytes(), &[]), Op::CopyFileRange(copy)),
        (sent(Opcode::COPY_FILE_RANGE_64, copy.as_bytes(), &[]), Op::CopyFileRange64(copy)),
        (sent(Opcode::STATX, statx.as_bytes(), &[]), Op::Statx(statx)),
    ]
}

fn with_numbers() -> Vec<(Sent, Operation<'static>)> {
    use Operation as Op;
    let by_fh = FuseGetattrIn { getattr_flags: 1, dummy: 0, fh: 7 };
    let by_node = FuseGetattrIn { getattr_flags: 0, dummy: 0, fh: 7 };
    let fsync = FuseFsyncIn { fh: 7, fsync_flags: 1, padding: 0 };
    let bmap = FuseBmapIn { block: 3, blocksize: 512, padding: 0 };
    let number = 5u64.to_ne_bytes();
    let word = 5u32.to_ne_bytes();
    let padded = [word, [0; 4]].concat();
    vec![
        (sent(Opcode::GETATTR, by_fh.as_bytes(), &[]), Op::GetAttr { fh: Some(7) }),
        (sent(Opcode::GETATTR, by_node.as_bytes(), &[]), Op::GetAttr { fh: None }),
        (sent(Opcode::FORGET, &number, &[]), Op::Forget { nlookup: 5 }),
        (sent(Opcode::INTERRUPT, &number, &[]), Op::Interrupt { unique: 5 }),
        (sent(Opcode::ACCESS, &padded, &[]), Op::Access { mask: 5 }),
        (sent(Opcode::LISTXATTR, &padded, &[]), Op::ListXattr { size: 5 }),
        (sent(Opcode::BMAP, bmap.as_bytes(), &[]), Op::BMap { block: 3, blocksize: 512 }),
        (sent(Opcode::FSYNC, fsync.as_bytes(), &[]), Op::Fsync { fh: 7, datasync: true }),
        (sent(Opcode::FSYNCDIR, fsync.as_bytes(), &[]), Op::FsyncDir { fh: 7, datasync: true }),
        (sent(Opcode::READLINK, &[], &[]), Op::ReadLink),
        (sent(Opcode::STATFS, &[], &[]), Op::StatFs),
        (sent(Opcode::SYNCFS, &number, &[]), Op::SyncFs),
        (sent(Opcode::DESTROY, &[], &[]), Op::Destroy),
    ]
}
