/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * fuse_session_custom_io():
 *   custom_io_ll MOUNTPOINT   over /dev/fuse, opened and mounted by ourselves
 *   custom_io_ll fake         over a socket pair, with a kernel played here
 */
#include "hello.h"
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int reads, writes;

static ssize_t io_read(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	reads++;
	return read(fd, buf, size);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	writes++;
	return writev(fd, iov, count);
}

static const struct fuse_custom_io io = { .read = io_read, .writev = io_writev };

static struct fuse_session *new_session(struct fuse_session **slot)
{
	char *argv[] = { "custom_io_ll", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	return fuse_session_new(&args, &hello_ops, sizeof(hello_ops), slot);
}

static int serve(int fd)
{
	struct fuse_session *se = new_session(&se);
	int ret;

	if (!se || fuse_session_custom_io(se, &io, sizeof(io), fd) != 0)
		return 1;
	if (fuse_session_fd(se) != fd || fuse_session_custom_io(se, &io, sizeof(io), fd) != -EBUSY)
		return 3;
	ret = fuse_session_loop(se);
	fuse_session_destroy(se);
	if (fcntl(fd, F_GETFD) != -1)
		return 4; /* it was the session's */
	fprintf(stderr, "reads=%d writes=%d loop=%d\n", reads, writes, ret);
	return ret == 0 && reads > 1 && writes > 0 ? 0 : 2;
}

/* The kernel's side: INIT, LOOKUP hello, LOOKUP of a name that is not there. */
static int request(int fd, uint32_t opcode, uint64_t unique, const void *arg, size_t size,
		   void *answer, size_t room)
{
	char msg[512] = { 0 };
	struct fuse_in_header in = { .len = (uint32_t)(sizeof(in) + size), .opcode = opcode,
				     .unique = unique, .nodeid = 1 };
	struct fuse_out_header out;

	memcpy(msg, &in, sizeof(in));
	memcpy(msg + sizeof(in), arg, size);
	if (write(fd, msg, sizeof(in) + size) < 0)
		return -1;
	ssize_t n = read(fd, msg, sizeof(msg));

	if (n < (ssize_t)sizeof(out))
		return -2;
	memcpy(&out, msg, sizeof(out));
	if (out.unique != unique || out.len != (uint32_t)n)
		return -3;
	if (n - sizeof(out) > room)
		return -4;
	memcpy(answer, msg + sizeof(out), (size_t)n - sizeof(out));
	return -out.error;
}

static void *fake_kernel(void *arg)
{
	int fd = *(int *)arg;
	static int result; /* 0 or the number of the step that went wrong */
	struct fuse_init_in init = { .major = 7, .minor = 31, .max_readahead = 65536 };
	struct fuse_init_out reply = { 0 };
	struct fuse_entry_out entry = { 0 };

	if (request(fd, FUSE_INIT, 2, &init, 16, &reply, sizeof(reply)) != 0 || reply.major != 7)
		result = 1;
	else if (request(fd, FUSE_LOOKUP, 4, "hello", 6, &entry, sizeof(entry)) != 0 ||
		 entry.nodeid != 2 || entry.attr.size != 6)
		result = 2;
	else if (request(fd, FUSE_LOOKUP, 6, "nothing", 8, &entry, sizeof(entry)) != ENOENT)
		result = 3;
	else if (request(fd, FUSE_LOOKUP, 8, "exit", 5, &entry, sizeof(entry)) != ENOENT)
		result = 4;
	close(fd);
	return &result;
}

static int fake(void)
{
	int fds[2], status;
	pthread_t thread;
	void *result;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0)
		return 1;
	pthread_create(&thread, NULL, fake_kernel, &fds[1]);
	status = serve(fds[0]);
	shutdown(fds[0], SHUT_RDWR); /* frees the other side if we gave up */
	pthread_join(thread, &result);
	if (*(int *)result)
		fprintf(stderr, "the kernel's step %d failed\n", *(int *)result);
	return *(int *)result ? 10 + *(int *)result : status;
}

int main(int argc, char **argv)
{
	char options[128];
	int fd, ret;

	const char *where = argv[argc - 1];

	if (!strcmp(where, "fake"))
		return fake();
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0", fd);
	if (fd < 0 || mount("custom", where, "fuse", MS_NOSUID | MS_NODEV, options) != 0)
		return 1;
	ret = serve(fd);
	umount2(where, MNT_DETACH);
	return ret;
}
