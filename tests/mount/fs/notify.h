/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What notify_ll.c (the filesystem) and notify_orders.c (what it can be told to do) share.
 */
#ifndef TEST_NOTIFY_H
#define TEST_NOTIFY_H
#include "common.h"
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#define MOST (1 << 20)
#define ORDER 65536

enum { DATA = 2, OTHER, POLLME, STATS, RETRIEVED, CTL };

struct state {
	struct fuse_session *se;
	char content[MOST];
	size_t size;
	fuse_ino_t names[CTL];
	char retrieved[MOST];
	size_t retrieved_size;
	off_t retrieved_at;
	intptr_t cookie;
	int lookups, getattrs, reads, forgets, retrieves;
	int bad; /* callbacks with what makes no sense */
	int failed, sent; /* of the order "storm" */
	int ready;
	struct fuse_pollhandle *handle;
};

extern struct state st;
extern pthread_mutex_t lock;

int index_of(const char *name);
/* Does what the text says; 0 or a negative error number. */
int carry_out(char *text);
#endif
