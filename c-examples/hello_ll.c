/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hello_ll: the smallest useful low-level filesystem. A root directory that
 * holds one read-only file, `hello`.
 *
 *   cc -o hello_ll hello_ll.c $(pkg-config --cflags --libs fuse3)
 *   ./hello_ll /mnt            (runs in the background; `umount /mnt` ends it)
 *   ./hello_ll -d /mnt         (stays in the foreground and traces)
 *
 * A low-level filesystem is a table of handlers. Each handler gets a request
 * and owes it exactly one fuse_reply_*() call. Files are named by inode
 * numbers that the filesystem chooses; the root is always FUSE_ROOT_ID.
 */

#define FUSE_USE_VERSION 318

#include <fuse_lowlevel.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HELLO_INO 2
#define HELLO_NAME "hello"

/* Nothing here ever changes, so the kernel may keep what it learned. */
#define CACHE_SECONDS 60.0

static const char hello_text[] = "Hello from the ring!\n";
#define HELLO_SIZE (sizeof(hello_text) - 1)

static struct timespec start_time;

/* Fills in the attributes of `ino`; false if there is no such inode. */
static int hello_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_atim = st->st_mtim = st->st_ctim = start_time;

	switch (ino) {
	case FUSE_ROOT_ID:
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 1;
	case HELLO_INO:
		st->st_mode = S_IFREG | 0444;
		st->st_nlink = 1;
		st->st_size = HELLO_SIZE;
		return 1;
	default:
		return 0;
	}
}

static void hello_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;

	if (parent != FUSE_ROOT_ID || strcmp(name, HELLO_NAME) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	memset(&e, 0, sizeof(e));
	e.ino = HELLO_INO;
	e.attr_timeout = CACHE_SECONDS;
	e.entry_timeout = CACHE_SECONDS;
	hello_stat(e.ino, &e.attr);
	fuse_reply_entry(req, &e);
}

static void hello_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (hello_stat(ino, &st))
		fuse_reply_attr(req, &st, CACHE_SECONDS);
	else
		fuse_reply_err(req, ENOENT);
}

/*
 * Answers with that part of `data` that a reader asked for; nothing at all
 * past its end, which is how a reader learns of the end.
 */
static void reply_slice(fuse_req_t req, const char *data, size_t len, off_t off, size_t size)
{
	if (off < 0 || (size_t)off >= len) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	if (size > len - (size_t)off)
		size = len - (size_t)off;
	fuse_reply_buf(req, data + off, size);
}

/*
 * The offset of a directory entry is a number of our choice, by which the
 * kernel asks to go on after that entry. Here: its position, from one.
 */
static void hello_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			  struct fuse_file_info *fi)
{
	static const struct {
		const char *name;
		fuse_ino_t ino;
	} entries[] = {
		{ ".", FUSE_ROOT_ID },
		{ "..", FUSE_ROOT_ID },
		{ HELLO_NAME, HELLO_INO },
	};
	const off_t count = sizeof(entries) / sizeof(entries[0]);
	char buf[512];
	size_t used = 0;

	(void)fi;
	if (ino != FUSE_ROOT_ID) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	if (size > sizeof(buf))
		size = sizeof(buf);
	for (off_t i = off < 0 ? 0 : off; i < count; i++) {
		struct stat st;
		size_t need;

		hello_stat(entries[i].ino, &st);
		need = fuse_add_direntry(req, buf + used, size - used, entries[i].name, &st, i + 1);
		if (need > size - used)
			break; /* no room: it was not added, ask again */
		used += need;
	}
	fuse_reply_buf(req, buf, used);
}

static void hello_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino != HELLO_INO) {
		fuse_reply_err(req, EISDIR);
	} else if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EACCES);
	} else {
		fi->keep_cache = 1;
		fuse_reply_open(req, fi);
	}
}

static void hello_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	reply_slice(req, hello_text, HELLO_SIZE, off, size);
}

/* What is not listed here is answered by the library. */
static const struct fuse_lowlevel_ops hello_ops = {
	.lookup = hello_lookup,
	.getattr = hello_getattr,
	.readdir = hello_readdir,
	.open = hello_open,
	.read = hello_read,
};

/* Runs the mounted session until it is unmounted or gets a signal. */
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
static int run(struct fuse_args *args, const struct fuse_cmdline_opts *opts)
{
	struct fuse_session *se;
	int res = -1;

	se = fuse_session_new(args, &hello_ops, sizeof(hello_ops), NULL);
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

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	int res = 0;

	if (fuse_parse_cmdline(&args, &opts) != 0) {
		fuse_opt_free_args(&args);
		return 1;
	}
	if (opts.show_help) {
		printf("usage: %s [options] <mountpoint>\n\n", argv[0]);
		fuse_cmdline_help();
		fuse_lowlevel_help();
	} else if (opts.show_version) {
		printf("FUSE library version %s\n", fuse_pkgversion());
		fuse_lowlevel_version();
	} else if (opts.mountpoint == NULL) {
		fprintf(stderr, "usage: %s [options] <mountpoint>\n", argv[0]);
		res = 2;
	} else {
		clock_gettime(CLOCK_REALTIME, &start_time);
		res = run(&args, &opts) == 0 ? 0 : 1;
	}
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return res;
}
