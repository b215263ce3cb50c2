/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a program built with the headers of libfuse 3.14 finds in memory. Mounted with
 *
 *   -o ac_attr_timeout=5,no_rofd_flush,modules=subdir,subdir=/
 *
 * it serves one file, "result", which says `ok`, or what is not where these headers have it. The programs of
 * distributions hardly touch those members, and so do not tell one layout from the other.
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char result[4096];

static void expect(int holds, const char *what)
{
	if (!holds)
		snprintf(result + strlen(result), sizeof(result) - strlen(result), "%s\n", what);
}

/* A vector of two pieces: the second is where the first one ends. */
static void pieces(void)
{
	char from[] = "abcdef", to[] = "......";
	size_t size = sizeof(struct fuse_bufvec) + sizeof(struct fuse_buf);
	struct fuse_bufvec *src = calloc(1, size), dst = FUSE_BUFVEC_INIT(6);

	if (!src)
		abort();
	src->count = 2;
	src->buf[0] = (struct fuse_buf){ .size = 2, .mem = from + 4, .fd = -1 };
	src->buf[1] = (struct fuse_buf){ .size = 4, .mem = from, .fd = -1 };
	dst.buf[0].mem = to;
	expect(fuse_buf_size(src) == 6, "fuse_buf_size of two pieces");
	expect(fuse_buf_copy(&dst, src, 0) == 6 && !strcmp(to, "efabcd"), "fuse_buf_copy of two pieces");
	free(src);
}

/* Nothing is written behind a buffer of the program. */
static void receive(void)
{
	char *argv[] = { "soname3", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_lowlevel_ops ops = { 0 };
	struct fuse_session *se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	struct {
		struct fuse_buf buf;
		unsigned long behind;
	} box = { .behind = 0x5a5a5a5a };

	expect(se != NULL, "fuse_session_new");
	if (!se)
		return;
	/* Without a device it fails, after the buffer was made. */
	fuse_session_receive_buf(se, &box.buf);
	expect(box.behind == 0x5a5a5a5a, "fuse_session_receive_buf writes behind the buffer");
	free(box.buf.mem);
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
}

static void *init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	expect(cfg->ac_attr_timeout_set == 1 && cfg->ac_attr_timeout == 5.0, "ac_attr_timeout");
	expect(cfg->no_rofd_flush == 1, "no_rofd_flush");
	expect(cfg->nullpath_ok == 0 && cfg->show_help == 0 && cfg->debug == 0, "nullpath_ok, show_help, debug");
	expect(cfg->modules && !strcmp(cfg->modules, "subdir"), "modules");
	expect(conn->proto_major == 7 && conn->max_write >= 4096, "fuse_conn_info");
	cfg->nullpath_ok = 1;
	cfg->entry_timeout = cfg->attr_timeout = 0;
	return NULL;
}

static int getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	memset(st, 0, sizeof(*st));
	if (path && !strcmp(path, "/")) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (path && strcmp(path, "/result"))
		return -ENOENT;
	st->st_mode = S_IFREG | 0644;
	st->st_nlink = 1;
	st->st_size = sizeof(result);
	return fi && fi->fh != 77 ? -EIO : 0;
}

static int openfile(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	fi->fh = 77;
	fi->direct_io = 1;
	return 0;
}

static int readfile(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	size_t length;

	(void)path;
	expect(fi->fh == 77, "fh");
	length = strlen(result);
	if (!length)
		return off ? 0 : (int)strlen(strncpy(buf, "ok\n", size));
	if ((size_t)off >= length)
		return 0;
	length -= off;
	memcpy(buf, result + off, length < size ? length : size);
	return length < size ? length : size;
}

int main(int argc, char *argv[])
{
	static const struct fuse_operations ops = {
		.init = init, .getattr = getattr, .open = openfile, .read = readfile,
	};

	pieces();
	receive();
	return fuse_main(argc, argv, &ops, NULL);
}
