/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * passthrough_ll: shows a directory tree at another place. A complete
 * low-level filesystem, meant as the starting point for one of your own.
 *
 *   cc -o passthrough_ll passthrough_ll.c $(pkg-config --cflags --libs fuse3)
 *   ./passthrough_ll -o source=/srv/data /mnt
 *
 * Inodes. Each inode that the kernel knows is a `struct node` with an O_PATH
 * descriptor of the real object. The descriptor survives renames and unlinks,
 * and keeps the real inode number from being used again. The inode number
 * told to the kernel is the node's address, so finding a node costs nothing;
 * the table by (device, inode) is needed only to recognise an object that is
 * reached a second time (hard links, a new lookup after a forget).
 *
 * Threads. Handlers run at once on many threads. The table is cut into shards
 * with a lock each. A node is freed when the kernel has given back every
 * lookup it was handed, and the kernel does that only when no request on this
 * inode is under way: handlers may use a node without holding a lock.
 *
 * Permissions. The kernel checks them (`default_permissions` is always added),
 * handlers only have to act. New objects must belong to whoever asked: the
 * thread takes the caller's ids for the file system (setfsuid) during the one
 * call that creates. Compared with a chown afterwards nothing is ever visible
 * with the wrong owner, and set-group-ID directories work by themselves. The
 * capabilities of root stay in force meanwhile (SECBIT_NO_SETUID_FIXUP), since
 * the permission check has been made already. When not started as root, all
 * belongs to the user who started it.
 *
 * Left to the kernel: access (see above), POSIX record locks (local to the
 * mount). Not for sources that contain the mount point, which is refused.
 */

#define _GNU_SOURCE
#define FUSE_USE_VERSION 318

#include <fuse_lowlevel.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* ---- state ------------------------------------------------------------- */

struct node {
	int fd; /* O_PATH */
	dev_t dev;
	ino_t ino;
	uint64_t lookups; /* handed to the kernel, guarded by the shard's lock */
	struct node *next;
};

#define SHARDS 64
#define SHARD_BUCKETS 1024

struct shard {
	pthread_mutex_t lock;
	struct node *bucket[SHARD_BUCKETS];
};

enum cache_mode { CACHE_NONE, CACHE_AUTO, CACHE_ALWAYS };

struct passthrough {
	char *source;
	int cache; /* enum cache_mode */
	double timeout; /* seconds; negative: what suits the cache mode */
	int writeback;
	int xattr;
	int as_caller; /* create with the ids of whoever asks */
	struct node root; /* never in the table, never freed */
	struct shard shard[SHARDS];
};

/* An open directory; `held` is an entry that did not fit into a reply. */
struct dir_handle {
	pthread_mutex_t lock;
	DIR *dir;
	off_t offset;
	struct dirent *held;
};

static struct passthrough *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	if (ino == FUSE_ROOT_ID)
		return &fs_of(req)->root;
	return (struct node *)(uintptr_t)ino;
}

static int fd_of(fuse_req_t req, fuse_ino_t ino)
{
	return node_of(req, ino)->fd;
}

/* Answers with the outcome of a system call that returns -1 and errno. */
static void reply_result(fuse_req_t req, int res)
{
	fuse_reply_err(req, res == -1 ? errno : 0);
}

/*
 * A name for the object behind an O_PATH descriptor, for calls that refuse
 * such descriptors. It leads to the object itself, also if that is a symlink.
 */
struct fd_path {
	char text[40];
};

static struct fd_path path_of(int fd)
{
	struct fd_path p;

	snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d", fd);
	return p;
}

/* ---- acting as the caller ---------------------------------------------- */

/*
 * Both ids belong to the thread, not to the process, so this disturbs no
 * other handler. Must be undone before the handler returns: the thread goes
 * on to serve somebody else.
 */
static void become_caller(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	if (fs_of(req)->as_caller) {
		setfsgid(ctx->gid);
		setfsuid(ctx->uid);
	}
}

/* Keeps errno: it stands between the creating call and its error reply. */
static void become_self(fuse_req_t req)
{
	int saved = errno;

	if (fs_of(req)->as_caller) {
		setfsuid(geteuid());
		setfsgid(getegid());
	}
	errno = saved;
}

