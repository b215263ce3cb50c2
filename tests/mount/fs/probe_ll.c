/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A filesystem whose file names say how their lookup is answered, so that a
 * client asks for a behaviour with one stat(). Everything a test needs to know
 * about the handlers (how many ran at once, on which threads, which of their
 * system calls were broken off) is in the file "stats", and in the file named
 * by $PROBE_OUT once the session is destroyed.
 *
 *   f.TAG            at once
 *   sleep.MS.TAG     after MS milliseconds, in the handler
 *   eintr.KIND.MS.T  MS of short waits by nanosleep, pipe, poll, epoll, recv,
 *                    semop or sem
 *   intr-func.TAG    EINTR once the interrupt function was called (10 s at most)
 *   intr-poll.TAG    EINTR once fuse_req_interrupted() says so
 *   intr-late.TAG    as intr-func, the function is set 300 ms into the handler
 *   after.MS.TAG     by another thread, MS after the handler returned
 *   thread.TAG       by a thread that ends right after
 *   hold.TAG         kept until $PROBE_HOLD are kept, then all in random order
 *   block.TAG        the handler blocks until the file $PROBE_FLAG exists (5 s)
 *   never.TAG        never
 *   exit-handler     fuse_session_exit() in the handler, then the reply
 *   exit-thread      at once, and fuse_session_exit() by another thread
 *   args.TAG         at once, then the handler looks at its arguments again
 *   twice.TAG        two replies
 *   null             fuse_reply_err(NULL), then the reply
 *
 * Files: "data" (1 MiB, direct I/O) and "sink" (swallows writes).
 */
#include "probe.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

enum { INO_STATS = 2, INO_DATA, INO_SINK };
#define MAX_JOBS 4096
#define MAX_TIDS 1024

struct job {
	fuse_req_t req;
	uint64_t ino;
	double due; /* < 0: held */
	char name[64];
};

atomic_int eintrs, interrupted;
static atomic_int running, max_running, foreign, calls, forgets, args_lost, bound;
static int cpus_before_loop;
static atomic_int tids[MAX_TIDS];
static pid_t loop_tid;
static int tasks_before_loop, hold_count;
static struct fuse_session *session;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
/* Taken for good before the session is destroyed: nobody may reply after that. */
static pthread_rwlock_t living = PTHREAD_RWLOCK_INITIALIZER;
static struct job jobs[MAX_JOBS];
static int njobs, nheld, answerer_on;
static FILE *replied; /* names whose reply was accepted */

static int allowed_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

static void enter(void)
{
	int n = ++running, max = max_running;
	pid_t tid = test_gettid();

	calls++;
	while (n > max && !atomic_compare_exchange_weak(&max_running, &max, n))
		;
	foreign += tid != loop_tid;
	bound += allowed_cpus() < cpus_before_loop;
	for (int i = 0; i < MAX_TIDS; i++) {
		int free_slot = 0;

		if (tids[i] == tid ||
		    atomic_compare_exchange_strong(&tids[i], &free_slot, tid) ||
		    free_slot == tid)
			break;
	}
}

static void leave(void)
{
	running--;
}

static int print_stats(char *buf, size_t size)
{
	int n = 0;

	while (n < MAX_TIDS && tids[n])
		n++;
	return snprintf(buf, size,
		"max_running=%d\nforeign=%d\ncalls=%d\neintr=%d\ninterrupted=%d\n"
		"tids=%d\ntasks_before_loop=%d\nheld=%d\nforgets=%d\nrunning=%d\n"
		"args_lost=%d\nbound=%d\n",
		max_running, foreign, calls, eintrs, interrupted, n,
		tasks_before_loop, nheld, forgets, running, args_lost, bound);
}

static uint64_t name_ino(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	if (!strcmp(name, "stats"))
		return INO_STATS;
	if (!strcmp(name, "data"))
		return INO_DATA;
	if (!strcmp(name, "sink"))
		return INO_SINK;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return h | (1ull << 32);
}

static void fill(struct stat *st, uint64_t ino)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_nlink = 1;
	st->st_size = ino == INO_DATA ? 1 << 20 : 0;
}

