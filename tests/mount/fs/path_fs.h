/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * path_fs: shows a directory through the high-level interface and keeps a
 * record of every call. What it does is set by the environment:
 *
 *   PATHFS_SOURCE   the directory
 *   PATHFS_LOG      file that gets a line for each call: operation, path, more
 *   PATHFS_CFG      members of struct fuse_config to set in init: a=1,b=0.5
 *   PATHFS_WITHOUT  operations to leave out: a,b
 *   PATHFS_ONLY     the operations to keep, all others are left out
 *   PATHFS_FAIL     operations that fail: read=5,mkdir=28
 *   PATHFS_HOLD     operations that wait until the source has a file ".go"
 *   PATHFS_READDIR  pieces (with offsets, else all at once), plus (with attributes)
 *   PATHFS_EXTRA    words that are looked for in the sources
 */
#ifndef PATH_FS_H
#define PATH_FS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 318
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

extern int source;

/* ioctl(2) commands. */
#define PATHFS_GET _IOR('p', 1, uint32_t) /* number of calls so far */
#define PATHFS_DOUBLE _IOWR('p', 2, uint32_t)

/* Adds a line to the record. */
__attribute__((format(printf, 1, 2))) void record(const char *fmt, ...);

/* Waits until the client is interrupted, at most 5 s; -EINTR if it was, and 0 if not. */
int wait_interrupted(const char *operation);

/* What an operation returns instead of doing anything; 0 if it shall work. */
int failure(const char *operation);

/* Is a word in the list that a variable of the environment holds? */
int listed(const char *variable, const char *word);

/* The path below the source, for the ..at() system calls. */
const char *below(const char *path);

static inline const char *shown(const char *path)
{
	return path ? path : "(null)";
}

static inline int result(int res)
{
	return res == -1 ? -errno : 0;
}

/* Begins an operation: recorded, and maybe failing. */
#define OPERATION(name, ...) \
	do { \
		record(__VA_ARGS__); \
		int failed_ = failure(name); \
		if (failed_) \
			return failed_; \
	} while (0)

/* Operations on names, on open files, and POSIX locks: each in a file of its own. */
void add_names(struct fuse_operations *ops);
void add_files(struct fuse_operations *ops);
void add_locks(struct fuse_operations *ops);

#endif
