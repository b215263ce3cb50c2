/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A complete read-write filesystem in memory, for trying every operation.
 *
 * MEMFS_IO=write    take data through write() instead of write_buf()
 * MEMFS_READ=buf    answer reads by fuse_reply_buf, iov (in three pieces), or
 *                   data (fuse_reply_data)
 * MEMFS_DIRECT=1    direct I/O
 *
 * Setting the root's xattr user.fail to "OP ERRNO" makes the next OP fail, and
 * "OP 0" makes it wait until its client is interrupted;
 * reading its user.calls gives "OP COUNT" lines and the largest write.
 */
#include "memfs.h"
#include <fcntl.h>
#include <sys/uio.h>

const char *const op_names[N_OPS] = {
	"lookup", "forget", "getattr", "setattr", "readlink", "mknod", "mkdir", "unlink",
	"rmdir", "symlink", "rename", "link", "open", "create", "read", "write", "flush",
	"release", "fsync", "opendir", "readdir", "readdirplus", "releasedir", "fsyncdir",
	"statfs", "setxattr", "getxattr", "listxattr", "removexattr", "access",
};

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
unsigned calls[N_OPS], fail_op = N_OPS, fail_errno;
size_t largest_write, largest_read, max_write;
static const char *read_by = "buf";
static int direct, with_plus;

struct node *node(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? tree_root() : (struct node *)(uintptr_t)ino;
}

/* Counts the call and answers it if it is to fail. */
int begin(fuse_req_t req, enum op op)
{
	int fail;

	pthread_mutex_lock(&lock);
	calls[op]++;
	fail = fail_op == op;
	if (fail) {
		fail_op = N_OPS;
		pthread_mutex_unlock(&lock);
		fuse_reply_err(req, fail_errno ? (int)fail_errno : wait_for_interrupt(req, op));
	}
	return !fail;
}

/* The other end: unlocks, then answers, so that the next request can go on. */
void end(fuse_req_t req, int error)
{
	pthread_mutex_unlock(&lock);
	fuse_reply_err(req, error);
}

struct fuse_entry_param entry_of(struct node *n)
{
	struct fuse_entry_param e = { .attr = n->st, .generation = 1 };

	e.ino = n == tree_root() ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
	return e;
}

static void end_entry(fuse_req_t req, struct node *n)
{
	struct fuse_entry_param e = entry_of(n);

	n->nlookup++;
	pthread_mutex_unlock(&lock);
	fuse_reply_entry(req, &e);
}

static void m_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	if (max_write)
		conn->max_write = (unsigned)max_write;
	max_write = conn->max_write;
	fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);
	if (with_plus)
		fuse_set_feature_flag(conn, FUSE_CAP_READDIRPLUS);
}

static void m_destroy(void *userdata)
{
	(void)userdata;
	tree_free_all();
}

static void m_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (!begin(req, LOOKUP))
		return;
	struct entry *e = tree_find(node(parent), name);

	if (e)
		end_entry(req, e->node);
	else
		end(req, ENOENT);
}

static void forget_one(fuse_ino_t ino, uint64_t count)
{
	struct node *n = node(ino);

	calls[FORGET]++;
	if (n == tree_root())
		return;
	if (n->nlookup < count)
		abort(); /* more forgets than lookups */
	n->nlookup -= count;
	tree_maybe_free(n);
}

static void m_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	pthread_mutex_lock(&lock);
	forget_one(ino, nlookup);
	pthread_mutex_unlock(&lock);
	fuse_reply_none(req);
}

static void m_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < count; i++)
		forget_one(forgets[i].ino, forgets[i].nlookup);
	pthread_mutex_unlock(&lock);
	fuse_reply_none(req);
}

static void end_attr(fuse_req_t req, struct node *n)
{
	struct stat st = n->st;

	pthread_mutex_unlock(&lock);
	fuse_reply_attr(req, &st, 0);
}

static void m_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	if (begin(req, GETATTR))
		end_attr(req, node(ino));
}

static void set_times(struct node *n, const struct stat *attr, int set)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (set & FUSE_SET_ATTR_ATIME)
		n->st.st_atim = set & FUSE_SET_ATTR_ATIME_NOW ? now : attr->st_atim;
	if (set & FUSE_SET_ATTR_MTIME)
		n->st.st_mtim = set & FUSE_SET_ATTR_MTIME_NOW ? now : attr->st_mtim;
}

static void m_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
		      struct fuse_file_info *fi)
{
	struct node *n = node(ino);
	int error = 0;

