/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * memfs_ll: directories, extended attributes and statfs.
 */
#include "memfs.h"
#include <time.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

void m_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (!begin(req, OPENDIR))
		return;
	node(ino)->opens++;
	fi->fh = ino;
	pthread_mutex_unlock(&lock);
	fuse_reply_open(req, fi);
}

/* Adds one name if it fits; the cookie says where to go on after it. */
static size_t add(fuse_req_t req, char *buf, size_t room, const char *name, struct node *n,
		  uint64_t cookie, int plus)
{
	struct fuse_entry_param e = entry_of(n);

	if (!plus)
		return fuse_add_direntry(req, buf, room, name, &n->st, (off_t)cookie);
	return fuse_add_direntry_plus(req, buf, room, name, &e, (off_t)cookie);
}

static size_t list(fuse_req_t req, struct node *dir, char *buf, size_t size, uint64_t off, int plus)
{
	size_t used = 0, need;

	for (uint64_t dots = off + 1; dots <= 2; dots++) {
		used += add(req, buf + used, size - used, dots == 1 ? "." : "..",
			    dots == 1 ? dir : dir->parent, dots, plus);
	}
	struct entry *e = dir->first;

	if (dir->last && dir->last->cookie <= off)
		return used;
	while (e && e->cookie <= off)
		e = e->next;
	for (; e; e = e->next) {
		need = add(req, buf + used, size - used, e->name, e->node, e->cookie, plus);
		if (need > size - used)
			break;
		used += need;
		e->node->nlookup += plus != 0;
	}
	return used;
}

static void read_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, int plus)
{
	char *buf = malloc(size);
	size_t used = list(req, node(ino), buf, size, (uint64_t)off, plus);

	pthread_mutex_unlock(&lock);
	fuse_reply_buf(req, buf, used);
	free(buf);
}

void m_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (begin(req, READDIR))
		read_directory(req, ino, size, off, 0);
}

void m_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (begin(req, READDIRPLUS))
		read_directory(req, ino, size, off, 1);
}

void m_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_blocks = 1000, .f_bfree = 600,
			      .f_bavail = 500, .f_files = 77, .f_ffree = 33, .f_namemax = 255 };

	(void)ino;
	if (!begin(req, STATFS))
		return;
	pthread_mutex_unlock(&lock);
	fuse_reply_statfs(req, &st);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int interrupted;
};

static void interrupted(fuse_req_t req, void *data)
{
	struct waiter *w = data;

	(void)req;
	pthread_mutex_lock(&w->lock);
	w->interrupted = 1;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Returns the error to answer with: what the client is told, or that the wait was in vain. */
int wait_for_interrupt(fuse_req_t req, enum op op)
{
	struct waiter w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct timespec end;
	int told;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	fprintf(stderr, "waits: %s\n", op_names[op]);
	fuse_req_interrupt_func(req, interrupted, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.interrupted && pthread_cond_timedwait(&w.changed, &w.lock, &end) == 0)
		;
	pthread_mutex_unlock(&w.lock);
	told = fuse_req_interrupted(req);
	fuse_req_interrupt_func(req, NULL, NULL);
	fprintf(stderr, "waited: %s %d\n", op_names[op], told && w.interrupted);
	return told && w.interrupted ? EINTR : EDOM;
}

static void set_fail(const char *value, size_t size)
{
	char text[64] = "", name[32];

	memcpy(text, value, size < sizeof(text) ? size : sizeof(text) - 1);
	if (sscanf(text, "%31s %u", name, &fail_errno) != 2)
		return;
	for (fail_op = 0; fail_op < N_OPS && strcmp(op_names[fail_op], name); fail_op++)
		;
}

void m_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		       size_t size, int flags)
{
	int there, error;

	if (!begin(req, SETXATTR))
		return;
	there = *tree_xattr(node(ino), name) != NULL;
	if (!strcmp(name, "user.fail") && ino == FUSE_ROOT_ID) {
		set_fail(value, size);
		error = 0;
	} else if (there ? flags == XATTR_CREATE : flags == XATTR_REPLACE) {
		error = there ? EEXIST : ENODATA;
	} else {
		error = tree_set_xattr(node(ino), name, value, size);
	}
	end(req, error);
}

/* The size, or the bytes if they fit. The lock is held and stays so. */
static void reply_xattr(fuse_req_t req, const void *value, size_t have, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, have);
	else if (have > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, have);
}

static void reply_calls(fuse_req_t req, size_t size)
{
	char text[2048];
	size_t n = 0;

	for (int i = 0; i < N_OPS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %u\n", op_names[i], calls[i]);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "largest_write %zu\nlargest_read %zu\nmax_write %zu\n",
			      largest_write, largest_read, max_write);
	reply_xattr(req, text, n, size);
}

void m_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct xattr *x;

	if (!begin(req, GETXATTR))
		return;
	x = *tree_xattr(node(ino), name);
	if (ino == FUSE_ROOT_ID && !strcmp(name, "user.calls"))
		reply_calls(req, size);
	else if (x)
		reply_xattr(req, x->value, x->size, size);
	else
		fuse_reply_err(req, ENODATA);
	pthread_mutex_unlock(&lock);
}

void m_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	size_t have = 0;
	char *text;

	if (!begin(req, LISTXATTR))
		return;
	for (struct xattr *x = node(ino)->xattrs; x; x = x->next)
		have += strlen(x->name) + 1;
	text = malloc(have + 1);
	have = 0;
	for (struct xattr *x = node(ino)->xattrs; x; x = x->next) {
		memcpy(text + have, x->name, strlen(x->name) + 1);
		have += strlen(x->name) + 1;
	}
	reply_xattr(req, text, have, size);
	free(text);
	pthread_mutex_unlock(&lock);
}

void m_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct xattr **x;

	if (!begin(req, REMOVEXATTR))
		return;
	x = tree_xattr(node(ino), name);
	if (!*x) {
		end(req, ENODATA);
		return;
	}
	tree_remove_xattr(x);
	end(req, 0);
}
