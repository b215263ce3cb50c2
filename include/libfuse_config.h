/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * The release of the libfuse interface that these headers describe.
 *
 * ringfuse follows the C interface of libfuse 3.18.3. The numbers below are
 * the ones a program compares against; they say nothing about the release of
 * ringfuse itself, which fuse_pkgversion() names at run time.
 */
#ifndef LIBFUSE_CONFIG_H_
#define LIBFUSE_CONFIG_H_

/** First part of the interface version. */
#define FUSE_MAJOR_VERSION 3

/** Second part of the interface version. */
#define FUSE_MINOR_VERSION 18

/** Third part of the interface version. */
#define FUSE_HOTFIX_VERSION 3

/** Suffix of a release candidate; empty for a release. */
#define FUSE_RC_VERSION

/**
 * Defined because the library binds some names in several versions (for
 * example fuse_parse_cmdline()). Where it is not defined, the headers call the
 * numbered names (fuse_parse_cmdline_312() ...) instead.
 */
#define LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS 1

#endif /* LIBFUSE_CONFIG_H_ */
