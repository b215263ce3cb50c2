/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A program with a loop of its own: own_loop_ll [-o options]... MOUNTPOINT...
 * One session per mount point, all served from one epoll through
 * fuse_session_fd, fuse_session_receive_buf and fuse_session_process_buf.
 * Ends when all sessions have exited.
 */
#include "hello.h"
#include <sys/epoll.h>

#define MAX_SESSIONS 4

/* One message. Returns 0 when the session is over. */
static int serve(struct fuse_session *se, struct fuse_buf *buf)
{
	int n = fuse_session_receive_buf(se, buf);

	if (n == -EINTR || n == -EAGAIN)
		return 1;
	if (n <= 0)
		return 0;
	fuse_session_process_buf(se, buf);
	return !fuse_session_exited(se);
}

int main(int argc, char **argv)
{
	struct fuse_session *se[MAX_SESSIONS] = { 0 };
	int n = 0, left, ep = epoll_create1(EPOLL_CLOEXEC);
	struct fuse_buf buf = { 0 };

	for (int i = 1; i < argc; i++) {
		struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

		if (argv[i][0] == '-') {
			i += !strcmp(argv[i], "-o");
			continue;
		}
		fuse_opt_add_arg(&args, argv[0]);
		for (int k = 1; k < argc - 1; k++)
			if (!strcmp(argv[k], "-o")) {
				fuse_opt_add_arg(&args, "-o");
				fuse_opt_add_arg(&args, argv[k + 1]);
			}
		se[n] = fuse_session_new(&args, &hello_ops, sizeof(hello_ops), &se[n]);
		fuse_opt_free_args(&args);
		if (!se[n] || fuse_session_mount(se[n], argv[i]) != 0)
			return 1;
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)n };

		epoll_ctl(ep, EPOLL_CTL_ADD, fuse_session_fd(se[n]), &event);
		n++;
	}
	for (left = n; left > 0;) {
		struct epoll_event event;

		if (epoll_wait(ep, &event, 1, -1) != 1)
			continue;
		int i = (int)event.data.u32;

		if (!serve(se[i], &buf)) {
			epoll_ctl(ep, EPOLL_CTL_DEL, fuse_session_fd(se[i]), NULL);
			fuse_session_unmount(se[i]);
			fuse_session_destroy(se[i]);
			left--;
		}
	}
	free(buf.mem);
	return 0;
}
