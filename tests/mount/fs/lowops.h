/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A flat filesystem with the operations that memfs_ll has not: locks, ioctl,
 * poll, statx and so on. Each call is traced to stderr as "call: OP ...".
 *
 * The root has the files a, b and c, the directory d, and what was made without
 * a name. Reads of c from 12 MiB on wait. The root's extended attributes control
 * it:
 *   user.fail    "OP ERRNO"  that operation fails from now on, and with an ERRNO
 *                            of 0 it waits for user.release; "" ends it
 *   user.ready   "MASK"      what poll answers; waiting clients are told
 *   user.release ""          blocked handlers go on
 * and tell: user.who: who asks for this attribute, user.outcome: what the last
 * reply function returned.
 */
#ifndef TEST_LOWOPS_H
#define TEST_LOWOPS_H
#include "common.h"
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>

#define ROOM (16u << 20)
#define N_FILES 16
#define WAIT_FROM (12l << 20)
#define DIRECTORY 15
#define BIG 100000l
#define FIRST_BIG 1000

struct file {
	char *data;
	off_t size;
	mode_t mode;
	uid_t uid;
};

extern struct file files[N_FILES]; /* by inode, from 2 on */
extern pthread_mutex_t lock;
extern pthread_cond_t changed;
extern unsigned released; /* counts up with user.release */
extern int outcome;
extern unsigned ready;

void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fails(fuse_req_t req, const char *op);
struct file *file_of(fuse_ino_t ino);
struct stat stat_of(fuse_ino_t ino);
int resize(struct file *f, off_t size);

/* Waits, with the lock held, until the condition is met or the client is interrupted. */
int wait_until(fuse_req_t req, int (*met)(void *), void *arg);

void l_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *l);
void l_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *l, int sleep);
void l_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
void drop_posix(fuse_ino_t ino, uint64_t owner);
void drop_flock(fuse_ino_t ino, uint64_t owner);

void l_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, struct fuse_file_info *fi,
	     unsigned flags, const void *in, size_t in_size, size_t out_size);
void l_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph);
void l_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		 struct fuse_file_info *fi);
void l_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void l_copy(fuse_req_t req, fuse_ino_t in, off_t off_in, struct fuse_file_info *fi_in, fuse_ino_t out,
	    off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags);
void l_bmap(fuse_req_t req, fuse_ino_t ino, size_t blocksize, uint64_t idx);
void tell_pollers(void);

/* Waits, with the lock held, for user.release. */
int block(fuse_req_t req);

/* The number of a name in d, or -1. */
long big_number(const char *name);
void l_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void l_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
#endif
