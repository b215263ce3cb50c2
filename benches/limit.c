/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * limit: nullfs without a library, as a measure of what the kernel and the
 * machine allow. It serves stat, open, read and write over FUSE's io_uring
 * queues and does nothing that a library must do: no threads beyond one per
 * queue, so a handler that blocks blocks its CPU; no interrupts; no answers
 * from elsewhere; no limits; no options; no clean end.
 *
 *   limit MOUNTPOINT      (root; goes to the background)
 *
 * Each thread is bound to its queue's CPU and owns an io_uring with ENTRIES
 * entries. Having answered, it looks for the next request for SPIN_NS, giving
 * way to others (sched_yield), before it sleeps.
 * LIMIT_ENTRIES and LIMIT_SPIN_US in the environment change both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 4
#define SPIN_US 50
#define MAX_ENTRIES 64

#define FILES 512
#define FIRST_INO 2
#define FILE_SIZE (64ULL << 20)
#define NAME_TIMEOUT 86400
#define MAX_WRITE (128 << 10)
#define DEVICE_BUFFER (MAX_WRITE + 4096)

/* The ring's part of the protocol: newer than many distributions' headers. */
#define WANT_RING (1U << 9) /* in flags2 */
#ifndef FUSE_INIT_EXT
#define FUSE_INIT_EXT (1U << 30)
#endif
#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif
enum { RING_REGISTER = 1, RING_COMMIT_AND_FETCH = 2 };

struct entry_state {
	uint64_t flags, commit_id;
	uint32_t payload_size, padding;
	uint64_t reserved;
};

struct entry_header {
	union {
		struct fuse_in_header in;
		struct fuse_out_header out;
		char room1[128];
	};
	char operation[128];
	struct entry_state state;
};

struct entry_command {
	uint64_t flags, commit_id;
	uint16_t queue;
	uint8_t padding[6];
};

struct entry {
	struct entry_header *header;
	char *payload;
	struct iovec iov[2];
};

static int device;
static unsigned entries = ENTRIES;
static long spin_ns = SPIN_US * 1000L;

static void die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the filesystem ------------------------------------------------------- */

static void fill_attr(uint64_t ino, struct fuse_attr *a)
{
	memset(a, 0, sizeof(*a));
	a->ino = ino;
	a->mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666;
	a->nlink = 1;
	a->size = ino == FUSE_ROOT_ID ? 0 : FILE_SIZE;
}

static int do_lookup(const char *name, void *out)
{
	struct fuse_entry_out *e = out;
	unsigned long n;
	char *end;

	if (name[0] != 'f' || (n = strtoul(name + 1, &end, 10)) >= FILES || *end != '\0')
		return -ENOENT;
	memset(e, 0, sizeof(*e));
	e->nodeid = FIRST_INO + n;
	e->entry_valid = NAME_TIMEOUT;
	fill_attr(e->nodeid, &e->attr);
	return sizeof(*e);
}

static int do_getattr(uint64_t ino, void *out)
{
	struct fuse_attr_out *a = out;

	memset(a, 0, sizeof(*a));
	fill_attr(ino, &a->attr);
	return sizeof(*a);
}

static int do_open(void *out)
{
	struct fuse_open_out *o = out;

	memset(o, 0, sizeof(*o));
	o->open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	return sizeof(*o);
}

static int do_read(const struct fuse_read_in *in, void *out)
{
	uint32_t size = in->size < MAX_WRITE ? in->size : MAX_WRITE;

	memset(out, 0, size);
	return (int)size;
}

static int do_write(uint32_t size, void *out)
{
	struct fuse_write_out *w = out;

	w->size = size;
	w->padding = 0;
	return sizeof(*w);
}

/* The size of the answer in `out`, or a negative errno. */
static int answer(const struct fuse_in_header *in, const void *argument, const char *rest,
		  void *out)
{
	switch (in->opcode) {
	case FUSE_LOOKUP: return do_lookup(rest, out);
	case FUSE_GETATTR: return do_getattr(in->nodeid, out);
	case FUSE_OPEN: return do_open(out);
	case FUSE_READ: return do_read(argument, out);
	case FUSE_WRITE: return do_write(((const struct fuse_write_in *)argument)->size, out);
	case FUSE_RELEASE: return 0;
	default: return -ENOSYS;
	}
}

/* ---- queues --------------------------------------------------------------- */

static void command(struct io_uring *ring, struct entry *e, unsigned n, int op, int queue)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct entry_command *c;

	if (sqe == NULL)
		die("submission queue");
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = 0;
	sqe->cmd_op = (uint32_t)op;
	sqe->user_data = n;
	c = (struct entry_command *)sqe->cmd;
	c->queue = (uint16_t)queue;
	if (op == RING_REGISTER) {
		sqe->addr = (uintptr_t)e->iov;
		sqe->len = 2;
	} else {
		c->commit_id = e->header->state.commit_id;
	}
}

