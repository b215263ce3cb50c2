# SPDX-License-Identifier: MIT OR Apache-2.0
"""A filesystem in memory, and a worker that does the same at random to it and to a directory, and compares.

The worker knows its directory by a descriptor only, so that what is above may be renamed at any time: an operation
that sees a path in the middle of that fails, and so does the test.
"""
import ctypes
import errno
import os
import random
import stat
import time

libc = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2
NAMES = ["a", "b", "c", "d", "a name that is longer than the room which the table has inside a node"]
LARGEST = 20000


def renameat2(src_fd, src, dst_fd, dst, flags):
    if libc.renameat2(src_fd, os.fsencode(src), dst_fd, os.fsencode(dst), flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class File:
    """`shared`: it had several links. Each is an inode of its own to the kernel, which caches size and data for a
    while; so only its name and what is there in the end are compared."""

    def __init__(self):
        self.data, self.links, self.shared = bytearray(), 1, False

    def write(self, offset, data):
        if len(self.data) < offset:
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset:offset + len(data)] = data

    def truncate(self, size):
        self.data[size:] = bytes(max(0, size - len(self.data)))


class Model:
    """Directories are dicts, files `File`, symbolic links `Link`."""

    def __init__(self):
        self.root = {}

    def resolve(self, path):
        """The directory and the last name; None if the directory is not there."""
        *above, name = path.split("/")
        place = self.root
        for part in above:
            place = place.get(part)
            if not isinstance(place, dict):
                return None, name
        return place, name

    def get(self, path):
        place, name = self.resolve(path)
        return None if place is None else place.get(name)

    def random_path(self, rng, deepest=3):
        place, parts = self.root, []
        while True:
            parts.append(rng.choice(NAMES))
            below = place.get(parts[-1])
            if not isinstance(below, dict) or len(parts) == deepest or rng.random() < 0.3:
                return "/".join(parts)
            place = below


class Mismatch(Exception):
    pass


class Link:
    target = "no/where"


def kind(node):
    return "dir" if isinstance(node, dict) else "file" if isinstance(node, File) else "link" if node else "none"