/* ---- the inode table --------------------------------------------------- */

/* The shard's lock protects the bucket that `*bucket` is set to. */
static struct shard *find_bucket(struct passthrough *fs, dev_t dev, ino_t ino,
				 struct node ***bucket)
{
	uint64_t h = ((uint64_t)ino ^ ((uint64_t)dev << 40)) * UINT64_C(0x9e3779b97f4a7c15);
	struct shard *s = &fs->shard[h >> 58];

	*bucket = &s->bucket[(h >> 40) % SHARD_BUCKETS];
	return s;
}

/*
 * Finds or makes the node of the object that `fd` (O_PATH) stands for, and
 * counts one lookup. Takes the descriptor over in any case. NULL and errno
 * if there is no memory.
 */
static struct node *node_get(struct passthrough *fs, int fd, const struct stat *st)
{
	struct node **bucket, *n;
	struct shard *s = find_bucket(fs, st->st_dev, st->st_ino, &bucket);

	pthread_mutex_lock(&s->lock);
	for (n = *bucket; n != NULL; n = n->next)
		if (n->ino == st->st_ino && n->dev == st->st_dev)
			break;
	if (n != NULL) {
		n->lookups++;
		close(fd);
	} else if ((n = calloc(1, sizeof(*n))) != NULL) {
		n->fd = fd;
		n->dev = st->st_dev;
		n->ino = st->st_ino;
		n->lookups = 1;
		n->next = *bucket;
		*bucket = n;
	} else {
		close(fd);
		errno = ENOMEM;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Gives back `count` lookups; the last one frees the node. */
static void node_put(struct passthrough *fs, struct node *n, uint64_t count)
{
	struct node **p;
	struct shard *s;
	int last;

	if (n == &fs->root)
		return;
	s = find_bucket(fs, n->dev, n->ino, &p);
	pthread_mutex_lock(&s->lock);
	n->lookups -= count < n->lookups ? count : n->lookups;
	last = n->lookups == 0;
	if (last) {
		while (*p != n)
			p = &(*p)->next;
		*p = n->next;
	}
	pthread_mutex_unlock(&s->lock);
	if (last) {
		close(n->fd);
		free(n);
	}
}

/* After the session: the kernel does not forget each inode at unmount. */
static void table_free(struct passthrough *fs)
{
	for (int i = 0; i < SHARDS; i++) {
		for (int j = 0; j < SHARD_BUCKETS; j++) {
			struct node *n = fs->shard[i].bucket[j];

			while (n != NULL) {
				struct node *next = n->next;

				close(n->fd);
				free(n);
				n = next;
			}
		}
		pthread_mutex_destroy(&fs->shard[i].lock);
	}
}

/* ---- entries ----------------------------------------------------------- */

/*
 * Fills `e` for the object of an O_PATH descriptor, which it takes over.
 * The kernel then holds one more lookup of e->ino, if the reply reaches it.
 * Returns 0 or an errno value.
 */
static int entry_from_fd(struct passthrough *fs, int fd, struct fuse_entry_param *e)
{
	struct node *n;
	int err;

	memset(e, 0, sizeof(*e));
	if (fstatat(fd, "", &e->attr, AT_EMPTY_PATH) == -1) {
		err = errno;
		close(fd);
		return err;
	}
	n = node_get(fs, fd, &e->attr);
	if (n == NULL)
		return errno;
	e->ino = (uintptr_t)n;
	e->attr_timeout = fs->timeout;
	e->entry_timeout = fs->timeout;
	return 0;
}

static int entry_from_name(struct passthrough *fs, int dirfd, const char *name,
			   struct fuse_entry_param *e)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd == -1 ? errno : entry_from_fd(fs, fd, e);
}

/* For an object that is open: no name, so no race with a rename. */
static int entry_from_open(struct passthrough *fs, int open_fd, struct fuse_entry_param *e)
{
	int fd = open(path_of(open_fd).text, O_PATH | O_CLOEXEC);

	return fd == -1 ? errno : entry_from_fd(fs, fd, e);
}

/*
 * Sends an entry. If it does not reach the kernel (the caller was killed and
 * the request withdrawn), then the kernel doesn't know of the lookup.
 */
static void reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
{
	struct passthrough *fs = fs_of(req);

	if (fuse_reply_entry(req, e) == -ENOENT)
		node_put(fs, (struct node *)(uintptr_t)e->ino, 1);
}

static void reply_new_entry(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	int err = entry_from_name(fs_of(req), fd_of(req, parent), name, &e);

	if (err != 0)
		fuse_reply_err(req, err);
	else
		reply_entry(req, &e);
}

static void pt_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_new_entry(req, parent, name);
}