	(void)fi;
	if (!begin(req, SETATTR))
		return;
	if (set & FUSE_SET_ATTR_MODE)
		n->st.st_mode = (n->st.st_mode & S_IFMT) | (attr->st_mode & 07777);
	if (set & FUSE_SET_ATTR_UID)
		n->st.st_uid = attr->st_uid;
	if (set & FUSE_SET_ATTR_GID)
		n->st.st_gid = attr->st_gid;
	if (set & FUSE_SET_ATTR_SIZE)
		error = tree_resize(n, attr->st_size);
	tree_touch(n, 0);
	set_times(n, attr, set);
	if (error)
		end(req, error);
	else
		end_attr(req, n);
}

static void m_readlink(fuse_req_t req, fuse_ino_t ino)
{
	if (!begin(req, READLINK))
		return;
	pthread_mutex_unlock(&lock); /* the target of a link never changes */
	fuse_reply_readlink(req, node(ino)->data);
}

/* A new node with a name; NULL after an error was answered. */
static struct node *make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct node *n;

	if (tree_find(node(parent), name)) {
		end(req, EEXIST);
		return NULL;
	}
	n = tree_new(mode, rdev, ctx->uid, ctx->gid);
	if (!n || tree_link(node(parent), name, n) != 0) {
		end(req, ENOSPC);
		return NULL;
	}
	return n;
}

static void m_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct node *n;

	if (begin(req, MKNOD) && (n = make(req, parent, name, mode, rdev)))
		end_entry(req, n);
}

static void m_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct node *n;

	if (begin(req, MKDIR) && (n = make(req, parent, name, S_IFDIR | mode, 0)))
		end_entry(req, n);
}

static void m_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct node *n;

	if (!begin(req, SYMLINK) || !(n = make(req, parent, name, S_IFLNK | 0777, 0)))
		return;
	n->data = strdup(target);
	n->st.st_size = (off_t)strlen(target);
	end_entry(req, n);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, int dir)
{
	struct entry *e = tree_find(node(parent), name);
	struct node *n = e ? e->node : NULL;

	if (!e || (dir && n->first)) {
		end(req, e ? ENOTEMPTY : ENOENT);
		return;
	}
	tree_unlink(e);
	tree_maybe_free(n);
	end(req, 0);
}

static void m_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (begin(req, UNLINK))
		remove_name(req, parent, name, 0);
}

static void m_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (begin(req, RMDIR))
		remove_name(req, parent, name, 1);
}

/* Moves one name, or swaps two. The lock is held. */
static int move(struct node *from, const char *name, struct node *to, const char *newname, unsigned flags)
{
	struct entry *old = tree_find(from, name), *target = tree_find(to, newname);

	if (!old || (flags & RENAME_EXCHANGE && !target))
		return ENOENT;
	if (target && flags & RENAME_NOREPLACE)
		return EEXIST;
	struct node *n = old->node, *replaced = target ? target->node : NULL;

	if (replaced && !(flags & RENAME_EXCHANGE) && replaced->first)
		return ENOTEMPTY;
	n->opens++; /* neither may go while it has no name */
	if (replaced)
		replaced->opens++;
	tree_unlink(old);
	if (target)
		tree_unlink(target);
	tree_link(to, newname, n);
	if (flags & RENAME_EXCHANGE)
		tree_link(from, name, replaced);
	n->opens--;
	if (replaced) {
		replaced->opens--;
		tree_maybe_free(replaced);
	}
	return 0;
}

static void m_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		     const char *newname, unsigned flags)
{
	if (begin(req, RENAME))
		end(req, move(node(parent), name, node(newparent), newname, flags));
}

static void m_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	if (!begin(req, LINK))
		return;
	if (tree_find(node(newparent), newname) || tree_link(node(newparent), newname, node(ino)))
		end(req, EEXIST);
	else
		end_entry(req, node(ino));
}

static void m_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (!begin(req, OPEN))
		return;
	if (fi->flags & O_TRUNC) /* comes with FUSE_CAP_ATOMIC_O_TRUNC, a default */
		tree_resize(node(ino), 0);
	node(ino)->opens++;
	fi->direct_io = direct & 1u;
	fi->fh = ino;
	pthread_mutex_unlock(&lock);
	fuse_reply_open(req, fi);
}

static void m_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		     struct fuse_file_info *fi)
{
	struct node *n;

	if (!begin(req, CREATE) || !(n = make(req, parent, name, S_IFREG | (mode & 07777), 0)))
		return;
	struct fuse_entry_param e = entry_of(n);

	n->nlookup++;
	n->opens++;
	fi->direct_io = direct & 1u;
	fi->fh = e.ino;
	pthread_mutex_unlock(&lock);
	fuse_reply_create(req, &e, fi);
}

