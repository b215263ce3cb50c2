/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* path_fs: operations on open files and directories. */
#include "path_fs.h"

static atomic_uint ioctls;

/* The descriptor of an open file; for operations that were given its path as well. */
static int fd_of(const struct fuse_file_info *fi)
{
	return (int)fi->fh;
}

static int keep(struct fuse_file_info *fi, int fd)
{
	if (fd == -1)
		return -errno;
	fi->fh = (uint64_t)fd;
	fi->nonseekable = listed("PATHFS_EXTRA", "nonseekable");
	return 0;
}

static int open_flags(const struct fuse_file_info *fi)
{
	return (fi->flags & ~(O_DIRECT | O_EXCL)) | O_CLOEXEC;
}

static int p_open(const char *path, struct fuse_file_info *fi)
{
	OPERATION("open", "open %s flags=%x", path, fi->flags);
	return keep(fi, openat(source, below(path), open_flags(fi)));
}

static int p_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	OPERATION("create", "create %s mode=%o flags=%x", path, mode, fi->flags);
	return keep(fi, openat(source, below(path), open_flags(fi) | O_CREAT, mode));
}

/* A read of a file called "slow" waits until it is interrupted, a write to it takes a while. */
static int is_slow(const char *path)
{
	const char *name = path ? strrchr(path, '/') : NULL;

	return name != NULL && strcmp(name, "/slow") == 0;
}

static int p_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	ssize_t len;

	OPERATION("read", "read %s size=%zu off=%ld", shown(path), size, (long)off);
	if (is_slow(path))
		return wait_interrupted("read");
	len = pread(fd_of(fi), buf, size, off);
	return len == -1 ? -errno : (int)len;
}

static int p_write(const char *path, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	ssize_t len;

	OPERATION("write", "write %s size=%zu off=%ld", shown(path), size, (long)off);
	len = pwrite(fd_of(fi), buf, size, off);
	return len == -1 ? -errno : (int)len;
}

/* "memory": from malloc, in two pieces; else where the data is in the file. */
static int p_read_buf(const char *path, struct fuse_bufvec **bufp, size_t size, off_t off, struct fuse_file_info *fi)
{
	int memory = listed("PATHFS_EXTRA", "memory");
	struct fuse_bufvec *v = calloc(1, sizeof(*v) + sizeof(v->buf[0]));

	OPERATION("read_buf", "read_buf %s size=%zu off=%ld", shown(path), size, (long)off);
	*v = FUSE_BUFVEC_INIT(size);
	*bufp = v;
	if (!memory) {
		v->buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
		v->buf[0].fd = fd_of(fi);
		v->buf[0].pos = off;
		return 0;
	}
	v->count = 2;
	memset(&v->buf[1], 0, sizeof(v->buf[1]));
	for (int i = 0; i < 2; i++) {
		size_t part = i == 0 ? size / 3 : size - size / 3;
		ssize_t len;

		v->buf[i].mem = malloc(part + 1);
		len = pread(fd_of(fi), v->buf[i].mem, part, off);
		v->buf[i].size = len > 0 ? (size_t)len : 0;
		off += (off_t)v->buf[i].size;
	}
	return 0;
}

static int p_write_buf(const char *path, struct fuse_bufvec *buf, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(fuse_buf_size(buf));

	OPERATION("write_buf", "write_buf %s size=%zu off=%ld", shown(path), fuse_buf_size(buf), (long)off);
	if (is_slow(path))
		usleep(300000);
	to.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	to.buf[0].fd = fd_of(fi);
	to.buf[0].pos = off;
	return (int)fuse_buf_copy(&to, buf, 0);
}

static int p_flush(const char *path, struct fuse_file_info *fi)
{
	(void)fi;
	OPERATION("flush", "flush %s", shown(path));
	return 0;
}

static int p_release(const char *path, struct fuse_file_info *fi)
{
	OPERATION("release", "release %s", shown(path));
	close(fd_of(fi));
	return 0;
}

static int p_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	OPERATION("fsync", "fsync %s datasync=%d", shown(path), datasync);
	return result(fsync(fd_of(fi)));
}

static int p_flock(const char *path, struct fuse_file_info *fi, int op)
{
	OPERATION("flock", "flock %s op=%d owner=%d", shown(path), op, fi->lock_owner != 0);
	return result(flock(fd_of(fi), op));
}