static void pt_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	node_put(fs_of(req), node_of(req, ino), nlookup);
	fuse_reply_none(req);
}

static void pt_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		node_put(fs_of(req), node_of(req, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- attributes -------------------------------------------------------- */

static void pt_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstatat(fd_of(req, ino), "", &st, AT_EMPTY_PATH) == -1)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, fs_of(req)->timeout);
}

static int set_owner(int fd, const struct stat *attr, int to_set)
{
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

static struct timespec new_time(int to_set, int set, int now, struct timespec value)
{
	struct timespec t = { 0, UTIME_OMIT };

	if (to_set & now)
		t.tv_nsec = UTIME_NOW;
	else if (to_set & set)
		t = value;
	return t;
}

static int set_times(const char *path, const struct stat *attr, int to_set)
{
	struct timespec tv[2] = {
		new_time(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		new_time(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	return utimensat(AT_FDCWD, path, tv, 0);
}

/*
 * Ends set-user-ID and set-group-ID, as a write by someone without special
 * rights does. The kernel says when (FUSE_CAP_HANDLE_KILLPRIV_V2): the file
 * system below would go by the rights of this process.
 */
static int drop_privileges(int fd)
{
	struct fd_path path = path_of(fd);
	struct stat st;
	mode_t drop = S_ISUID;

	if (stat(path.text, &st) == -1)
		return -1;
	if (st.st_mode & S_IXGRP)
		drop |= S_ISGID;
	return st.st_mode & drop ? chmod(path.text, st.st_mode & 07777 & ~drop) : 0;
}

/*
 * Owner before mode, since a chown clears set-user-ID bits that the same
 * request may ask for; times last, since all the others change them.
 * An open file is truncated through its descriptor: it may have been opened
 * when its mode still allowed that.
 */
static void pt_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	const int owner = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			  FUSE_SET_ATTR_MTIME_NOW;
	int fd = fd_of(req, ino);
	struct fd_path path = path_of(fd);
	int res = 0;

	if (to_set & owner)
		res = set_owner(fd, attr, to_set);
	if (res == 0 && (to_set & FUSE_SET_ATTR_MODE))
		res = chmod(path.text, attr->st_mode & 07777);
	if (res == 0 && (to_set & FUSE_SET_ATTR_SIZE))
		res = fi != NULL ? ftruncate((int)fi->fh, attr->st_size)
				 : truncate(path.text, attr->st_size);
	if (res == 0 && (to_set & (FUSE_SET_ATTR_KILL_SUID | FUSE_SET_ATTR_KILL_SGID)))
		res = drop_privileges(fd);
	if (res == 0 && (to_set & times))
		res = set_times(path.text, attr, to_set);

	if (res != 0)
		fuse_reply_err(req, errno);
	else
		pt_getattr(req, ino, fi);
}

static void pt_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(fd_of(req, ino), &st) == -1)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

/* ---- names ------------------------------------------------------------- */

static void pt_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(fd_of(req, ino), "", target, PATH_MAX);

	if (len == -1) {
		fuse_reply_err(req, errno);
		return;
	}
	target[len] = '\0';
	fuse_reply_readlink(req, target);
}

static void finish_make(fuse_req_t req, int res, fuse_ino_t parent, const char *name)
{
	become_self(req);
	if (res == -1)
		fuse_reply_err(req, errno);
	else
		reply_new_entry(req, parent, name);
}

static void pt_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	become_caller(req);
	finish_make(req, mknodat(fd_of(req, parent), name, mode, rdev), parent, name);
}

static void pt_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	become_caller(req);
	finish_make(req, mkdirat(fd_of(req, parent), name, mode), parent, name);
}

