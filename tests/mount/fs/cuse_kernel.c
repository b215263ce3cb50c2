/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The kernel's side of cuse_fake: what it sends to a device, and what it expects.
 */
#include "cuse_fake.h"
#include <linux/fuse.h>
#include <poll.h>
#include <sys/socket.h>

static char reply[200000];
static struct fuse_out_header out;
static int fd, failed;

static void send_request(uint32_t opcode, uint64_t unique, const void *arg, size_t size, const void *data,
			 size_t data_size)
{
	static char msg[200000];
	struct fuse_in_header in = { .len = (uint32_t)(sizeof(in) + size + data_size), .opcode = opcode,
				     .unique = unique };

	memcpy(msg, &in, sizeof(in));
	memcpy(msg + sizeof(in), arg, size);
	memcpy(msg + sizeof(in) + size, data, data_size);
	if (write(fd, msg, in.len) != (ssize_t)in.len)
		failed = 1;
}

/* The next message: its error, or -1 if none comes; the data is in reply. */
static int receive(void)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char msg[200000];
	ssize_t n;

	if (poll(&p, 1, 5000) != 1)
		return -1;
	n = read(fd, msg, sizeof(msg));
	if (n < (ssize_t)sizeof(out))
		return -1;
	memcpy(&out, msg, sizeof(out));
	memcpy(reply, msg + sizeof(out), (size_t)n - sizeof(out));
	if (out.len != (size_t)n)
		return -1;
	return -out.error;
}

static int ask(uint32_t opcode, const void *arg, size_t size, const void *data, size_t data_size)
{
	static uint64_t unique;

	unique += 2;
	send_request(opcode, unique, arg, size, data, data_size);
	if (receive() == -1 || out.unique != unique)
		return -1;
	return -out.error;
}

static size_t got(void)
{
	return out.len - sizeof(out);
}

#define STEP(n, condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "kernel: step %d: error %d, %zu bytes\n", n, out.error, got()); \
			return 10 + (n); \
		} \
	} while (0)

static int initialise(void)
{
	struct cuse_init_in in = { .major = 7, .minor = 45, .flags = CUSE_UNRESTRICTED_IOCTL };
	struct cuse_init_out *o = (void *)reply;
	static const char text[] = "DEVNAME=test\0COLOR=blue";

	STEP(1, ask(CUSE_INIT, &in, sizeof(in), "", 0) == 0);
	STEP(2, got() == sizeof(*o) + sizeof(text) && !memcmp(o + 1, text, sizeof(text)));
	STEP(3, o->major == 7 && o->minor >= 11 && o->flags == CUSE_UNRESTRICTED_IOCTL);
	fprintf(stderr, "kernel: max_read %u max_write %u\n", o->max_read, o->max_write);
	STEP(4, o->max_read == 131072 && o->max_write >= 4096 && o->dev_major == 230 && o->dev_minor == 5);
	return 0;
}

static int files(void)
{
	struct fuse_open_in open_in = { .flags = 02 }, excl = { .flags = 0200 };
	struct fuse_read_in read_in = { .fh = 77, .size = 100 };
	struct fuse_write_in write_in = { .fh = 77, .size = 5 };
	struct fuse_flush_in flush = { .fh = 77 };
	struct fuse_fsync_in fsync_in = { .fh = 77, .fsync_flags = 1 };
	static char large[100000];

	STEP(10, ask(FUSE_OPEN, &excl, sizeof(excl), "", 0) == EBUSY);
	STEP(11, ask(FUSE_OPEN, &open_in, sizeof(open_in), "", 0) == 0 &&
			 ((struct fuse_open_out *)reply)->fh == 77);
	STEP(12, ask(FUSE_READ, &read_in, sizeof(read_in), "", 0) == 0 && got() == 100 && reply[99] == 'd');
	read_in.size = 131072;
	STEP(13, ask(FUSE_READ, &read_in, sizeof(read_in), "", 0) == 0 && got() == 131072);
	STEP(14, ask(FUSE_WRITE, &write_in, sizeof(write_in), "hello", 5) == 0 &&
			 ((struct fuse_write_out *)reply)->size == 5);
	write_in.size = sizeof(large);
	STEP(15, ask(FUSE_WRITE, &write_in, sizeof(write_in), large, sizeof(large)) == 0 &&
			 ((struct fuse_write_out *)reply)->size == sizeof(large));
	STEP(16, ask(FUSE_FLUSH, &flush, sizeof(flush), "", 0) == 0);
	STEP(17, ask(FUSE_FSYNC, &fsync_in, sizeof(fsync_in), "", 0) == EIO);
	STEP(18, ask(FUSE_LOOKUP, "", 0, "name", 5) == ENOSYS);
	return 0;
}

static int ioctls(void)
{
	struct fuse_ioctl_in in = { .fh = 77, .flags = FUSE_IOCTL_UNRESTRICTED | FUSE_IOCTL_32BIT, .cmd = 42,
				    .arg = 0x1000 };
	struct fuse_ioctl_out *o = (void *)reply;
	struct fuse_ioctl_iovec *v = (void *)(o + 1);

	STEP(20, ask(FUSE_IOCTL, &in, sizeof(in), "", 0) == 0 && got() == sizeof(*o) + 3 * sizeof(*v));
	STEP(21, o->flags == FUSE_IOCTL_RETRY && o->in_iovs == 2 && o->out_iovs == 1);
	STEP(22, v[0].base == 0x1000 && v[0].len == 8 && v[1].base == 0x1064 && v[1].len == 4);
	STEP(23, v[2].base == 0x10c8 && v[2].len == 12);
	in.in_size = in.out_size = 12;
	STEP(24, ask(FUSE_IOCTL, &in, sizeof(in), "abcdefghijkl", 12) == 0 && got() == sizeof(*o) + 12);
	STEP(25, o->result == -42 && o->flags == 0 && !memcmp(v, "abcdefghijkl", 12));
	return 0;
}

static int waiting(int single_threaded)
{
	struct fuse_poll_in in = { .fh = 77, .kh = 4711, .events = POLLIN };
	struct fuse_read_in read_in = { .fh = 77, .size = 13 };
	struct fuse_interrupt_in interrupt = { .unique = 1000 };

	STEP(30, ask(FUSE_POLL, &in, sizeof(in), "", 0) == 0 &&
			 ((struct fuse_poll_out *)reply)->revents == POLLIN);
	in.flags = FUSE_POLL_SCHEDULE_NOTIFY;
	STEP(31, ask(FUSE_POLL, &in, sizeof(in), "", 0) == 0);
	STEP(32, receive() == -FUSE_NOTIFY_POLL && out.unique == 0 &&
			 ((struct fuse_notify_poll_wakeup_out *)reply)->kh == 4711);
	if (single_threaded)
		return 0;
	send_request(FUSE_READ, 1000, &read_in, sizeof(read_in), "", 0);
	usleep(100000);
	send_request(FUSE_INTERRUPT, 1001, &interrupt, sizeof(interrupt), "", 0);
	STEP(33, receive() == EINTR && out.unique == 1000);
	return 0;
}

int play_kernel(int end, int single_threaded)
{
	struct fuse_release_in release = { .fh = 77 };
	int step;

	fd = end;
	step = initialise();
	step = step ? step : files();
	step = step ? step : ioctls();
	step = step ? step : waiting(single_threaded);
	if (step)
		return step;
	STEP(40, ask(FUSE_RELEASE, &release, sizeof(release), "", 0) == 0 && !failed);
	return 0;
}