static int reply_entry(fuse_req_t req, uint64_t ino, const char *name)
{
	struct fuse_entry_param e = { .ino = ino, .attr_timeout = 1.0 };
	int ret;
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", name);
	fill(&e.attr, ino);
	pthread_rwlock_rdlock(&living);
	ret = fuse_reply_entry(req, &e);
	pthread_rwlock_unlock(&living);
	if (ret == 0 && replied) {
		pthread_mutex_lock(&lock);
		fprintf(replied, "%s\n", copy);
		pthread_mutex_unlock(&lock);
	}
	return ret;
}

/* --- replies from other threads --------------------------------------- */

static void *answerer(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		double t = now(), next = t + 1;
		int found = -1;

		for (int i = 0; i < njobs; i++) {
			if (jobs[i].due < 0)
				continue;
			if (jobs[i].due <= t) {
				found = i;
				break;
			}
			if (jobs[i].due < next)
				next = jobs[i].due;
		}
		if (found >= 0) {
			struct job j = jobs[found];

			jobs[found] = jobs[--njobs];
			pthread_mutex_unlock(&lock);
			reply_entry(j.req, j.ino, j.name);
			pthread_mutex_lock(&lock);
			continue;
		}
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		long ns = ts.tv_nsec + (long)((next - t) * 1e9);

		ts.tv_sec += ns / 1000000000;
		ts.tv_nsec = ns % 1000000000;
		pthread_cond_timedwait(&wake, &lock, &ts);
	}
	return NULL;
}

/* All held requests become due, in random order. */
static void release_held(void)
{
	for (int i = 0; i < njobs; i++)
		if (jobs[i].due < 0)
			jobs[i].due = now() + (rand() % 1000) / 1e5;
	nheld = 0;
}

static void defer(fuse_req_t req, uint64_t ino, const char *name, int ms)
{
	pthread_mutex_lock(&lock);
	if (!answerer_on) {
		pthread_t t;

		answerer_on = 1;
		pthread_create(&t, NULL, answerer, NULL);
		pthread_detach(t);
	}
	struct job *j = &jobs[njobs++];

	j->req = req;
	j->ino = ino;
	j->due = ms < 0 ? -1 : now() + ms / 1e3;
	snprintf(j->name, sizeof(j->name), "%s", name);
	if (ms < 0 && ++nheld >= hold_count)
		release_held();
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
}

static void *reply_and_end(void *arg)
{
	struct job *j = arg;

	reply_entry(j->req, j->ino, j->name);
	free(j);
	return NULL;
}

static void *exit_later(void *arg)
{
	struct timespec t = { 0, 50000000 };

	nanosleep(&t, NULL);
	fuse_session_exit(session);
	return arg;
}

static void start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, fn, arg);
	pthread_detach(t);
}

static void by_thread(fuse_req_t req, uint64_t ino, const char *name)
{
	struct job *j = calloc(1, sizeof(*j));

	j->req = req;
	j->ino = ino;
	snprintf(j->name, sizeof(j->name), "%s", name);
	start(reply_and_end, j);
}

/* --- operations -------------------------------------------------------- */

static int has(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The names that reply by themselves; 0: the caller replies now. */
static int lookup_special(fuse_req_t req, const char *name, uint64_t ino)
{
	int ms;

	if (has(name, "intr-func"))
		wait_interrupt(req, 0);
	else if (has(name, "intr-late"))
		wait_interrupt(req, 1);
	else if (has(name, "intr-poll"))
		poll_interrupt(req);
	else if (sscanf(name, "after.%d", &ms) == 1)
		defer(req, ino, name, ms);
	else if (has(name, "thread."))
		by_thread(req, ino, name);
	else if (has(name, "hold."))
		defer(req, ino, name, -1);
	else if (has(name, "never."))
		return 1;
	else
		return 0;
	return 1;
}

static void lookup_wait(const char *name)
{
	int ms;
	char kind[16];

	if (sscanf(name, "sleep.%d", &ms) == 1)
		sleep_ms(ms);
	else if (sscanf(name, "eintr.%15[a-z].%d", kind, &ms) == 2)
		strcmp(kind, "pipe") ? count_eintr(kind, ms) : count_eintr_pipe(ms);
	else if (has(name, "block."))
		wait_flag();
	else if (!strcmp(name, "exit-handler"))
		fuse_session_exit(session);
	else if (!strcmp(name, "exit-thread"))
		start(exit_later, NULL);
	else if (!strcmp(name, "null"))
		fuse_reply_err(NULL, EIO);
}

/* Arguments are the handler's until it returns, its reply notwithstanding. */
static void check_args(const char *name, const char *copy)
{
	for (int i = 0; i < 10; i++) {
		args_lost += strcmp(name, copy) != 0;
		sleep_ms(1);
	}
}

static void p_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	uint64_t ino = name_ino(name);
	int twice = has(name, "twice.");
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", name);
	(void)parent;
	enter();
	if (!lookup_special(req, name, ino)) {
		lookup_wait(name);
		reply_entry(req, ino, name);
		if (twice)
			fuse_reply_err(req, EIO);
		if (has(copy, "args."))
			check_args(name, copy);
	}
	leave();
}