static void pt_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	become_caller(req);
	finish_make(req, symlinkat(target, fd_of(req, parent), name), parent, name);
}

/* The node gets one more name, and the kernel one more lookup of it. */
static void pt_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	int res = linkat(AT_FDCWD, path_of(fd_of(req, ino)).text, fd_of(req, newparent), newname,
			 AT_SYMLINK_FOLLOW);

	if (res == -1)
		fuse_reply_err(req, errno);
	else
		reply_new_entry(req, newparent, newname);
}

static void pt_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_result(req, unlinkat(fd_of(req, parent), name, 0));
}

static void pt_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_result(req, unlinkat(fd_of(req, parent), name, AT_REMOVEDIR));
}

static void pt_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		      const char *newname, unsigned int flags)
{
	reply_result(req,
		     renameat2(fd_of(req, parent), name, fd_of(req, newparent), newname, flags));
}

/* ---- files ------------------------------------------------------------- */

/*
 * The flags for the descriptor behind a file handle. With the write-back
 * cache the kernel reads what it only partly overwrites, also from files
 * opened for writing, and places appends itself. O_DIRECT would ask for an
 * alignment that buffers between here and the application do not have.
 */
static int backing_flags(const struct passthrough *fs, int flags)
{
	if (fs->writeback) {
		if ((flags & O_ACCMODE) == O_WRONLY)
			flags = (flags & ~O_ACCMODE) | O_RDWR;
		flags &= ~O_APPEND;
	}
	return (flags & ~(O_NOFOLLOW | O_DIRECT)) | O_CLOEXEC;
}

static void set_handle(const struct passthrough *fs, struct fuse_file_info *fi, int fd)
{
	fi->fh = fd;
	fi->direct_io = fs->cache == CACHE_NONE;
	fi->parallel_direct_writes = fi->direct_io;
	fi->keep_cache = fs->cache == CACHE_ALWAYS;
}

static void pt_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct passthrough *fs = fs_of(req);
	int fd = open(path_of(fd_of(req, ino)).text, backing_flags(fs, fi->flags));

	if (fd == -1) {
		fuse_reply_err(req, errno);
		return;
	}
	if (fi->kill_suidgid && (fi->flags & O_TRUNC))
		drop_privileges(fd);
	set_handle(fs, fi, fd);
	if (fuse_reply_open(req, fi) == -ENOENT)
		close(fd); /* withdrawn: there will be no release */
}

/* Answers a create or tmpfile whose new file is open as `fd`, or failed. */
static void finish_create(fuse_req_t req, int fd, struct fuse_file_info *fi)
{
	struct passthrough *fs = fs_of(req);
	struct fuse_entry_param e;
	int err;

	become_self(req);
	if (fd == -1) {
		fuse_reply_err(req, errno);
		return;
	}
	err = entry_from_open(fs, fd, &e);
	if (err != 0) {
		close(fd);
		fuse_reply_err(req, err);
		return;
	}
	set_handle(fs, fi, fd);
	if (fuse_reply_create(req, &e, fi) == -ENOENT) {
		close(fd);
		node_put(fs, (struct node *)(uintptr_t)e.ino, 1);
	}
}

static void pt_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	int flags = backing_flags(fs_of(req), fi->flags) | O_CREAT | O_NOFOLLOW;

	become_caller(req);
	finish_create(req, openat(fd_of(req, parent), name, flags, mode), fi);
}

static void pt_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi)
{
	int flags = backing_flags(fs_of(req), fi->flags) | O_TMPFILE;

	become_caller(req);
	finish_create(req, openat(fd_of(req, parent), ".", flags, mode), fi);
}

/* The library fetches the data from the descriptor, or splices it. */
static void pt_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct fuse_bufvec data = FUSE_BUFVEC_INIT(size);

	(void)ino;
	data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	data.buf[0].fd = (int)fi->fh;
	data.buf[0].pos = off;
	fuse_reply_data(req, &data, FUSE_BUF_SPLICE_MOVE);
}

