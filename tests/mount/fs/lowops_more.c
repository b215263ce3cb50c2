/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * ioctl, poll, and what changes or finds data without read and write.
 */
#include "lowops.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

static int is_released(void *arg)
{
	return released != *(unsigned *)arg;
}

static int block(fuse_req_t req)
{
	unsigned was = released;

	return wait_until(req, is_released, &was);
}

static void reversed(char *to, const char *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = from[size - 1 - i];
}

static int in_parts(fuse_req_t req, char *data, size_t size)
{
	struct iovec iov[] = { { data, size / 3 }, { NULL, 0 }, { data + size / 3, size - size / 3 } };

	return fuse_reply_ioctl_iov(req, 3, iov, 3);
}

static int retry(fuse_req_t req, void *arg)
{
	struct iovec iov = { arg, 8 };

	return fuse_reply_ioctl_retry(req, &iov, 1, &iov, 1);
}

void l_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, struct fuse_file_info *fi,
	     unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	static char data[1 << 15];
	int sum = 0, error;

	(void)fi;
	if (fails(req, "ioctl"))
		return;
	pthread_mutex_lock(&lock);
	trace("ioctl %lu %u%s%s%s in %zu out %zu", (unsigned long)ino, _IOC_NR(cmd),
	      flags & FUSE_IOCTL_DIR ? " dir" : "", flags & FUSE_IOCTL_COMPAT ? " compat" : "",
	      flags & FUSE_IOCTL_UNRESTRICTED ? " unrestricted" : "", in_size, out_size);
	switch (_IOC_NR(cmd)) {
	case 1: /* out only */
		memset(data, 'r', sizeof(data));
		outcome = fuse_reply_ioctl(req, 7, data, out_size);
		break;
	case 2: /* in only: the result depends on all of it */
		for (size_t i = 0; i < in_size; i++)
			sum += ((const unsigned char *)in)[i];
		outcome = fuse_reply_ioctl(req, sum, NULL, 0);
		break;
	case 3:
		reversed(data, in, in_size);
		outcome = fuse_reply_ioctl(req, 0, data, out_size);
		break;
	case 4: /* the argument is a number */
		outcome = fuse_reply_ioctl(req, (int)(uintptr_t)arg, NULL, 0);
		break;
	case 5:
		outcome = retry(req, arg);
		break;
	case 6:
		reversed(data, in, in_size);
		outcome = in_parts(req, data, out_size);
		break;
	case 7: /* waits */
		error = block(req);
		outcome = error ? fuse_reply_err(req, error) : fuse_reply_ioctl(req, 1, NULL, 0);
		break;
	case 8: /* more than there is room for */
		outcome = fuse_reply_ioctl(req, 0, data, out_size + 100);
		break;
	case 9: /* less */
		memset(data, 's', sizeof(data));
		outcome = fuse_reply_ioctl(req, 0, data, out_size / 2);
		break;
	default:
		outcome = fuse_reply_err(req, ENOTTY);
	}
	pthread_mutex_unlock(&lock);
}

static struct fuse_pollhandle *waiting;

/* With the lock held. */
void tell_pollers(void)
{
	if (waiting)
		trace("notify_poll %d", fuse_lowlevel_notify_poll(waiting));
}

void l_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	unsigned now;

	(void)ino;
	pthread_mutex_lock(&lock);
	trace("poll %x%s", fi->poll_events, ph ? " notify" : "");
	if (ph) {
		if (waiting)
			fuse_pollhandle_destroy(waiting);
		waiting = ph;
	}
	now = ready;
	pthread_mutex_unlock(&lock);
	if (!fails(req, "poll"))
		outcome = fuse_reply_poll(req, now);
}

void l_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		 struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	int error = 0;

	(void)fi;
	if (fails(req, "fallocate"))
		return;
	pthread_mutex_lock(&lock);
	trace("fallocate %d %ld %ld", mode, (long)offset, (long)length);
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		error = EOPNOTSUPP;
	else if (mode & FALLOC_FL_PUNCH_HOLE) {
		off_t end = offset + length < f->size ? offset + length : f->size;

		if (offset < end)
			memset(f->data + offset, 0, (size_t)(end - offset));
	} else if (!(mode & FALLOC_FL_KEEP_SIZE) && offset + length > f->size)
		error = resize(f, offset + length);
	pthread_mutex_unlock(&lock);
	outcome = fuse_reply_err(req, error);
}

/* Blocks of zeros are holes. */
static int is_hole(const struct file *f, off_t at)
{
	off_t end = (at | 4095) + 1 < f->size ? (at | 4095) + 1 : f->size;

	for (off_t i = at & ~4095l; i < end; i++)
		if (f->data[i])
			return 0;
	return 1;
}

void l_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	off_t at = off;

	(void)fi;
	if (fails(req, "lseek"))
		return;
	trace("lseek %ld %d", (long)off, whence);
	if (off >= f->size) {
		outcome = fuse_reply_err(req, ENXIO);
		return;
	}
	while (at < f->size && is_hole(f, at) != (whence == SEEK_HOLE))
		at = (at | 4095) + 1;
	if (at >= f->size && whence == SEEK_DATA)
		outcome = fuse_reply_err(req, ENXIO);
	else
		outcome = fuse_reply_lseek(req, at < f->size ? at : f->size);
}

void l_copy(fuse_req_t req, fuse_ino_t in, off_t off_in, struct fuse_file_info *fi_in, fuse_ino_t out,
	    off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags)
{
	struct file *from = file_of(in), *to = file_of(out);
	int error = 0;

	(void)fi_in;
	(void)fi_out;
	if (fails(req, "copy"))
		return;
	pthread_mutex_lock(&lock);
	trace("copy %lu %ld %lu %ld %zu %d", (unsigned long)in, (long)off_in, (unsigned long)out,
	      (long)off_out, len, flags);
	if (off_in >= from->size)
		len = 0;
	else if (off_in + (off_t)len > from->size)
		len = (size_t)(from->size - off_in);
	if (off_out + (off_t)len > to->size)
		error = resize(to, off_out + (off_t)len);
	if (!error)
		memmove(to->data + off_out, from->data + off_in, len);
	pthread_mutex_unlock(&lock);
	outcome = error ? fuse_reply_err(req, error) : fuse_reply_write(req, len);
}

void l_bmap(fuse_req_t req, fuse_ino_t ino, size_t blocksize, uint64_t idx)
{
	if (fails(req, "bmap"))
		return;
	trace("bmap %lu %zu %lu", (unsigned long)ino, blocksize, (unsigned long)idx);
	outcome = fuse_reply_bmap(req, idx + 1000);
}
