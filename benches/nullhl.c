/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * nullhl: a filesystem that does nothing, written to fuse.h, so that what a
 * benchmark measures is the library's path layer together with its transport
 * and the kernel.
 *
 *   f0 ... f511       files; other names (n0, n1, ...) can be created and
 *                     unlinked, and are not there otherwise
 *   d/d/ ... /d/f0    the same files below DEEP directories
 *   l0 ... l511       directories of LISTED files each
 *
 * A stat is exactly one request (attributes are never cached, names for ever),
 * whose path the library builds from all its components. Only what libfuse 3.12
 * has is used: one binary runs on every library.
 */
#define FUSE_USE_VERSION 312

#include <fuse.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES 512
#define DEEP 19
#define LISTED 10000
#define FILE_SIZE (64 << 20)
#define NAME_TIMEOUT 86400.0

static bool numbered(const char *name, char first, unsigned long below)
{
	char *end;

	return name[0] == first && strtoul(name + 1, &end, 10) < below && end != name + 1 && *end == '\0';
}

/* Skips "d/" as often as it is there; DEEP times at most. */
static const char *below_deep(const char *name, int *depth)
{
	for (*depth = 0; *depth < DEEP && name[0] == 'd' && name[1] == '/'; ++*depth)
		name += 2;
	return name;
}

/* The type of what has a path; 0 if there is nothing. */
static mode_t kind(const char *path)
{
	const char *name = path + 1;
	const char *slash = strchr(name, '/');
	int depth;

	if (name[0] == '\0')
		return S_IFDIR;
	if (name[0] == 'l')
		return slash != NULL ? S_IFREG : numbered(name, 'l', FILES) ? S_IFDIR : 0;
	name = below_deep(name, &depth);
	if (name[0] == 'd' && name[1] == '\0' && depth < DEEP)
		return S_IFDIR;
	return numbered(name, 'f', FILES) && (depth == 0 || depth == DEEP) ? S_IFREG : 0;
}

static void *null_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	(void)conn;
	cfg->entry_timeout = NAME_TIMEOUT;
	cfg->attr_timeout = 0;
	cfg->negative_timeout = 0;
	cfg->hard_remove = 1; /* a release may come after the unlink */
	return NULL;
}

static int null_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	mode_t type = fi != NULL ? S_IFREG : kind(path);

	if (type == 0)
		return -ENOENT;
	st->st_mode = type | (type == S_IFDIR ? 0755 : 0666);
	st->st_nlink = 1;
	st->st_size = type == S_IFDIR ? 0 : FILE_SIZE;
	return 0;
}

static int null_open(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	(void)fi;
	return 0;
}

static int null_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	(void)path;
	(void)mode;
	(void)fi;
	return 0;
}

static int null_unlink(const char *path)
{
	(void)path;
	return 0;
}

static int null_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset,
			struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	char name[32];

	(void)offset;
	(void)fi;
	(void)flags;
	if (path[1] != 'l')
		return 0;
	for (int i = 0; i < LISTED; i++) {
		snprintf(name, sizeof(name), "entry%d", i);
		if (fill(buf, name, NULL, 0, 0) != 0)
			return -ENOMEM;
	}
	return 0;
}

static const struct fuse_operations null_ops = {
	.init = null_init,
	.getattr = null_getattr,
	.open = null_open,
	.create = null_create,
	.unlink = null_unlink,
	.readdir = null_readdir,
};

int main(int argc, char *argv[])
{
	return fuse_main(argc, argv, &null_ops, NULL);
}