static void pt_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off,
			 struct fuse_file_info *fi)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));
	ssize_t done;

	(void)ino;
	if (fi->kill_suidgid && drop_privileges((int)fi->fh) == -1) {
		fuse_reply_err(req, errno);
		return;
	}
	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	out.buf[0].fd = (int)fi->fh;
	out.buf[0].pos = off;
	done = fuse_buf_copy(&out, in, 0);
	if (done < 0)
		fuse_reply_err(req, (int)-done);
	else
		fuse_reply_write(req, (size_t)done);
}

/*
 * One flush per close(2) of the application. Closing a duplicate makes the
 * file system below report what it has kept back (quota, network errors).
 */
static void pt_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = fcntl((int)fi->fh, F_DUPFD_CLOEXEC, 0);

	(void)ino;
	reply_result(req, fd == -1 ? -1 : close(fd));
}

static void pt_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	close((int)fi->fh);
	fuse_reply_err(req, 0);
}

static void pt_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	int fd = (int)fi->fh;

	(void)ino;
	reply_result(req, datasync ? fdatasync(fd) : fsync(fd));
}

static void pt_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
			 struct fuse_file_info *fi)
{
	(void)ino;
	reply_result(req, fallocate((int)fi->fh, mode, off, length));
}

/* Only SEEK_DATA and SEEK_HOLE come here, the kernel does the others. */
static void pt_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		     struct fuse_file_info *fi)
{
	off_t res = lseek((int)fi->fh, off, whence);

	(void)ino;
	if (res == -1)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, res);
}

static void pt_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			       struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
			       struct fuse_file_info *fi_out, size_t len, int flags)
{
	ssize_t res =
	    copy_file_range((int)fi_in->fh, &off_in, (int)fi_out->fh, &off_out, len, flags);

	(void)ino_in;
	(void)ino_out;
	if (res == -1)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)res);
}

/* ---- flock ------------------------------------------------------------- */

struct lock_wait {
	fuse_req_t req;
	int fd;
	int op;
};

/*
 * Waits for a lock on a thread of its own. Asks again and again rather than
 * to sleep in flock(2): that way a caller who gives up (a signal) is noticed.
 * The handle cannot be released meanwhile, the caller still has it open.
 */
static void *lock_waiter(void *arg)
{
	struct lock_wait *w = arg;
	struct timespec pause = { 0, 1000000 };
	int err = EWOULDBLOCK;

	while (err == EWOULDBLOCK) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 16000000)
			pause.tv_nsec *= 2;
		if (fuse_req_interrupted(w->req))
			err = EINTR;
		else
			err = flock(w->fd, w->op | LOCK_NB) == 0 ? 0 : errno;
	}
	fuse_reply_err(w->req, err);
	free(w);
	return NULL;
}

/*
 * A handler must not wait for a lock: with max_threads of them waiting, the
 * unlock that they wait for would find no thread to run on. A reply may come
 * from any thread and after the handler has returned, so let another one wait.
 */
static void pt_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	int fd = (int)fi->fh;
	struct lock_wait *w;
	pthread_t thread;

	(void)ino;
	if (flock(fd, op | LOCK_NB) == 0) {
		fuse_reply_err(req, 0);
		return;
	}
	if (errno != EWOULDBLOCK || (op & LOCK_NB)) {
		fuse_reply_err(req, errno);
		return;
	}
	w = malloc(sizeof(*w));
	if (w == NULL) {
		fuse_reply_err(req, ENOLCK);
		return;
	}
	*w = (struct lock_wait){ .req = req, .fd = fd, .op = op };
	if (pthread_create(&thread, NULL, lock_waiter, w) == 0) {
		pthread_detach(thread);
	} else {
		free(w);
		fuse_reply_err(req, ENOLCK);
	}
}

/* ---- directories ------------------------------------------------------- */

static struct dir_handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct dir_handle *)(uintptr_t)fi->fh;
}