static void p_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)ino;
	enter();
	forgets += (int)nlookup;
	fuse_reply_none(req);
	leave();
}

static void p_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	enter();
	fill(&st, ino);
	fuse_reply_attr(req, &st, 1.0);
	leave();
}

static void p_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		      int to_set, struct fuse_file_info *fi)
{
	(void)attr;
	(void)to_set;
	p_getattr(req, ino, fi);
}

static void p_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	enter();
	fi->direct_io = 1;
	fi->nonseekable = 0;
	fuse_reply_open(req, fi);
	leave();
}

static void p_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	static char data[1 << 20];
	char text[512];
	size_t have = 0;
	const char *from = text;

	(void)fi;
	enter();
	if (ino == INO_STATS && off == 0) { /* one consistent piece */
		have = (size_t)print_stats(text, sizeof(text));
	} else if (ino == INO_DATA) {
		from = data;
		have = sizeof(data);
	}
	if ((size_t)off >= have)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, from + off,
			       size < have - (size_t)off ? size : have - (size_t)off);
	leave();
}

static void p_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		    off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	enter();
	fuse_reply_write(req, size);
	leave();
}

/* Without this the kernel sends one lookup per directory at a time. */
static void p_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);
}

/* $PROBE_MUTE: statfs is never answered. */
static void p_statfs(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	if (!getenv("PROBE_MUTE"))
		fuse_reply_err(req, ENOSYS);
}

static const struct fuse_lowlevel_ops ops = {
	.statfs = p_statfs,
	.init = p_init,
	.lookup = p_lookup, .forget = p_forget, .getattr = p_getattr,
	.setattr = p_setattr, .open = p_open, .read = p_read, .write = p_write,
};

static void stage(const char *name, struct fuse_session *se)
{
	int tasks = count_proc("/proc/self/task");

	if (!strcmp(name, "new"))
		session = se;
	if (!strcmp(name, "unmounted"))
		pthread_rwlock_wrlock(&living);
	if (!strcmp(name, "daemonized"))
		loop_tid = test_gettid(), cpus_before_loop = allowed_cpus();
	if (strcmp(name, "looped") && strcmp(name, "unmounted") &&
	    strcmp(name, "destroyed") && tasks > tasks_before_loop)
		tasks_before_loop = tasks;
	/* A thread that was joined is listed by the kernel for a moment longer. */
	for (int i = 0; !strcmp(name, "destroyed") && tasks > 1 && i < 100; i++) {
		usleep(2000);
		tasks = count_proc("/proc/self/task");
	}
	if (!strcmp(name, "destroyed") && getenv("PROBE_OUT")) {
		FILE *f = fopen(getenv("PROBE_OUT"), "w");
		char text[512];

		print_stats(text, sizeof(text));
		fprintf(f, "%stasks_at_end=%d\n", text, tasks);
		fclose(f);
	}
	if (!strcmp(name, "destroyed") && replied)
		fflush(replied);
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs_run run = { &ops, sizeof(ops), NULL, stage };

	hold_count = getenv("PROBE_HOLD") ? atoi(getenv("PROBE_HOLD")) : MAX_JOBS;
	if (getenv("PROBE_REPLIED"))
		replied = fopen(getenv("PROBE_REPLIED"), "w");
	return fs_main(&args, &run);
}
