/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fuse_buf_size and fuse_buf_copy: what is copied, what is returned, and where idx and off are afterwards. */
#define FUSE_USE_VERSION 318
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(x)                                                              \
	do {                                                                  \
		if (!(x)) {                                                   \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			exit(1);                                              \
		}                                                             \
	} while (0)

#define CHECK_EQ(a, b)                                                        \
	do {                                                                  \
		long long a_ = (long long)(a), b_ = (long long)(b);           \
		if (a_ != b_) {                                               \
			fprintf(stderr, "%s:%d: %s is %lld, not %s (%lld)\n", \
				__FILE__, __LINE__, #a, a_, #b, b_);          \
			exit(1);                                              \
		}                                                             \
	} while (0)

/* A vector of up to four buffers. */
union vec {
	struct fuse_bufvec v;
	char room[sizeof(struct fuse_bufvec) + 3 * sizeof(struct fuse_buf)];
};

static void start(union vec *u)
{
	memset(u, 0, sizeof(*u));
}

static void add_mem(union vec *u, void *mem, size_t size)
{
	struct fuse_buf *b = &u->v.buf[u->v.count++];

	memset(b, 0, sizeof(*b));
	b->mem = mem;
	b->size = size;
	b->fd = -1;
}

static void add_fd(union vec *u, int fd, size_t size, int flags, off_t pos)
{
	struct fuse_buf *b = &u->v.buf[u->v.count++];

	memset(b, 0, sizeof(*b));
	b->flags = FUSE_BUF_IS_FD | flags;
	b->fd = fd;
	b->size = size;
	b->pos = pos;
}

#define AT(u, i, o)                                                           \
	do {                                                                  \
		CHECK_EQ((u).v.idx, i);                                       \
		CHECK_EQ((u).v.off, o);                                       \
	} while (0)

static int file_with(const char *text)
{
	int fd = memfd_create("buf", 0);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void check_file(int fd, const char *text)
{
	char got[65536];
	ssize_t n = pread(fd, got, sizeof(got), 0);

	CHECK_EQ(n, (ssize_t)strlen(text));
	CHECK(memcmp(got, text, n) == 0);
}

static void sizes(void)
{
	union vec u;

	start(&u);
	CHECK_EQ(fuse_buf_size(&u.v), 0);
	add_mem(&u, NULL, 3);
	add_fd(&u, -1, 4, 0, 0);
	CHECK_EQ(fuse_buf_size(&u.v), 7);
	u.v.idx = 1;
	u.v.off = 2;
	CHECK_EQ(fuse_buf_size(&u.v), 7);
	add_fd(&u, -1, SIZE_MAX, 0, 0);
	CHECK(fuse_buf_size(&u.v) == SIZE_MAX);
}

static void mem_to_mem(void)
{
	char a[] = "hello world", b[16] = { 0 }, c[8] = { 0 };
	union vec s, d;

	/* Source ends first; the destination then stays where it was. */
	start(&s), start(&d);
	add_mem(&s, a, 5);
	add_mem(&d, b, 16);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 5);
	CHECK(strcmp(b, "hello") == 0);
	AT(s, 1, 5);
	AT(d, 0, 0);
	/* An exhausted source gives nothing more. */
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 0);
	AT(s, 1, 5);
	AT(d, 0, 0);

	/* Destination ends first; a second one takes the rest. */
	start(&s), start(&d);
	add_mem(&s, a, 11);
	add_mem(&d, c, 4);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 4);
	AT(s, 0, 4);
	AT(d, 1, 4);
	start(&d);
	memset(c, 0, sizeof(c));
	add_mem(&d, c, 7);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 7);
	CHECK(strcmp(c, "o world") == 0);
	AT(s, 1, 11);
	AT(d, 0, 0);

	/* Many to many, with an empty one in between. */
	start(&s), start(&d);
	memset(b, 0, sizeof(b));
	add_mem(&s, a, 2);
	add_mem(&s, a, 0);
	add_mem(&s, a + 2, 3);
	add_mem(&d, b, 1);
	add_mem(&d, b + 1, 3);
	add_mem(&d, b + 4, 9);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 5);
	CHECK(strcmp(b, "hello") == 0);
	AT(s, 3, 3);
	AT(d, 2, 0);

	/* Starting in the middle. */
	start(&s), start(&d);
	memset(b, 0, sizeof(b));
	add_mem(&s, a, 2);
	add_mem(&s, a, 11);
	s.v.idx = 1;
	s.v.off = 6;
	add_mem(&d, b, 16);
	d.v.off = 3;
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 5);
	CHECK(memcmp(b, "\0\0\0world", 8) == 0);
	AT(d, 0, 3);

	/* Overlapping, both ways. */
	start(&s), start(&d);
	strcpy(b, "0123456789");
	add_mem(&s, b, 8);
	add_mem(&d, b + 2, 8);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 8);
	CHECK(strcmp(b, "0101234567") == 0);
	start(&s), start(&d);
	strcpy(b, "0123456789");
	add_mem(&s, b + 2, 8);
	add_mem(&d, b, 8);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 8);
	CHECK(strcmp(b, "2345678989") == 0);

	/* Onto itself: nothing moves, nothing advances. */
	start(&s);
	add_mem(&s, a, 11);
	CHECK_EQ(fuse_buf_copy(&s.v, &s.v, 0), 11);
	AT(s, 0, 0);

	/* Nothing at all. */
	start(&s), start(&d);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 0);
}