static void free_handle(struct dir_handle *d)
{
	closedir(d->dir);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void pt_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_handle *d = calloc(1, sizeof(*d));
	int fd, err;

	if (d == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fd = openat(fd_of(req, ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->dir = fd == -1 ? NULL : fdopendir(fd);
	if (d->dir == NULL) {
		err = errno;
		if (fd != -1)
			close(fd);
		free(d);
		fuse_reply_err(req, err);
		return;
	}
	pthread_mutex_init(&d->lock, NULL);
	fi->fh = (uintptr_t)d;
	if (fs_of(req)->cache == CACHE_ALWAYS)
		fi->cache_readdir = fi->keep_cache = 1;
	if (fuse_reply_open(req, fi) == -ENOENT)
		free_handle(d);
}

static int is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/*
 * Adds one entry to a reply and returns the room it takes, which is more than
 * `room` if it was not added. An entry "plus" hands the kernel a lookup, so
 * none is made before it is certain to fit. An entry whose object is gone
 * already, and the two dots, go out with inode 0: a name, but no lookup.
 */
static size_t add_entry(fuse_req_t req, int dirfd, const struct dirent *de, int plus, char *buf,
			size_t room)
{
	struct fuse_entry_param e;
	size_t need;

	memset(&e, 0, sizeof(e));
	if (plus) {
		need = fuse_add_direntry_plus(req, NULL, 0, de->d_name, NULL, 0);
		if (need > room)
			return need;
		if (is_dot(de->d_name) || entry_from_name(fs_of(req), dirfd, de->d_name, &e) != 0)
			memset(&e, 0, sizeof(e));
	}
	if (e.ino == 0) {
		e.attr.st_ino = de->d_ino;
		e.attr.st_mode = (mode_t)de->d_type << 12;
	}
	return plus ? fuse_add_direntry_plus(req, buf, room, de->d_name, &e, de->d_off)
		    : fuse_add_direntry(req, buf, room, de->d_name, &e.attr, de->d_off);
}

/* Fills `buf` from the handle's position on. Returns its length or -errno. */
static ssize_t fill_entries(fuse_req_t req, struct dir_handle *d, char *buf, size_t size, off_t off,
			    int plus)
{
	size_t used = 0;

	if (off != d->offset) {
		seekdir(d->dir, off);
		d->held = NULL;
		d->offset = off;
	}
	for (;;) {
		size_t need;

		errno = 0;
		if (d->held == NULL)
			d->held = readdir(d->dir);
		if (d->held == NULL) /* the end, or an error */
			return errno != 0 && used == 0 ? -errno : (ssize_t)used;
		need = add_entry(req, dirfd(d->dir), d->held, plus, buf + used, size - used);
		if (need > size - used)
			return (ssize_t)used;
		used += need;
		d->offset = d->held->d_off;
		d->held = NULL;
	}
}

static void do_readdir(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi, int plus)
{
	struct dir_handle *d = handle_of(fi);
	char *buf = malloc(size);
	ssize_t used;

	if (buf == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&d->lock);
	used = fill_entries(req, d, buf, size, off, plus);
	pthread_mutex_unlock(&d->lock);
	if (used < 0)
		fuse_reply_err(req, (int)-used);
	else
		fuse_reply_buf(req, buf, (size_t)used);
	free(buf);
}

static void pt_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	do_readdir(req, size, off, fi, 0);
}

static void pt_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	(void)ino;
	do_readdir(req, size, off, fi, 1);
}

static void pt_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	free_handle(handle_of(fi));
	fuse_reply_err(req, 0);
}

static void pt_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	int fd = dirfd(handle_of(fi)->dir);

	(void)ino;
	reply_result(req, datasync ? fdatasync(fd) : fsync(fd));
}

/* ---- extended attributes ----------------------------------------------- */

/* ENOSYS once: the kernel doesn't ask again. */
static int xattrs_off(fuse_req_t req)
{
	if (fs_of(req)->xattr)
		return 0;
	fuse_reply_err(req, ENOSYS);
	return 1;
}

static void pt_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	if (!xattrs_off(req))
		reply_result(req,
			     setxattr(path_of(fd_of(req, ino)).text, name, value, size, flags));
}

static void pt_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (!xattrs_off(req))
		reply_result(req, removexattr(path_of(fd_of(req, ino)).text, name));
}

/* The value of `name`, or the list of names without one; size 0 asks for the length. */
static void fetch_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fd_path path = path_of(fd_of(req, ino));
	char *buf = size != 0 ? malloc(size) : NULL;
	ssize_t len;

	if (size != 0 && buf == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	len = name != NULL ? getxattr(path.text, name, buf, size) : listxattr(path.text, buf, size);
	if (len == -1)
		fuse_reply_err(req, errno);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)len);
	else
		fuse_reply_buf(req, buf, (size_t)len);
	free(buf);
}

