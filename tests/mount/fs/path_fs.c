/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* path_fs: how it starts and ends; see path_fs.h. */
#include "path_fs.h"

int source = -1;
static int log_fd = -1;

void record(const char *fmt, ...)
{
	char line[PATH_MAX * 2 + 256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[len++] = '\n';
	if (log_fd != -1 && write(log_fd, line, (size_t)len) != len)
		abort();
}

/* The text behind `word` or `word=` in a list with commas; NULL if it is not in it. */
static const char *lookup(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, word, len) == 0 && strchr("=,", at[len]) != NULL)
			return at + len + (at[len] == '=');
	}
	return NULL;
}

int listed(const char *variable, const char *word)
{
	const char *list = getenv(variable);

	return list != NULL && lookup(list, word) != NULL;
}

int wait_interrupted(const char *operation)
{
	int signals = 0, late = 0;

	for (int i = 0; i < 500; i++) {
		struct timespec tick = { 0, 10000000 };

		if (nanosleep(&tick, NULL) == -1 && errno == EINTR)
			signals++;
		/* The signal may come a moment after the word. */
		if (fuse_interrupted() && (signals > 0 || late++ == 120)) {
			record("interrupted %s signals=%d", operation, signals);
			return -EINTR;
		}
	}
	record("not interrupted %s signals=%d", operation, signals);
	return 0;
}

/* Until there is a file ".go" in the source, at most 5 s. */
static void wait_for_go(void)
{
	for (int i = 0; i < 500 && faccessat(source, ".go", F_OK, 0) != 0; i++)
		usleep(10000);
}

int failure(const char *operation)
{
	static atomic_int waited; /* once: closing a file calls lock again */
	const char *list = getenv("PATHFS_FAIL");
	const char *number = list ? lookup(list, operation) : NULL;

	if (number != NULL && listed("PATHFS_EXTRA", "wait") && !atomic_exchange(&waited, 1))
		wait_interrupted(operation);
	list = getenv("PATHFS_HOLD");
	if (list != NULL && lookup(list, operation) != NULL)
		wait_for_go();
	return number ? -atoi(number) : 0;
}

const char *below(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

#define SET(member) \
	do { \
		const char *text = lookup(list, #member); \
		if (text != NULL) \
			cfg->member = (__typeof__(cfg->member))atof(text); \
	} while (0)

static void configure(struct fuse_config *cfg)
{
	const char *list = getenv("PATHFS_CFG");

	if (list == NULL)
		return;
	SET(set_gid);
	SET(gid);
	SET(set_uid);
	SET(uid);
	SET(entry_timeout);
	SET(negative_timeout);
	SET(attr_timeout);
	SET(intr);
	SET(intr_signal);
	SET(remember);
	SET(hard_remove);
	SET(use_ino);
	SET(readdir_ino);
	SET(direct_io);
	SET(kernel_cache);
	SET(auto_cache);
	SET(nullpath_ok);
	SET(no_rofd_flush);
	SET(parallel_direct_writes);
}

/* What was found in the options, for those who want to see. */
static void record_config(const struct fuse_config *c)
{
	record("config set_gid=%d gid=%u set_uid=%d uid=%u set_mode=%d umask=%o fmask=%o dmask=%o", c->set_gid, c->gid,
	       c->set_uid, c->uid, c->set_mode, c->umask, c->fmask, c->dmask);
	record("config entry_timeout=%g negative_timeout=%g attr_timeout=%g ac_attr_timeout_set=%d ac_attr_timeout=%g",
	       c->entry_timeout, c->negative_timeout, c->attr_timeout, c->ac_attr_timeout_set, c->ac_attr_timeout);
	record("config intr=%d intr_signal=%d remember=%d hard_remove=%d use_ino=%d readdir_ino=%d direct_io=%d",
	       c->intr, c->intr_signal, c->remember, c->hard_remove, c->use_ino, c->readdir_ino, c->direct_io);
	record("config kernel_cache=%d auto_cache=%d nullpath_ok=%d debug=%d no_rofd_flush=%d parallel=%d modules=%s",
	       c->kernel_cache, c->auto_cache, c->nullpath_ok, c->debug, c->no_rofd_flush, c->parallel_direct_writes,
	       shown(c->modules));
}

static void *p_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	const struct fuse_context *ctx = fuse_get_context();

	record("init data=%s fuse=%d posix=%d flock=%d", (const char *)ctx->private_data, ctx->fuse != NULL,
	       (conn->want & FUSE_CAP_POSIX_LOCKS) != 0, (conn->want & FUSE_CAP_FLOCK_LOCKS) != 0);
	record_config(cfg);
	if (listed("PATHFS_EXTRA", "readdirplus_always"))
		conn->want &= ~FUSE_CAP_READDIRPLUS_AUTO;
	if (listed("PATHFS_EXTRA", "no_readdirplus"))
		conn->want &= ~FUSE_CAP_READDIRPLUS;
	if (listed("PATHFS_EXTRA", "writeback"))
		conn->want |= FUSE_CAP_WRITEBACK_CACHE;
	configure(cfg);
	return "from init";
}

static void p_destroy(void *data)
{
	const struct fuse_context *ctx = fuse_get_context();

	record("destroy data=%s context=%s", (const char *)data, ctx ? shown(ctx->private_data) : "none");
}

/* Takes operations out of the table by name. */
static void select_operations(struct fuse_operations *ops)
{
	const char *without = getenv("PATHFS_WITHOUT"), *only = getenv("PATHFS_ONLY");
#define OP(name) \
	do { \
		if ((without && lookup(without, #name)) || (only && !lookup(only, #name))) \
			ops->name = NULL; \
	} while (0)
	OP(getattr); OP(readlink); OP(mknod); OP(mkdir); OP(unlink); OP(rmdir); OP(symlink); OP(rename); OP(link);
	OP(chmod); OP(chown); OP(truncate); OP(open); OP(read); OP(write); OP(statfs); OP(flush); OP(release);
	OP(fsync); OP(setxattr); OP(getxattr); OP(listxattr); OP(removexattr); OP(opendir); OP(readdir);
	OP(releasedir); OP(fsyncdir); OP(init); OP(destroy); OP(access); OP(create); OP(lock); OP(utimens); OP(bmap);
	OP(ioctl); OP(poll); OP(write_buf); OP(read_buf); OP(flock); OP(fallocate); OP(copy_file_range); OP(lseek);
	OP(statx);
}

int main(int argc, char *argv[])
{
	struct fuse_operations ops = { .init = p_init, .destroy = p_destroy };
	const char *directory = getenv("PATHFS_SOURCE"), *log = getenv("PATHFS_LOG");
	int res;

	if (directory != NULL)
		source = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (log != NULL)
		log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	umask(0);
	add_names(&ops);
	add_files(&ops);
	add_locks(&ops);
	select_operations(&ops);
	if (listed("PATHFS_EXTRA", "real"))
		res = fuse_main_real(argc, argv, &ops, offsetof(struct fuse_operations, statx), "from main");
	else
		res = fuse_main(argc, argv, &ops, "from main");
	record("end %d context=%d", res, fuse_get_context() != NULL);
	return res;
}