static int p_ioctl(const char *path, unsigned int cmd, void *arg, struct fuse_file_info *fi, unsigned int flags,
		   void *data)
{
	(void)arg;
	(void)fi;
	OPERATION("ioctl", "ioctl %s cmd=%x flags=%x", shown(path), cmd, flags);
	atomic_fetch_add(&ioctls, 1);
	if (cmd == PATHFS_GET) {
		*(uint32_t *)data = ioctls;
		return 0;
	}
	if (cmd == PATHFS_DOUBLE) {
		*(uint32_t *)data *= 2;
		return 7;
	}
	return -ENOTTY;
}

static void *wake(void *ph)
{
	usleep(200000);
	record("notified result=%d", fuse_notify_poll(ph));
	fuse_pollhandle_destroy(ph);
	return NULL;
}

/* Not ready the first time; then, a moment later, it is. */
static int p_poll(const char *path, struct fuse_file_info *fi, struct fuse_pollhandle *ph, unsigned *revents)
{
	static atomic_int calls;
	pthread_t thread;

	(void)fi;
	OPERATION("poll", "poll %s handle=%d", shown(path), ph != NULL);
	*revents = atomic_fetch_add(&calls, 1) == 0 ? 0 : POLLIN;
	if (ph != NULL && pthread_create(&thread, NULL, wake, ph) == 0)
		pthread_detach(thread);
	return 0;
}

static int p_fallocate(const char *path, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	OPERATION("fallocate", "fallocate %s mode=%d off=%ld len=%ld", shown(path), mode, (long)off, (long)len);
	return result(fallocate(fd_of(fi), mode, off, len));
}

static off_t p_lseek(const char *path, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t res;

	OPERATION("lseek", "lseek %s off=%ld whence=%d", shown(path), (long)off, whence);
	res = lseek(fd_of(fi), off, whence);
	return res == -1 ? -errno : res;
}

static ssize_t p_copy_file_range(const char *path_in, struct fuse_file_info *fi_in, off_t off_in, const char *path_out,
				 struct fuse_file_info *fi_out, off_t off_out, size_t len, int flags)
{
	ssize_t res;

	OPERATION("copy_file_range", "copy_file_range %s to=%s len=%zu", shown(path_in), shown(path_out), len);
	res = copy_file_range(fd_of(fi_in), &off_in, fd_of(fi_out), &off_out, len, (unsigned int)flags);
	return res == -1 ? -errno : res;
}

static int p_opendir(const char *path, struct fuse_file_info *fi)
{
	DIR *dir;
	int fd;

	OPERATION("opendir", "opendir %s", path);
	fd = openat(source, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	dir = fdopendir(fd);
	fi->fh = (uintptr_t)dir;
	return dir == NULL ? -errno : 0;
}

static int p_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off, struct fuse_file_info *fi,
		     enum fuse_readdir_flags flags)
{
	int pieces = listed("PATHFS_READDIR", "pieces"), plus = listed("PATHFS_READDIR", "plus");
	DIR *dir = (DIR *)(uintptr_t)fi->fh;
	struct dirent *e;

	OPERATION("readdir", "readdir %s off=%s plus=%d", shown(path), off ? "more" : "0", flags & FUSE_READDIR_PLUS);
	if (off == 0)
		rewinddir(dir);
	else
		seekdir(dir, off);
	while ((e = readdir(dir)) != NULL) {
		struct stat st = { .st_ino = e->d_ino, .st_mode = (mode_t)e->d_type << 12 };
		enum fuse_fill_dir_flags how = FUSE_FILL_DIR_DEFAULTS;

		if (plus && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			how = FUSE_FILL_DIR_PLUS;
		if (fill(buf, e->d_name, &st, pieces ? telldir(dir) : 0, how) != 0)
			break;
	}
	return 0;
}

static int p_releasedir(const char *path, struct fuse_file_info *fi)
{
	OPERATION("releasedir", "releasedir %s", shown(path));
	closedir((DIR *)(uintptr_t)fi->fh);
	return 0;
}

static int p_fsyncdir(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)fi;
	OPERATION("fsyncdir", "fsyncdir %s datasync=%d", shown(path), datasync);
	return 0;
}

void add_files(struct fuse_operations *ops)
{
	ops->open = p_open;
	ops->create = p_create;
	ops->read = p_read;
	ops->write = p_write;
	ops->read_buf = p_read_buf;
	ops->write_buf = p_write_buf;
	ops->flush = p_flush;
	ops->release = p_release;
	ops->fsync = p_fsync;
	ops->flock = p_flock;
	ops->ioctl = p_ioctl;
	ops->poll = p_poll;
	ops->fallocate = p_fallocate;
	ops->lseek = p_lseek;
	ops->copy_file_range = p_copy_file_range;
	ops->opendir = p_opendir;
	ops->readdir = p_readdir;
	ops->releasedir = p_releasedir;
	ops->fsyncdir = p_fsyncdir;
}
