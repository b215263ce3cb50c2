/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The ways in which a handler of probe_ll waits.
 */
#include "probe.h"
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void sleep_ms(int ms)
{
	double end = now() + ms / 1e3;

	for (;;) {
		double left = end - now();
		struct timespec t = { (time_t)left, (long)((left - (time_t)left) * 1e9) };

		if (left <= 0)
			return;
		if (nanosleep(&t, NULL) != 0)
			eintrs++;
	}
}

static void on_interrupt(fuse_req_t req, void *data)
{
	(void)req;
	sem_post(data);
}

void wait_interrupt(fuse_req_t req, int late)
{
	sem_t sem;
	struct timespec ts;
	int got;

	sem_init(&sem, 0, 0);
	if (late)
		sleep_ms(300);
	fuse_req_interrupt_func(req, on_interrupt, &sem);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 10;
	got = sem_timedwait(&sem, &ts) == 0;
	/* From here on the function must not be called any more. */
	fuse_req_interrupt_func(req, NULL, NULL);
	interrupted += got;
	fuse_reply_err(req, EINTR);
	sem_destroy(&sem);
}

void poll_interrupt(fuse_req_t req)
{
	double end = now() + 10;
	struct timespec t = { 0, 1000000 };

	while (now() < end && !fuse_req_interrupted(req))
		nanosleep(&t, NULL);
	interrupted += fuse_req_interrupted(req);
	fuse_reply_err(req, EINTR);
}

struct waiter {
	int pipe[2], sock[2], epoll, semop;
	sem_t sem;
};

/* One wait of 20 ms for something that does not happen. */
static int wait_once(struct waiter *w, const char *kind)
{
	struct timespec t = { 0, 20000000 }, abs;
	struct epoll_event event;
	struct pollfd fd = { .fd = w->pipe[0], .events = POLLIN };
	struct sembuf op = { 0, -1, 0 };
	char c;

	if (!strcmp(kind, "poll"))
		return poll(&fd, 1, 20);
	if (!strcmp(kind, "epoll"))
		return epoll_wait(w->epoll, &event, 1, 20);
	if (!strcmp(kind, "recv"))
		return (int)recv(w->sock[0], &c, 1, 0);
	if (!strcmp(kind, "semop"))
		return semtimedop(w->semop, &op, 1, &t);
	if (strcmp(kind, "sem"))
		return nanosleep(&t, NULL);
	clock_gettime(CLOCK_REALTIME, &abs);
	abs.tv_nsec += 20000000;
	abs.tv_sec += abs.tv_nsec / 1000000000;
	abs.tv_nsec %= 1000000000;
	return sem_timedwait(&w->sem, &abs);
}

void count_eintr(const char *kind, int ms)
{
	double end = now() + ms / 1e3;
	struct waiter w = { .epoll = epoll_create1(0), .semop = semget(IPC_PRIVATE, 1, 0600) };
	struct timeval timeout = { 0, 20000 };

	if (pipe(w.pipe) != 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, w.sock) != 0)
		abort();
	setsockopt(w.sock[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	sem_init(&w.sem, 0, 0);
	while (now() < end)
		eintrs += wait_once(&w, kind) < 0 && errno == EINTR;
	semctl(w.semop, 0, IPC_RMID);
	close(w.epoll);
	close(w.pipe[0]);
	close(w.pipe[1]);
	close(w.sock[0]);
	close(w.sock[1]);
	sem_destroy(&w.sem);
}

struct late_write {
	int fd, ms;
};

static void *write_later(void *arg)
{
	struct late_write *w = arg;
	struct timespec t = { w->ms / 1000, w->ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
	if (write(w->fd, "x", 1) != 1)
		abort();
	return NULL;
}

/* read() on a pipe that stays empty for MS. */
void count_eintr_pipe(int ms)
{
	int p[2];
	char c;
	pthread_t t;

	if (pipe(p) != 0)
		return;
	struct late_write w = { p[1], ms };

	pthread_create(&t, NULL, write_later, &w);
	while (read(p[0], &c, 1) < 0 && errno == EINTR)
		eintrs++;
	pthread_join(t, NULL);
	close(p[0]);
	close(p[1]);
}

void wait_flag(void)
{
	double end = now() + 5;
	const char *flag = getenv("PROBE_FLAG");
	struct timespec t = { 0, 2000000 };

	while (flag && now() < end && access(flag, F_OK) != 0)
		nanosleep(&t, NULL);
}

