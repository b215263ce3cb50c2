/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The smallest useful filesystem: one file "hello" that reads "hello\n", and
 * the name "exit", whose lookup calls fuse_session_exit() on the session given
 * as user data. For programs that are about the session, not the operations.
 */
#ifndef TEST_HELLO_H
#define TEST_HELLO_H
#include "common.h"
#include <sys/stat.h>

static const char hello_text[] = "hello\n";

static inline void hello_stat(struct stat *st, fuse_ino_t ino)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_size = ino == FUSE_ROOT_ID ? 0 : sizeof(hello_text) - 1;
}

static inline void hello_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = 2 };
	struct fuse_session **se = fuse_req_userdata(req);

	(void)parent;
	if (se && !strcmp(name, "exit"))
		fuse_session_exit(*se);
	hello_stat(&e.attr, 2);
	if (strcmp(name, "hello"))
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static inline void hello_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	hello_stat(&st, ino);
	fuse_reply_attr(req, &st, 0);
}

static inline void hello_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			      struct fuse_file_info *fi)
{
	size_t have = sizeof(hello_text) - 1;

	(void)ino;
	(void)fi;
	if ((size_t)off >= have)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, hello_text + off,
			       size < have - (size_t)off ? size : have - (size_t)off);
}

static const struct fuse_lowlevel_ops hello_ops = {
	.lookup = hello_lookup,
	.getattr = hello_getattr,
	.read = hello_read,
};
#endif
