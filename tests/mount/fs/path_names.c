/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* path_fs: operations on paths. */
#include "path_fs.h"

/* The value of "user.context": who asks. */
static int context_text(char *to, size_t size)
{
	const struct fuse_context *ctx = fuse_get_context();
	gid_t groups[64];
	int count = fuse_getgroups(64, groups);
	int len = snprintf(to, size, "uid=%u gid=%u pid=%d umask=%o data=%s fuse=%d groups=%d", ctx->uid, ctx->gid,
			   ctx->pid, ctx->umask, (const char *)ctx->private_data, ctx->fuse != NULL, count);

	for (int i = 0; i < count && i < 64; i++)
		len += snprintf(to + len, size - (size_t)len, ",%u", groups[i]);
	return len;
}

static const char *proc_path(char *to, const char *path)
{
	snprintf(to, PATH_MAX + 64, "/proc/self/fd/%d/%s", source, below(path));
	return to;
}

static int p_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	OPERATION("getattr", "getattr %s fi=%d", shown(path), fi != NULL);
	if (path == NULL)
		return result(fstat((int)fi->fh, st));
	return result(fstatat(source, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int p_readlink(const char *path, char *buf, size_t size)
{
	ssize_t len;

	OPERATION("readlink", "readlink %s size=%zu", path, size);
	len = readlinkat(source, below(path), buf, size - 1);
	if (len == -1)
		return -errno;
	buf[len] = '\0';
	return 0;
}

static int p_mknod(const char *path, mode_t mode, dev_t rdev)
{
	OPERATION("mknod", "mknod %s mode=%o rdev=%lx", path, mode, (unsigned long)rdev);
	return result(mknodat(source, below(path), mode, rdev));
}

static int p_mkdir(const char *path, mode_t mode)
{
	OPERATION("mkdir", "mkdir %s mode=%o", path, mode);
	return result(mkdirat(source, below(path), mode));
}

static int p_unlink(const char *path)
{
	OPERATION("unlink", "unlink %s", path);
	return result(unlinkat(source, below(path), 0));
}

static int p_rmdir(const char *path)
{
	OPERATION("rmdir", "rmdir %s", path);
	return result(unlinkat(source, below(path), AT_REMOVEDIR));
}

static int p_symlink(const char *target, const char *path)
{
	OPERATION("symlink", "symlink %s target=%s", path, target);
	return result(symlinkat(target, source, below(path)));
}

static int p_rename(const char *from, const char *to, unsigned int flags)
{
	OPERATION("rename", "rename %s to=%s flags=%u", from, to, flags);
	return result(renameat2(source, below(from), source, below(to), flags));
}

static int p_link(const char *from, const char *to)
{
	OPERATION("link", "link %s to=%s", from, to);
	return result(linkat(source, below(from), source, below(to), 0));
}

static int p_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	OPERATION("chmod", "chmod %s mode=%o fi=%d", shown(path), mode, fi != NULL);
	return result(path ? fchmodat(source, below(path), mode, 0) : fchmod((int)fi->fh, mode));
}

static int p_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	OPERATION("chown", "chown %s uid=%d gid=%d fi=%d", shown(path), (int)uid, (int)gid, fi != NULL);
	return result(path ? fchownat(source, below(path), uid, gid, AT_SYMLINK_NOFOLLOW)
			   : fchown((int)fi->fh, uid, gid));
}

static int p_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	char text[PATH_MAX + 64];

	OPERATION("truncate", "truncate %s size=%ld fi=%d", shown(path), (long)size, fi != NULL);
	return result(path ? truncate(proc_path(text, path), size) : ftruncate((int)fi->fh, size));
}

static int p_utimens(const char *path, const struct timespec tv[2], struct fuse_file_info *fi)
{
	OPERATION("utimens", "utimens %s atime=%ld.%09ld mtime=%ld.%09ld fi=%d", shown(path), (long)tv[0].tv_sec,
		  tv[0].tv_nsec, (long)tv[1].tv_sec, tv[1].tv_nsec, fi != NULL);
	return result(path ? utimensat(source, below(path), tv, AT_SYMLINK_NOFOLLOW) : futimens((int)fi->fh, tv));
}

static int p_access(const char *path, int mask)
{
	OPERATION("access", "access %s mask=%d", path, mask);
	return result(faccessat(source, below(path), mask, 0));
}

