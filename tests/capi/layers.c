/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fuse_fs_*: which handler is called with what, and what stands for a missing one; contexts; fuse_new's failures. */
#define FUSE_USE_VERSION 318
#define _GNU_SOURCE
#include <errno.h>
#include <fuse.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static char last[256]; /* what was called */
static int destroyed;
static char stored[64];
static size_t stored_size;

static const char *data(void)
{
	return fuse_get_context()->private_data;
}

static int t_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	snprintf(last, sizeof(last), "getattr %s %d data=%s", path, fi != NULL, data());
	st->st_size = 77;
	return 0;
}

static int t_rename(const char *from, const char *to, unsigned int flags)
{
	snprintf(last, sizeof(last), "rename %s %s %u", from, to, flags);
	return -EXDEV;
}

static int t_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)path;
	(void)fi;
	if (off >= 10)
		return 0;
	if (size > (size_t)(10 - off))
		size = (size_t)(10 - off);
	memcpy(buf, "0123456789" + off, size);
	return (int)size;
}

static int t_read_buf(const char *path, struct fuse_bufvec **bufp, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec *v = malloc(sizeof(*v));

	*v = FUSE_BUFVEC_INIT(size);
	v->buf[0].mem = malloc(size + 1);
	*bufp = v;
	v->buf[0].size = (size_t)t_read(path, v->buf[0].mem, size, off, fi);
	return 0;
}

static int t_write(const char *path, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)path;
	(void)off;
	(void)fi;
	CHECK(size < sizeof(stored));
	memcpy(stored, buf, size);
	stored_size = size;
	return (int)size;
}

static int t_write_buf(const char *path, struct fuse_bufvec *buf, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(sizeof(stored));

	(void)path;
	(void)off;
	(void)fi;
	to.buf[0].mem = stored;
	stored_size = (size_t)fuse_buf_copy(&to, buf, 0);
	return (int)stored_size;
}

static int t_statfs(const char *path, struct statvfs *st)
{
	(void)path;
	st->f_namemax = 99;
	return 0;
}

static off_t t_lseek(const char *path, off_t off, int whence, struct fuse_file_info *fi)
{
	(void)path;
	(void)whence;
	(void)fi;
	return off + (1LL << 40);
}

static void t_destroy(void *private_data)
{
	CHECK(strcmp(private_data, "mine") == 0);
	destroyed++;
}

static void a_full_layer(void)
{
	struct fuse_operations ops = {
		.getattr = t_getattr, .rename = t_rename, .statfs = t_statfs, .lseek = t_lseek, .destroy = t_destroy,
	};
	struct fuse_fs *fs = fuse_fs_new(&ops, sizeof(ops), "mine");
	struct fuse_fs *other = fuse_fs_new(&ops, offsetof(struct fuse_operations, destroy), "other");
	struct statvfs vfs;
	struct stat st;

	CHECK_EQ(fuse_fs_getattr(fs, "/a", &st, NULL), 0);
	CHECK_EQ(st.st_size, 77);
	CHECK(strcmp(last, "getattr /a 0 data=mine") == 0);
	CHECK_EQ(fuse_fs_getattr(other, "/b", &st, NULL), 0);
	CHECK(strcmp(last, "getattr /b 0 data=other") == 0);
	CHECK_EQ(fuse_fs_rename(fs, "/a", "/b", 3), -EXDEV);
	CHECK(strcmp(last, "rename /a /b 3") == 0);
	CHECK_EQ(fuse_fs_statfs(fs, "/", &vfs), 0);
	CHECK_EQ(vfs.f_namemax, 99);
	CHECK_EQ(fuse_fs_lseek(fs, "/", 5, 0, NULL), 5 + (1LL << 40));
	fuse_fs_destroy(fs);
	CHECK_EQ(destroyed, 1);
	fuse_fs_destroy(other);
}

static int filler(void *buf, const char *name, const struct stat *st, off_t off, enum fuse_fill_dir_flags flags)
{
	(void)buf;
	(void)name;
	(void)st;
	(void)off;
	(void)flags;
	return 0;
}