class Worker:
    def __init__(self, directory, seed):
        self.top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        self.rng, self.model, self.open, self.log = random.Random(seed), Model(), [], []
        self.count = 0

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(50):
                self.step()
            if self.count % 1000 < 50:
                self.compare("", self.model.root)
        while self.open:
            self.close_one()
        self.compare("", self.model.root)
        return self.count

    def step(self):
        self.count += 1
        action = self.rng.choice([
            self.create, self.create, self.mkdir, self.write, self.write, self.read, self.read, self.truncate,
            self.rename, self.rename, self.rename, self.unlink, self.unlink, self.rmdir, self.link, self.symlink,
            self.readdir, self.stat, self.open_one, self.open_io, self.open_io, self.close_one])
        path = self.model.random_path(self.rng)
        self.log.append(f"{action.__name__} {path}")
        del self.log[:-30]
        action(*([] if action in (self.open_io, self.close_one) else [path]))

    def both(self, expected, action, what):
        """`expected` is None or the error that the model gives."""
        try:
            result = action()
        except OSError as error:
            if error.errno != expected:
                wanted = expected and errno.errorcode[expected]
                raise Mismatch(f"{what}: {errno.errorcode[error.errno]}, wanted {wanted}; last: {self.log}") from None
            return None
        if expected is not None:
            raise Mismatch(f"{what}: success, wanted {errno.errorcode[expected]}; last: {self.log}")
        return result

    def missing(self, path):
        """The error for a path whose directory is not there."""
        place, parts = self.model.root, path.split("/")[:-1]
        for part in parts:
            place = place.get(part)
            if place is None:
                return errno.ENOENT
            if not isinstance(place, dict):
                # A link leads nowhere.
                return errno.ENOTDIR if isinstance(place, File) else errno.ENOENT
        return None

    def create(self, path):
        place, name = self.model.resolve(path)
        expected = self.missing(path) or (errno.EEXIST if name in place else None)
        fd = self.both(expected, lambda: os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640, dir_fd=self.top),
                       f"create {path}")
        if fd is not None:
            place[name] = File()
            self.open.append((fd, place[name]))
            if len(self.open) > 6:
                self.close_one()

    def mkdir(self, path):
        place, name = self.model.resolve(path)
        expected = self.missing(path) or (errno.EEXIST if name in place else None)
        self.both(expected, lambda: os.mkdir(path, 0o750, dir_fd=self.top), f"mkdir {path}")
        if expected is None:
            place[name] = {}

    def symlink(self, path):
        place, name = self.model.resolve(path)
        expected = self.missing(path) or (errno.EEXIST if name in place else None)
        self.both(expected, lambda: os.symlink(Link.target, path, dir_fd=self.top), f"symlink {path}")
        if expected is None:
            place[name] = Link()

    def file_at(self, path):
        """(file, None) or (None, error) for a path that is opened for writing."""
        error = self.missing(path)
        node = None if error else self.model.get(path)
        if isinstance(node, File):
            return node, None
        return None, error or (errno.EISDIR if isinstance(node, dict) else errno.ENOENT)

    def open_one(self, path):
        node, error = self.file_at(path)
        fd = self.both(error, lambda: os.open(path, os.O_RDWR, dir_fd=self.top), f"open {path}")
        if fd is not None:
            self.open.append((fd, node))
            if len(self.open) > 6:
                self.close_one()

    def write(self, path):
        node, error = self.file_at(path)
        fd = self.both(error, lambda: os.open(path, os.O_RDWR, dir_fd=self.top), f"open {path}")
        if fd is not None:
            self.io(fd, node, path)
            os.close(fd)

    def io(self, fd, node, what):
        choice, offset = self.rng.random(), self.rng.randrange(LARGEST)
        if choice < 0.5:
            data = self.rng.randbytes(self.rng.randrange(1, 5000))
            self.both(None, lambda: os.pwrite(fd, data, offset), f"write {what}")
            node.write(offset, data)
        elif choice < 0.7:
            self.both(None, lambda: os.ftruncate(fd, offset), f"ftruncate {what}")
            node.truncate(offset)
        elif not node.shared:
            got = self.both(None, lambda: os.pread(fd, 8000, offset), f"read {what}")
            if got != bytes(node.data[offset:offset + 8000]):
                raise Mismatch(f"data of {what} at {offset} differ; last: {self.log}")
        status = self.both(None, lambda: os.fstat(fd), f"fstat {what}")
        if not node.shared and (status.st_size, status.st_nlink) != (len(node.data), node.links):
            raise Mismatch(f"fstat {what}: size {status.st_size}, links {status.st_nlink}, wanted "
                           f"{len(node.data)}, {node.links}; last: {self.log}")

    def open_io(self):
        if self.open:
            fd, node = self.rng.choice(self.open)
            self.io(fd, node, "an open file")

    def close_one(self):
        if self.open:
            fd, node = self.open.pop(self.rng.randrange(len(self.open)))
            self.io(fd, node, "an open file")
            os.close(fd)

    def read(self, path):
        node, error = self.file_at(path)
        if isinstance(self.model.get(path), dict) and error == errno.EISDIR:
            return
        fd = self.both(error, lambda: os.open(path, os.O_RDONLY, dir_fd=self.top), f"open {path}")
        if fd is not None:
            got = self.both(None, lambda: os.pread(fd, 2 * LARGEST, 0), f"read {path}")
            os.close(fd)
            if got != bytes(node.data) and not node.shared:
                raise Mismatch(f"data of {path} differ; last: {self.log}")

    def truncate(self, path):
        node, error = self.file_at(path)
        size = self.rng.randrange(LARGEST)
        fd = self.both(error, lambda: os.open(path, os.O_WRONLY | os.O_TRUNC, dir_fd=self.top), f"truncate {path}")
        if fd is not None:
            os.ftruncate(fd, size)
            os.close(fd)
            node.data = bytearray(size)

    def stat(self, path):
        error = self.missing(path)
        node = None if error else self.model.get(path)
        error = error or (errno.ENOENT if node is None else None)
        status = self.both(error, lambda: os.stat(path, dir_fd=self.top, follow_symlinks=False), f"stat {path}")
        if status is None:
            return
        types = {"dir": stat.S_ISDIR, "file": stat.S_ISREG, "link": stat.S_ISLNK}
        if not types[kind(node)](status.st_mode):
            raise Mismatch(f"{path} is {oct(status.st_mode)}, wanted a {kind(node)}; last: {self.log}")
        if isinstance(node, File) and not node.shared and status.st_size != len(node.data):
            raise Mismatch(f"{path} has size {status.st_size}, wanted {len(node.data)}; last: {self.log}")
        if isinstance(node, Link) and os.readlink(path, dir_fd=self.top) != Link.target:
            raise Mismatch(f"{path}: another target")

    def readdir(self, path):
        node = self.model.get(path)
        if isinstance(node, dict):
            self.names(path, node)

    def names(self, path, node):
        fd = self.both(None, lambda: os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.top),
                       f"opendir {path}")
        got = {name for name in os.listdir(fd) if not name.startswith(".fuse_hidden")}
        os.close(fd)
        if got != set(node):
            raise Mismatch(f"names in {path}: {got}, wanted {set(node)}; last: {self.log}")

    def unlink(self, path):
        error = self.missing(path)
        place, name = self.model.resolve(path)
        node = None if error else place.get(name)
        error = error or (errno.ENOENT if node is None else errno.EISDIR if isinstance(node, dict) else None)
        self.both(error, lambda: os.unlink(path, dir_fd=self.top), f"unlink {path}")
        if error is None:
            self.gone(place.pop(name))

    def gone(self, node):
        if isinstance(node, File):
            node.links -= 1

    def rmdir(self, path):
        error = self.missing(path)
        place, name = self.model.resolve(path)
        node = None if error else place.get(name)
        if error is None and isinstance(node, dict):
            if self.holds_open(node):
                return
            error = errno.ENOTEMPTY if node else None
        else:
            error = error or (errno.ENOENT if node is None else errno.ENOTDIR)
        self.both(error, lambda: os.rmdir(path, dir_fd=self.top), f"rmdir {path}")
        if error is None:
            del place[name]

    def holds_open(self, node):
        """A directory that is empty may still have hidden files, which rmdir and rename find: they are of files that
        are open and have no name any more. Where these were is not known, so nothing empty is removed meanwhile."""
        return not node and any(file.links == 0 for _, file in self.open)

    def link(self, path):
        new = self.model.random_path(self.rng)
        node, error = self.model.get(path), self.missing(path) or self.missing(new)
        place, name = self.model.resolve(new)
        if error or not isinstance(node, File):
            return
        error = errno.EEXIST if name in place else None
        self.both(error, lambda: os.link(path, new, src_dir_fd=self.top, dst_dir_fd=self.top), f"link {path} {new}")
        if error is None:
            place[name] = node
            node.links += 1
            node.shared = True

    def rename(self, path):
        new, flags = self.model.random_path(self.rng), self.rng.choice([0, 0, 0, NOREPLACE, EXCHANGE])
        self.log[-1] += f" -> {new} {flags}"
        if self.missing(path) or self.missing(new) or (new + "/").startswith(path + "/") \
                or (path + "/").startswith(new + "/"):
            return
        (from_dir, from_name), (to_dir, to_name) = self.model.resolve(path), self.model.resolve(new)
        old, target = from_dir.get(from_name), to_dir.get(to_name)
        if isinstance(target, dict) and not flags and self.holds_open(target):
            return
        if old is target and old is not None:
            return
        error = rename_error(old, target, flags)
        self.both(error, lambda: renameat2(self.top, path, self.top, new, flags), f"rename {path} {new} {flags}")
        if error is not None:
            return
        if flags == EXCHANGE:
            from_dir[from_name], to_dir[to_name] = target, old
        else:
            del from_dir[from_name]
            to_dir[to_name] = old
            self.gone(target)

    def compare(self, path, node):
        """Everything below a directory, by content."""
        self.names(path, node)
        for name, below in node.items():
            full = f"{path}/{name}" if path else name
            self.stat(full)
            if isinstance(below, dict):
                self.compare(full, below)
            elif isinstance(below, File):
                self.read(full)


def rename_error(old, target, flags):
    if old is None:
        return errno.ENOENT
    if flags == NOREPLACE:
        return errno.EEXIST if target is not None else None
    if flags == EXCHANGE:
        return errno.ENOENT if target is None else None
    if isinstance(target, dict):
        if not isinstance(old, dict):
            return errno.EISDIR
        return errno.ENOTEMPTY if target else None
    return errno.ENOTDIR if isinstance(old, dict) and target is not None else None
