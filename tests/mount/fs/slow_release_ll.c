/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every name is an empty file, and RELEASE of it takes a tenth of a second: work that goes on when the user has left. It takes no
 * time if the name is a number from 1000 on.
 *
 *   slow_release_ll --clients DIR N SECONDS
 *
 * is N clients of such files, each of which opens and closes its own as often as it can.
 */
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { QUICK = 1000 };
static atomic_int over;

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
	(void)fi;
	if (ino < 2 + QUICK)
		usleep(100000);
	fuse_reply_err(req, 0);
}

static void *client(void *path)
{
	while (!over) {
		int file = open(path, O_RDONLY);

		if (file == -1) {
			perror(path);
			exit(1);
		}
		close(file);
	}
	return NULL;
}

static int clients(const char *dir, int count, double seconds)
{
	pthread_t threads[count];
	char paths[count][256];

	for (int i = 0; i < count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", dir, QUICK + i);
		if (pthread_create(&threads[i], NULL, client, paths[i]))
			return 1;
	}
	usleep((useconds_t)(seconds * 1e6));
	over = 1;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops ops = {
		.lookup = s_lookup, .getattr = s_getattr, .open = s_open, .release = s_release
	};
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &ops, sizeof(ops), NULL, NULL };

	if (argc == 5 && !strcmp(argv[1], "--clients"))
		return clients(argv[2], atoi(argv[3]), atof(argv[4]));
	return fs_main(&args, &run);
}
