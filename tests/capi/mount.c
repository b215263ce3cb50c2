/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a failed fuse_session_mount leaves in errno, for programs that print it. Nothing is mounted here.
 * The expectation also holds for libfuse 3.18.3. Link to the library to be tested; exit status 0 when all is well.
 */
#define FUSE_USE_VERSION 318
#include <fuse_lowlevel.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct fuse_lowlevel_ops operations;

static int fails_with(const char *mountpoint, int want)
{
	char *argv[] = {"mount", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	int result, error;

	if (!session) {
		fprintf(stderr, "mount.c: no session\n");
		return 1;
	}
	errno = 0;
	result = fuse_session_mount(session, mountpoint);
	error = errno;
	if (result == 0)
		fuse_session_unmount(session);
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	if (result == 0 || error != want) {
		fprintf(stderr, "mount.c: mounting on \"%s\": %d, errno %s, not %s\n", mountpoint, result, strerror(error),
			strerror(want));
		return 1;
	}
	return 0;
}

int main(void)
{
	int failures = 0;

	failures += fails_with("/nowhere/at/all", ENOENT);
	failures += fails_with("", ENOENT);
	failures += fails_with("/proc/self/status/below", ENOTDIR);
	return failures != 0;
}
