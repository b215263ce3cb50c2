/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A character device over a socket pair, with the kernel played here:
 *   cuse_fake main ARGS...   cuse_lowlevel_main, whose open of /dev/cuse gets one end of the pair
 *   cuse_fake steps ARGS...  the same by cuse_lowlevel_setup, a loop and cuse_lowlevel_teardown
 *   cuse_fake custom ARGS... cuse_lowlevel_new, fuse_session_custom_io and a loop
 *   cuse_fake real ARGS...   cuse_lowlevel_main with the machine's own /dev/cuse
 *   cuse_fake large          a description that is too long
 * Exit status: that of the device, or 10 and more: the step of the kernel's that went wrong.
 */
#include "cuse_fake.h"
#include <cuse_lowlevel.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int device_end = -1;

static int open_it(const char *path, int flags, mode_t mode)
{
	if (!strcmp(path, "/dev/cuse") && device_end >= 0)
		return dup(device_end);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* In the place of the C library's, also for calls from other libraries. */
int open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_it(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_it(path, flags, mode);
}

static void d_init(void *userdata, struct fuse_conn_info *conn)
{
	fprintf(stderr, "dev: init %s proto %u max_write %u max_read %u want %x\n", (char *)userdata,
		conn->proto_major, conn->max_write, conn->max_read, conn->want);
}

static void d_init_done(void *userdata)
{
	fprintf(stderr, "dev: init_done %s\n", (char *)userdata);
}

static void d_destroy(void *userdata)
{
	fprintf(stderr, "dev: destroy %s\n", (char *)userdata);
}

static void d_open(fuse_req_t req, struct fuse_file_info *fi)
{
	fprintf(stderr, "dev: open %o userdata %s\n", (unsigned)fi->flags, (char *)fuse_req_userdata(req));
	fi->fh = 77;
	if (fi->flags & O_EXCL)
		fuse_reply_err(req, EBUSY);
	else
		fuse_reply_open(req, fi);
}

static void d_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
	static char data[131072];

	fprintf(stderr, "dev: read %zu %ld fh %lu\n", size, (long)off, (unsigned long)fi->fh);
	if (size == 13) { /* nothing there, until somebody is tired of waiting */
		while (!fuse_req_interrupted(req))
			usleep(1000);
		fuse_reply_err(req, EINTR);
		return;
	}
	memset(data, 'd', sizeof(data));
	fuse_reply_buf(req, data, size < sizeof(data) ? size : sizeof(data));
}

static void d_write(fuse_req_t req, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	fprintf(stderr, "dev: write %zu %ld %.5s\n", size, (long)off, buf);
	fuse_reply_write(req, size);
}

static void d_flush(fuse_req_t req, struct fuse_file_info *fi)
{
	fprintf(stderr, "dev: flush %d\n", fi->flush);
	fuse_reply_err(req, 0);
}

static void d_release(fuse_req_t req, struct fuse_file_info *fi)
{
	fprintf(stderr, "dev: release fh %lu\n", (unsigned long)fi->fh);
	fuse_reply_err(req, 0);
}

static void d_fsync(fuse_req_t req, int datasync, struct fuse_file_info *fi)
{
	(void)fi;
	fprintf(stderr, "dev: fsync %d\n", datasync);
	fuse_reply_err(req, EIO);
}

static void d_ioctl(fuse_req_t req, int cmd, void *arg, struct fuse_file_info *fi, unsigned flags,
		    const void *in, size_t in_size, size_t out_size)
{
	struct iovec from[] = { { arg, 8 }, { (char *)arg + 100, 4 } }, to = { (char *)arg + 200, 12 };

	(void)fi;
	fprintf(stderr, "dev: ioctl %d flags %x in %zu out %zu\n", cmd, flags, in_size, out_size);
	if (!in_size)
		fuse_reply_ioctl_retry(req, from, 2, &to, 1);
	else
		fuse_reply_ioctl(req, -cmd, in, in_size);
}

static void d_poll(fuse_req_t req, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	fprintf(stderr, "dev: poll %x %s\n", fi->poll_events, ph ? "notify" : "once");
	fuse_reply_poll(req, POLLIN);
	if (ph) {
		fuse_lowlevel_notify_poll(ph);
		fuse_pollhandle_destroy(ph);
	}
}

static const struct cuse_lowlevel_ops ops = {
	.init = d_init, .init_done = d_init_done, .destroy = d_destroy, .open = d_open, .read = d_read,
	.write = d_write, .flush = d_flush, .release = d_release, .fsync = d_fsync, .ioctl = d_ioctl,
	.poll = d_poll,
};

static const char *properties[] = { "DEVNAME=test", "COLOR=blue" };
static const struct cuse_info info = { .dev_major = 230, .dev_minor = 5, .dev_info_argc = 2,
				       .dev_info_argv = properties, .flags = CUSE_UNRESTRICTED_IOCTL };

static ssize_t io_read(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buf, size);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	return writev(fd, iov, count);
}

static int custom(int argc, char **argv)
{
	static const struct fuse_custom_io io = { .read = io_read, .writev = io_writev };
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_session *se = cuse_lowlevel_new(&args, &info, &ops, "me");
	int ret;

	if (!se || fuse_session_custom_io(se, &io, sizeof(io), device_end) != 0)
		return 1;
	ret = fuse_session_loop_mt(se, NULL);
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return ret != 0;
}

/* What cuse_lowlevel_main() does. */
static int steps(int argc, char **argv)
{
	int multithreaded = -1, ret;
	struct fuse_session *se = cuse_lowlevel_setup(argc, argv, &info, &ops, &multithreaded, "me");

	if (se == NULL || multithreaded != (strcmp(argv[1], "-s") != 0))
		return 1;
	ret = multithreaded ? fuse_session_loop_mt(se, NULL) : fuse_session_loop(se);
	cuse_lowlevel_teardown(se);
	return ret != 0;
}

static int device(const char *mode, int argc, char **argv)
{
	if (!strcmp(mode, "custom"))
		return custom(argc, argv);
	if (!strcmp(mode, "steps"))
		return steps(argc, argv);
	return cuse_lowlevel_main(argc, argv, &info, &ops, "me");
}

static int too_large(int argc, char **argv)
{
	static char name[5000];
	static const char *one[] = { name };
	struct cuse_info large = { .dev_info_argc = 1, .dev_info_argv = one };
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);

	memset(name, 'x', sizeof(name) - 1);
	return cuse_lowlevel_new(&args, &large, &ops, NULL) == NULL;
}

int main(int argc, char **argv)
{
	int fds[2], status = 0, step;
	const char *mode = argc > 1 ? argv[1] : "";
	pid_t pid;

	argv[1] = argv[0];
	if (!strcmp(mode, "real"))
		return cuse_lowlevel_main(argc - 1, argv + 1, &info, &ops, "me");
	if (!strcmp(mode, "large"))
		return too_large(1, argv);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return 9;
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		device_end = fds[0];
		_exit(device(mode, argc - 1, argv + 1));
	}
	close(fds[0]);
	step = play_kernel(fds[1], strcmp(mode, "custom") != 0 && argc > 2 && !strcmp(argv[2], "-s"));
	close(fds[1]);
	/* The device, and the daemon it has become. */
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			step = step ? step : WIFEXITED(status) ? WEXITSTATUS(status) : 8;
	return step;
}
