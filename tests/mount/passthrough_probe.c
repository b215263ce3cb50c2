/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a shell cannot do to a mounted directory. Built and run by
 * passthrough_tree.sh:
 *
 *   passthrough_probe WHAT DIR     works on files of its own in DIR, removes
 *                                  them; exit 0, or 1 and a line saying what
 *                                  was wrong
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHECK(cond)                                                                    \
	do {                                                                           \
		if (!(cond)) {                                                         \
			fprintf(stderr, "probe:%d: %s (errno: %s)\n", __LINE__, #cond, \
				strerror(errno));                                      \
			exit(1);                                                       \
		}                                                                      \
	} while (0)
#define FAILS_WITH(err, call) CHECK((errno = 0, (call) == -1) && errno == (err))

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd != -1);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void expect_content(const char *name, const char *text)
{
	char buf[256];
	int fd = open(name, O_RDONLY);
	ssize_t n;

	CHECK(fd != -1);
	n = read(fd, buf, sizeof(buf));
	CHECK(n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0);
	close(fd);
}

static void probe_rename(void)
{
	close(make("ra", "A"));
	close(make("rb", "B"));
	FAILS_WITH(EEXIST, renameat2(AT_FDCWD, "ra", AT_FDCWD, "rb", RENAME_NOREPLACE));
	CHECK(renameat2(AT_FDCWD, "ra", AT_FDCWD, "rb", RENAME_EXCHANGE) == 0);
	expect_content("ra", "B");
	expect_content("rb", "A");
	CHECK(renameat2(AT_FDCWD, "ra", AT_FDCWD, "rc", RENAME_NOREPLACE) == 0);
	FAILS_WITH(ENOENT, renameat2(AT_FDCWD, "ra", AT_FDCWD, "rb", RENAME_EXCHANGE));
	CHECK(rename("rc", "rb") == 0);
	expect_content("rb", "B");
	CHECK(mkdir("rd", 0755) == 0 && mkdir("rd/sub", 0755) == 0);
	FAILS_WITH(EINVAL, rename("rd", "rd/sub/x"));
	FAILS_WITH(ENOTEMPTY, rmdir("rd"));
	FAILS_WITH(EISDIR, rename("rb", "rd"));
	CHECK(rmdir("rd/sub") == 0 && rmdir("rd") == 0 && unlink("rb") == 0);
}

static void probe_xattr(void)
{
	char buf[4096], big[2048];
	ssize_t n;

	memset(big, 'x', sizeof(big));
	close(make("x", "data"));
	FAILS_WITH(ENODATA, getxattr("x", "user.none", buf, sizeof(buf)));
	CHECK(setxattr("x", "user.one", "1", 1, XATTR_CREATE) == 0);
	FAILS_WITH(EEXIST, setxattr("x", "user.one", "2", 1, XATTR_CREATE));
	FAILS_WITH(ENODATA, setxattr("x", "user.two", "2", 1, XATTR_REPLACE));
	CHECK(setxattr("x", "user.big", big, sizeof(big), 0) == 0);
	CHECK(setxattr("x", "user.empty", "", 0, 0) == 0);
	CHECK(getxattr("x", "user.big", NULL, 0) == (ssize_t)sizeof(big));
	CHECK(getxattr("x", "user.big", buf, sizeof(buf)) == (ssize_t)sizeof(big));
	CHECK(memcmp(buf, big, sizeof(big)) == 0);
	FAILS_WITH(ERANGE, getxattr("x", "user.big", buf, 10));
	CHECK(getxattr("x", "user.empty", buf, sizeof(buf)) == 0);
	n = listxattr("x", buf, sizeof(buf));
	CHECK(n >= 29 && listxattr("x", NULL, 0) == n);
	CHECK(memmem(buf, (size_t)n, "user.big", 9) != NULL);
	CHECK(removexattr("x", "user.big") == 0);
	FAILS_WITH(ENODATA, removexattr("x", "user.big"));
	CHECK(unlink("x") == 0);
}

/* A file without a name goes on working, and can get one again. */
static void probe_unlinked(void)
{
	char buf[8], path[64];
	struct stat st;
	int fd = make("u", "still");

	CHECK(unlink("u") == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 5);
	CHECK(pwrite(fd, "S", 1, 0) == 1 && ftruncate(fd, 4) == 0);
	CHECK(pread(fd, buf, sizeof(buf), 0) == 4 && memcmp(buf, "Stil", 4) == 0);
	CHECK(fchmod(fd, 0600) == 0 && fstat(fd, &st) == 0);
	CHECK((st.st_mode & 07777) == 0600);
	close(fd);

	fd = open(".", O_TMPFILE | O_RDWR, 0644);
	if (fd == -1) { /* a library without the operation */
		CHECK(errno == EOPNOTSUPP || errno == ENOSYS);
		return;
	}
	CHECK(write(fd, "tmp", 3) == 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "t", AT_SYMLINK_FOLLOW) == 0);
	close(fd);
	expect_content("t", "tmp");
	CHECK(unlink("t") == 0);
}

static void probe_mmap(void)
{
	const size_t len = 1 << 20;
	int fd = make("m", "");
	char *p, c;

	CHECK(ftruncate(fd, (off_t)len) == 0);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < len; i += 1000)
		p[i] = (char)(i / 1000);
	CHECK(msync(p, len, MS_SYNC) == 0 && munmap(p, len) == 0);
	close(fd);
	fd = open("m", O_RDONLY);
	for (size_t i = 0; i < len; i += 1000)
		CHECK(pread(fd, &c, 1, (off_t)i) == 1 && c == (char)(i / 1000));
	close(fd);
	CHECK(unlink("m") == 0);
}

