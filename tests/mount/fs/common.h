/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What every test filesystem here does around its operations: command line,
 * session, mount, daemonize, loop, teardown. Kept to the plain published API,
 * so that the same binary runs on any libfuse3.so.4.
 *
 * Exit status: 0 unmounted or told to exit, 100+N ended by signal N,
 * 1 failed to start, 2 the loop returned an error.
 */
#ifndef TEST_COMMON_H
#define TEST_COMMON_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 317
#endif
#include <dirent.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline pid_t test_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* Entries of a /proc directory, or lines of a /proc file. */
static inline int count_proc(const char *path)
{
	int n = 0, c;
	DIR *d = opendir(path);

	if (d) {
		struct dirent *e;

		while ((e = readdir(d)))
			n += e->d_name[0] != '.';
		closedir(d);
		return n;
	}
	FILE *f = fopen(path, "r");

	if (!f)
		return -1;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

struct fs_run {
	const struct fuse_lowlevel_ops *ops;
	size_t op_size;
	void *userdata;
	/* Called with "new", "mounted", "daemonized", "looped",
	 * "unmounted", "destroyed". */
	void (*stage)(const char *name, struct fuse_session *se);
};

static inline void fs_stage(const struct fs_run *r, const char *name,
			    struct fuse_session *se)
{
	if (r->stage)
		r->stage(name, se);
}

static inline int fs_loop(struct fuse_session *se,
			  const struct fuse_cmdline_opts *opts)
{
	if (opts->singlethread)
		return fuse_session_loop(se);
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	int ret;

	fuse_loop_cfg_set_clone_fd(cfg, opts->clone_fd);
	fuse_loop_cfg_set_max_threads(cfg, opts->max_threads);
	fuse_loop_cfg_set_idle_threads(cfg, opts->max_idle_threads);
	ret = fuse_session_loop_mt(se, cfg);
	fuse_loop_cfg_destroy(cfg);
	return ret;
#elif FUSE_USE_VERSION >= 32
	struct fuse_loop_config cfg = {
		.clone_fd = opts->clone_fd,
		.max_idle_threads = opts->max_idle_threads,
	};
	return fuse_session_loop_mt(se, &cfg);
#else
	return fuse_session_loop_mt(se, opts->clone_fd);
#endif
}

static inline int fs_main(struct fuse_args *args, const struct fs_run *r)
{
	struct fuse_cmdline_opts opts;
	struct fuse_session *se = NULL;
	int status = 1, ret;

	if (fuse_parse_cmdline(args, &opts) != 0)
		return 1;
	if (opts.show_help || opts.show_version) {
		if (opts.show_help) {
			fuse_cmdline_help();
			fuse_lowlevel_help();
		} else {
			printf("FUSE library version %s\n", fuse_pkgversion());
			fuse_lowlevel_version();
		}
		status = 0;
		goto out;
	}
	if (!opts.mountpoint) {
		fprintf(stderr, "no mountpoint\n");
		goto out;
	}
	se = fuse_session_new(args, r->ops, r->op_size, r->userdata);
	if (!se)
		goto out;
	fs_stage(r, "new", se);
	if (fuse_set_signal_handlers(se) != 0)
		goto out_destroy;
	if (fuse_session_mount(se, opts.mountpoint) != 0)
		goto out_signals;
	fs_stage(r, "mounted", se);
	if (fuse_daemonize(opts.foreground) != 0)
		goto out_unmount;
	fs_stage(r, "daemonized", se);
	ret = fs_loop(se, &opts);
	fs_stage(r, "looped", se);
	status = ret == 0 ? 0 : ret > 0 ? 100 + ret : 2;
out_unmount:
	fuse_session_unmount(se);
	fs_stage(r, "unmounted", se);
out_signals:
	fuse_remove_signal_handlers(se);
out_destroy:
	fuse_session_destroy(se);
	fs_stage(r, "destroyed", NULL);
out:
	free(opts.mountpoint);
	fuse_opt_free_args(args);
	return status;
}
#endif
