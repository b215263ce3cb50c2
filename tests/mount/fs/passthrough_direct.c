// SPDX-License-Identifier: MIT OR Apache-2.0
/* The example, with direct I/O for all files. */
#define main example_main
#include "../../../c-examples/passthrough_fh.c"
#undef main

static void *init_direct(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	void *data = pt_ops.init(conn, cfg);

	cfg->direct_io = 1;
	return data;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_operations ops = pt_ops;
	int res = 1;

	(void)example_main;
	ops.init = init_direct;
	if (prepare(&args) == 0)
		res = fuse_main(args.argc, args.argv, &ops, NULL);
	fuse_opt_free_args(&args);
	return res;
}
