/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * fuse_session_custom_io() with functions for splicing:
 *   splice_io_ll WANT MOUNTPOINT
 * over a /dev/fuse that is opened and mounted here. WANT is "all", "none"
 * (init turns splicing off) or "missing" (the functions are not given, and the
 * capabilities must not be offered). Reads of "hello" are 64 KiB of 'h'; what
 * is written to it has to be 'w'. At the end the calls are counted.
 */
#include "hello.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/uio.h>

#define SIZE 65536
#define SPLICING (FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE)

static const char *want;
static int reads, writes, received, sent, bad;
static char data[SIZE];

static ssize_t io_read(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	__atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
	return read(fd, buf, size);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	__atomic_add_fetch(&writes, 1, __ATOMIC_RELAXED);
	return writev(fd, iov, count);
}

static ssize_t io_receive(int fdin, off_t *offin, int fdout, off_t *offout, size_t len, unsigned flags, void *userdata)
{
	ssize_t n = splice(fdin, offin, fdout, offout, len, flags);

	if (n > 0)
		__atomic_add_fetch(&received, 1, __ATOMIC_RELAXED);
	bad += userdata != &want;
	return n;
}

static ssize_t io_send(int fdin, off_t *offin, int fdout, off_t *offout, size_t len, unsigned flags, void *userdata)
{
	__atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
	bad += userdata != &want || len < SIZE;
	return splice(fdin, offin, fdout, offout, len, flags);
}

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_write = 131072; /* a pipe for the largest message must be allowed */
	if (!strcmp(want, "missing"))
		bad += (conn->capable & SPLICING) != 0;
	else if (!strcmp(want, "all"))
		bad += !fuse_set_feature_flag(conn, SPLICING);
	else
		fuse_unset_feature_flag(conn, SPLICING);
}

static void big_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	hello_stat(&st, ino);
	st.st_mode |= 0666;
	st.st_size = ino == 2 ? SIZE : 0;
	fuse_reply_attr(req, &st, 0);
}

static void big_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = 2 };

	(void)parent;
	hello_stat(&e.attr, 2);
	e.attr.st_mode |= 0666;
	e.attr.st_size = SIZE;
	if (strcmp(name, "hello"))
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static void big_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void big_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	if (off >= SIZE)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, data + off, size < SIZE - (size_t)off ? size : SIZE - (size_t)off);
}

static void big_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off, struct fuse_file_info *fi)
{
	static char copy[1 << 20];
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(sizeof(copy));
	ssize_t n;

	(void)ino;
	(void)off;
	(void)fi;
	out.buf[0].mem = copy;
	n = fuse_buf_copy(&out, in, 0);
	for (ssize_t i = 0; i < n; i++)
		bad += copy[i] != 'w';
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

static const struct fuse_lowlevel_ops ops = {
	.init = do_init,
	.lookup = big_lookup,
	.getattr = big_getattr,
	.open = big_open,
	.read = big_read,
	.write_buf = big_write,
};

int main(int argc, char **argv)
{
	struct fuse_custom_io io = { .read = io_read, .writev = io_writev };
	char *args_of[] = { argv[0], NULL }, options[128];
	struct fuse_args args = FUSE_ARGS_INIT(1, args_of);
	struct fuse_session *se;
	int fd, ret;

	if (argc < 3)
		return 1;
	want = argv[argc - 2];
	const char *where = argv[argc - 1];

	memset(data, 'h', sizeof(data));
	if (strcmp(want, "missing")) {
		io.splice_receive = io_receive;
		io.splice_send = io_send;
	}
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0", fd);
	if (fd < 0 || mount("custom", where, "fuse", MS_NOSUID | MS_NODEV, options) != 0)
		return 1;
	se = fuse_session_new(&args, &ops, sizeof(ops), &want);
	if (!se || fuse_session_custom_io(se, &io, sizeof(io), fd) != 0)
		return 1;
	ret = fuse_session_loop_mt(se, NULL);
	fuse_session_destroy(se);
	umount2(where, MNT_DETACH);
	fprintf(stderr, "reads=%d writes=%d received=%d sent=%d bad=%d\n", reads, writes, received, sent, bad);
	return ret || bad;
}
