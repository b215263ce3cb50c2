/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * client: keeps a mounted nullfs busy and prints operations per second.
 *
 *   client DIR MODE THREADS SECONDS [CPU]
 *
 * MODE: stat     one stat of a name            (1 request)
 *       read4k   one 4 KiB pread               (1 request)
 *       write4k  one 4 KiB pwrite              (1 request)
 *       open     open and close                (2 requests)
 * Each thread works on a file of its own. With CPU all threads stay there;
 * otherwise the scheduler puts them where it likes. The first WARM_UP seconds
 * are not counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 512
#define WARM_UP 0.25
#define BLOCK 4096
#define BLOCKS_PER_FILE 16384

enum mode { STAT, READ4K, WRITE4K, OPEN, MODES };
static const char *const mode_names[MODES] = { "stat", "read4k", "write4k", "open" };

/* Each on a cache line of its own, or the clients would slow each other. */
struct client {
	_Alignas(128) _Atomic unsigned long done;
	pthread_t thread;
	char path[4096];
	unsigned seed;
};

static struct client clients[MAX_THREADS];
static enum mode mode;
static atomic_bool stop;

static void die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static off_t some_offset(struct client *c)
{
	c->seed = c->seed * 1103515245u + 12345u;
	return (off_t)((c->seed >> 8) % BLOCKS_PER_FILE) * BLOCK;
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	_Alignas(BLOCK) char buf[BLOCK] = { 0 };
	struct stat st;
	int fd = -1, ok = 1;

	if (mode == READ4K || mode == WRITE4K) {
		fd = open(c->path, O_RDWR);
		if (fd == -1)
			die(c->path);
	}
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		switch (mode) {
		case STAT:
			ok = stat(c->path, &st) == 0;
			break;
		case READ4K:
			ok = pread(fd, buf, BLOCK, some_offset(c)) == BLOCK;
			break;
		case WRITE4K:
			ok = pwrite(fd, buf, BLOCK, some_offset(c)) == BLOCK;
			break;
		default:
			fd = open(c->path, O_RDONLY);
			ok = fd != -1 && close(fd) == 0;
		}
		if (!ok)
			die(c->path);
		atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_for(double seconds)
{
	struct timespec t = { (time_t)seconds, 0 };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

static unsigned long total(int threads)
{
	unsigned long sum = 0;

	for (int i = 0; i < threads; i++)
		sum += atomic_load_explicit(&clients[i].done, memory_order_relaxed);
	return sum;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == -1)
		die("sched_setaffinity");
}

int main(int argc, char *argv[])
{
	unsigned long before, after;
	double began, seconds;
	int threads;

	if (argc < 5 || argc > 6) {
		fprintf(stderr,
			"usage: client DIR stat|read4k|write4k|open THREADS SECONDS [CPU]\n");
		return 2;
	}
	while (mode < MODES && strcmp(argv[2], mode_names[mode]) != 0)
		mode++;
	threads = atoi(argv[3]);
	seconds = atof(argv[4]);
	if (mode == MODES || threads < 1 || threads > MAX_THREADS || seconds <= 0) {
		fprintf(stderr, "client: wrong mode, number of threads or of seconds\n");
		return 2;
	}
	if (argc == 6)
		pin(atoi(argv[5]));
	for (int i = 0; i < threads; i++) {
		clients[i].seed = (unsigned)i + 1;
		snprintf(clients[i].path, sizeof(clients[i].path), "%s/f%d", argv[1], i);
		if ((errno = pthread_create(&clients[i].thread, NULL, client_main, &clients[i])) !=
		    0)
			die("pthread_create");
	}
	pause_for(WARM_UP);
	before = total(threads);
	began = now();
	pause_for(seconds);
	after = total(threads);
	seconds = now() - began;
	atomic_store(&stop, true);
	for (int i = 0; i < threads; i++)
		pthread_join(clients[i].thread, NULL);
	printf("%.0f %lu\n", (double)(after - before) / seconds, total(threads));
	return 0;
}
