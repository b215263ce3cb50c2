/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every name is an empty file, and RELEASE of it takes a tenth of a second: work that goes on when the user has left.
 */
#include "common.h"
#include <sys/stat.h>

static void fill(struct stat *st, fuse_ino_t ino)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_nlink = 1;
}

static void s_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = 2 + (fuse_ino_t)atoi(name) };

	(void)parent;
	fill(&e.attr, e.ino);
	fuse_reply_entry(req, &e);
}

static void s_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	fill(&st, ino);
	fuse_reply_attr(req, &st, 0);
}

static void s_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open(req, fi);
}

static void s_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	usleep(100000);
	fuse_reply_err(req, 0);
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops ops = {
		.lookup = s_lookup, .getattr = s_getattr, .open = s_open, .release = s_release
	};
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &ops, sizeof(ops), NULL, NULL };

	return fs_main(&args, &run);
}
