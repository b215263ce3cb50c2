/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A module as a user would write it: puts a suffix on every path but the root, for reading only. */
#define FUSE_USE_VERSION 318
#include <errno.h>
#include <fuse.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shout {
	struct fuse_fs *next;
	char *suffix;
	int help;
};

static struct shout *self(void)
{
	return fuse_get_context()->private_data;
}

static const char *suffixed(struct shout *s, char *to, const char *path)
{
	snprintf(to, PATH_MAX, "%s%s", path, strcmp(path, "/") == 0 ? "" : s->suffix);
	return to;
}

static int shout_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	struct shout *s = self();
	char below[PATH_MAX];

	return fuse_fs_getattr(s->next, suffixed(s, below, path), st, fi);
}

static int shout_open(const char *path, struct fuse_file_info *fi)
{
	struct shout *s = self();
	char below[PATH_MAX];

	return fuse_fs_open(s->next, suffixed(s, below, path), fi);
}

static int shout_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct shout *s = self();
	char below[PATH_MAX];

	return fuse_fs_read(s->next, suffixed(s, below, path), buf, size, off, fi);
}

static int shout_release(const char *path, struct fuse_file_info *fi)
{
	struct shout *s = self();
	char below[PATH_MAX];

	return fuse_fs_release(s->next, suffixed(s, below, path), fi);
}

static void *shout_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	struct shout *s = self();

	fuse_fs_init(s->next, conn, cfg);
	return s;
}

static void shout_destroy(void *data)
{
	struct shout *s = data;

	fuse_fs_destroy(s->next);
	free(s->suffix);
	free(s);
}

static const struct fuse_operations shout_ops = {
	.init = shout_init,
	.destroy = shout_destroy,
	.getattr = shout_getattr,
	.open = shout_open,
	.read = shout_read,
	.release = shout_release,
};

static const struct fuse_opt shout_opts[] = {
	{ "shout_suffix=%s", offsetof(struct shout, suffix), 0 },
	{ "-h", offsetof(struct shout, help), 1 },
	FUSE_OPT_END
};

static struct fuse_fs *shout_new(struct fuse_args *args, struct fuse_fs *fs[])
{
	struct shout *s = calloc(1, sizeof(*s));
	struct fuse_fs *layer = NULL;

	if (s == NULL || fuse_opt_parse(args, s, shout_opts, NULL) == -1)
		goto fail;
	if (s->help) {
		printf("    -o shout_suffix=TEXT   what to add to names\n");
		goto fail;
	}
	if (s->suffix == NULL) {
		fuse_log(FUSE_LOG_ERR, "shout: shout_suffix is missing\n");
		goto fail;
	}
	s->next = fs[0];
	layer = fuse_fs_new(&shout_ops, sizeof(shout_ops), s);
	if (layer != NULL)
		return layer;
fail:
	if (s != NULL)
		free(s->suffix);
	free(s);
	return NULL;
}

FUSE_REGISTER_MODULE(shout, shout_new);