static void mem_to_fd(void)
{
	char a[] = "hello world";
	union vec s, d;
	int fd = file_with("..............");

	/* With a position: the descriptor's own is not moved. */
	start(&s), start(&d);
	add_mem(&s, a, 3);
	add_mem(&s, a + 3, 8);
	add_fd(&d, fd, 11, FUSE_BUF_FD_SEEK, 2);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 11);
	check_file(fd, "..hello world.");
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	AT(s, 2, 8);
	AT(d, 0, 3);

	/* Without. */
	start(&s), start(&d);
	add_mem(&s, a, 2);
	add_fd(&d, fd, 100, 0, 2);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 2);
	check_file(fd, "hehello world.");
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	AT(d, 0, 0);
	close(fd);

	/* An error at once is the result; after some data the data is. */
	start(&s), start(&d);
	add_mem(&s, a, 5);
	add_fd(&d, -1, 5, 0, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), -EBADF);
	AT(s, 0, 0);
	AT(d, 0, 0);
	fd = file_with("");
	start(&s), start(&d);
	add_mem(&s, a, 10);
	add_fd(&d, fd, 5, 0, 0);
	add_fd(&d, -1, 5, 0, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 5);
	AT(s, 0, 5);
	AT(d, 1, 0);
	close(fd);
}

static void fd_to_mem(void)
{
	char b[64];
	union vec s, d;
	int p[2], fd = file_with("hello world");

	start(&s), start(&d);
	memset(b, 0, sizeof(b));
	add_fd(&s, fd, 5, FUSE_BUF_FD_SEEK, 6);
	add_mem(&d, b, 3);
	add_mem(&d, b + 3, 9);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 5);
	CHECK(strcmp(b, "world") == 0);
	AT(s, 1, 5);
	AT(d, 1, 0);

	/* The file ends early. */
	start(&s), start(&d);
	memset(b, 0, sizeof(b));
	add_fd(&s, fd, 50, 0, 0);
	add_mem(&d, b, 60);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 11);
	AT(s, 0, 11);
	AT(d, 0, 11);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 0);
	close(fd);

	/* Short reads: one each, or until all is there. */
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	CHECK_EQ(send(p[0], "ab", 2, 0), 2);
	CHECK_EQ(send(p[0], "cd", 2, 0), 2);
	CHECK_EQ(send(p[0], "ef", 2, 0), 2);
	start(&s), start(&d);
	memset(b, 0, sizeof(b));
	add_fd(&s, p[1], 4, 0, 0);
	add_mem(&d, b, 4);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 2);
	AT(s, 0, 2);
	AT(d, 0, 2);
	start(&s), start(&d);
	add_fd(&s, p[1], 4, FUSE_BUF_FD_RETRY, 0);
	add_mem(&d, b, 4);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 4);
	CHECK(memcmp(b, "cdef", 4) == 0);
	/* An error after a short read. */
	CHECK_EQ(send(p[0], "gh", 2, 0), 2);
	CHECK_EQ(fcntl(p[1], F_SETFL, O_NONBLOCK), 0);
	start(&s), start(&d);
	add_fd(&s, p[1], 4, FUSE_BUF_FD_RETRY, 0);
	add_mem(&d, b, 4);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 2);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), -EAGAIN);
	AT(s, 0, 2);
	close(p[0]), close(p[1]);
}