static int p_statfs(const char *path, struct statvfs *st)
{
	OPERATION("statfs", "statfs %s", shown(path));
	memset(st, 0, sizeof(*st));
	st->f_bsize = st->f_frsize = 4096;
	st->f_blocks = 1000;
	st->f_bfree = 600;
	st->f_bavail = 500;
	st->f_files = 77;
	st->f_ffree = 33;
	st->f_namemax = 200;
	return 0;
}

struct invalidation {
	struct fuse *fuse;
	char path[PATH_MAX];
};

static void *invalidate_path(void *arg)
{
	struct invalidation *inv = arg;

	record("invalidated %s result=%d", inv->path, fuse_invalidate_path(inv->fuse, inv->path));
	free(inv);
	return NULL;
}

/* Not from within the handler: the kernel might have to wait for it. */
static int start_invalidation(const char *path, size_t size)
{
	struct invalidation *inv = calloc(1, sizeof(*inv));
	pthread_t thread;

	inv->fuse = fuse_get_context()->fuse;
	memcpy(inv->path, path, size < PATH_MAX ? size : PATH_MAX - 1);
	if (pthread_create(&thread, NULL, invalidate_path, inv) != 0)
		return -EAGAIN;
	pthread_detach(thread);
	return 0;
}

static int p_setxattr(const char *path, const char *name, const char *value, size_t size, int flags)
{
	char text[PATH_MAX + 64];

	OPERATION("setxattr", "setxattr %s name=%s size=%zu flags=%d", path, name, size, flags);
	if (strcmp(name, "user.invalidate") == 0)
		return start_invalidation(value, size);
	if (strcmp(name, "user.exit") == 0) {
		fuse_exit(fuse_get_context()->fuse);
		return 0;
	}
	return result(lsetxattr(proc_path(text, path), name, value, size, flags));
}

static int p_getxattr(const char *path, const char *name, char *value, size_t size)
{
	char text[PATH_MAX + 64];
	ssize_t len;

	OPERATION("getxattr", "getxattr %s name=%s size=%zu", path, name, size);
	if (strcmp(name, "user.context") == 0) {
		char context[1024];

		len = context_text(context, sizeof(context));
		if (size == 0)
			return (int)len;
		if (size < (size_t)len)
			return -ERANGE;
		memcpy(value, context, (size_t)len);
		return (int)len;
	}
	len = lgetxattr(proc_path(text, path), name, value, size);
	return len == -1 ? -errno : (int)len;
}

static int p_listxattr(const char *path, char *list, size_t size)
{
	char text[PATH_MAX + 64];
	ssize_t len;

	OPERATION("listxattr", "listxattr %s size=%zu", path, size);
	len = llistxattr(proc_path(text, path), list, size);
	return len == -1 ? -errno : (int)len;
}

static int p_removexattr(const char *path, const char *name)
{
	char text[PATH_MAX + 64];

	OPERATION("removexattr", "removexattr %s name=%s", path, name);
	return result(lremovexattr(proc_path(text, path), name));
}

static int p_statx(const char *path, int flags, int mask, struct statx *st, struct fuse_file_info *fi)
{
	OPERATION("statx", "statx %s fi=%d", shown(path), fi != NULL);
	if (path == NULL)
		return result(statx((int)fi->fh, "", flags | AT_EMPTY_PATH, (unsigned int)mask, st));
	return result(statx(source, below(path), flags | AT_SYMLINK_NOFOLLOW, (unsigned int)mask, st));
}

static int p_bmap(const char *path, size_t blocksize, uint64_t *idx)
{
	OPERATION("bmap", "bmap %s blocksize=%zu idx=%lu", path, blocksize, (unsigned long)*idx);
	*idx += 1000;
	return 0;
}

void add_names(struct fuse_operations *ops)
{
	ops->getattr = p_getattr;
	ops->readlink = p_readlink;
	ops->mknod = p_mknod;
	ops->mkdir = p_mkdir;
	ops->unlink = p_unlink;
	ops->rmdir = p_rmdir;
	ops->symlink = p_symlink;
	ops->rename = p_rename;
	ops->link = p_link;
	ops->chmod = p_chmod;
	ops->chown = p_chown;
	ops->truncate = p_truncate;
	ops->utimens = p_utimens;
	ops->access = p_access;
	ops->statfs = p_statfs;
	ops->setxattr = p_setxattr;
	ops->getxattr = p_getxattr;
	ops->listxattr = p_listxattr;
	ops->removexattr = p_removexattr;
	ops->statx = p_statx;
	ops->bmap = p_bmap;
}
