/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A filesystem from the time before conn->want_ext: it assigns conn->want in
 * the way named by $WANT (subset, zero, mask, or). Compiled with several
 * FUSE_USE_VERSION.
 */
#include "hello.h"

static void want_init(void *userdata, struct fuse_conn_info *conn)
{
	const char *how = getenv("WANT") ? getenv("WANT") : "";

	(void)userdata;
	if (!strcmp(how, "subset"))
		conn->want = conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
					      FUSE_CAP_AUTO_INVAL_DATA);
	else if (!strcmp(how, "zero"))
		conn->want = 0;
	else if (!strcmp(how, "mask"))
		conn->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
	else if (!strcmp(how, "or"))
		conn->want |= FUSE_CAP_PARALLEL_DIROPS;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_lowlevel_ops ops = hello_ops;
	struct fs_run run = { &ops, sizeof(ops), NULL, NULL };

	ops.init = want_init;
	return fs_main(&args, &run);
}
