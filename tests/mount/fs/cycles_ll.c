/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * cycles_ll COUNT [options] MOUNTPOINT: new, mount, loop_mt, unmount and
 * destroy COUNT times in one process; a child reads the file each time, and
 * the end comes in turn by a handler's exit, by umount and by a signal. Says
 * what is left after cycle 5 and after the last one, and fails if that grew.
 */
#include "hello.h"
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

struct left {
	int tasks, fds, maps;
};

static struct left look(void)
{
	/* The kernel shows threads for a moment after they were joined. */
	for (int i = 0; i < 100 && count_proc("/proc/self/task") > 1; i++)
		usleep(10000);
	return (struct left){ count_proc("/proc/self/task"), count_proc("/proc/self/fd"),
			      count_proc("/proc/self/maps") };
}

/* The client: reads, then ends the mount in the manner of this cycle. */
static void client(const char *mnt, int cycle, pid_t daemon)
{
	char path[512], text[16] = "";
	struct stat st;

	/* The inherited /dev/fuse would keep a connection alive without a daemon. */
	close_range(3, ~0u, 0);
	snprintf(path, sizeof(path), "%s/hello", mnt);
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text)) != 6 || strcmp(text, hello_text))
		_exit(1);
	close(fd);
	snprintf(path, sizeof(path), "%s/exit", mnt);
	if (cycle % 3 == 0)
		stat(path, &st);
	else if (cycle % 3 == 1)
		umount2(mnt, MNT_DETACH);
	else
		kill(daemon, SIGTERM);
	_exit(0);
}

static int cycle_once(int cycle, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	struct fuse_session *se = NULL;
	int status, ret;

	if (fuse_parse_cmdline(&args, &opts) != 0)
		return 1;
	se = fuse_session_new(&args, &hello_ops, sizeof(hello_ops), &se);
	if (!se || fuse_set_signal_handlers(se) != 0 || fuse_session_mount(se, opts.mountpoint) != 0)
		return 1;
	pid_t self = getpid(), pid = fork();

	if (pid == 0)
		client(opts.mountpoint, cycle, self);
	ret = fs_loop(se, &opts);
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	waitpid(pid, &status, 0);
	if (status != 0)
		fprintf(stderr, "cycle %d: client status %x, loop %d\n", cycle, status, ret);
	return status != 0;
}

int main(int argc, char **argv)
{
	int count = atoi(argv[1]);
	struct left early = { 0 }, late;

	mallopt(M_ARENA_MAX, 1); /* else the number of mappings is malloc's whim */
	argv[1] = argv[0];
	for (int i = 0; i < count; i++) {
		if (cycle_once(i, argc - 1, argv + 1) != 0)
			return 1;
		if (i == 4)
			early = look();
	}
	late = look();
	fprintf(stderr, "tasks %d -> %d, fds %d -> %d, maps %d -> %d\n", early.tasks, late.tasks,
		early.fds, late.fds, early.maps, late.maps);
	if (late.tasks > early.tasks || late.fds > early.fds || late.maps > early.maps + 16) /* thread stacks kept by libc */
		return 2;
	return late.tasks != 1 || late.fds > 5 ? 3 : 0;
}
