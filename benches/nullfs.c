/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * nullfs: a filesystem that does nothing, as fast as it can, so that what a
 * benchmark measures is the library and the kernel. One directory of FILES
 * files. A stat is exactly one request (GETATTR: attributes are never cached,
 * names for ever), a read or write too (direct_io). Only the low-level API of
 * libfuse 3.12 is used: one binary runs on every library.
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE

#include <fuse_lowlevel.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES 512
#define FIRST_INO 2
#define FILE_SIZE (64 << 20)
#define NAME_TIMEOUT 86400.0

static char zeros[1 << 20];

static void fill_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666;
	st->st_nlink = 1;
	st->st_size = ino == FUSE_ROOT_ID ? 0 : FILE_SIZE;
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	char *end;
	unsigned long n = strtoul(name + 1, &end, 10);

	if (parent != FUSE_ROOT_ID || name[0] != 'f' || *end != '\0' || n >= FILES) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	memset(&e, 0, sizeof(e));
	e.ino = FIRST_INO + n;
	e.entry_timeout = NAME_TIMEOUT;
	fill_stat(e.ino, &e.attr);
	fuse_reply_entry(req, &e);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	fill_stat(ino, &st);
	fuse_reply_attr(req, &st, 0.0);
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fi->parallel_direct_writes = 1;
	fuse_reply_open(req, fi);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	(void)ino;
	(void)off;
	(void)fi;
	fuse_reply_buf(req, zeros, size < sizeof(zeros) ? size : sizeof(zeros));
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static const struct fuse_lowlevel_ops null_ops = {
	.lookup = null_lookup,
	.getattr = null_getattr,
	.open = null_open,
	.read = null_read,
	.write = null_write,
};

static int serve(struct fuse_session *se, const struct fuse_cmdline_opts *opts)
{
	struct fuse_loop_config *config;
	int res;

	if (opts->singlethread)
		return fuse_session_loop(se);
	config = fuse_loop_cfg_create();
	if (config == NULL)
		return -1;
	fuse_loop_cfg_set_clone_fd(config, opts->clone_fd);
	fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	res = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return res;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	struct fuse_session *se;
	int res = 1;

	if (fuse_parse_cmdline(&args, &opts) != 0 || opts.mountpoint == NULL) {
		fprintf(stderr, "usage: nullfs [options] <mountpoint>\n");
		return 2;
	}
	se = fuse_session_new(&args, &null_ops, sizeof(null_ops), NULL);
	if (se != NULL && fuse_set_signal_handlers(se) == 0 &&
	    fuse_session_mount(se, opts.mountpoint) == 0) {
		if (fuse_daemonize(opts.foreground) == 0)
			res = serve(se, &opts) == 0 ? 0 : 1;
		fuse_session_unmount(se);
	}
	if (se != NULL) {
		fuse_remove_signal_handlers(se);
		fuse_session_destroy(se);
	}
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return res;
}
