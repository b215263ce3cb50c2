/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * client: keeps a mounted nullfs or nullhl busy and prints, on one line,
 *
 *   operations per second, operations done, p50 and p99 of the latency in us,
 *   CPU seconds used, CPU seconds that the processes of -b used
 *
 *   client [-t THREADS] [-s SECONDS] [-k KIB] [-c CPU] [-b] DIR OPERATION
 *
 * OPERATION: stat      of a known name                     1 request
 *            open      open and close                      2 requests
 *            create    create, close and unlink            4 requests, 1 forget
 *            deep      stat of a name below 19 directories 1 request
 *            list      all names of a directory            3 requests or more
 *            read      pread of KIB at a random offset     1 request
 *            write     pwrite of KIB at a random offset    1 request
 *            seqread   pread of KIB after the last one     1 request
 *            seqwrite  pwrite of KIB after the last one    1 request
 *            buffered  seqread, but the page cache is dropped at the end of
 *                      the file: for filesystems without direct_io
 * Each thread works on a file of its own. With -c all threads stay on that
 * CPU, otherwise the scheduler puts them where it likes. With -b every CPU but
 * the last one is kept busy by a process of another session. Rate and latency
 * leave out the first WARM_UP seconds; operations done and CPU seconds are
 * those of the whole run.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 512
#define WARM_UP 0.25
#define FILE_SIZE (64L << 20)
#define DEEP 19
#define LISTED 10000 /* entries of a directory of nullhl */

/* Latencies are counted in SLICES parts of each power of two of ns. */
#define SLICES 16
#define BUCKETS (64 * SLICES)

/* Each on cache lines of its own, or the clients would slow each other. */
struct client {
	_Alignas(128) _Atomic unsigned long done;
	pthread_t thread;
	char path[4096];
	char *buf;
	unsigned seed;
	int fd;
	off_t next;
	unsigned latency[BUCKETS];
};

struct operation {
	const char *name;
	bool (*run)(struct client *);
	bool opens;
	char file;
	int depth;
};

static struct client clients[MAX_THREADS];
static const struct operation *operation;
static const char *dir;
static int threads = 1, only_cpu = -1;
static double run_seconds = 1;
static size_t block = 4096;
static bool hogs;
static atomic_bool counting, stop;

static void die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- operations ----------------------------------------------------------- */

static off_t some_offset(struct client *c)
{
	c->seed = c->seed * 1103515245u + 12345u;
	return (off_t)((c->seed >> 8) % (FILE_SIZE / block) * block);
}

static off_t next_offset(struct client *c)
{
	off_t offset = c->next;

	c->next = (c->next + (off_t)block) % FILE_SIZE;
	return offset;
}

static bool do_stat(struct client *c)
{
	struct stat st;

	return stat(c->path, &st) == 0;
}

static bool do_list(struct client *c)
{
	DIR *d = opendir(c->path);
	unsigned entries = 0;

	if (d == NULL)
		return false;
	errno = 0;
	while (readdir(d) != NULL)
		entries++;
	if (errno == 0 && entries < LISTED)
		errno = ENODATA;
	return errno == 0 && closedir(d) == 0;
}

static bool do_open(struct client *c)
{
	int fd = open(c->path, O_RDONLY);

	return fd != -1 && close(fd) == 0;
}

static bool do_create(struct client *c)
{
	int fd = open(c->path, O_RDWR | O_CREAT | O_EXCL, 0600);

	return fd != -1 && close(fd) == 0 && unlink(c->path) == 0;
}

static bool do_read(struct client *c)
{
	return pread(c->fd, c->buf, block, some_offset(c)) == (ssize_t)block;
}

static bool do_write(struct client *c)
{
	return pwrite(c->fd, c->buf, block, some_offset(c)) == (ssize_t)block;
}

static bool do_seqread(struct client *c)
{
	return pread(c->fd, c->buf, block, next_offset(c)) == (ssize_t)block;
}

static bool do_seqwrite(struct client *c)
{
	return pwrite(c->fd, c->buf, block, next_offset(c)) == (ssize_t)block;
}