static int unsupported(int err)
{
	return err == EOPNOTSUPP || err == ENOSYS;
}

/* Holes: where the library passes the calls on they must be right. */
static void probe_ranges(void)
{
	const off_t mib = 1 << 20;
	char buf[8];
	struct stat st;
	int fd = make("h", "head"), fd2;
	off_t in = 0, out = 0, pos;

	CHECK(pwrite(fd, "tail", 4, 16 * mib) == 4);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 16 * mib + 4);
	CHECK(st.st_blocks * 512 < mib);
	CHECK(fsync(fd) == 0); /* the kernel does not write back before a seek */
	pos = lseek(fd, 4 * mib, SEEK_DATA);
	CHECK(pos == 4 * mib || pos == 16 * mib); /* the former: not passed on */
	CHECK(pread(fd, buf, 4, 8 * mib) == 4 && memcmp(buf, "\0\0\0\0", 4) == 0);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0) {
		CHECK(pread(fd, buf, 4, 0) == 4 && memcmp(buf, "\0\0\0\0", 4) == 0);
		CHECK(fallocate(fd, 0, 20 * mib, 4096) == 0);
		CHECK(fstat(fd, &st) == 0 && st.st_size == 20 * mib + 4096);
	} else {
		CHECK(unsupported(errno));
	}
	fd2 = make("h2", "");
	in = 16 * mib;
	CHECK(copy_file_range(fd, &in, fd2, &out, 4, 0) == 4);
	CHECK(pread(fd2, buf, sizeof(buf), 0) == 4 && memcmp(buf, "tail", 4) == 0);
	close(fd2);
	close(fd);
	CHECK(unlink("h") == 0 && unlink("h2") == 0);
}

/* A position told by telldir leads back to the same entry. */
static void probe_seekdir(void)
{
	enum { COUNT = 700 };
	static long pos[COUNT + 2];
	static char name[COUNT + 2][24];
	struct dirent *de;
	DIR *d;
	int n = 0;

	CHECK(mkdir("s", 0755) == 0 && chdir("s") == 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name[0], sizeof(name[0]), "entry-number-%d", i);
		close(make(name[0], ""));
	}
	d = opendir(".");
	CHECK(d != NULL);
	for (;;) {
		long here = telldir(d);

		de = readdir(d);
		if (de == NULL)
			break;
		CHECK(n < COUNT + 2);
		pos[n] = here;
		snprintf(name[n++], sizeof(name[0]), "%.23s", de->d_name);
	}
	CHECK(n == COUNT + 2);
	for (int i = n - 1; i >= 0; i -= 37) {
		seekdir(d, pos[i]);
		de = readdir(d);
		CHECK(de != NULL && strcmp(de->d_name, name[i]) == 0);
	}
	rewinddir(d);
	for (int i = 0; i < n; i++) {
		de = readdir(d);
		CHECK(de != NULL);
		if (de->d_name[0] != '.')
			CHECK(unlink(de->d_name) == 0);
	}
	closedir(d);
	CHECK(chdir("..") == 0 && rmdir("s") == 0);
}

/*
 * Eight processes count in one file under a lock. With O_APPEND on another
 * file: each record must arrive whole, whatever the others do.
 */
static void probe_flock(void)
{
	enum { CLIENTS = 8, ROUNDS = 25 };
	int count = 0, fd = make("f", "");
	struct stat st;

	CHECK(pwrite(fd, &count, sizeof(count), 0) == sizeof(count));
	close(make("fa", ""));
	for (int c = 0; c < CLIENTS; c++) {
		if (fork() != 0)
			continue;
		int mine = open("f", O_RDWR);
		int append = open("fa", O_WRONLY | O_APPEND);
		static char record[6000];

		CHECK(mine != -1 && append != -1);
		for (int i = 0; i < ROUNDS; i++) {
			CHECK(flock(mine, LOCK_EX) == 0);
			CHECK(pread(mine, &count, sizeof(count), 0) == sizeof(count));
			count++;
			CHECK(pwrite(mine, &count, sizeof(count), 0) == sizeof(count));
			CHECK(flock(mine, LOCK_UN) == 0);
			CHECK(write(append, record, sizeof(record)) == sizeof(record));
		}
		_exit(0);
	}
	for (int c = 0; c < CLIENTS; c++) {
		int status;

		CHECK(wait(&status) > 0 && status == 0);
	}
	CHECK(pread(fd, &count, sizeof(count), 0) == sizeof(count));
	CHECK(count == CLIENTS * ROUNDS);
	CHECK(stat("fa", &st) == 0);
	CHECK(st.st_size == (off_t)CLIENTS * ROUNDS * 6000);
	close(fd);
	CHECK(unlink("f") == 0 && unlink("fa") == 0);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(void);
	} probes[] = {
		{ "rename", probe_rename },	{ "xattr", probe_xattr },
		{ "unlinked", probe_unlinked }, { "mmap", probe_mmap },
		{ "ranges", probe_ranges },	{ "seekdir", probe_seekdir },
		{ "flock", probe_flock },
	};

	if (argc != 3 || chdir(argv[2]) != 0) {
		fprintf(stderr, "usage: passthrough_probe WHAT DIR\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		if (strcmp(probes[i].name, argv[1]) == 0) {
			probes[i].run();
			return 0;
		}
	}
	fprintf(stderr, "probe: no such thing: %s\n", argv[1]);
	return 2;
}