static void pt_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	if (!xattrs_off(req))
		fetch_xattr(req, ino, name, size);
}

static void pt_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (!xattrs_off(req))
		fetch_xattr(req, ino, NULL, size);
}

/* ---- session ----------------------------------------------------------- */

/*
 * Without HANDLE_KILLPRIV_V2 the kernel itself drops set-user-ID bits before
 * writes, by a setattr. Version 1 says that we do it, but not when.
 */
static void pt_init(void *userdata, struct fuse_conn_info *conn)
{
	struct passthrough *fs = userdata;

	fuse_unset_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV);
	fuse_set_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2);
	if (fs->cache == CACHE_NONE)
		fuse_set_feature_flag(conn, FUSE_CAP_DIRECT_IO_ALLOW_MMAP);
	if (fs->writeback && !fuse_set_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE))
		fs->writeback = 0;
}

static const struct fuse_lowlevel_ops passthrough_ops = {
	.init = pt_init,
	.lookup = pt_lookup,
	.forget = pt_forget,
	.forget_multi = pt_forget_multi,
	.getattr = pt_getattr,
	.setattr = pt_setattr,
	.readlink = pt_readlink,
	.mknod = pt_mknod,
	.mkdir = pt_mkdir,
	.symlink = pt_symlink,
	.unlink = pt_unlink,
	.rmdir = pt_rmdir,
	.rename = pt_rename,
	.link = pt_link,
	.open = pt_open,
	.create = pt_create,
	.tmpfile = pt_tmpfile,
	.read = pt_read,
	.write_buf = pt_write_buf,
	.flush = pt_flush,
	.release = pt_release,
	.fsync = pt_fsync,
	.fallocate = pt_fallocate,
	.lseek = pt_lseek,
	.copy_file_range = pt_copy_file_range,
	.flock = pt_flock,
	.opendir = pt_opendir,
	.readdir = pt_readdir,
	.readdirplus = pt_readdirplus,
	.releasedir = pt_releasedir,
	.fsyncdir = pt_fsyncdir,
	.statfs = pt_statfs,
	.setxattr = pt_setxattr,
	.getxattr = pt_getxattr,
	.listxattr = pt_listxattr,
	.removexattr = pt_removexattr,
};

#define OPT(text, field, value)                                  \
	{                                                        \
		text, offsetof(struct passthrough, field), value \
	}

static const struct fuse_opt option_spec[] = {
	OPT("source=%s", source, 0),
	OPT("cache=none", cache, CACHE_NONE),
	OPT("cache=auto", cache, CACHE_AUTO),
	OPT("cache=always", cache, CACHE_ALWAYS),
	OPT("timeout=%lf", timeout, 0),
	OPT("writeback", writeback, 1),
	OPT("no_writeback", writeback, 0),
	OPT("xattr", xattr, 1),
	OPT("no_xattr", xattr, 0),
	FUSE_OPT_END,
};

static void print_help(const char *program)
{
	printf("usage: %s [options] -o source=DIR <mountpoint>\n\n", program);
	fuse_cmdline_help();
	fuse_lowlevel_help();
	puts("    -o source=DIR          the directory to show (required)\n"
	     "    -o cache=MODE          none: each access reaches DIR;\n"
	     "                           auto: cached briefly (default);\n"
	     "                           always: nobody else changes DIR\n"
	     "    -o timeout=SECONDS     validity of names and attributes\n"
	     "                           (default 0, 1, 86400 by cache mode)\n"
	     "    -o [no_]writeback      collect writes in the kernel (off)\n"
	     "    -o [no_]xattr          extended attributes (on)");
}

/* Each inode in the kernel's cache costs a descriptor here. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	unsigned long most = 0;
	FILE *f = fopen("/proc/sys/fs/nr_open", "re");

	if (f != NULL) {
		if (fscanf(f, "%lu", &most) != 1)
			most = 0;
		fclose(f);
	}
	limit.rlim_cur = limit.rlim_max = most;
	if (most != 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return; /* root may */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* True if `path` lies below `dir`; both resolved. */
