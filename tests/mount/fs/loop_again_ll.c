/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One session that loops three times: loop_again_ll MOUNTPOINT multi|single
 * [OPTION...]. A client thread asks for attributes and then ends each loop.
 * Exit status 0 if every request was answered in every loop.
 */
#define FUSE_USE_VERSION 318
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct fuse_session *session;
static const char *mountpoint;

static void get_attr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat attr = { .st_mode = S_IFDIR | 0755, .st_nlink = 2 };

	(void)ino;
	(void)fi;
	fuse_reply_attr(req, &attr, 0);
}

static void *client(void *answered)
{
	struct stat attr;

	for (int i = 0; i < 50; i++)
		*(int *)answered += stat(mountpoint, &attr) == 0;
	fuse_session_exit(session);
	return NULL;
}

int main(int argc, char *argv[])
{
	static const struct fuse_lowlevel_ops ops = { .getattr = get_attr };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int answered = 0, failed = 0;

	if (argc < 3)
		return 2;
	mountpoint = argv[1];
	fuse_opt_add_arg(&args, argv[0]);
	for (int i = 3; i < argc; i++)
		fuse_opt_add_arg(&args, argv[i]);
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_session_mount(session, mountpoint) != 0)
		return 2;
	for (int round = 0; round < 3; round++) {
		pthread_t thread;

		pthread_create(&thread, NULL, client, &answered);
		failed += (strcmp(argv[2], "single") ? fuse_session_loop_mt(session, NULL) :
						       fuse_session_loop(session)) != 0;
		pthread_join(thread, NULL);
	}
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	fprintf(stderr, "%d of 150 answered, %d loops failed\n", answered, failed);
	return answered == 150 && !failed ? 0 : 1;
}
