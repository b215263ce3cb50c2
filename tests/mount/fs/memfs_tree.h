/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The tree of memfs_ll: nodes, names and extended attributes in memory.
 * Everything here is called with the filesystem's one lock held. A node lives
 * while it has a name, is known to the kernel (nlookup) or is open.
 */
#ifndef MEMFS_TREE_H
#define MEMFS_TREE_H
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct xattr {
	struct xattr *next;
	char *name, *value;
	size_t size;
};

struct node {
	struct stat st;
	uint64_t nlookup, opens;
	char *data; /* content or link target */
	size_t room;
	struct xattr *xattrs;
	struct node *parent; /* directories only */
	struct entry *first, *last;
	uint64_t next_cookie;
	struct node *all_next, *all_prev; /* every node but the root */
};

/* One name in a directory; cookies grow, so that a reader can go on after any. */
struct entry {
	struct entry *next, *prev, *hash_next;
	struct node *dir, *node;
	uint64_t cookie;
	char name[];
};

struct node *tree_root(void);
struct node *tree_new(mode_t mode, dev_t rdev, uid_t uid, gid_t gid);
void tree_maybe_free(struct node *n);
struct entry *tree_find(struct node *dir, const char *name);
int tree_link(struct node *dir, const char *name, struct node *n);
void tree_unlink(struct entry *e);
int tree_resize(struct node *n, off_t size);
void tree_touch(struct node *n, int changed_data);
struct xattr **tree_xattr(struct node *n, const char *name);
int tree_set_xattr(struct node *n, const char *name, const void *value, size_t size);
void tree_remove_xattr(struct xattr **x);
void tree_free_all(void);
#endif
