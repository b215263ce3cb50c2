/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a filesystem needs around its session, without a mount:
 *   helpers fail N [own]       dies of signal N with the failure handlers; own: the program has a handler itself
 *   helpers removed N          the same after fuse_remove_signal_handlers
 *   helpers signals            which signals are handled when
 *   helpers daemonize 0|1 FILE what fuse_daemonize leaves; the result is written to FILE
 *   helpers syslog             messages go to syslog
 */
#include "common.h"
#include <fcntl.h>
#include <fuse_log.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <syslog.h>

static struct fuse_session *new_session(void)
{
	static const struct fuse_lowlevel_ops none;
	char *argv[] = { "helpers", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	return fuse_session_new(&args, &none, sizeof(none), NULL);
}

static void own(int number)
{
	fprintf(stderr, "own handler %d\n", number);
	_exit(33);
}

static int die(int number, int with_own, int removed)
{
	struct fuse_session *se = new_session();

	if (with_own)
		signal(number, own);
	if (fuse_set_signal_handlers(se) != 0 || fuse_set_fail_signal_handlers(se) != 0)
		return 2;
	if (removed)
		fuse_remove_signal_handlers(se);
	raise(number);
	return 3;
}

static char disposition(int number)
{
	struct sigaction now;

	sigaction(number, NULL, &now);
	return now.sa_handler == SIG_DFL ? 'd' : now.sa_handler == SIG_IGN ? 'i' : 'h';
}

static void show(const char *when)
{
	printf("%s %c%c%c%c\n", when, disposition(SIGHUP), disposition(SIGINT), disposition(SIGTERM),
	       disposition(SIGPIPE));
}

static int signals(void)
{
	struct fuse_session *se = new_session();

	signal(SIGINT, SIG_IGN);
	show("before");
	if (fuse_set_signal_handlers(se) != 0)
		return 2;
	show("set");
	raise(SIGPIPE);
	printf("exited %d\n", fuse_session_exited(se));
	raise(SIGHUP);
	printf("exited %d\n", fuse_session_exited(se));
	fuse_remove_signal_handlers(se);
	show("removed");
	fuse_session_destroy(se);
	return 0;
}

static void *another(void *arg)
{
	return arg;
}

static int daemonize(int foreground, const char *file)
{
	char cwd[PATH_MAX], link[3][PATH_MAX] = { "", "", "" };
	pid_t before = getpid();
	pthread_t thread;
	FILE *f;

	if (fuse_daemonize(foreground) != 0)
		return 2;
	usleep(300000); /* the parent has to have waited for more than the fork */
	for (int i = 0; i < 3; i++) {
		char name[64];
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", i);
		n = readlink(name, link[i], PATH_MAX - 1);
		link[i][n > 0 ? n : 0] = 0;
	}
	f = fopen(file, "w");
	if (!f)
		return 3;
	fprintf(f, "same=%d leader=%d cwd=%s in=%s out=%s err=%s threads=%d ", getpid() == before,
		getsid(0) == getpid(), getcwd(cwd, sizeof(cwd)), link[0], link[1], link[2],
		count_proc("/proc/self/task"));
	fprintf(f, "thread=%d\n", pthread_create(&thread, NULL, another, NULL) == 0 &&
					  pthread_join(thread, NULL) == 0);
	return fclose(f);
}

static int to_syslog(void)
{
	fuse_log_enable_syslog("helpers-test", LOG_PID, LOG_DAEMON);
	fuse_log(FUSE_LOG_ERR, "an error %d\n", 5);
	fuse_log(FUSE_LOG_DEBUG, "a detail %s\n", "x");
	fuse_log_close_syslog();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "fail"))
		return die(atoi(argv[2]), argc > 3, 0);
	if (argc > 2 && !strcmp(argv[1], "removed"))
		return die(atoi(argv[2]), 0, 1);
	if (argc > 3 && !strcmp(argv[1], "daemonize"))
		return daemonize(atoi(argv[2]), argv[3]);
	if (argc > 1 && !strcmp(argv[1], "syslog"))
		return to_syslog();
	return signals();
}
