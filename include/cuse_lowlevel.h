/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * Character devices in user space: /dev/NAME, served like a filesystem.
 *
 * Requests are answered with the functions of fuse_lowlevel.h. A device always
 * uses /dev/cuse, never io_uring. It takes the rights to open /dev/cuse.
 */
#ifndef CUSE_LOWLEVEL_H_
#define CUSE_LOWLEVEL_H_

#ifndef FUSE_USE_VERSION
#error "define FUSE_USE_VERSION (for example 318) before you include a header of FUSE"
#endif

#include "fuse_lowlevel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Flag of a device: FUSE_IOCTL_UNRESTRICTED is set in its ioctls, so that they
 *  may ask for data from anywhere in the caller. */
#define CUSE_UNRESTRICTED_IOCTL (1 << 0)

struct fuse_session;

/** Description of a device. */
struct cuse_info {
	/** Major number; 0 lets the kernel choose. */
	unsigned dev_major;

	/** Minor number. */
	unsigned dev_minor;

	/** Number of strings in `dev_info_argv`. */
	unsigned dev_info_argc;

	/** Properties for the kernel, `KEY=VALUE` each; `DEVNAME=` is needed. */
	const char **dev_info_argv;

	/** 0 or #CUSE_UNRESTRICTED_IOCTL. */
	unsigned flags;
};

/**
 * The handlers of a device. They work as those of struct fuse_lowlevel_ops,
 * without an inode. Release is called once for each open that was answered
 * with fuse_reply_open().
 */
struct cuse_lowlevel_ops {
	/** The connection starts. No reply. */
	void (*init)(void *userdata, struct fuse_conn_info *conn);

	/** The device is there. No reply. */
	void (*init_done)(void *userdata);

	/** The connection has ended. No reply. */
	void (*destroy)(void *userdata);

	/** Reply: fuse_reply_open(). */
	void (*open)(fuse_req_t req, struct fuse_file_info *fi);

	/** Reply: fuse_reply_buf(), fuse_reply_iov(). `off` is always 0. */
	void (*read)(fuse_req_t req, size_t size, off_t off,
		     struct fuse_file_info *fi);

	/** Reply: fuse_reply_write(). `off` is always 0. */
	void (*write)(fuse_req_t req, const char *buf, size_t size, off_t off,
		      struct fuse_file_info *fi);

	/** Reply: fuse_reply_err(). */
	void (*flush)(fuse_req_t req, struct fuse_file_info *fi);

	/** Reply: fuse_reply_err(). */
	void (*release)(fuse_req_t req, struct fuse_file_info *fi);

	/** Reply: fuse_reply_err(). */
	void (*fsync)(fuse_req_t req, int datasync, struct fuse_file_info *fi);

	/** Reply: fuse_reply_ioctl(), fuse_reply_ioctl_iov(), or
	 *  fuse_reply_ioctl_retry(). The command is an int at any
	 *  FUSE_USE_VERSION. */
	void (*ioctl)(fuse_req_t req, int cmd, void *arg,
		      struct fuse_file_info *fi, unsigned int flags,
		      const void *in_buf, size_t in_bufsz, size_t out_bufsz);

	/** Reply: fuse_reply_poll(). */
	void (*poll)(fuse_req_t req, struct fuse_file_info *fi,
		     struct fuse_pollhandle *ph);
};

/**
 * Make a session for a device. Nothing is opened yet.
 *
 * @param args     options, as for fuse_session_new()
 * @param ci       the device; its strings are copied
 * @param clop     the handlers; copied
 * @param userdata handed to init, init_done and destroy
 * @return the session, for fuse_session_destroy(); NULL after an error that
 *         has been logged
 */
struct fuse_session *cuse_lowlevel_new(struct fuse_args *args,
				       const struct cuse_info *ci,
				       const struct cuse_lowlevel_ops *clop,
				       void *userdata);

/**
 * Parse a command line, make a session, open /dev/cuse, set signal handlers
 * and go to the background as the options say. A loop is to follow.
 *
 * @param argc          number of arguments
 * @param argv          the arguments
 * @param ci            the device
 * @param clop          the handlers
 * @param multithreaded set to whether fuse_session_loop_mt() is wanted
 * @param userdata      handed to init, init_done and destroy
 * @return the session, for cuse_lowlevel_teardown(); NULL after an error that
 *         has been logged
 */
struct fuse_session *cuse_lowlevel_setup(int argc, char *argv[],
					 const struct cuse_info *ci,
					 const struct cuse_lowlevel_ops *clop,
					 int *multithreaded, void *userdata);

/**
 * Undo cuse_lowlevel_setup(): signal handlers, session.
 *
 * @param se the session
 */
void cuse_lowlevel_teardown(struct fuse_session *se);

/**
 * All of it: set up, run the loop, tear down.
 *
 * @param argc     number of arguments
 * @param argv     the arguments
 * @param ci       the device
 * @param clop     the handlers
 * @param userdata handed to init, init_done and destroy
 * @return 0 if all went well, else 1: an exit code
 */
int cuse_lowlevel_main(int argc, char *argv[], const struct cuse_info *ci,
		       const struct cuse_lowlevel_ops *clop, void *userdata);

#ifdef __cplusplus
}
#endif

#endif /* CUSE_LOWLEVEL_H_ */
