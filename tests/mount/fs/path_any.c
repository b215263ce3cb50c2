// SPDX-License-Identifier: MIT OR Apache-2.0
/* Every name is there: dir* is a directory, all others are files. */
#define FUSE_USE_VERSION 318
#include <fuse.h>
#include <string.h>
#include <sys/stat.h>

static int any_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	const char *name = strrchr(path, '/');

	(void)fi;
	memset(st, 0, sizeof(*st));
	if (name[1] == '\0' || strncmp(name, "/dir", 4) == 0)
		st->st_mode = S_IFDIR | 0755;
	else
		st->st_mode = S_IFREG | 0644;
	st->st_nlink = 1;
	return 0;
}

static const struct fuse_operations ops = { .getattr = any_getattr };

int main(int argc, char *argv[])
{
	return fuse_main(argc, argv, &ops, NULL);
}
