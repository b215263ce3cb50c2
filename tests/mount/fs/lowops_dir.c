/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The directory d of lowops_ll: 100 000 names that are made up as they are
 * asked for, each 8 to 255 bytes long. Entry N has the offset N + 1.
 */
#include "lowops.h"

static size_t name_of(char *name, long n)
{
	/* Every thousandth is as long as a name can be. */
	size_t length = n % 1000 == 0 ? 255 : 8;

	snprintf(name, 256, "%08ld%0247d", n, 0);
	name[length] = 0;
	return length;
}

long big_number(const char *name)
{
	char expected[256];
	long n;

	if (sscanf(name, "%8ld", &n) != 1 || n < 0 || n >= BIG)
		return -1;
	name_of(expected, n);
	return strcmp(name, expected) ? -1 : n;
}

static void list(fuse_req_t req, size_t size, off_t off, int plus)
{
	char *buf = malloc(size), name[256];
	size_t at = 0, needed;

	for (long n = (long)off; n < BIG; n++) {
		fuse_ino_t child = (fuse_ino_t)(n + FIRST_BIG);
		struct fuse_entry_param e = { .ino = child, .attr = stat_of(child) };

		name_of(name, n);
		needed = plus ? fuse_add_direntry_plus(req, buf + at, size - at, name, &e, n + 1)
			      : fuse_add_direntry(req, buf + at, size - at, name, &e.attr, n + 1);
		if (needed > size - at)
			break;
		at += needed;
	}
	outcome = fuse_reply_buf(req, buf, at);
	free(buf);
}

void l_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (fails(req, "readdir"))
		return;
	if (ino != DIRECTORY)
		fuse_reply_buf(req, NULL, 0);
	else
		list(req, size, off, 0);
}

void l_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (fails(req, "readdirplus"))
		return;
	if (ino != DIRECTORY)
		fuse_reply_buf(req, NULL, 0);
	else
		list(req, size, off, 1);
}
