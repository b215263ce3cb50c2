/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names that the library exports in several versions. Rust defines one function per version under a numbered name;
 * this file binds the plain name, once per version, to a function that hands the call on.
 *
 * It is compiled twice: for libfuse3.so (.symver, see libfuse3.map), and with RINGFUSE_STATIC for libfuse3.a, where a
 * name has one meaning only and that is the newest.
 *
 * The functions own nothing and pass every pointer on as it is.
 */
#define FUSE_USE_VERSION 318
#include "fuse_lowlevel.h"
#include "fuse.h"
#include "unlisted.h"

/*
 * VERSIONED(result, internal name, parameters, arguments, target, name, node): a function that calls target, bound to
 * name@node. DEFAULT_VERSION: the same, for the version that the linker picks.
 */
#ifdef RINGFUSE_STATIC
#define VERSIONED(result, internal, params, args, target, name, node)
#define DEFAULT_VERSION(result, internal, params, args, target, name, node) \
	result internal params __asm__(name); \
	result internal params { return target args; }
#else
#define VERSIONED(result, internal, params, args, target, name, node) \
	result internal params; \
	__asm__(".symver " #internal "," name "@" node); \
	result internal params { return target args; }
#define DEFAULT_VERSION(result, internal, params, args, target, name, node) \
	VERSIONED(result, internal, params, args, target, name, "@" node)
#endif

/* ---- low-level interface ---- */

VERSIONED(int, ringfuse_parse_cmdline_v0, (struct fuse_args *args, struct fuse_cmdline_opts *opts), (args, opts),
	  fuse_parse_cmdline_30, "fuse_parse_cmdline", "FUSE_3.0")
DEFAULT_VERSION(int, ringfuse_parse_cmdline_v12, (struct fuse_args *args, struct fuse_cmdline_opts *opts), (args, opts),
		fuse_parse_cmdline_312, "fuse_parse_cmdline", "FUSE_3.12")

VERSIONED(int, ringfuse_session_loop_mt_v0, (struct fuse_session *se, int clone_fd), (se, clone_fd),
	  fuse_session_loop_mt_31, "fuse_session_loop_mt", "FUSE_3.0")
VERSIONED(int, ringfuse_session_loop_mt_v2, (struct fuse_session *se, struct fuse_loop_config_v1 *config), (se, config),
	  fuse_session_loop_mt_32, "fuse_session_loop_mt", "FUSE_3.2")
DEFAULT_VERSION(int, ringfuse_session_loop_mt_v12, (struct fuse_session *se, struct fuse_loop_config *config),
		(se, config), fuse_session_loop_mt_312, "fuse_session_loop_mt", "FUSE_3.12")

VERSIONED(int, ringfuse_session_custom_io_v0, (struct fuse_session *se, const struct fuse_custom_io *io, int fd),
	  (se, io, fd), fuse_session_custom_io_30, "fuse_session_custom_io", "FUSE_3.0")
DEFAULT_VERSION(int, ringfuse_session_custom_io_v17,
		(struct fuse_session *se, const struct fuse_custom_io *io, size_t op_size, int fd), (se, io, op_size, fd),
		fuse_session_custom_io_317, "fuse_session_custom_io", "FUSE_3.17")

/* ---- high-level interface ---- */

VERSIONED(int, ringfuse_loop_mt_v0, (struct fuse *f, int clone_fd), (f, clone_fd),
	  fuse_loop_mt_31, "fuse_loop_mt", "FUSE_3.0")
VERSIONED(int, ringfuse_loop_mt_v2, (struct fuse *f, struct fuse_loop_config_v1 *config), (f, config),
	  fuse_loop_mt_32, "fuse_loop_mt", "FUSE_3.2")
DEFAULT_VERSION(int, ringfuse_loop_mt_v12, (struct fuse *f, struct fuse_loop_config *config), (f, config),
		fuse_loop_mt_312, "fuse_loop_mt", "FUSE_3.12")

/* fuse_new has no default version: new programs call _fuse_new_30 or _fuse_new_31 through the macro in fuse.h. */
VERSIONED(struct fuse *, ringfuse_new_v0,
	  (struct fuse_args *args, const struct fuse_operations *op, size_t op_size, void *user_data),
	  (args, op, op_size, user_data), fuse_new_30, "fuse_new", "FUSE_3.0")
VERSIONED(struct fuse *, ringfuse_new_v1,
	  (struct fuse_args *args, const struct fuse_operations *op, size_t op_size, void *user_data),
	  (args, op, op_size, user_data), fuse_new_31, "fuse_new", "FUSE_3.1")
