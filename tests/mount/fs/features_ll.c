/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Changes the features of its connection as FEATURES says, one word each, and
 * tells what came of it:
 *   set:X unset:X get:X convert         the functions
 *   want=X want+X want-X ext=X ext+X ext-X   by hand
 *   read=N timeout=N back=N             max_read, request_timeout, max_background
 */
#include "common.h"

static void change(uint64_t *field, char how, uint64_t bits)
{
	*field = how == '=' ? bits : how == '+' ? *field | bits : *field & ~bits;
}

static void one(struct fuse_conn_info *conn, const char *word)
{
	uint64_t want = conn->want, bits = 0;
	const char *colon = strpbrk(word, ":=+-");

	if (colon)
		bits = strtoull(colon + 1, NULL, 0);
	if (!strncmp(word, "set:", 4))
		fprintf(stderr, "set %d\n", fuse_set_feature_flag(conn, bits));
	else if (!strncmp(word, "unset:", 6))
		fuse_unset_feature_flag(conn, bits);
	else if (!strncmp(word, "get:", 4))
		fprintf(stderr, "get %d\n", fuse_get_feature_flag(conn, bits));
	else if (!strcmp(word, "convert"))
		fprintf(stderr, "convert %d\n", fuse_convert_to_conn_want_ext(conn));
	else if (!strncmp(word, "want", 4)) {
		change(&want, word[4], bits);
		conn->want = (uint32_t)want;
	} else if (!strncmp(word, "ext", 3))
		change(&conn->want_ext, word[3], bits);
	else if (!strncmp(word, "read=", 5))
		conn->max_read = (unsigned)bits;
	else if (!strncmp(word, "back=", 5))
		conn->max_background = (unsigned)bits;
}

static void f_init(void *userdata, struct fuse_conn_info *conn)
{
	char *words = strdup(getenv("FEATURES") ? getenv("FEATURES") : "");

	(void)userdata;
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		one(conn, word);
	free(words);
	fprintf(stderr, "left want=%#x ext=%#llx capable=%d\n", conn->want, (unsigned long long)conn->want_ext,
		conn->capable == (uint32_t)conn->capable_ext);
}

static void f_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, ENOENT);
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops ops = { .init = f_init, .lookup = f_lookup };
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &ops, sizeof(ops), NULL, NULL };

	return fs_main(&args, &run);
}
