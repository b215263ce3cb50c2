/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Locks of lowops_ll: byte ranges of fcntl(2), whole files of flock(2). A
 * waiting client can be interrupted.
 */
#include "lowops.h"
#include <fcntl.h>
#include <sys/file.h>

struct range {
	struct range *next;
	fuse_ino_t ino;
	uint64_t owner;
	off_t start, end; /* inclusive */
	short type;
	pid_t pid;
	int whole; /* of flock */
};

static struct range *ranges;

struct waiter {
	int interrupted;
};

static void interrupted(fuse_req_t req, void *data)
{
	struct waiter *w = data;

	(void)req;
	pthread_mutex_lock(&lock);
	w->interrupted = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

int wait_until(fuse_req_t req, int (*met)(void *), void *arg)
{
	struct waiter w = { 0 };
	int result;

	pthread_mutex_unlock(&lock); /* the function may be called at once */
	fuse_req_interrupt_func(req, interrupted, &w);
	pthread_mutex_lock(&lock);
	while (!met(arg) && !w.interrupted)
		pthread_cond_wait(&changed, &lock);
	result = met(arg) ? 0 : EINTR;
	pthread_mutex_unlock(&lock);
	fuse_req_interrupt_func(req, NULL, NULL);
	pthread_mutex_lock(&lock);
	if (result)
		trace("interrupted (%d)", fuse_req_interrupted(req));
	return result;
}

static struct range *conflict(const struct range *want)
{
	for (struct range *r = ranges; r; r = r->next)
		if (r->ino == want->ino && r->whole == want->whole && r->owner != want->owner &&
		    r->start <= want->end && want->start <= r->end &&
		    (r->type == F_WRLCK || want->type == F_WRLCK))
			return r;
	return NULL;
}

static int no_conflict(void *arg)
{
	return conflict(arg) == NULL;
}

static void add(const struct range *like, off_t start, off_t end)
{
	struct range *r = malloc(sizeof(*r));

	*r = *like;
	r->start = start;
	r->end = end;
	r->next = ranges;
	ranges = r;
}

/* Takes what `want` covers from the same owner's ranges. */
static void clear(const struct range *want)
{
	struct range **at = &ranges, *r;

	while ((r = *at)) {
		if (r->ino != want->ino || r->whole != want->whole || r->owner != want->owner ||
		    r->start > want->end || want->start > r->end) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		if (r->start < want->start)
			add(r, r->start, want->start - 1);
		if (r->end > want->end)
			add(r, want->end + 1, r->end);
		free(r);
	}
	pthread_cond_broadcast(&changed);
}

static struct range range_of(fuse_ino_t ino, const struct fuse_file_info *fi, const struct flock *l)
{
	struct range r = { .ino = ino, .owner = fi->lock_owner, .start = l->l_start, .type = l->l_type,
			   .pid = l->l_pid };

	r.end = l->l_len ? l->l_start + l->l_len - 1 : (off_t)0x7fffffffffffffff;
	return r;
}

static const char *type_name(int type)
{
	return type == F_RDLCK ? "read" : type == F_WRLCK ? "write" : "none";
}

void l_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *l)
{
	struct range want = range_of(ino, fi, l), *r;

	if (fails(req, "getlk"))
		return;
	pthread_mutex_lock(&lock);
	trace("getlk %s %ld %ld", type_name(l->l_type), (long)l->l_start, (long)l->l_len);
	l->l_type = F_UNLCK;
	r = conflict(&want);
	if (r) {
		l->l_type = r->type;
		l->l_start = r->start;
		l->l_len = r->end == 0x7fffffffffffffff ? 0 : r->end - r->start + 1;
		l->l_pid = r->pid;
	}
	pthread_mutex_unlock(&lock);
	outcome = fuse_reply_lock(req, l);
}

static int take(fuse_req_t req, const struct range *want, int sleep)
{
	int error = 0;

	/* The lock is let go of after the wait as well. */
	while (!error && want->type != F_UNLCK && conflict(want))
		error = sleep ? wait_until(req, no_conflict, (void *)want) : EAGAIN;
	if (!error) {
		clear(want);
		if (want->type != F_UNLCK)
			add(want, want->start, want->end);
	}
	return error;
}

void l_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *l, int sleep)
{
	struct range want = range_of(ino, fi, l);
	int error;

	if (fails(req, "setlk"))
		return;
	pthread_mutex_lock(&lock);
	trace("setlk %s %ld %ld%s", type_name(l->l_type), (long)l->l_start, (long)l->l_len,
	      sleep ? " wait" : "");
	error = take(req, &want, sleep);
	pthread_mutex_unlock(&lock);
	outcome = fuse_reply_err(req, error);
}

void l_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct range want = { .ino = ino, .owner = fi->lock_owner, .whole = 1, .end = 1 };
	int error;

	if (fails(req, "flock"))
		return;
	want.type = op & LOCK_EX ? F_WRLCK : op & LOCK_SH ? F_RDLCK : F_UNLCK;
	pthread_mutex_lock(&lock);
	trace("flock %s%s", type_name(want.type), op & LOCK_NB ? "" : " wait");
	/* Whoever changes his lock gives up the old one first, as flock(2) says. */
	clear(&want);
	error = take(req, &want, !(op & LOCK_NB));
	pthread_mutex_unlock(&lock);
	outcome = fuse_reply_err(req, error);
}

void drop_posix(fuse_ino_t ino, uint64_t owner)
{
	struct range all = { .ino = ino, .owner = owner, .end = 0x7fffffffffffffff };

	clear(&all);
}

void drop_flock(fuse_ino_t ino, uint64_t owner)
{
	struct range all = { .ino = ino, .owner = owner, .whole = 1, .end = 1 };

	clear(&all);
}
