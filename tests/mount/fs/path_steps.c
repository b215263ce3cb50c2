/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * path_steps: what fuse_main() does, step by step and as FUSE_USE_VERSION has it. One file, `version`, holds that.
 * -H hands `-h` to fuse_new(); -C DIR tries fuse_open_channel().
 */
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 318
#endif
#include <errno.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char content[16];

static int s_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	st->st_mode = strcmp(path, "/") == 0 ? S_IFDIR | 0755 : S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_size = (off_t)strlen(content);
	return strcmp(path, "/") == 0 || strcmp(path, "/version") == 0 ? 0 : -ENOENT;
}

static int s_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	size_t len = strlen(content);

	(void)path;
	(void)fi;
	if ((size_t)off >= len)
		return 0;
	if (size > len - (size_t)off)
		size = len - (size_t)off;
	memcpy(buf, content + off, size);
	return (int)size;
}

static const struct fuse_operations ops = { .getattr = s_getattr, .read = s_read };

static int loop(struct fuse *f, const struct fuse_cmdline_opts *opts)
{
	if (opts->singlethread)
		return fuse_loop(f);
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int res = fuse_loop_mt(f, config);

	fuse_loop_cfg_destroy(config);
	return res;
#elif FUSE_USE_VERSION >= 32
	struct fuse_loop_config config = { .clone_fd = 0, .max_idle_threads = 3 };

	return fuse_loop_mt(f, &config);
#else
	return fuse_loop_mt(f, 0);
#endif
}

static int channel(const char *mountpoint)
{
	struct stat st;
	int fd = fuse_open_channel(mountpoint, "fsname=channel,unknown_option,allow_other");

	if (fd < 0)
		return 1;
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode))
		printf("channel ok\n");
	close(fd);
	return umount2(mountpoint, MNT_DETACH) == 0 ? 0 : 2;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	struct fuse *f;
	int res = 1;

	snprintf(content, sizeof(content), "%d\n", FUSE_USE_VERSION);
	if (argc == 3 && strcmp(argv[1], "-C") == 0)
		return channel(argv[2]);
	if (argc == 2 && strcmp(argv[1], "-H") == 0) {
		argv[1][1] = 'h';
		return fuse_new(&args, &ops, sizeof(ops), NULL) == NULL ? 3 : 0;
	}
	if (fuse_parse_cmdline(&args, &opts) != 0)
		return 1;
	f = fuse_new(&args, &ops, sizeof(ops), NULL);
	if (f != NULL && fuse_mount(f, opts.mountpoint) == 0) {
		fuse_daemonize(opts.foreground);
		/* As a program with a loop of its own would; the loops do it by themselves. */
		if (fuse_start_cleanup_thread(f) != 0 || fuse_clean_cache(f) <= 0)
			res = 4;
		fuse_stop_cleanup_thread(f);
		if (fuse_set_signal_handlers(fuse_get_session(f)) == 0 && res != 4)
			res = loop(f, &opts) == 0 ? 0 : 2;
		fuse_remove_signal_handlers(fuse_get_session(f));
		fuse_unmount(f);
	}
	if (f != NULL)
		fuse_destroy(f);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return res;
}
