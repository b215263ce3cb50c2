/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* path_fs: POSIX locks, of whole files. Owners are told apart as fuse.h says: by lock_owner, not by process. */
#include "path_fs.h"

#define LOCKS 64

static struct held {
	char path[256];
	uint64_t owner;
	short type;
} held[LOCKS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Somebody else's lock that is in the way of `type`. */
static struct held *conflict(const char *path, uint64_t owner, short type)
{
	for (struct held *h = held; h < held + LOCKS; h++) {
		if (h->owner != 0 && h->owner != owner && strcmp(h->path, path) == 0 &&
		    (type == F_WRLCK || h->type == F_WRLCK))
			return h;
	}
	return NULL;
}

static void drop(const char *path, uint64_t owner)
{
	for (struct held *h = held; h < held + LOCKS; h++) {
		if (h->owner == owner && strcmp(h->path, path) == 0)
			h->owner = 0;
	}
	pthread_cond_broadcast(&changed);
}

static int take(const char *path, uint64_t owner, short type)
{
	drop(path, owner);
	for (struct held *h = held; h < held + LOCKS; h++) {
		if (h->owner == 0) {
			snprintf(h->path, sizeof(h->path), "%s", path);
			h->owner = owner;
			h->type = type;
			return 0;
		}
	}
	return -ENOLCK;
}

static int set(const char *path, uint64_t owner, short type, int wait)
{
	if (type == F_UNLCK) {
		drop(path, owner);
		return 0;
	}
	while (conflict(path, owner, type)) {
		if (!wait)
			return -EAGAIN;
		pthread_cond_wait(&changed, &mutex);
	}
	return take(path, owner, type);
}

static int p_lock(const char *path, struct fuse_file_info *fi, int cmd, struct flock *lock)
{
	int res = 0;

	OPERATION("lock", "lock %s cmd=%d type=%d start=%ld len=%ld owner=%d pid=%d", shown(path), cmd, lock->l_type,
		  (long)lock->l_start, (long)lock->l_len, fi->lock_owner != 0, lock->l_pid != 0);
	if (path == NULL)
		return -EINVAL;
	pthread_mutex_lock(&mutex);
	if (cmd != F_GETLK) {
		res = set(path, fi->lock_owner, lock->l_type, cmd == F_SETLKW);
	} else {
		struct held *other = conflict(path, fi->lock_owner, lock->l_type);

		lock->l_type = other ? other->type : F_UNLCK;
		lock->l_pid = other ? 4321 : 0;
		lock->l_start = lock->l_len = 0;
	}
	pthread_mutex_unlock(&mutex);
	return res;
}

void add_locks(struct fuse_operations *ops)
{
	ops->lock = p_lock;
}
