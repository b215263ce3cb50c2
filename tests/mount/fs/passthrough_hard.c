// SPDX-License-Identifier: MIT OR Apache-2.0
/* The example as a filesystem that asks for hard_remove in its init(). */
#define main passthrough_main
#include "../../../c-examples/passthrough_fh.c"
#undef main

static void *hard_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	void *data = pt_init(conn, cfg);

	cfg->hard_remove = 1;
	return data;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_operations ops = pt_ops;

	(void)passthrough_main;
	ops.init = hard_init;
	return prepare(&args) == 0 ? fuse_main(args.argc, args.argv, &ops, NULL) : 1;
}
