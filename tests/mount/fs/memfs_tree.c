/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "memfs_tree.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS 16384

static struct entry *names[BUCKETS];
static struct node root;
static struct node all = { .all_next = &all, .all_prev = &all };
static ino_t next_ino = 2;

static size_t bucket(const struct node *dir, const char *name)
{
	uint64_t h = dir->st.st_ino * 0x9e3779b97f4a7c15u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return (h ^ h >> 32) % BUCKETS;
}

void tree_touch(struct node *n, int changed_data)
{
	clock_gettime(CLOCK_REALTIME, &n->st.st_ctim);
	if (changed_data)
		n->st.st_mtim = n->st.st_ctim;
}

static void init(struct node *n, mode_t mode, uid_t uid, gid_t gid)
{
	n->st.st_mode = mode;
	n->st.st_uid = uid;
	n->st.st_gid = gid;
	n->st.st_blksize = 4096;
	n->next_cookie = 3; /* 1 and 2 are "." and ".." */
	if (S_ISDIR(mode))
		n->st.st_nlink = 2;
	tree_touch(n, 1);
	n->st.st_atim = n->st.st_mtim;
}

struct node *tree_root(void)
{
	if (!root.st.st_ino) {
		root.st.st_ino = 1;
		root.nlookup = 1;
		root.parent = &root;
		init(&root, S_IFDIR | 0755, 0, 0);
	}
	return &root;
}

struct node *tree_new(mode_t mode, dev_t rdev, uid_t uid, gid_t gid)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->st.st_ino = next_ino++;
	n->st.st_rdev = rdev;
	init(n, mode, uid, gid);
	n->all_prev = &all;
	n->all_next = all.all_next;
	n->all_next->all_prev = n->all_prev->all_next = n;
	return n;
}

static int has_name(const struct node *n)
{
	return n == &root || n->st.st_nlink > (S_ISDIR(n->st.st_mode) ? 1u : 0u);
}

void tree_maybe_free(struct node *n)
{
	if (has_name(n) || n->nlookup || n->opens)
		return;
	n->all_next->all_prev = n->all_prev;
	n->all_prev->all_next = n->all_next;
	while (n->xattrs)
		tree_remove_xattr(&n->xattrs);
	free(n->data);
	free(n);
}

struct entry *tree_find(struct node *dir, const char *name)
{
	struct entry *e = names[bucket(dir, name)];

	while (e && (e->dir != dir || strcmp(e->name, name)))
		e = e->hash_next;
	return e;
}

int tree_link(struct node *dir, const char *name, struct node *n)
{
	size_t length = strlen(name) + 1;
	struct entry *e = malloc(sizeof(*e) + length);
	struct entry **head = &names[bucket(dir, name)];

	if (!e)
		return ENOMEM;
	memcpy(e->name, name, length);
	e->dir = dir;
	e->node = n;
	e->cookie = dir->next_cookie++;
	e->hash_next = *head;
	*head = e;
	e->next = NULL;
	e->prev = dir->last;
	*(dir->last ? &dir->last->next : &dir->first) = e;
	dir->last = e;
	if (S_ISDIR(n->st.st_mode)) {
		n->parent = dir;
		dir->st.st_nlink++;
		n->st.st_nlink = n->st.st_nlink < 2 ? 2 : n->st.st_nlink;
	} else {
		n->st.st_nlink++;
	}
	tree_touch(n, 0);
	tree_touch(dir, 1);
	return 0;
}

void tree_unlink(struct entry *e)
{
	struct entry **p = &names[bucket(e->dir, e->name)];
	struct node *dir = e->dir, *n = e->node;

	while (*p != e)
		p = &(*p)->hash_next;
	*p = e->hash_next;
	*(e->prev ? &e->prev->next : &dir->first) = e->next;
	*(e->next ? &e->next->prev : &dir->last) = e->prev;
	if (S_ISDIR(n->st.st_mode))
		dir->st.st_nlink--;
	n->st.st_nlink--;
	tree_touch(n, 0);
	tree_touch(dir, 1);
	free(e);
}

int tree_resize(struct node *n, off_t size)
{
	if ((size_t)size > n->room) {
		size_t room = n->room ? n->room : 4096;

		while (room < (size_t)size)
			room *= 2;
		char *data = realloc(n->data, room);

		if (!data)
			return ENOSPC;
		n->data = data;
		n->room = room;
	}
	if (size > n->st.st_size)
		memset(n->data + n->st.st_size, 0, (size_t)(size - n->st.st_size));
	n->st.st_size = size;
	n->st.st_blocks = (size + 511) / 512;
	tree_touch(n, 1);
	return 0;
}

struct xattr **tree_xattr(struct node *n, const char *name)
{
	struct xattr **x = &n->xattrs;

	while (*x && strcmp((*x)->name, name))
		x = &(*x)->next;
	return x;
}

int tree_set_xattr(struct node *n, const char *name, const void *value, size_t size)
{
	struct xattr **old = tree_xattr(n, name), *x = calloc(1, sizeof(*x));

	if (!x || !(x->name = strdup(name)) || !(x->value = malloc(size + 1)))
		return ENOSPC;
	memcpy(x->value, value, size);
	x->size = size;
	if (*old)
		tree_remove_xattr(old);
	x->next = n->xattrs;
	n->xattrs = x;
	tree_touch(n, 0);
	return 0;
}

void tree_remove_xattr(struct xattr **x)
{
	struct xattr *gone = *x;

	*x = gone->next;
	free(gone->name);
	free(gone->value);
	free(gone);
}

/* At the end of the session the kernel forgets everything. */
void tree_free_all(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (names[i])
			tree_unlink(names[i]);
	while (all.all_next != &all) {
		struct node *n = all.all_next;

		n->nlookup = n->opens = n->st.st_nlink = 0;
		tree_maybe_free(n);
	}
	while (root.xattrs)
		tree_remove_xattr(&root.xattrs);
}
