/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A filesystem whose file "data" is another one, $BACKING, that the kernel
 * reads and writes itself (fuse_passthrough_open). All opens at a time share
 * one registration. "stats" has counters: backing is its id, closed the result
 * of giving the last one up, registered how many there were, reads and writes
 * are requests that came here all the same.
 */
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

enum { DATA = 2, STATS };

static int backing, users, registered, closed = 1, reads, writes, opens, wrong;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void attributes(fuse_ino_t ino, struct stat *st)
{
	struct stat under;

	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_nlink = 1;
	if (ino == DATA && stat(getenv("BACKING"), &under) == 0)
		st->st_size = under.st_size;
}

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	if (!fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH))
		fprintf(stderr, "no passthrough\n");
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .attr_timeout = 3600, .entry_timeout = 3600 };

	(void)parent;
	e.ino = !strcmp(name, "data") ? DATA : !strcmp(name, "stats") ? STATS : 0;
	attributes(e.ino, &e.attr);
	if (e.ino)
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, ENOENT);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	attributes(ino, &st);
	fuse_reply_attr(req, &st, 3600);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino == STATS) {
		fi->direct_io = 1;
		fuse_reply_open(req, fi);
		return;
	}
	pthread_mutex_lock(&lock);
	if (opens++ == 0) { /* what can't work */
		wrong += fuse_passthrough_open(req, -1) != 0;
		wrong += fuse_passthrough_open(NULL, 0) != 0;
		wrong += fuse_passthrough_close(req, 4711) != -1;
		wrong += fuse_passthrough_close(NULL, 1) != -1;
	}
	if (users++ == 0) {
		int fd = open(getenv("BACKING"), O_RDWR | O_CLOEXEC);

		backing = fuse_passthrough_open(req, fd);
		registered++;
		close(fd);
	}
	fi->backing_id = backing;
	pthread_mutex_unlock(&lock);
	if (fi->backing_id > 0)
		fuse_reply_open(req, fi);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	pthread_mutex_lock(&lock);
	if (ino == DATA && --users == 0)
		closed = fuse_passthrough_close(req, backing);
	pthread_mutex_unlock(&lock);
	fuse_reply_err(req, 0);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char text[200];
	int n;

	(void)fi;
	if (ino == DATA) {
		reads++;
		fuse_reply_err(req, EIO);
		return;
	}
	n = snprintf(text, sizeof(text), "backing=%d\nclosed=%d\nreads=%d\nwrites=%d\nopens=%d\nwrong=%d\nusers=%d\nregistered=%d\n",
		     backing, closed, reads, writes, opens, wrong, users, registered);
	if (off >= n)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + off, (size_t)(n - off) < size ? (size_t)(n - off) : size);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)size;
	(void)off;
	(void)fi;
	writes++;
	fuse_reply_err(req, EIO);
}

static const struct fuse_lowlevel_ops ops = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.open = do_open,
	.release = do_release,
	.read = do_read,
	.write = do_write,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { .ops = &ops, .op_size = sizeof(ops) };

	return fs_main(&args, &run);
}