static void an_empty_layer(void)
{
	struct fuse_operations none = { .init = NULL };
	struct fuse_fs *fs = fuse_fs_new(&none, sizeof(none), NULL);
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(1), *vp = NULL;
	struct fuse_file_info fi = { .fh = 1 };
	struct timespec tv[2] = { { 0, 0 }, { 0, 0 } };
	struct statvfs vfs = { .f_bsize = 1 };
	struct flock lock = { .l_type = 0 };
	unsigned revents;
	struct stat st;
	uint64_t idx;
	char c = 0;

	v.buf[0].mem = &c;
	CHECK_EQ(fuse_fs_getattr(fs, "/", &st, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_readlink(fs, "/", &c, 1), -ENOSYS);
	CHECK_EQ(fuse_fs_mknod(fs, "/", 0, 0), -ENOSYS);
	CHECK_EQ(fuse_fs_mkdir(fs, "/", 0), -ENOSYS);
	CHECK_EQ(fuse_fs_unlink(fs, "/"), -ENOSYS);
	CHECK_EQ(fuse_fs_rmdir(fs, "/"), -ENOSYS);
	CHECK_EQ(fuse_fs_symlink(fs, "/", "/"), -ENOSYS);
	CHECK_EQ(fuse_fs_rename(fs, "/", "/", 0), -ENOSYS);
	CHECK_EQ(fuse_fs_link(fs, "/", "/"), -ENOSYS);
	CHECK_EQ(fuse_fs_chmod(fs, "/", 0, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_chown(fs, "/", 0, 0, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_truncate(fs, "/", 0, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_utimens(fs, "/", tv, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_access(fs, "/", 0), -ENOSYS);
	CHECK_EQ(fuse_fs_setxattr(fs, "/", "n", "v", 1, 0), -ENOSYS);
	CHECK_EQ(fuse_fs_getxattr(fs, "/", "n", &c, 1), -ENOSYS);
	CHECK_EQ(fuse_fs_listxattr(fs, "/", &c, 1), -ENOSYS);
	CHECK_EQ(fuse_fs_removexattr(fs, "/", "n"), -ENOSYS);
	CHECK_EQ(fuse_fs_bmap(fs, "/", 512, &idx), -ENOSYS);
	CHECK_EQ(fuse_fs_create(fs, "/", 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_read(fs, "/", &c, 1, 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_read_buf(fs, "/", &vp, 1, 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_write(fs, "/", &c, 1, 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_write_buf(fs, "/", &v, 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_flush(fs, "/", &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_fsync(fs, "/", 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_readdir(fs, "/", NULL, filler, 0, &fi, 0), -ENOSYS);
	CHECK_EQ(fuse_fs_fsyncdir(fs, "/", 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_lock(fs, "/", &fi, 0, &lock), -ENOSYS);
	CHECK_EQ(fuse_fs_flock(fs, "/", &fi, 0), -ENOSYS);
	CHECK_EQ(fuse_fs_ioctl(fs, "/", 0, NULL, &fi, 0, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_poll(fs, "/", &fi, NULL, &revents), -ENOSYS);
	CHECK_EQ(fuse_fs_fallocate(fs, "/", 0, 0, 1, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_copy_file_range(fs, "/", &fi, 0, "/", &fi, 0, 1, 0), -ENOSYS);
	CHECK_EQ(fuse_fs_lseek(fs, "/", 0, 0, &fi), -ENOSYS);
	CHECK_EQ(fuse_fs_statx(fs, "/", 0, 0, NULL, NULL), -ENOSYS);
	CHECK_EQ(fuse_fs_open(fs, "/", &fi), 0);
	CHECK_EQ(fuse_fs_release(fs, "/", &fi), 0);
	CHECK_EQ(fuse_fs_opendir(fs, "/", &fi), 0);
	CHECK_EQ(fuse_fs_releasedir(fs, "/", &fi), 0);
	CHECK_EQ(fuse_fs_statfs(fs, "/", &vfs), 0);
	CHECK_EQ(vfs.f_namemax, 255);
	CHECK_EQ(vfs.f_bsize, 512);
	fuse_fs_destroy(fs);
}

static void reading(void)
{
	struct fuse_operations plain = { .read = t_read }, vector = { .read_buf = t_read_buf };

	for (int i = 0; i < 2; i++) {
		const struct fuse_operations *ops = i == 0 ? &plain : &vector;
		struct fuse_fs *fs = fuse_fs_new(ops, sizeof(*ops), NULL);
		struct fuse_bufvec *v = NULL;
		char buf[20];

		CHECK_EQ(fuse_fs_read(fs, "/", buf, 4, 2, NULL), 4);
		CHECK(memcmp(buf, "2345", 4) == 0);
		CHECK_EQ(fuse_fs_read(fs, "/", buf, sizeof(buf), 8, NULL), 2);
		CHECK_EQ(fuse_fs_read(fs, "/", buf, sizeof(buf), 10, NULL), 0);
		CHECK_EQ(fuse_fs_read_buf(fs, "/", &v, 5, 3, NULL), 0);
		CHECK_EQ(fuse_buf_size(v), 5);
		CHECK(memcmp(v->buf[0].mem, "34567", 5) == 0);
		free(v->buf[0].mem);
		free(v);
		fuse_fs_destroy(fs);
	}
}

static void writing(void)
{
	struct fuse_operations plain = { .write = t_write }, vector = { .write_buf = t_write_buf };
	int ends[2];

	CHECK(pipe(ends) == 0);
	for (int i = 0; i < 2; i++) {
		const struct fuse_operations *ops = i == 0 ? &plain : &vector;
		struct fuse_fs *fs = fuse_fs_new(ops, sizeof(*ops), NULL);
		struct {
			struct fuse_bufvec v;
			struct fuse_buf more;
		} two = { .v = { .count = 2 } };

		CHECK_EQ(fuse_fs_write(fs, "/", "hello", 5, 0, NULL), 5);
		CHECK(stored_size == 5 && memcmp(stored, "hello", 5) == 0);
		CHECK(write(ends[1], "pipe", 4) == 4);
		two.v.buf[0].mem = "mem-";
		two.v.buf[0].size = 4;
		two.more.flags = FUSE_BUF_IS_FD;
		two.more.fd = ends[0];
		two.more.size = 4;
		CHECK_EQ(fuse_fs_write_buf(fs, "/", &two.v, 0, NULL), 8);
		CHECK(stored_size == 8 && memcmp(stored, "mem-pipe", 8) == 0);
		fuse_fs_destroy(fs);
	}
}

/* A table that ends early: what is behind its end is missing. */
static void short_tables(void)
{
	struct fuse_operations ops = { .getattr = t_getattr, .rename = t_rename };
	struct fuse_fs *fs = fuse_fs_new(&ops, offsetof(struct fuse_operations, rename), "mine");
	struct stat st;

	CHECK_EQ(fuse_fs_getattr(fs, "/", &st, NULL), 0);
	CHECK_EQ(fuse_fs_rename(fs, "/", "/", 0), -ENOSYS);
	fuse_fs_destroy(fs);
	fs = fuse_fs_new(NULL, 0, NULL);
	CHECK_EQ(fuse_fs_getattr(fs, "/", &st, NULL), -ENOSYS);
	fuse_fs_destroy(fs);
}

static void *on_a_new_thread(void *arg)
{
	CHECK(fuse_get_context() == NULL);
	CHECK_EQ(fuse_interrupted(), 0);
	CHECK_EQ(fuse_getgroups(0, NULL), -EINVAL);
	return arg;
}

static void null_arguments(void)
{
	struct stat st;

	CHECK(fuse_fs_getattr(NULL, "/", &st, NULL) < 0);
	CHECK(fuse_fs_read_buf(NULL, "/", NULL, 1, 0, NULL) < 0);
	CHECK(fuse_fs_write_buf(NULL, "/", NULL, 0, NULL) < 0);
	fuse_fs_destroy(NULL);
	fuse_fs_init(NULL, NULL, NULL);
	CHECK_EQ(fuse_mount(NULL, "/"), -1);
	fuse_unmount(NULL);
	fuse_exit(NULL);
	fuse_destroy(NULL);
	CHECK(fuse_get_session(NULL) == NULL);
	CHECK(fuse_loop(NULL) != 0);
	CHECK(fuse_loop_mt(NULL, NULL) != 0);
	CHECK_EQ(fuse_start_cleanup_thread(NULL), -1);
	fuse_stop_cleanup_thread(NULL);
	CHECK_EQ(fuse_clean_cache(NULL), -1);
	CHECK(fuse_invalidate_path(NULL, "/") < 0);
	CHECK(fuse_notify_poll(NULL) <= 0);
	CHECK_EQ(fuse_open_channel(NULL, NULL), -1);
	CHECK_EQ(fuse_open_channel("/", "ro=not an option,blkdev,fsname=/nowhere"), -1);
}

/* Ends of fuse_new: whatever was made is released, and the program's destroy is not called without init. */
static void making_filesystems(void)
{
	static const struct {
		const char *list;
		int works;
	} table[] = {
		{ "fsname=x", 1 }, { "bogus", 0 }, { "uid=x", 0 }, { "modules=subdir,subdir=/x", 1 },
		{ "modules=subdir", 0 }, { "modules=missing", 0 }, { "modules=subdir:missing,subdir=/x", 0 },
		{ "modules=iconv:subdir,subdir=/x,to_code=UTF-8", 1 }, { "modules=iconv,to_code=NOSUCH", 0 },
		{ "modules=subdir,subdir=/x,bogus", 0 }, { "modules=subdir:subdir,subdir=/x", 0 },
	};
	struct fuse_operations ops = { .getattr = t_getattr, .destroy = t_destroy };
	struct fuse_args none = FUSE_ARGS_INIT(0, NULL);

	destroyed = 0;
	CHECK(fuse_new(&none, &ops, sizeof(ops), "mine") == NULL);
	CHECK(fuse_new(NULL, &ops, sizeof(ops), "mine") == NULL);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
		struct fuse *f;

		CHECK(fuse_opt_add_arg(&args, "prog") == 0);
		CHECK(fuse_opt_add_arg(&args, "-o") == 0);
		CHECK(fuse_opt_add_arg(&args, table[i].list) == 0);
		f = fuse_new(&args, &ops, sizeof(ops), "mine");
		if ((f != NULL) != table[i].works) {
			fprintf(stderr, "fuse_new with %s: %p\n", table[i].list, (void *)f);
			exit(1);
		}
		if (f != NULL) {
			CHECK(fuse_get_session(f) != NULL);
			CHECK(fuse_invalidate_path(f, "/x") == -ENOENT);
			CHECK(fuse_clean_cache(f) >= 0);
			fuse_destroy(f);
		}
		fuse_opt_free_args(&args);
	}
	CHECK_EQ(destroyed, 0);
}

int main(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, on_a_new_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	a_full_layer();
	an_empty_layer();
	reading();
	writing();
	short_tables();
	null_arguments();
	making_filesystems();
	return 0;
}
