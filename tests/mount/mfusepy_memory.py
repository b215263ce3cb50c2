#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A small filesystem in memory, in Python: mfusepy finds the library's functions by name and calls them by ctypes.

  FUSE_LIBRARY_PATH=libfuse3.so.4 mfusepy_memory.py MOUNTPOINT [OPTION...]
"""
import errno
import stat
import sys
import threading
import time

import mfusepy


class Memory(mfusepy.Operations):
    def __init__(self):
        self.mutex = threading.RLock()
        self.nodes = {"/": self.node(stat.S_IFDIR | 0o755)}

    @staticmethod
    def node(mode, **more):
        now = int(time.time() * 1e9) if getattr(mfusepy.Operations, "use_ns", True) else time.time()
        return {"mode": mode, "data": bytearray(), "xattr": {}, "target": "", "mtime": now, "uid": 0, "gid": 0, **more}

    def find(self, path):
        if path not in self.nodes:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return self.nodes[path]

    use_ns = True

    def getattr(self, path, fh=None):
        n = self.find(path)
        size = len(n["target"]) if stat.S_ISLNK(n["mode"]) else len(n["data"])
        return {"st_mode": n["mode"], "st_nlink": 1, "st_size": size, "st_uid": n["uid"], "st_gid": n["gid"],
                "st_atime": n["mtime"], "st_mtime": n["mtime"], "st_ctime": n["mtime"]}

    def readdir(self, path, fh):
        base = path.rstrip("/") + "/"
        return [".", ".."] + [p[len(base):] for p in self.nodes
                              if p.startswith(base) and p != "/" and "/" not in p[len(base):]]

    def create(self, path, mode, fi=None):
        self.nodes[path] = self.node(stat.S_IFREG | stat.S_IMODE(mode))
        return 0

    def mkdir(self, path, mode):
        self.nodes[path] = self.node(stat.S_IFDIR | mode)
        return 0

    def symlink(self, target, source):
        self.nodes[target] = self.node(stat.S_IFLNK | 0o777, target=source)
        return 0

    def readlink(self, path):
        return self.find(path)["target"]

    def unlink(self, path):
        self.find(path)
        del self.nodes[path]
        return 0

    rmdir = unlink

    def rename(self, old, new, flags=0):
        with self.mutex:
            for path in [p for p in self.nodes if p == old or p.startswith(old + "/")]:
                self.nodes[new + path[len(old):]] = self.nodes.pop(path)
        return 0

    def chmod(self, path, mode):
        n = self.find(path)
        n["mode"] = stat.S_IFMT(n["mode"]) | stat.S_IMODE(mode)
        return 0

    def chown(self, path, uid, gid):
        self.find(path).update(uid=uid, gid=gid)
        return 0

    def truncate(self, path, length, fh=None):
        data = self.find(path)["data"]
        data[:] = data[:length].ljust(length, b"\0")
        return 0

    def utimens(self, path, times=None):
        if times:
            self.find(path)["mtime"] = times[1]
        return 0

    def open(self, path, flags):
        self.find(path)
        return 0

    def read(self, path, size, offset, fh):
        return bytes(self.find(path)["data"][offset:offset + size])

    def write(self, path, data, offset, fh):
        with self.mutex:
            content = self.find(path)["data"]
            content[:] = content.ljust(offset, b"\0")
            content[offset:offset + len(data)] = data
        return len(data)

    def getxattr(self, path, name, position=0):
        if name not in self.find(path)["xattr"]:
            raise mfusepy.FuseOSError(errno.ENODATA)
        return self.nodes[path]["xattr"][name]

    def setxattr(self, path, name, value, options, position=0):
        self.find(path)["xattr"][name] = bytes(value)
        return 0

    def listxattr(self, path):
        return list(self.find(path)["xattr"])

    def statfs(self, path):
        return {"f_bsize": 512, "f_blocks": 4096, "f_bavail": 2048}


if __name__ == "__main__":
    mfusepy.FUSE(Memory(), sys.argv[1], foreground=True, **dict.fromkeys(sys.argv[2:], True))
