/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A low-level program for every FUSE_USE_VERSION, in C and C++: it parses a command line, makes a session on one end
 * of a socket pair, plays the kernel's side of FUSE_INIT on the other, and runs both loops on it.
 */
#include <fuse_lowlevel.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s (FUSE_USE_VERSION %d)\n", __FILE__, __LINE__, #condition, FUSE_USE_VERSION); \
			exit(1); \
		} \
	} while (0)

/* The protocol's own numbers; this program plays the kernel. */
struct init_request {
	uint32_t len, opcode;
	uint64_t unique, nodeid;
	uint32_t uid, gid, pid, padding;
	uint32_t major, minor, max_readahead, flags, flags2, unused[11];
};

struct init_reply {
	uint32_t len;
	int32_t error;
	uint64_t unique;
	uint32_t major, minor;
	char rest[256];
};

static int init_calls, destroy_calls;

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
	CHECK(userdata == &init_calls);
	CHECK(conn->proto_major == 7 && conn->proto_minor == 31);
	init_calls++;
}

static void on_destroy(void *userdata)
{
	CHECK(userdata == &init_calls);
	destroy_calls++;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, ENOENT);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	return writev(fd, iov, count);
}

static ssize_t io_read(int fd, void *buf, size_t len, void *userdata)
{
	ssize_t got = read(fd, buf, len);

	(void)userdata;
	if (got != 0)
		return got;
	errno = ENODEV; /* as /dev/fuse says it */
	return -1;
}

static int run_mt(struct fuse_session *se, const struct fuse_cmdline_opts *opts)
{
#if FUSE_USE_VERSION < 32
	return fuse_session_loop_mt(se, opts->clone_fd);
#elif FUSE_USE_VERSION < 312
	struct fuse_loop_config config;

	config.clone_fd = opts->clone_fd;
	config.max_idle_threads = opts->max_idle_threads;
	return fuse_session_loop_mt(se, &config);
#else
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int result;

	CHECK(config != NULL);
	fuse_loop_cfg_set_clone_fd(config, opts->clone_fd);
	fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	result = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return result;
#endif
}

/* One INIT, then the end of the connection: what a loop sees that is unmounted at once. */
static void serve(struct fuse_args *args, const struct fuse_cmdline_opts *opts, int multithreaded)
{
	struct fuse_lowlevel_ops op;
	struct fuse_custom_io io;
	struct fuse_session *se;
	struct init_request request;
	struct init_reply reply;
	int ends[2];

	memset(&op, 0, sizeof(op));
	op.init = on_init;
	op.destroy = on_destroy;
	op.lookup = on_lookup;
	se = fuse_session_new(args, &op, sizeof(op), &init_calls);
	CHECK(se != NULL);

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	memset(&io, 0, sizeof(io));
	io.writev = io_writev;
	io.read = io_read;
#if FUSE_USE_VERSION < 317
	CHECK(fuse_session_custom_io(se, &io, ends[0]) == 0);
#else
	CHECK(fuse_session_custom_io(se, &io, sizeof(io), ends[0]) == 0);
#endif
	CHECK(fuse_session_fd(se) == ends[0]);

	memset(&request, 0, sizeof(request));
	request.len = sizeof(request);
	request.opcode = 26;
	request.unique = 2;
	request.major = 7;
	request.minor = 31;
	request.max_readahead = 65536;
	CHECK(write(ends[1], &request, sizeof(request)) == (ssize_t)sizeof(request));
	CHECK(shutdown(ends[1], SHUT_WR) == 0);

	CHECK((multithreaded ? run_mt(se, opts) : fuse_session_loop(se)) == 0);
	memset(&reply, 0, sizeof(reply));
	CHECK(read(ends[1], &reply, sizeof(reply)) == 16 + 64);
	CHECK(reply.len == 16 + 64 && reply.error == 0 && reply.unique == 2 && reply.major == 7);
	fuse_session_destroy(se);
	close(ends[1]);
}

static struct fuse_args copy_of(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int i;

	for (i = 0; i < argc; i++)
		CHECK(fuse_opt_add_arg(&args, argv[i]) == 0);
	return args;
}

static void whole_life(char *name)
{
	char option[] = "-omax_threads=3,max_idle_threads=2", single[] = "-s";
	char *argv[] = { name, option, single, NULL };
	int multithreaded;

	for (multithreaded = 0; multithreaded < 2; multithreaded++) {
		struct fuse_args args = copy_of(3 - multithreaded, argv);
		struct fuse_cmdline_opts opts;

		memset(&opts, 0xff, sizeof(opts));
		CHECK(fuse_parse_cmdline(&args, &opts) == 0);
		CHECK(opts.singlethread == !multithreaded && opts.mountpoint == NULL && opts.foreground == 0);
		CHECK(opts.max_idle_threads == 2 && opts.max_threads == 3);
		serve(&args, &opts, multithreaded);
		fuse_opt_free_args(&args);
	}
	CHECK(init_calls == 2 && destroy_calls == 2);
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;

	CHECK(fuse_version() == FUSE_VERSION);
	if (fuse_parse_cmdline(&args, &opts) != 0)
		return 1;
	if (opts.show_help) {
		fuse_cmdline_help();
		fuse_lowlevel_help();
	} else if (opts.show_version) {
		printf("FUSE library version %s\n", fuse_pkgversion());
		fuse_lowlevel_version();
	} else {
		whole_life(argv[0]);
		puts("ok");
	}
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return 0;
}
