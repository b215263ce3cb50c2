/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hello: the smallest useful filesystem. A root directory that holds one
 * read-only file, whose name and content are options.
 *
 *   cc -o hello hello.c $(pkg-config --cflags --libs fuse3)
 *   ./hello /mnt                      (runs in the background; `umount /mnt` ends it)
 *   ./hello -f -o name=greeting /mnt  (stays in the foreground)
 *
 * A filesystem is a table of handlers that get a path and return 0 or a
 * negative error number. fuse_main() does everything else: it parses the
 * command line, mounts, goes to the background, and answers the kernel with
 * what the handlers return. Handlers run at once on several threads unless
 * `-s` is given; here they only read what never changes.
 */

#define FUSE_USE_VERSION 318

#include <fuse.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct hello {
	char *name;
	char *content;
	int show_help;
	struct timespec started;
};

static struct hello hello;

/* Options of our own; everything else is left to fuse_main(). */
static const struct fuse_opt options[] = {
	{ "name=%s", offsetof(struct hello, name), 0 },
	{ "content=%s", offsetof(struct hello, content), 0 },
	{ "-h", offsetof(struct hello, show_help), 1 },
	{ "--help", offsetof(struct hello, show_help), 1 },
	FUSE_OPT_END
};

/* Is `path` the one file? Paths begin with a slash, which is the root. */
static int is_file(const char *path)
{
	return strcmp(path + 1, hello.name) == 0;
}

static void *hello_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	(void)conn;
	/* Nothing ever changes, so the kernel may keep what it has read. */
	cfg->kernel_cache = 1;
	cfg->entry_timeout = cfg->attr_timeout = cfg->negative_timeout = 60;
	return NULL;
}

static int hello_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_atim = st->st_mtim = st->st_ctim = hello.started;

	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (!is_file(path))
		return -ENOENT;
	st->st_mode = S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_size = (off_t)strlen(hello.content);
	return 0;
}

static int hello_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
			 struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	(void)off;
	(void)fi;
	(void)flags;
	if (strcmp(path, "/") != 0)
		return -ENOENT;
	fill(buf, ".", NULL, 0, FUSE_FILL_DIR_DEFAULTS);
	fill(buf, "..", NULL, 0, FUSE_FILL_DIR_DEFAULTS);
	fill(buf, hello.name, NULL, 0, FUSE_FILL_DIR_DEFAULTS);
	return 0;
}

static int hello_open(const char *path, struct fuse_file_info *fi)
{
	if (!is_file(path))
		return -ENOENT;
	return (fi->flags & O_ACCMODE) == O_RDONLY ? 0 : -EACCES;
}

static int hello_read(const char *path, char *buf, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	size_t length = strlen(hello.content);

	(void)path;
	(void)fi;
	if (off < 0 || (size_t)off >= length)
		return 0;
	if (size > length - (size_t)off)
		size = length - (size_t)off;
	memcpy(buf, hello.content + off, size);
	return (int)size;
}

static const struct fuse_operations hello_ops = {
	.init = hello_init,
	.getattr = hello_getattr,
	.readdir = hello_readdir,
	.open = hello_open,
	.read = hello_read,
};

/* Prints our options, and has fuse_main() print the others behind them: an
 * empty program name tells it that there has been a usage line. */
static int help(struct fuse_args *args)
{
	printf("usage: %s [options] <mountpoint>\n\n", args->argv[0]);
	puts("    -o name=NAME           name of the file (hello)\n"
	     "    -o content=TEXT        what is in it (Hello, world!)\n");
	fflush(stdout);
	args->argv[0][0] = '\0';
	return fuse_opt_add_arg(args, "--help");
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	int res = 1;

	hello.name = strdup("hello");
	hello.content = strdup("Hello, world!\n");
	clock_gettime(CLOCK_REALTIME, &hello.started);

	if (hello.name != NULL && hello.content != NULL &&
	    fuse_opt_parse(&args, &hello, options, NULL) == 0 &&
	    (!hello.show_help || help(&args) == 0))
		res = fuse_main(args.argc, args.argv, &hello_ops, NULL);

	fuse_opt_free_args(&args);
	free(hello.name);
	free(hello.content);
	return res;
}
