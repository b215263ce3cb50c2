/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A filesystem that tells the kernel things, when a client writes an order to
 * "ctl". Everything is cached for an hour, so that what changes without the
 * kernel being told goes unseen:
 *
 *   data       content that orders change behind the kernel's back
 *   other      the same, read only by those who want traffic
 *   pollme     always empty; poll(2) waits for the order "ready"
 *   stats      counters, NAME=N lines
 *   retrieved  what came with the last retrieve_reply
 *   ctl        orders (see `orders` in notify_orders.c), one per write
 *
 * An order runs in the write's handler; after "thread " in a thread of its own
 * that also answers the write. The write fails with what the order returns.
 */
#include "notify.h"
#include <pthread.h>

struct state st = { .content = "old content\n", .size = 12, .names = { [DATA] = DATA, [OTHER] = OTHER } };
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const names[] = {
	[DATA] = "data", [OTHER] = "other", [POLLME] = "pollme", [STATS] = "stats",
	[RETRIEVED] = "retrieved", [CTL] = "ctl",
};

int index_of(const char *name)
{
	for (int i = DATA; i <= CTL; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static int is_small(fuse_ino_t ino)
{
	return ino == STATS || ino == RETRIEVED || ino == CTL;
}

static void attributes(fuse_ino_t ino, struct stat *out)
{
	memset(out, 0, sizeof(*out));
	out->st_ino = ino;
	out->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	out->st_nlink = 1;
	if (ino == DATA || ino == OTHER)
		out->st_size = (off_t)st.size;
	else if (ino > CTL) /* what "target" made of a name */
		out->st_size = (off_t)ino;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .attr_timeout = 3600, .entry_timeout = 3600 };
	int index = index_of(name);

	(void)parent;
	pthread_mutex_lock(&lock);
	if (index == DATA || index == OTHER) {
		st.lookups++;
		e.ino = st.names[index];
	} else if (index > 0) {
		e.ino = (fuse_ino_t)index;
	}
	attributes(e.ino, &e.attr);
	pthread_mutex_unlock(&lock);
	if (e.ino)
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, ENOENT);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat out;

	(void)fi;
	pthread_mutex_lock(&lock);
	st.getattrs += ino == DATA;
	attributes(ino, &out);
	pthread_mutex_unlock(&lock);
	fuse_reply_attr(req, &out, is_small(ino) ? 0 : 3600);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->keep_cache = 1;
	fi->direct_io = is_small(ino);
	fuse_reply_open(req, fi);
}

static void part(fuse_req_t req, const char *text, size_t have, size_t size, off_t off)
{
	size_t at = (size_t)off < have ? (size_t)off : have;

	fuse_reply_buf(req, text + at, size < have - at ? size : have - at);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	static char copy[MOST];
	char text[400];

	(void)fi;
	pthread_mutex_lock(&lock);
	if (ino == STATS) {
		int n = snprintf(text, sizeof(text),
				 "lookups=%d\ngetattrs=%d\nreads=%d\nforgets=%d\nretrieves=%d\ncookie=%ld\nat=%ld\nbad=%d\nfailed=%d\nsent=%d\n",
				 st.lookups, st.getattrs, st.reads, st.forgets, st.retrieves, (long)st.cookie,
				 (long)st.retrieved_at, st.bad, st.failed, st.sent);
		part(req, text, (size_t)n, size, off);
	} else if (ino == RETRIEVED) {
		part(req, st.retrieved, st.retrieved_size, size, off);
	} else if (ino == DATA || ino == OTHER) {
		st.reads += ino == DATA;
		memcpy(copy, st.content, st.size);
		part(req, copy, st.size, size, off);
	} else {
		fuse_reply_buf(req, NULL, 0);
	}
	pthread_mutex_unlock(&lock);
}

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	(void)ino;
	(void)count;
	pthread_mutex_lock(&lock);
	st.forgets++;
	pthread_mutex_unlock(&lock);
	fuse_reply_none(req);
}

static void do_retrieve_reply(fuse_req_t req, void *cookie, fuse_ino_t ino, off_t offset,
			      struct fuse_bufvec *bufv)
{
	pthread_mutex_lock(&lock);
	struct fuse_bufvec into = FUSE_BUFVEC_INIT(MOST);

	into.buf[0].mem = st.retrieved;
	st.retrieves++;
	st.cookie = (intptr_t)cookie;
	st.retrieved_at = offset;
	st.bad += ino != DATA;
	ssize_t n = fuse_buf_copy(&into, bufv, 0);

	st.retrieved_size = n > 0 ? (size_t)n : 0;
	st.bad += n < 0;
	pthread_mutex_unlock(&lock);
	fuse_reply_none(req);
}

static void do_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct fuse_pollhandle *old = NULL;
	unsigned events = 0;

	(void)fi;
	pthread_mutex_lock(&lock);
	st.bad += ino != POLLME;
	if (ph) {
		old = st.handle;
		st.handle = ph;
	}
	if (st.ready)
		events = POLLIN;
	pthread_mutex_unlock(&lock);
	if (old)
		fuse_pollhandle_destroy(old);
	fuse_reply_poll(req, events);
}

struct later {
	fuse_req_t req;
	size_t size;
	char text[ORDER];
};

static void answer(fuse_req_t req, size_t size, int result)
{
	if (result < 0)
		fuse_reply_err(req, -result);
	else
		fuse_reply_write(req, size);
}

static void *in_thread(void *arg)
{
	struct later *l = arg;

	answer(l->req, l->size, carry_out(l->text));
	free(l);
	return NULL;
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	char text[ORDER];
	struct later *l;
	pthread_t thread;

	(void)off;
	(void)fi;
	if (ino != CTL || size >= sizeof(text)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	memcpy(text, buf, size);
	text[size] = 0;
	if (strncmp(text, "thread ", 7)) {
		answer(req, size, carry_out(text));
		return;
	}
	l = calloc(1, sizeof(*l));
	l->req = req;
	l->size = size;
	memcpy(l->text, text + 7, size - 6);
	pthread_create(&thread, NULL, in_thread, l);
	pthread_detach(thread);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = do_lookup,
	.forget = do_forget,
	.getattr = do_getattr,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.poll = do_poll,
	.retrieve_reply = do_retrieve_reply,
};

/* Handles may be kept for too long: the kernel is not there any more, but nothing breaks. */
static void stage(const char *name, struct fuse_session *se)
{
	st.se = se;
	if (!strcmp(name, "new") && fuse_lowlevel_notify_inval_inode(se, 2, 0, 0) >= 0)
		fprintf(stderr, "BAD: a notification before the mount\n");
	if (strcmp(name, "destroyed"))
		return;
	if (st.handle) {
		if (fuse_lowlevel_notify_poll(st.handle) >= 0)
			fprintf(stderr, "BAD: a notification after the session\n");
		fuse_pollhandle_destroy(st.handle);
	}
	fuse_pollhandle_destroy(NULL);
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { .ops = &ops, .op_size = sizeof(ops), .stage = stage };

	return fs_main(&args, &run);
}
