/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The orders that notify_ll.c takes, one notification each.
 */
#include "notify.h"
#include <fcntl.h>

/* Of the next release: not in every libfuse3.so.4. */
int fuse_lowlevel_notify_prune(struct fuse_session *se, fuse_ino_t *nodeids, uint32_t count)
	__attribute__((weak));

/* "content TEXT": what is read from now on; the kernel is not told. */
static int content(char *arg)
{
	pthread_mutex_lock(&lock);
	st.size = strlen(arg);
	memcpy(st.content, arg, st.size);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* "fill SIZE": so many bytes that count up; nor is it told of this. */
static int fill(char *arg)
{
	pthread_mutex_lock(&lock);
	st.size = (size_t)atol(arg);
	for (size_t i = 0; i < st.size; i++)
		st.content[i] = (char)(i % 251);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* "target NAME INO": what a name stands for from now on. */
static int target(char *arg)
{
	char *name = strtok_r(arg, " ", &arg);
	int index = index_of(name);

	if (index != DATA && index != OTHER)
		return -EINVAL;
	pthread_mutex_lock(&lock);
	st.names[index] = strtoul(arg, NULL, 0);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* "inval_inode INO OFF LEN" */
static int inval_inode(char *arg)
{
	unsigned long ino;
	long off, len;

	if (sscanf(arg, "%lu %ld %ld", &ino, &off, &len) != 3)
		return -EINVAL;
	return fuse_lowlevel_notify_inval_inode(st.se, ino, off, len);
}

static int inval_entry(char *arg)
{
	return fuse_lowlevel_notify_inval_entry(st.se, FUSE_ROOT_ID, arg, strlen(arg));
}

/* A name with something behind it that is not part of it. */
static int inval_unterminated(char *arg)
{
	return fuse_lowlevel_notify_inval_entry(st.se, FUSE_ROOT_ID, arg, strcspn(arg, "!"));
}

static int expire(char *arg)
{
	return fuse_lowlevel_notify_expire_entry(st.se, FUSE_ROOT_ID, arg, strlen(arg));
}

/* "delete NAME INO" */
static int delete(char *arg)
{
	char *name = strtok_r(arg, " ", &arg);

	return fuse_lowlevel_notify_delete(st.se, FUSE_ROOT_ID, strtoul(arg, NULL, 0), name, strlen(name));
}

static int epoch(char *arg)
{
	(void)arg;
	return fuse_lowlevel_notify_increment_epoch(st.se);
}

static int prune(char *arg)
{
	fuse_ino_t ino[2] = { strtoul(arg, &arg, 0), strtoul(arg, NULL, 0) };

	return fuse_lowlevel_notify_prune ? fuse_lowlevel_notify_prune(st.se, ino, 2) : -ENOSYS;
}

/* "store OFF TEXT": from memory. */
static int store(char *arg)
{
	struct fuse_bufvec bufv = FUSE_BUFVEC_INIT(0);
	long off = strtol(arg, &arg, 0);

	bufv.buf[0].mem = arg + 1;
	bufv.buf[0].size = strlen(arg + 1);
	return fuse_lowlevel_notify_store(st.se, DATA, off, &bufv, 0);
}

/* "store_parts OFF TEXT": its first half from memory, its other half from a file. */
static int store_parts(char *arg)
{
	long off = strtol(arg, &arg, 0);
	size_t size = strlen(++arg), half = size / 2;
	struct {
		struct fuse_bufvec v;
		struct fuse_buf second;
	} b = { .v = { .count = 2, .buf = { { .size = half, .mem = arg } } } };
	FILE *file = tmpfile();
	int result;

	if (!file || fwrite(arg, 1, size, file) != size || fflush(file))
		return -EIO;
	b.second = (struct fuse_buf){ .size = size - half, .flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK,
				      .fd = fileno(file), .pos = (off_t)half };
	result = fuse_lowlevel_notify_store(st.se, DATA, off, &b.v, 0);
	fclose(file);
	return result;
}

/* "retrieve OFF SIZE COOKIE" */
static int retrieve(char *arg)
{
	long off, size, cookie;

	if (sscanf(arg, "%ld %ld %ld", &off, &size, &cookie) != 3)
		return -EINVAL;
	return fuse_lowlevel_notify_retrieve(st.se, DATA, (size_t)size, off, (void *)cookie);
}

/* "retrieve_many N": cookies 1 to N. */
static int retrieve_many(char *arg)
{
	int count = atoi(arg), result = 0;

	for (long i = 1; i <= count && !result; i++)
		result = fuse_lowlevel_notify_retrieve(st.se, DATA, 12, 0, (void *)i);
	return result;
}

static int ready(char *arg)
{
	struct fuse_pollhandle *handle;
	int result;

	pthread_mutex_lock(&lock);
	st.ready = atoi(arg);
	handle = st.handle;
	st.handle = NULL;
	pthread_mutex_unlock(&lock);
	result = fuse_lowlevel_notify_poll(handle);
	fuse_pollhandle_destroy(handle);
	return result;
}

/* Arguments that make no sense. */
static int nonsense(char *arg)
{
	struct fuse_bufvec hollow = FUSE_BUFVEC_INIT(10);

	(void)arg;
	if (fuse_lowlevel_notify_poll(NULL) != 0)
		return -EPROTO;
	return fuse_lowlevel_notify_inval_inode(NULL, 1, 0, 0) == -EINVAL &&
	       fuse_lowlevel_notify_inval_entry(NULL, 1, "a", 1) == -EINVAL &&
	       fuse_lowlevel_notify_expire_entry(NULL, 1, "a", 1) == -EINVAL &&
	       fuse_lowlevel_notify_delete(NULL, 1, 2, "a", 1) == -EINVAL &&
	       fuse_lowlevel_notify_store(NULL, 1, 0, &hollow, 0) == -EINVAL &&
	       fuse_lowlevel_notify_retrieve(NULL, 1, 1, 0, NULL) == -EINVAL &&
	       fuse_lowlevel_notify_increment_epoch(NULL) == -EINVAL ? 0 : -EPROTO;
}

/* The same for pointers that libfuse follows. */
static int null_pointers(char *arg)
{
	struct fuse_bufvec hollow = FUSE_BUFVEC_INIT(10);

	(void)arg;
	return fuse_lowlevel_notify_inval_entry(st.se, 1, NULL, 1) == -EINVAL &&
	       fuse_lowlevel_notify_delete(st.se, 1, 2, NULL, 1) == -EINVAL &&
	       fuse_lowlevel_notify_store(st.se, 2, 0, NULL, 0) == -EINVAL &&
	       fuse_lowlevel_notify_store(st.se, 2, 0, &hollow, 0) == -EFAULT &&
	       fuse_lowlevel_notify_prune(st.se, NULL, 1) == -EINVAL ? 0 : -EPROTO;
}

static void *blow(void *arg)
{
	char text[64];
	long until = (long)arg;
	int sent = 0, failed = 0;
	struct timespec now;

	do {
		static const char *const all[] = { "inval_inode 2 0 0", "inval_inode 3 -1 0", "inval_entry data",
			"expire other", "store 0 old content", "retrieve 0 4096 7", "epoch" };

		strcpy(text, all[sent++ % 7]);
		int result = carry_out(text);

		/* A name or inode that just nobody knows is no failure. */
		failed += result != 0 && result != -ENOENT && result != -ENOTDIR;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < until);
	pthread_mutex_lock(&lock);
	st.failed += failed;
	st.sent += sent;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* "storm THREADS MILLISECONDS": of everything at once, from threads that nobody knows. */
static int storm(char *arg)
{
	struct timespec now;
	pthread_t thread[16];
	int threads = (int)strtol(arg, &arg, 0);

	clock_gettime(CLOCK_MONOTONIC, &now);
	long until = now.tv_sec * 1000 + now.tv_nsec / 1000000 + strtol(arg, NULL, 0);

	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, blow, (void *)until);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

static const struct {
	const char *name;
	int (*function)(char *arg);
} orders[] = {
	{ "content", content }, { "fill", fill }, { "target", target }, { "inval_inode", inval_inode },
	{ "inval_entry", inval_entry }, { "inval_unterminated", inval_unterminated }, { "expire", expire },
	{ "delete", delete }, { "epoch", epoch }, { "prune", prune }, { "store", store },
	{ "store_parts", store_parts }, { "retrieve", retrieve }, { "retrieve_many", retrieve_many },
	{ "ready", ready }, { "nonsense", nonsense }, { "null_pointers", null_pointers }, { "storm", storm },
};

int carry_out(char *text)
{
	size_t length = strcspn(text, " ");

	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (strlen(orders[i].name) == length && !strncmp(orders[i].name, text, length))
			return orders[i].function(text + length + (text[length] == ' '));
	return -EOPNOTSUPP;
}