static bool do_buffered(struct client *c)
{
	if (c->next == 0 && posix_fadvise(c->fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		return false;
	return do_seqread(c);
}

static const struct operation operations[] = {
	{ "stat", do_stat, false, 'f', 0 },
	{ "open", do_open, false, 'f', 0 },
	{ "create", do_create, false, 'n', 0 },
	{ "deep", do_stat, false, 'f', DEEP },
	{ "list", do_list, false, 'l', 0 },
	{ "read", do_read, true, 'f', 0 },
	{ "write", do_write, true, 'f', 0 },
	{ "seqread", do_seqread, true, 'f', 0 },
	{ "seqwrite", do_seqwrite, true, 'f', 0 },
	{ "buffered", do_buffered, true, 'f', 0 },
	{ NULL, NULL, false, 0, 0 },
};

/* ---- measuring ------------------------------------------------------------ */

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static unsigned bucket_of(unsigned long ns)
{
	unsigned power;

	if (ns < SLICES)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzl(ns);
	return (power - 3) * SLICES + (unsigned)((ns >> (power - 4)) & (SLICES - 1));
}

/* The middle of a bucket, in us. */
static double latency_of(unsigned bucket)
{
	unsigned power = bucket / SLICES + 3;
	double slice;

	if (bucket < SLICES)
		return bucket / 1e3;
	slice = (double)(1UL << (power - 4));
	return ((double)(1UL << power) + (bucket % SLICES + 0.5) * slice) / 1e3;
}

static double percentile(double share)
{
	unsigned long sum = 0, reached = 0;
	unsigned b;

	for (int i = 0; i < threads; i++)
		for (b = 0; b < BUCKETS; b++)
			sum += clients[i].latency[b];
	for (b = 0; b < BUCKETS; b++) {
		for (int i = 0; i < threads; i++)
			reached += clients[i].latency[b];
		if (reached > 0 && (double)reached >= share * (double)sum)
			return latency_of(b);
	}
	return 0;
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	long began, ended;

	if (operation->opens && (c->fd = open(c->path, O_RDWR)) == -1)
		die(c->path);
	began = now_ns();
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		if (!operation->run(c))
			die(c->path);
		ended = now_ns();
		if (atomic_load_explicit(&counting, memory_order_relaxed))
			c->latency[bucket_of((unsigned long)(ended - began))]++;
		began = ended;
		atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
	}
	return NULL;
}

static void pause_for(double seconds)
{
	struct timespec t = { (time_t)seconds, 0 };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

static unsigned long total(void)
{
	unsigned long sum = 0;

	for (int i = 0; i < threads; i++)
		sum += atomic_load_explicit(&clients[i].done, memory_order_relaxed);
	return sum;
}

static double cpu_seconds(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* ---- setting up ----------------------------------------------------------- */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == -1)
		die("sched_setaffinity");
}

static pid_t hog_pid[CPU_SETSIZE];
static int hog_count;

/* In a session of its own, so that it competes with us as a stranger would. */
static void hog(int cpu)
{
	pid_t parent = getpid(), child = fork();
	volatile unsigned long n = 0;

	if (child == -1)
		die("fork");
	if (child != 0) {
		hog_pid[hog_count++] = child;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	setsid();
	pin(cpu);
	for (;;)
		n++;
}

static void start_hogs(void)
{
	cpu_set_t ours;
	int last = -1;

	if (sched_getaffinity(0, sizeof(ours), &ours) == -1)
		die("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &ours)) {
			if (last != -1)
				hog(last);
			last = cpu;
		}
}

static void end_hogs(void)
{
	for (int i = 0; i < hog_count; i++) {
		kill(hog_pid[i], SIGKILL);
		waitpid(hog_pid[i], NULL, 0);
	}
}

static void set_path(struct client *c, int number)
{
	char below[2 * DEEP + 1] = "";

	for (int i = 0; i < operation->depth; i++)
		strcat(below, "d/");
	snprintf(c->path, sizeof(c->path), "%s/%s%c%d", dir, below, operation->file, number);
}

static void start_clients(void)
{
	for (int i = 0; i < threads; i++) {
		struct client *c = &clients[i];

		c->seed = (unsigned)i + 1;
		c->buf = aligned_alloc(4096, (block + 4095) & ~4095UL);
		if (c->buf == NULL)
			die("memory");
		memset(c->buf, 1, block);
		set_path(c, i);
		if ((errno = pthread_create(&c->thread, NULL, client_main, c)) != 0)
			die("pthread_create");
	}
}

static bool parse(int argc, char *argv[])
{
	int c;

	while ((c = getopt(argc, argv, "t:s:k:c:b")) != -1)
		switch (c) {
		case 't': threads = atoi(optarg); break;
		case 's': run_seconds = atof(optarg); break;
		case 'k': block = (size_t)atoi(optarg) << 10; break;
		case 'c': only_cpu = atoi(optarg); break;
		case 'b': hogs = true; break;
		default: return false;
		}
	if (argc - optind != 2)
		return false;
	dir = argv[optind];
	for (operation = operations; operation->name != NULL; operation++)
		if (strcmp(operation->name, argv[optind + 1]) == 0)
			break;
	return operation->name != NULL && threads > 0 && threads <= MAX_THREADS &&
	       run_seconds > 0 && block > 0 && block <= (size_t)FILE_SIZE;
}

int main(int argc, char *argv[])
{
	unsigned long before, after;
	long began;
	double seconds;

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: client [-t THREADS] [-s SECONDS] [-k KIB] [-c CPU] [-b] "
				"DIR OPERATION\n");
		return 2;
	}
	if (hogs)
		start_hogs();
	if (only_cpu != -1)
		pin(only_cpu);
	start_clients();
	pause_for(WARM_UP);
	atomic_store(&counting, true);
	before = total();
	began = now_ns();
	pause_for(run_seconds);
	after = total();
	seconds = (double)(now_ns() - began) / 1e9;
	atomic_store(&stop, true);
	for (int i = 0; i < threads; i++)
		pthread_join(clients[i].thread, NULL);
	end_hogs();
	printf("%.1f %lu %.1f %.1f %.4f %.4f\n", (double)(after - before) / seconds, total(),
	       percentile(0.5), percentile(0.99), cpu_seconds(RUSAGE_SELF),
	       cpu_seconds(RUSAGE_CHILDREN));
	return 0;
}
