/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lowops.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/xattr.h>

struct file files[N_FILES];
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
unsigned released, ready = 4; /* POLLOUT */
int outcome;
static char failing[32];
static int failing_with;
static struct fuse_conn_info_opts *conn_opts;
static unsigned long unset;

void trace(const char *format, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fprintf(stderr, "call: %s\n", line);
}

int fails(fuse_req_t req, const char *op)
{
	int error = failing_with;

	if (strcmp(failing, op))
		return 0;
	if (error == 0) {
		pthread_mutex_lock(&lock);
		trace("waits %s", op);
		error = block(req);
		pthread_mutex_unlock(&lock);
	}
	outcome = fuse_reply_err(req, error);
	return 1;
}

struct file *file_of(fuse_ino_t ino)
{
	return &files[ino < N_FILES ? ino : 0];
}

int resize(struct file *f, off_t size)
{
	if (size > (off_t)ROOM)
		return EFBIG;
	if (!f->data)
		f->data = calloc(1, ROOM);
	if (size < f->size)
		memset(f->data + size, 0, (size_t)(f->size - size));
	f->size = size;
	return 0;
}

struct stat stat_of(fuse_ino_t ino)
{
	struct stat st = { .st_ino = ino, .st_nlink = 1, .st_blksize = 4096 };
	struct file *f = file_of(ino);

	st.st_mode = ino == 1 || ino == DIRECTORY ? S_IFDIR | 0755 : ino < N_FILES ? f->mode : S_IFREG | 0444;
	st.st_uid = f->uid;
	st.st_size = f->size;
	st.st_mtim.tv_sec = 1000;
	return st;
}

static void l_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	if (unset)
		fuse_unset_feature_flag(conn, unset);
	if (conn_opts)
		fuse_apply_conn_info_opts(conn_opts, conn);
	if (getenv("REQUEST_TIMEOUT"))
		conn->request_timeout = (uint16_t)atoi(getenv("REQUEST_TIMEOUT"));
	trace("init max_write=%u max_readahead=%u max_background=%u congestion_threshold=%u time_gran=%u"
	      " same=%d want=%#lx",
	      conn->max_write, conn->max_readahead, conn->max_background, conn->congestion_threshold,
	      conn->time_gran, conn->want == (uint32_t)conn->want_ext, (unsigned long)conn->want_ext);
}

static struct fuse_entry_param entry_of(fuse_ino_t ino)
{
	struct fuse_entry_param e = { .ino = ino, .attr = stat_of(ino), .entry_timeout = 60 };

	return e;
}

static void l_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;

	if (parent == DIRECTORY && big_number(name) >= 0)
		e = entry_of((fuse_ino_t)(big_number(name) + FIRST_BIG));
	else if (parent == 1 && !strcmp(name, "d"))
		e = entry_of(DIRECTORY);
	else if (parent == 1 && name[0] >= 'a' && name[0] <= 'c' && !name[1])
		e = entry_of((fuse_ino_t)(name[0] - 'a' + 2));
	else {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fuse_reply_entry(req, &e);
}

static void l_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = stat_of(ino);

	(void)fi;
	fuse_reply_attr(req, &st, 0);
}

static void l_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		      struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	pthread_mutex_lock(&lock);
	if (to_set & FUSE_SET_ATTR_SIZE)
		resize(file_of(ino), attr->st_size);
	pthread_mutex_unlock(&lock);
	st = stat_of(ino);
	fuse_reply_attr(req, &st, 0);
}

static void l_statx(fuse_req_t req, fuse_ino_t ino, int flags, int mask, struct fuse_file_info *fi)
{
	struct stat st = stat_of(ino);
	struct statx stx = { .stx_mask = STATX_BASIC_STATS | STATX_BTIME, .stx_blksize = 4096,
			     .stx_nlink = 1, .stx_mode = (uint16_t)st.st_mode, .stx_ino = ino,
			     .stx_uid = st.st_uid, .stx_size = (uint64_t)st.st_size,
			     .stx_attributes = STATX_ATTR_APPEND, .stx_attributes_mask = STATX_ATTR_APPEND,
			     .stx_mtime = { .tv_sec = 1000 }, .stx_btime = { .tv_sec = 77, .tv_nsec = 99 } };

	if (fails(req, "statx"))
		return;
	trace("statx %lu flags %x btime %d%s", (unsigned long)ino, flags, !!(mask & STATX_BTIME),
	      fi ? " file" : "");
	outcome = fuse_reply_statx(req, 0, &stx, 0);
}

static void l_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = ino == 4; /* c */
	fi->fh = ino;
	fuse_reply_open(req, fi);
}

static void l_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi)
{
	static fuse_ino_t next = 5;
	struct fuse_entry_param e;

	(void)parent;
	if (fails(req, "tmpfile"))
		return;
	trace("tmpfile %o umask %o", (unsigned)mode, (unsigned)fuse_req_ctx(req)->umask);
	files[next].mode = mode;
	files[next].uid = fuse_req_ctx(req)->uid;
	resize(&files[next], 0);
	e = entry_of(next++);
	e.attr.st_nlink = 0;
	outcome = fuse_reply_create(req, &e, fi);
}

