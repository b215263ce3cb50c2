/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * passthrough: shows a directory tree at another place. A complete filesystem
 * on paths, meant as the starting point for one of your own.
 *
 *   cc -o passthrough passthrough.c $(pkg-config --cflags --libs fuse3)
 *   ./passthrough -o source=/srv/data /mnt
 *
 * Each handler does on the source what was asked for on the mount, with the
 * same path. Of an open file it keeps the descriptor, in fi->fh. A file that
 * is removed while it is open the library renames to a hidden name until it is
 * closed, so a path is always there; passthrough_fh.c does without paths.
 *
 * Permissions. The kernel checks them (`default_permissions` is always added),
 * handlers only have to act. New objects must belong to whoever asked: the
 * thread takes the caller's ids for the file system (setfsuid) during the one
 * call that creates. When not started as root, all belongs to the user who
 * started it.
 *
 * Not for sources that contain the mount point: handlers would call themselves.
 */

#define _GNU_SOURCE
#define FUSE_USE_VERSION 318

#include <fuse.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/securebits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static struct {
	char *source;
	int root; /* descriptor of the source */
	int as_caller; /* create with the ids of whoever asks */
	int show_help;
} fs = { .root = -1 };

/* The same path below the source, for the ..at() family of system calls. */
static const char *below(const char *path)
{
	return path[1] != '\0' ? path + 1 : ".";
}

/* The same for system calls without such a form. */
struct full_path {
	char text[PATH_MAX + 40];
};

static const char *full(struct full_path *to, const char *path)
{
	snprintf(to->text, sizeof(to->text), "/proc/self/fd/%d/%s", fs.root, below(path));
	return to->text;
}

/* What a handler returns for a system call that returns -1 and errno. */
static int result(int res)
{
	return res == -1 ? -errno : 0;
}

/* What is made between these two belongs to the caller. */
static void become_caller(void)
{
	const struct fuse_context *ctx = fuse_get_context();

	if (fs.as_caller) {
		setfsgid(ctx->gid);
		setfsuid(ctx->uid);
	}
}

static void become_self(void)
{
	int saved = errno;

	if (fs.as_caller) {
		setfsuid(geteuid());
		setfsgid(getegid());
	}
	errno = saved;
}

static void *pt_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	/* Hard links are one file, and have one number. */
	cfg->use_ino = 1;
	/* Others may change the source. */
	cfg->entry_timeout = cfg->attr_timeout = 0;
	/* A write by others than root ends set-user-ID: the kernel shall see to
	 * it, since the source sees root write. */
	fuse_unset_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV);
	fuse_unset_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2);
	return NULL;
}

/* ---- attributes -------------------------------------------------------- */

static int pt_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	return result(fstatat(fs.root, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int pt_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	(void)fi;
	return result(fchmodat(fs.root, below(path), mode, 0));
}

static int pt_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	(void)fi;
	return result(fchownat(fs.root, below(path), uid, gid, AT_SYMLINK_NOFOLLOW));
}

/* An open file is truncated through its descriptor: it may have been opened
 * when its mode still allowed that. */
static int pt_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	struct full_path p;

	return result(fi != NULL ? ftruncate((int)fi->fh, size) : truncate(full(&p, path), size));
}

static int pt_utimens(const char *path, const struct timespec tv[2], struct fuse_file_info *fi)
{
	(void)fi;
	return result(utimensat(fs.root, below(path), tv, AT_SYMLINK_NOFOLLOW));
}

static int pt_statfs(const char *path, struct statvfs *st)
{
	(void)path;
	return result(fstatvfs(fs.root, st));
}

/* ---- names ------------------------------------------------------------- */

static int pt_readlink(const char *path, char *buf, size_t size)
{
	ssize_t len = readlinkat(fs.root, below(path), buf, size - 1);

	if (len == -1)
		return -errno;
	buf[len] = '\0';
	return 0;
}

static int pt_mknod(const char *path, mode_t mode, dev_t rdev)
{
	int res;

	become_caller();
	res = mknodat(fs.root, below(path), mode, rdev);
	become_self();
	return result(res);
}

static int pt_mkdir(const char *path, mode_t mode)
{
	int res;

	become_caller();
	res = mkdirat(fs.root, below(path), mode);
	become_self();
	return result(res);
}

static int pt_symlink(const char *target, const char *path)
{
	int res;

	become_caller();
	res = symlinkat(target, fs.root, below(path));
	become_self();
	return result(res);
}

static int pt_unlink(const char *path)
{
	return result(unlinkat(fs.root, below(path), 0));
}

static int pt_rmdir(const char *path)
{
	return result(unlinkat(fs.root, below(path), AT_REMOVEDIR));
}

static int pt_rename(const char *from, const char *to, unsigned int flags)
{
	return result(renameat2(fs.root, below(from), fs.root, below(to), flags));
}

static int pt_link(const char *from, const char *to)
{
	return result(linkat(fs.root, below(from), fs.root, below(to), 0));
}

/* ---- files ------------------------------------------------------------- */

static int keep(struct fuse_file_info *fi, int fd)
{
	if (fd == -1)
		return -errno;
	fi->fh = (uint64_t)fd;
	return 0;
}

/* Not with O_DIRECT, which the kernel deals with: the caller's buffer is
 * aligned for it, ours need not be. */
static int open_flags(const struct fuse_file_info *fi)
{
	return (fi->flags & ~O_DIRECT) | O_CLOEXEC;
}

static int pt_open(const char *path, struct fuse_file_info *fi)
{
	return keep(fi, openat(fs.root, below(path), open_flags(fi)));
}

static int pt_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	int fd;

	become_caller();
	fd = openat(fs.root, below(path), open_flags(fi) | O_CREAT, mode);
	become_self();
	return keep(fi, fd);
}