static int is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path[1] != '\0';
	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/*
 * Opens the source before the mount can hide it. A mount point inside would
 * make the handlers call themselves; on the source itself is fine.
 */
static int open_source(struct passthrough *fs, const char *mountpoint)
{
	char *real = realpath(fs->source, NULL);

	if (real == NULL) {
		fprintf(stderr, "source %s: %s\n", fs->source, strerror(errno));
		return -1;
	}
	if (is_below(mountpoint, real)) {
		fprintf(stderr, "mount point %s lies inside source %s\n", mountpoint, real);
		free(real);
		return -1;
	}
	fs->root.fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->root.fd == -1)
		fprintf(stderr, "source %s: %s\n", real, strerror(errno));
	free(real);
	return fs->root.fd == -1 ? -1 : 0;
}

static int prepare(struct passthrough *fs, const char *mountpoint)
{
	static const double by_mode[] = { 0.0, 1.0, 86400.0 };

	if (fs->source == NULL) {
		fprintf(stderr, "missing option: -o source=DIR\n");
		return -1;
	}
	if (open_source(fs, mountpoint) != 0)
		return -1;
	if (fs->timeout < 0)
		fs->timeout = by_mode[fs->cache];
	umask(0); /* the kernel has applied the caller's */
	raise_descriptor_limit();
	fs->as_caller = geteuid() == 0;
	/* Refused in some containers; then root's rights end during creates. */
	if (fs->as_caller)
		prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
	return 0;
}

static int serve(struct fuse_session *se, const struct fuse_cmdline_opts *opts)
{
	struct fuse_loop_config *config;
	int res;

	if (opts->singlethread)
		return fuse_session_loop(se);

	config = fuse_loop_cfg_create();
	if (config == NULL)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, opts->clone_fd);
	fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	res = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return res;
}

/* The life of a session; each step is undone on the way out. */
static int run(struct passthrough *fs, struct fuse_args *args, const struct fuse_cmdline_opts *opts)
{
	struct fuse_session *se;
	int res = -1;

	se = fuse_session_new(args, &passthrough_ops, sizeof(passthrough_ops), fs);
	if (se == NULL)
		return -1;
	if (fuse_set_signal_handlers(se) != 0)
		goto destroy;
	if (fuse_session_mount(se, opts->mountpoint) != 0)
		goto signals;
	/* Forks: no thread may have been started before this line. */
	if (fuse_daemonize(opts->foreground) == 0)
		res = serve(se, opts);
	fuse_session_unmount(se);
      signals:
	fuse_remove_signal_handlers(se);
destroy:
	fuse_session_destroy(se);
	return res;
}

/* Returns the exit status: 0, 1 for a failure, 2 for a wrong command line. */
static int start(struct passthrough *fs, struct fuse_args *args,
		 const struct fuse_cmdline_opts *opts)
{
	if (opts->show_help) {
		print_help(args->argv[0]);
		return 0;
	}
	if (opts->show_version) {
		printf("FUSE library version %s\n", fuse_pkgversion());
		fuse_lowlevel_version();
		return 0;
	}
	if (opts->mountpoint == NULL) {
		fprintf(stderr, "no mount point given, try --help\n");
		return 2;
	}
	if (fuse_opt_parse(args, fs, option_spec, NULL) != 0 ||
	    fuse_opt_add_arg(args, "-odefault_permissions") != 0 ||
	    prepare(fs, opts->mountpoint) != 0)
		return 1;
	return run(fs, args, opts) == 0 ? 0 : 1;
}

int main(int argc, char *argv[])
{
	static struct passthrough fs = {
		.cache = CACHE_AUTO,
		.timeout = -1,
		.xattr = 1,
		.root = { .fd = -1 },
	};
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	int res = 1;

	for (int i = 0; i < SHARDS; i++)
		pthread_mutex_init(&fs.shard[i].lock, NULL);
	if (fuse_parse_cmdline(&args, &opts) == 0) {
		res = start(&fs, &args, &opts);
		free(opts.mountpoint);
	}
	table_free(&fs);
	if (fs.root.fd != -1)
		close(fs.root.fd);
	free(fs.source);
	fuse_opt_free_args(&args);
	return res;
}