static void l_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	size_t room, n = off < f->size ? (size_t)(f->size - off) : 0;
	char *payload;
	void *mr = &room;

	(void)fi;
	if (fails(req, "read"))
		return;
	n = n < size ? n : size;
	if (off >= WAIT_FROM) {
		int error;

		pthread_mutex_lock(&lock);
		trace("read %zu at %ld", size, (long)off);
		error = block(req);
		pthread_mutex_unlock(&lock);
		outcome = error ? fuse_reply_err(req, error) : fuse_reply_buf(req, "late", 4);
		return;
	}
	outcome = fuse_req_get_payload(req, &payload, &room, &mr);
	if (outcome == 0 && n <= room && mr == NULL) {
		memcpy(payload, f->data + off, n);
		outcome = fuse_reply_buf(req, payload, n);
		return;
	}
	trace("get_payload %d uring %d", outcome, fuse_req_is_uring(req));
	outcome = fuse_reply_buf(req, f->data + off, n);
}

static void l_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	int error = 0;

	(void)fi;
	if (fails(req, "write"))
		return;
	pthread_mutex_lock(&lock);
	if (off + (off_t)size > f->size)
		error = resize(f, off + (off_t)size);
	if (!error)
		memcpy(f->data + off, buf, size);
	pthread_mutex_unlock(&lock);
	outcome = error ? fuse_reply_err(req, error) : fuse_reply_write(req, size);
}

static void l_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	pthread_mutex_lock(&lock);
	drop_posix(ino, fi->lock_owner);
	pthread_mutex_unlock(&lock);
	fuse_reply_err(req, 0);
}

static void l_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	pthread_mutex_lock(&lock);
	/* Nobody asks for this, so nobody's groups are known. */
	trace("groups %d of pid %d", fuse_req_getgroups(req, 0, NULL), fuse_req_ctx(req)->pid);
	trace("release %lu%s", (unsigned long)ino, fi->flock_release ? " flock" : "");
	if (fi->flock_release)
		drop_flock(ino, fi->lock_owner);
	pthread_mutex_unlock(&lock);
	fuse_reply_err(req, 0);
}

static void l_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		       int flags)
{
	char text[64];

	(void)ino;
	(void)flags;
	snprintf(text, sizeof(text), "%.*s", (int)size, value);
	pthread_mutex_lock(&lock);
	if (!strcmp(name, "user.fail") && sscanf(text, "%31s %d", failing, &failing_with) < 2)
		failing[0] = 0;
	if (!strcmp(name, "user.release"))
		released++;
	if (!strcmp(name, "user.ready")) {
		ready = (unsigned)strtoul(text, NULL, 0);
		tell_pollers();
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	fuse_reply_err(req, 0);
}

static void who(fuse_req_t req, char *text, size_t size)
{
	gid_t list[1000], none = 4711;
	int count = fuse_req_getgroups(req, 0, &none), n = fuse_req_getgroups(req, 1000, list);
	size_t at = (size_t)snprintf(text, size, "uring=%d count=%d n=%d ctx=%u:%u:%d groups=",
				     fuse_req_is_uring(req), none == 4711 ? count : -1, n,
				     fuse_req_ctx(req)->uid, fuse_req_ctx(req)->gid, fuse_req_ctx(req)->pid);

	for (int i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%u,", list[i]);
}

static void l_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char text[8192] = "";

	(void)ino;
	if (!strcmp(name, "user.who"))
		who(req, text, sizeof(text));
	else if (!strcmp(name, "user.outcome"))
		snprintf(text, sizeof(text), "%d", outcome);
	else {
		fuse_reply_err(req, ENODATA);
		return;
	}
	if (size == 0)
		fuse_reply_xattr(req, strlen(text));
	else if (size < strlen(text))
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, text, strlen(text));
}

static const struct fuse_lowlevel_ops ops = {
	.init = l_init, .lookup = l_lookup, .getattr = l_getattr, .setattr = l_setattr, .statx = l_statx,
	.open = l_open, .tmpfile = l_tmpfile, .read = l_read, .write = l_write, .flush = l_flush,
	.release = l_release, .setxattr = l_setxattr, .getxattr = l_getxattr, .getlk = l_getlk,
	.setlk = l_setlk, .flock = l_flock, .ioctl = l_ioctl, .poll = l_poll, .fallocate = l_fallocate,
	.lseek = l_lseek, .readdir = l_readdir, .readdirplus = l_readdirplus, .copy_file_range = l_copy, .bmap = l_bmap,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &ops, sizeof(ops), NULL, NULL };
	int ret;

	unset = getenv("UNSET") ? strtoul(getenv("UNSET"), NULL, 0) : 0;
	for (int i = 2; i < 5; i++) {
		files[i].mode = S_IFREG | 0644;
		resize(&files[i], 0);
	}
	if (getenv("CONN_OPTS")) {
		conn_opts = fuse_parse_conn_info_opts(&args);
		if (!conn_opts)
			return 3;
	}
	ret = fs_main(&args, &run);
	free(conn_opts);
	return ret;
}