static int pt_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	ssize_t len = pread((int)fi->fh, buf, size, off);

	(void)path;
	return len == -1 ? -errno : (int)len;
}

static int pt_write(const char *path, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	ssize_t len = pwrite((int)fi->fh, buf, size, off);

	(void)path;
	return len == -1 ? -errno : (int)len;
}

static int pt_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)path;
	return result(datasync ? fdatasync((int)fi->fh) : fsync((int)fi->fh));
}

static int pt_release(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return result(close((int)fi->fh));
}

static int pt_fallocate(const char *path, int mode, off_t off, off_t length,
			struct fuse_file_info *fi)
{
	(void)path;
	return result(fallocate((int)fi->fh, mode, off, length));
}

static off_t pt_lseek(const char *path, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t res = lseek((int)fi->fh, off, whence);

	(void)path;
	return res == -1 ? -errno : res;
}

static ssize_t pt_copy_file_range(const char *path_in, struct fuse_file_info *fi_in, off_t off_in,
				  const char *path_out, struct fuse_file_info *fi_out,
				  off_t off_out, size_t len, int flags)
{
	ssize_t res = copy_file_range((int)fi_in->fh, &off_in, (int)fi_out->fh, &off_out, len,
				      (unsigned int)flags);

	(void)path_in;
	(void)path_out;
	return res == -1 ? -errno : res;
}

/* ---- directories ------------------------------------------------------- */

/* The whole directory in one call: every entry has the offset 0, and the
 * library keeps them until the directory is closed. */
static int pt_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
		      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	int fd = openat(fs.root, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat st;

	(void)off;
	(void)fi;
	(void)flags;
	if (dir == NULL) {
		int res = -errno;

		if (fd != -1)
			close(fd);
		return res;
	}
	while ((entry = readdir(dir)) != NULL) {
		memset(&st, 0, sizeof(st));
		st.st_ino = entry->d_ino;
		st.st_mode = (mode_t)entry->d_type << 12;
		if (fill(buf, entry->d_name, &st, 0, FUSE_FILL_DIR_DEFAULTS) != 0)
			break;
	}
	closedir(dir);
	return 0;
}

/* ---- extended attributes ----------------------------------------------- */

static int pt_setxattr(const char *path, const char *name, const char *value, size_t size,
		       int flags)
{
	struct full_path p;

	return result(lsetxattr(full(&p, path), name, value, size, flags));
}

static int pt_getxattr(const char *path, const char *name, char *value, size_t size)
{
	struct full_path p;
	ssize_t len = lgetxattr(full(&p, path), name, value, size);

	return len == -1 ? -errno : (int)len;
}

static int pt_listxattr(const char *path, char *list, size_t size)
{
	struct full_path p;
	ssize_t len = llistxattr(full(&p, path), list, size);

	return len == -1 ? -errno : (int)len;
}

static int pt_removexattr(const char *path, const char *name)
{
	struct full_path p;

	return result(lremovexattr(full(&p, path), name));
}

static const struct fuse_operations pt_ops = {
	.init = pt_init,
	.getattr = pt_getattr,
	.chmod = pt_chmod,
	.chown = pt_chown,
	.truncate = pt_truncate,
	.utimens = pt_utimens,
	.statfs = pt_statfs,
	.readlink = pt_readlink,
	.mknod = pt_mknod,
	.mkdir = pt_mkdir,
	.symlink = pt_symlink,
	.unlink = pt_unlink,
	.rmdir = pt_rmdir,
	.rename = pt_rename,
	.link = pt_link,
	.open = pt_open,
	.create = pt_create,
	.read = pt_read,
	.write = pt_write,
	.fsync = pt_fsync,
	.release = pt_release,
	.fallocate = pt_fallocate,
	.lseek = pt_lseek,
	.copy_file_range = pt_copy_file_range,
	.readdir = pt_readdir,
	.setxattr = pt_setxattr,
	.getxattr = pt_getxattr,
	.listxattr = pt_listxattr,
	.removexattr = pt_removexattr,
};

/* ---- start ------------------------------------------------------------- */

static const struct fuse_opt options[] = {
	{ "source=%s", offsetof(__typeof__(fs), source), 0 },
	{ "-h", offsetof(__typeof__(fs), show_help), 1 },
	{ "--help", offsetof(__typeof__(fs), show_help), 1 },
	FUSE_OPT_END
};

/* Prints our option, and has fuse_main() print the others behind it: an empty
 * program name tells it that there has been a usage line. */
static int help(struct fuse_args *args)
{
	printf("usage: %s [options] <mountpoint>\n\n"
	       "    -o source=DIR          the directory to show (/)\n\n",
	       args->argv[0]);
	fflush(stdout);
	args->argv[0][0] = '\0';
	return fuse_opt_add_arg(args, "--help");
}

static int prepare(struct fuse_args *args)
{
	if (fuse_opt_parse(args, &fs, options, NULL) != 0)
		return -1;
	if (fs.show_help)
		return help(args);
	/* Opened now, before a mount may hide it. */
	fs.root = open(fs.source != NULL ? fs.source : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs.root == -1) {
		perror(fs.source);
		return -1;
	}
	umask(0); /* the kernel has applied the caller's */
	fs.as_caller = geteuid() == 0;
	/* Root's rights stay in force while a handler has the caller's ids: the
	 * kernel has checked the permissions. Refused in some containers. */
	if (fs.as_caller)
		prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
	return fuse_opt_add_arg(args, "-odefault_permissions");
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	int res = 1;

	if (prepare(&args) == 0)
		res = fuse_main(args.argc, args.argv, &pt_ops, NULL);
	if (fs.root != -1)
		close(fs.root);
	free(fs.source);
	fuse_opt_free_args(&args);
	return res;
}
