/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A filesystem without any operation: what the library answers by itself.
 */
#include "common.h"

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops none;
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &none, sizeof(none), NULL, NULL };

	return fs_main(&args, &run);
}
