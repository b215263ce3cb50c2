/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Exported functions that no public header declares at the newest FUSE_USE_VERSION: programs that were built against
 * older headers, that look symbols up at run time, or bindings of other languages call them. Part of the contract as
 * much as include/: symver.c forwards to them, and build.rs holds the Rust definitions to them.
 *
 * To be included behind fuse_lowlevel.h and fuse.h of FUSE_USE_VERSION 318.
 */
#ifndef RINGFUSE_UNLISTED_H
#define RINGFUSE_UNLISTED_H

/* Low-level interface. */
int fuse_parse_cmdline_30(struct fuse_args *args, struct fuse_cmdline_opts *opts);
int fuse_parse_cmdline_312(struct fuse_args *args, struct fuse_cmdline_opts *opts);
int fuse_session_custom_io_30(struct fuse_session *se, const struct fuse_custom_io *io, int fd);
int fuse_session_loop_mt_31(struct fuse_session *se, int clone_fd);
int fuse_session_loop_mt_32(struct fuse_session *se, struct fuse_loop_config_v1 *config);
int fuse_session_loop_mt_312(struct fuse_session *se, struct fuse_loop_config *config);
/* The headers make a macro of this name; accepts op == NULL, which the versioned form does not. */
#undef fuse_session_new
struct fuse_session *fuse_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *op, size_t op_size,
				      void *userdata);

/* High-level interface. */
int fuse_loop_mt_31(struct fuse *f, int clone_fd);
int fuse_loop_mt_32(struct fuse *f, struct fuse_loop_config_v1 *config);
int fuse_loop_mt_312(struct fuse *f, struct fuse_loop_config *config);
struct fuse *fuse_new_30(struct fuse_args *args, const struct fuse_operations *op, size_t op_size, void *user_data);
struct fuse *fuse_new_31(struct fuse_args *args, const struct fuse_operations *op, size_t op_size, void *user_data);
#ifdef RINGFUSE_CHECK_PROTOTYPES
/* A static inline function in fuse.h, which the including file has given another name. */
int fuse_main_real(int argc, char *argv[], const struct fuse_operations *op, size_t op_size, void *user_data);
#endif

#endif /* RINGFUSE_UNLISTED_H */
