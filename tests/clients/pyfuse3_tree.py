# SPDX-License-Identifier: MIT OR Apache-2.0
"""A filesystem in memory on pyfuse3, for programs/pyfuse3.sh: pyfuse3_tree.py MOUNTPOINT"""
import errno
import os
import stat
import sys
import time

import pyfuse3
import trio


class Node:
    def __init__(self, ino, mode):
        self.ino, self.mode, self.data, self.names, self.xattrs = ino, mode, bytearray(), {}, {}
        self.uid = self.gid = 0
        self.mtime = time.time_ns()


class Tree(pyfuse3.Operations):
    enable_writeback_cache = False

    def __init__(self):
        super().__init__()
        self.nodes = {pyfuse3.ROOT_INODE: Node(pyfuse3.ROOT_INODE, stat.S_IFDIR | 0o755)}
        self.last = pyfuse3.ROOT_INODE

    def child(self, parent, name):
        try:
            return self.nodes[parent].names[name]
        except KeyError:
            raise pyfuse3.FUSEError(errno.ENOENT) from None

    def add(self, parent, name, mode, ctx):
        self.last += 1
        node = self.nodes[self.last] = Node(self.last, mode)
        node.uid, node.gid = ctx.uid, ctx.gid
        self.nodes[parent].names[name] = node
        return node

    def attributes(self, node):
        entry = pyfuse3.EntryAttributes()
        entry.st_ino, entry.st_mode, entry.st_size = node.ino, node.mode, len(node.data)
        entry.st_nlink, entry.st_uid, entry.st_gid = 1, node.uid, node.gid
        entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = node.mtime
        entry.entry_timeout = entry.attr_timeout = 1
        return entry

    async def getattr(self, inode, ctx=None):
        return self.attributes(self.nodes[inode])

    async def setattr(self, inode, attr, fields, fh, ctx):
        node = self.nodes[inode]
        if fields.update_size:
            del node.data[attr.st_size:]
            node.data.extend(bytes(attr.st_size - len(node.data)))
        if fields.update_mode:
            node.mode = attr.st_mode
        if fields.update_mtime:
            node.mtime = attr.st_mtime_ns
        return self.attributes(node)

    async def lookup(self, parent_inode, name, ctx=None):
        return self.attributes(self.child(parent_inode, name))

    async def mkdir(self, parent_inode, name, mode, ctx):
        return self.attributes(self.add(parent_inode, name, mode | stat.S_IFDIR, ctx))

    async def create(self, parent_inode, name, mode, flags, ctx):
        node = self.add(parent_inode, name, mode | stat.S_IFREG, ctx)
        return pyfuse3.FileInfo(fh=node.ino), self.attributes(node)

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=inode)

    async def read(self, fh, off, size):
        return bytes(self.nodes[fh].data[off:off + size])

    async def write(self, fh, off, buf):
        data = self.nodes[fh].data
        data.extend(bytes(max(0, off - len(data))))
        data[off:off + len(buf)] = buf
        return len(buf)

    async def unlink(self, parent_inode, name, ctx):
        self.child(parent_inode, name)
        del self.nodes[parent_inode].names[name]

    async def rmdir(self, parent_inode, name, ctx):
        if self.child(parent_inode, name).names:
            raise pyfuse3.FUSEError(errno.ENOTEMPTY)
        del self.nodes[parent_inode].names[name]

    async def rename(self, parent_inode_old, name_old, parent_inode_new, name_new, flags, ctx):
        node = self.child(parent_inode_old, name_old)
        del self.nodes[parent_inode_old].names[name_old]
        self.nodes[parent_inode_new].names[name_new] = node

    async def opendir(self, inode, ctx):
        return inode

    async def readdir(self, fh, start_id, token):
        for node, name in sorted((n.ino, name) for name, n in self.nodes[fh].names.items()):
            if node > start_id and not pyfuse3.readdir_reply(token, name, self.attributes(self.nodes[node]), node):
                break

    async def setxattr(self, inode, name, value, ctx):
        self.nodes[inode].xattrs[name] = value

    async def getxattr(self, inode, name, ctx):
        try:
            return self.nodes[inode].xattrs[name]
        except KeyError:
            raise pyfuse3.FUSEError(pyfuse3.ENOATTR) from None

    async def listxattr(self, inode, ctx):
        return list(self.nodes[inode].xattrs)

    async def removexattr(self, inode, name, ctx):
        if self.nodes[inode].xattrs.pop(name, None) is None:
            raise pyfuse3.FUSEError(pyfuse3.ENOATTR)

    async def statfs(self, ctx):
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = 4096
        data.f_blocks = data.f_bfree = data.f_bavail = 1 << 20
        data.f_files = data.f_ffree = data.f_favail = 1 << 20
        data.f_namemax = 255
        return data

    async def fsync(self, fh, datasync):
        pass


os.umask(0)
options = set(pyfuse3.default_options) | {"fsname=tree"}
pyfuse3.init(Tree(), sys.argv[1], options)
trio.run(pyfuse3.main)
pyfuse3.close()