static void fd_to_fd(void)
{
	static char big[10001];
	char b[64];
	union vec s, d;
	int p[2], from, to;
	int modes[] = { 0, FUSE_BUF_NO_SPLICE, FUSE_BUF_SPLICE_MOVE };

	memset(big, 'x', sizeof(big) - 1);
	big[4095] = 'a', big[4096] = 'b', big[9999] = 'z';

	/* Two files: splice cannot do it, unless somebody insists. */
	for (unsigned i = 0; i < 3; i++) {
		from = file_with(big), to = file_with("");
		start(&s), start(&d);
		add_fd(&s, from, 10000, FUSE_BUF_FD_SEEK, 0);
		add_fd(&d, to, 10000, FUSE_BUF_FD_SEEK, 0);
		CHECK_EQ(fuse_buf_copy(&d.v, &s.v, modes[i]), 10000);
		check_file(to, big);
		CHECK_EQ(lseek(from, 0, SEEK_CUR), 0);
		AT(s, 1, 10000);
		AT(d, 0, 0);
		close(from), close(to);
	}
	from = file_with("hello world"), to = file_with("");
	start(&s), start(&d);
	add_fd(&s, from, 11, FUSE_BUF_FD_SEEK, 0);
	add_fd(&d, to, 11, FUSE_BUF_FD_SEEK, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_FORCE_SPLICE), -EINVAL);
	AT(s, 0, 0);

	/* File to pipe and back. */
	CHECK_EQ(pipe(p), 0);
	start(&s), start(&d);
	add_fd(&s, from, 11, FUSE_BUF_FD_SEEK, 0);
	add_fd(&d, p[1], 11, 0, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_FORCE_SPLICE), 11);
	AT(s, 1, 11);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), 0);
	start(&s), start(&d);
	add_fd(&s, p[0], 11, 0, 0);
	add_fd(&d, to, 11, FUSE_BUF_FD_SEEK, 3);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_SPLICE_MOVE), 11);
	CHECK_EQ(pread(to, b, sizeof(b), 0), 14);
	CHECK(memcmp(b, "\0\0\0hello world", 14) == 0);

	/* An empty pipe, not to be waited for. */
	start(&s), start(&d);
	add_fd(&s, p[0], 11, 0, 0);
	add_fd(&d, to, 11, FUSE_BUF_FD_SEEK, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_SPLICE_NONBLOCK), -EAGAIN);

	/* Less in the pipe than asked for: once, or again until nothing comes. */
	CHECK_EQ(write(p[1], "abc", 3), 3);
	start(&s), start(&d);
	add_fd(&s, p[0], 11, 0, 0);
	add_fd(&d, to, 11, FUSE_BUF_FD_SEEK, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 3);
	AT(s, 0, 3);
	AT(d, 0, 3);
	CHECK_EQ(write(p[1], "def", 3), 3);
	start(&s), start(&d);
	add_fd(&s, p[0], 11, FUSE_BUF_FD_RETRY, 0);
	add_fd(&d, to, 11, FUSE_BUF_FD_SEEK, 3);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_SPLICE_NONBLOCK), 3);
	CHECK_EQ(pread(to, b, 6, 0), 6);
	CHECK(memcmp(b, "abcdef", 6) == 0);

	/* A pipe has no position. */
	start(&s), start(&d);
	add_fd(&s, p[0], 5, FUSE_BUF_FD_SEEK, 0);
	add_fd(&d, to, 5, FUSE_BUF_FD_SEEK, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), -ESPIPE);
	close(p[0]), close(p[1]);

	/* Without splice a short read or a bad target ends it. */
	start(&s), start(&d);
	add_fd(&s, from, 50, FUSE_BUF_FD_SEEK, 6);
	add_fd(&d, to, 50, FUSE_BUF_FD_SEEK, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_NO_SPLICE), 5);
	AT(s, 0, 5);
	start(&s), start(&d);
	add_fd(&s, from, 5, FUSE_BUF_FD_SEEK, 0);
	add_fd(&d, -1, 5, 0, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, FUSE_BUF_NO_SPLICE), -EBADF);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), -EBADF);
	close(from), close(to);
}

/* What a write_buf handler does: header in memory, data in a pipe, into a file. */
static void mixed(void)
{
	char head[] = "head:";
	union vec s, d;
	int p[2], to = file_with("");

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(p[1], "data", 4), 4);
	start(&s), start(&d);
	add_mem(&s, head, 5);
	add_fd(&s, p[0], 4, 0, 0);
	add_fd(&d, to, fuse_buf_size(&s.v), FUSE_BUF_FD_SEEK, 0);
	CHECK_EQ(fuse_buf_copy(&d.v, &s.v, 0), 9);
	check_file(to, "head:data");
	AT(s, 2, 4);
	AT(d, 0, 5);
	close(p[0]), close(p[1]), close(to);
}

int main(void)
{
	sizes();
	mem_to_mem();
	mem_to_fd();
	fd_to_mem();
	fd_to_fd();
	mixed();
	return 0;
}