/* Three pieces: what a filesystem with blocks would have. */
static int reply_iov(fuse_req_t req, char *data, size_t size)
{
	size_t a = size / 3, b = size / 3;
	struct iovec iov[3] = { { data, a }, { data + a, b }, { data + a + b, size - a - b } };

	return fuse_reply_iov(req, iov, 3);
}

static void m_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct node *n = node(ino);

	if (!begin(req, READ))
		return;
	if (fi->fh != ino)
		abort(); /* the handle is what open() set */
	if (size > largest_read)
		largest_read = size;
	if (off >= n->st.st_size)
		size = 0;
	else if ((off_t)size > n->st.st_size - off)
		size = (size_t)(n->st.st_size - off);
	struct fuse_bufvec vec = FUSE_BUFVEC_INIT(size);
	char *data = n->data ? n->data + (size ? off : 0) : NULL;

	vec.buf[0].mem = data;
	if (!strcmp(read_by, "iov") && size)
		reply_iov(req, data, size);
	else if (!strcmp(read_by, "data"))
		fuse_reply_data(req, &vec, FUSE_BUF_SPLICE_MOVE);
	else
		fuse_reply_buf(req, data, size);
	pthread_mutex_unlock(&lock); /* the data had to stay until now */
}

static void m_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off,
			struct fuse_file_info *fi)
{
	struct node *n = node(ino);
	size_t size = fuse_buf_size(in);
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(size);
	ssize_t done = 0;

	if (!begin(req, WRITE))
		return;
	if (fi->fh != ino)
		abort();
	if (size > largest_write)
		largest_write = size;
	if (off + (off_t)size > n->st.st_size && tree_resize(n, off + (off_t)size) != 0) {
		end(req, ENOSPC);
		return;
	}
	out.buf[0].mem = n->data + off;
	if (size)
		done = fuse_buf_copy(&out, in, 0);
	tree_touch(n, 1);
	pthread_mutex_unlock(&lock);
	if (done < 0)
		fuse_reply_err(req, (int)-done);
	else
		fuse_reply_write(req, (size_t)done);
}

static void m_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct fuse_bufvec in = FUSE_BUFVEC_INIT(size);

	in.buf[0].mem = (void *)buf;
	m_write_buf(req, ino, &in, off, fi);
}

static void m_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	if (begin(req, FLUSH))
		end(req, 0);
}

static void closed(fuse_req_t req, fuse_ino_t ino)
{
	node(ino)->opens--;
	end(req, 0);
}

static void m_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	if (begin(req, RELEASE))
		closed(req, ino);
}

static void m_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	if (begin(req, RELEASEDIR))
		closed(req, ino);
}

static void m_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	if (begin(req, FSYNC))
		end(req, 0);
}

static void m_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	if (begin(req, FSYNCDIR))
		end(req, 0);
}

static void m_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	if (begin(req, ACCESS))
		end(req, mask & W_OK && !(node(ino)->st.st_mode & 0222) ? EACCES : 0);
}

static struct fuse_lowlevel_ops ops = {
	.init = m_init, .destroy = m_destroy, .lookup = m_lookup, .forget = m_forget,
	.forget_multi = m_forget_multi, .getattr = m_getattr, .setattr = m_setattr,
	.readlink = m_readlink, .mknod = m_mknod, .mkdir = m_mkdir, .unlink = m_unlink,
	.rmdir = m_rmdir, .symlink = m_symlink, .rename = m_rename, .link = m_link,
	.open = m_open, .create = m_create, .read = m_read, .write = m_write,
	.write_buf = m_write_buf, .flush = m_flush, .release = m_release, .fsync = m_fsync,
	.opendir = m_opendir, .readdir = m_readdir, .readdirplus = m_readdirplus,
	.releasedir = m_releasedir, .fsyncdir = m_fsyncdir, .statfs = m_statfs,
	.setxattr = m_setxattr, .getxattr = m_getxattr, .listxattr = m_listxattr,
	.removexattr = m_removexattr, .access = m_access,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &ops, sizeof(ops), NULL, NULL };

	if (getenv("MEMFS_READ"))
		read_by = getenv("MEMFS_READ");
	direct = getenv("MEMFS_DIRECT") != NULL;
	max_write = getenv("MEMFS_MAX_WRITE") ? strtoul(getenv("MEMFS_MAX_WRITE"), NULL, 0) : 0;
	if (getenv("MEMFS_IO") && !strcmp(getenv("MEMFS_IO"), "write"))
		ops.write_buf = NULL;
	with_plus = getenv("MEMFS_NO_PLUS") == NULL;
	if (!with_plus)
		ops.readdirplus = NULL;
	return fs_main(&args, &run);
}
