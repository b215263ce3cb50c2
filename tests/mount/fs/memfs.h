/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the two halves of memfs_ll share: memfs_ll.c has nodes, names and data,
 * memfs_more.c directories, xattrs, statfs and the wait for an interrupt.
 */
#ifndef TEST_MEMFS_H
#define TEST_MEMFS_H
#include "common.h"
#include "memfs_tree.h"
#include <pthread.h>

enum op { LOOKUP, FORGET, GETATTR, SETATTR, READLINK, MKNOD, MKDIR, UNLINK, RMDIR, SYMLINK,
	  RENAME, LINK, OPEN, CREATE, READ, WRITE, FLUSH, RELEASE, FSYNC, OPENDIR, READDIR,
	  READDIRPLUS, RELEASEDIR, FSYNCDIR, STATFS, SETXATTR, GETXATTR, LISTXATTR,
	  REMOVEXATTR, ACCESS, N_OPS };

extern const char *const op_names[N_OPS];
extern pthread_mutex_t lock;
extern unsigned calls[N_OPS], fail_op, fail_errno;
extern size_t largest_write, largest_read, max_write;

struct node *node(fuse_ino_t ino);
int begin(fuse_req_t req, enum op op);
void end(fuse_req_t req, int error);
int wait_for_interrupt(fuse_req_t req, enum op op);
struct fuse_entry_param entry_of(struct node *n);

void m_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void m_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void m_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void m_statfs(fuse_req_t req, fuse_ino_t ino);
void m_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		       size_t size, int flags);
void m_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void m_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void m_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
#endif