static void serve(struct entry *e)
{
	struct entry_header *h = e->header;
	uint64_t unique = h->in.unique;
	int res = answer(&h->in, h->operation, e->payload, e->payload);

	h->out.unique = unique;
	h->out.error = res < 0 ? res : 0;
	h->out.len = (uint32_t)(sizeof(h->out) + (res > 0 ? (unsigned)res : 0));
	h->state.payload_size = res > 0 ? (uint32_t)res : 0;
}

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* Submits, then spins for a while, then sleeps until there is a completion. */
static void wait_for_work(struct io_uring *ring)
{
	long end;

	io_uring_submit_and_get_events(ring);
	end = now_ns() + spin_ns;
	while (io_uring_cq_ready(ring) == 0 && now_ns() < end) {
		if (*(volatile unsigned *)ring->sq.kflags & IORING_SQ_TASKRUN)
			io_uring_get_events(ring);
		else
			sched_yield();
	}
	while (io_uring_cq_ready(ring) == 0)
		if (io_uring_submit_and_wait(ring, 1) < 0 && errno != EINTR)
			die("io_uring_enter");
}

static void make_entry(struct entry *e)
{
	e->header = aligned_alloc(4096, 4096);
	e->payload = mmap(NULL, MAX_WRITE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (e->header == NULL || e->payload == MAP_FAILED)
		die("memory");
	e->iov[0] = (struct iovec){ e->header, sizeof(*e->header) };
	e->iov[1] = (struct iovec){ e->payload, MAX_WRITE };
}

static void set_up(struct io_uring *ring)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	};

	if ((errno = -io_uring_queue_init_params(MAX_ENTRIES, ring, &p)) != 0)
		die("io_uring_setup");
	if ((errno = -io_uring_register_files(ring, &device, 1)) != 0)
		die("register file");
	io_uring_register_ring_fd(ring);
}

static void *queue_main(void *arg)
{
	int queue = (int)(intptr_t)arg;
	struct entry entry[MAX_ENTRIES];
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(queue, &set);
	sched_setaffinity(0, sizeof(set), &set); /* in vain for a CPU that is not there */
	set_up(&ring);
	for (unsigned n = 0; n < entries; n++) {
		make_entry(&entry[n]);
		command(&ring, &entry[n], n, RING_REGISTER, queue);
	}
	for (;;) {
		wait_for_work(&ring);
		while (io_uring_peek_cqe(&ring, &cqe) == 0) {
			unsigned n = (unsigned)cqe->user_data;
			int res = cqe->res;

			io_uring_cqe_seen(&ring, cqe);
			if (res != 0)
				exit(res == -ENOTCONN || res == -ECONNABORTED ? 0 : 1);
			serve(&entry[n]);
			command(&ring, &entry[n], n, RING_COMMIT_AND_FETCH, queue);
		}
	}
}

/* ---- the device ----------------------------------------------------------- */

static void reply_init(const struct fuse_in_header *in, const struct fuse_init_in *init)
{
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} out;

	if (!(init->flags & FUSE_INIT_EXT) || !(init->flags2 & WANT_RING)) {
		errno = EOPNOTSUPP;
		die("the kernel offers no ring");
	}
	memset(&out, 0, sizeof(out));
	out.header = (struct fuse_out_header){ sizeof(out), 0, in->unique };
	out.init.major = 7;
	out.init.minor = init->minor < 42 ? init->minor : 42;
	out.init.max_readahead = init->max_readahead;
	out.init.flags = FUSE_INIT_EXT | FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS;
	out.init.flags2 = WANT_RING;
	out.init.max_write = MAX_WRITE;
	if (write(device, &out, sizeof(out)) != sizeof(out))
		die("INIT");
}

static void reply_on_device(const struct fuse_in_header *in)
{
	static char out[DEVICE_BUFFER];
	struct fuse_out_header *header = (struct fuse_out_header *)out;
	const char *argument = (const char *)(in + 1);
	int res = answer(in, argument, argument, out + sizeof(*header));

	header->unique = in->unique;
	header->error = res < 0 ? res : 0;
	header->len = (uint32_t)(sizeof(*header) + (res > 0 ? (unsigned)res : 0));
	if (write(device, out, header->len) < 0 && errno != ENOENT)
		die("write");
}

static void start_queues(void)
{
	pthread_t thread;

	for (int cpu = 0; cpu < get_nprocs_conf(); cpu++)
		if (pthread_create(&thread, NULL, queue_main, (void *)(intptr_t)cpu) != 0)
			die("pthread_create");
}

static void device_main(void)
{
	static char buffer[DEVICE_BUFFER];
	const struct fuse_in_header *in = (const struct fuse_in_header *)buffer;

	for (;;) {
		if (read(device, buffer, sizeof(buffer)) < 0) {
			if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
				continue;
			exit(errno == ENODEV ? 0 : 1);
		}
		if (in->opcode == FUSE_INIT) {
			reply_init(in, (const void *)(in + 1));
			start_queues();
		} else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET &&
			   in->opcode != FUSE_INTERRUPT) {
			reply_on_device(in);
		}
	}
}

int main(int argc, char *argv[])
{
	const char *spin = getenv("LIMIT_SPIN_US"), *depth = getenv("LIMIT_ENTRIES");
	char options[128];

	if (argc != 2) {
		fprintf(stderr, "usage: limit MOUNTPOINT\n");
		return 2;
	}
	if (spin != NULL)
		spin_ns = atol(spin) * 1000;
	if (depth != NULL && atoi(depth) > 0 && atoi(depth) <= MAX_ENTRIES)
		entries = (unsigned)atoi(depth);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device == -1)
		die("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 device);
	if (mount("limit", argv[1], "fuse.limit", MS_NOSUID | MS_NODEV, options) == -1)
		die("mount");
	if (daemon(0, 0) == -1)
		die("daemon");
	device_main();
}
