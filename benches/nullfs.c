/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * nullfs: a filesystem that does nothing, as fast as it can, so that what a
 * benchmark measures is the library and the kernel. One directory of FILES
 * files named f0, f1, ...; other names (n0, n1, ...) can be created and
 * unlinked, and are not there otherwise. A stat is exactly one request
 * (GETATTR: attributes are never cached, names for ever), a read or write too
 * (direct_io). Only the low-level API of libfuse 3.12 is used: one binary runs
 * on every library.
 *
 *   -o burn_us=N         each GETATTR costs N us of CPU time
 *   -o block_us=N        each GETATTR sleeps for N us
 *   -o answer_threads=N  GETATTR is answered by one of N threads of nullfs
 *   -o cached            files go through the page cache (readahead)
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE

#include <fuse_lowlevel.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILES 512
#define FIRST_INO 2
#define FIRST_CREATED 100000
#define FILE_SIZE (64 << 20)
#define NAME_TIMEOUT 86400.0
#define MAX_WAITING 4096

static struct {
	unsigned burn_us, block_us, answer_threads;
	int cached;
} options;

#define OPT(text, field, value) { text, offsetof(__typeof__(options), field), value }

static const struct fuse_opt option_spec[] = {
	OPT("burn_us=%u", burn_us, 0),
	OPT("block_us=%u", block_us, 0),
	OPT("answer_threads=%u", answer_threads, 0),
	OPT("cached", cached, 1),
	FUSE_OPT_END,
};

static char zeros[1 << 20];
static atomic_ulong next_created = FIRST_CREATED;

static void fill_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666;
	st->st_nlink = 1;
	st->st_size = ino == FUSE_ROOT_ID ? 0 : FILE_SIZE;
}

static void fill_entry(fuse_ino_t ino, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = ino;
	e->entry_timeout = NAME_TIMEOUT;
	fill_stat(ino, &e->attr);
}

/* ---- what a handler does before it answers -------------------------------- */

static long ns_between(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * 1000000000L + b->tv_nsec - a->tv_nsec;
}

/* By the thread's own clock: the cost is the same when the CPU is shared. */
static void burn(unsigned us)
{
	struct timespec began, t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	while (ns_between(&began, &t) < us * 1000L);
}

static void answer_getattr(fuse_req_t req, fuse_ino_t ino)
{
	struct timespec t = { options.block_us / 1000000, options.block_us % 1000000 * 1000L };
	struct stat st;

	if (options.burn_us != 0)
		burn(options.burn_us);
	if (options.block_us != 0)
		nanosleep(&t, NULL);
	fill_stat(ino, &st);
	fuse_reply_attr(req, &st, 0.0);
}

/* ---- answers from other threads ------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	unsigned first, count;
	struct {
		fuse_req_t req;
		fuse_ino_t ino;
	} item[MAX_WAITING];
} waiting = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static int hand_over(fuse_req_t req, fuse_ino_t ino)
{
	int fits;

	pthread_mutex_lock(&waiting.lock);
	fits = waiting.count < MAX_WAITING;
	if (fits) {
		unsigned n = (waiting.first + waiting.count++) % MAX_WAITING;

		waiting.item[n].req = req;
		waiting.item[n].ino = ino;
		pthread_cond_signal(&waiting.more);
	}
	pthread_mutex_unlock(&waiting.lock);
	return fits;
}

static void *answerer(void *unused)
{
	for (;;) {
		fuse_req_t req;
		fuse_ino_t ino;

		pthread_mutex_lock(&waiting.lock);
		while (waiting.count == 0)
			pthread_cond_wait(&waiting.more, &waiting.lock);
		req = waiting.item[waiting.first].req;
		ino = waiting.item[waiting.first].ino;
		waiting.first = (waiting.first + 1) % MAX_WAITING;
		waiting.count--;
		pthread_mutex_unlock(&waiting.lock);
		answer_getattr(req, ino);
	}
	return unused;
}

/* After the daemon's fork: threads do not survive it. */
static int start_answerers(void)
{
	pthread_t thread;

	for (unsigned i = 0; i < options.answer_threads; i++)
		if (pthread_create(&thread, NULL, answerer, NULL) != 0)
			return -1;
	return 0;
}

/* ---- handlers ------------------------------------------------------------- */

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	char *end;
	unsigned long n = strtoul(name + 1, &end, 10);

	if (parent != FUSE_ROOT_ID || name[0] != 'f' || *end != '\0' || n >= FILES) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_entry(FIRST_INO + n, &e);
	fuse_reply_entry(req, &e);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	if (options.answer_threads == 0)
		answer_getattr(req, ino);
	else if (!hand_over(req, ino))
		fuse_reply_err(req, EBUSY);
}

static void prepare_file(struct fuse_file_info *fi)
{
	fi->direct_io = !options.cached;
	fi->parallel_direct_writes = !options.cached;
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	prepare_file(fi);
	fuse_reply_open(req, fi);
}

static void null_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			struct fuse_file_info *fi)
{
	struct fuse_entry_param e;

	(void)parent;
	(void)name;
	(void)mode;
	fill_entry(atomic_fetch_add_explicit(&next_created, 1, memory_order_relaxed), &e);
	prepare_file(fi);
	fuse_reply_create(req, &e, fi);
}

static void null_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, 0);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	(void)ino;
	(void)off;
	(void)fi;
	fuse_reply_buf(req, zeros, size < sizeof(zeros) ? size : sizeof(zeros));
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static const struct fuse_lowlevel_ops null_ops = {
	.lookup = null_lookup,
	.getattr = null_getattr,
	.open = null_open,
	.create = null_create,
	.unlink = null_unlink,
	.read = null_read,
	.write = null_write,
};

/* ---- a session ------------------------------------------------------------ */

static int serve(struct fuse_session *se, const struct fuse_cmdline_opts *opts)
{
	struct fuse_loop_config *config;
	int res;

	if (opts->singlethread)
		return fuse_session_loop(se);
	config = fuse_loop_cfg_create();
	if (config == NULL)
		return -1;
	fuse_loop_cfg_set_clone_fd(config, opts->clone_fd);
	fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	res = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return res;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	struct fuse_session *se;
	int res = 1;

	if (fuse_parse_cmdline(&args, &opts) != 0 || opts.mountpoint == NULL ||
	    fuse_opt_parse(&args, &options, option_spec, NULL) != 0) {
		fprintf(stderr, "usage: nullfs [options] <mountpoint>\n");
		return 2;
	}
	se = fuse_session_new(&args, &null_ops, sizeof(null_ops), NULL);
	if (se != NULL && fuse_set_signal_handlers(se) == 0 &&
	    fuse_session_mount(se, opts.mountpoint) == 0) {
		if (fuse_daemonize(opts.foreground) == 0 && start_answerers() == 0)
			res = serve(se, &opts) == 0 ? 0 : 1;
		fuse_session_unmount(se);
	}
	if (se != NULL) {
		fuse_remove_signal_handlers(se);
		fuse_session_destroy(se);
	}
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return res;
}
