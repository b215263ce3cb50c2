/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * The low-level interface: requests as the kernel sends them, on inode numbers
 * that the filesystem gives out, answered by a call of a reply function, at
 * any time and on any thread.
 *
 * The life of a filesystem: fuse_parse_cmdline(), fuse_session_new(),
 * fuse_set_signal_handlers(), fuse_session_mount(), fuse_daemonize(),
 * fuse_session_loop() or fuse_session_loop_mt(), then the opposites in reverse
 * order and fuse_session_destroy().
 *
 * Define FUSE_USE_VERSION before including this file; 318 for new programs.
 */
#ifndef FUSE_LOWLEVEL_H_
#define FUSE_LOWLEVEL_H_

#include "fuse_common.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct statx;

/** Inode number of the root of the filesystem. */
#define FUSE_ROOT_ID 1

/** Inode number. The filesystem gives them out in lookup and the like. */
typedef uint64_t fuse_ino_t;

/**
 * A request. It ends with the one reply that it gets: do not use it
 * afterwards, not even to ask for its context.
 */
typedef struct fuse_req *fuse_req_t;

/**
 * A name that was found or made: what lookup, mknod, mkdir, symlink, link and
 * create answer with.
 */
struct fuse_entry_param {
	/** Number of the inode. In an answer to lookup, 0 says that there is no
	 *  such name and that this may be remembered for `entry_timeout`. */
	fuse_ino_t ino;

	/** Changes whenever an inode number is used again, so that the pair of
	 *  both never names two things; needed for export over NFS. */
	uint64_t generation;

	/** Attributes. `st_ino` is what user programs see, it may differ from
	 *  `ino`. */
	struct stat attr;

	/** Seconds for which the attributes may be remembered. */
	double attr_timeout;

	/** Seconds for which the name may be remembered. */
	double entry_timeout;
};

/** Who sends a request. The ids are 0 for requests of the kernel itself. */
struct fuse_ctx {
	/** User, as seen in the filesystem's user namespace. */
	uid_t uid;

	/** Group, likewise. */
	gid_t gid;

	/** Thread; 0 if it has no number in the filesystem's namespace. */
	pid_t pid;

	/** File mode creation mask: input of mknod, mkdir, create. */
	mode_t umask;
};

/** One element of forget_multi. */
struct fuse_forget_data {
	/** The inode. */
	fuse_ino_t ino;

	/** Lookups to take off its count. */
	uint64_t nlookup;
};

/**
 * Replacements for the system calls on the device; see
 * fuse_session_custom_io().
 */
struct fuse_custom_io {
	/** Send a whole message, as writev(2). Required. */
	ssize_t (*writev)(int fd, struct iovec *iov, int count, void *userdata);

	/** Receive one whole message, as read(2). Required. */
	ssize_t (*read)(int fd, void *buf, size_t buf_len, void *userdata);

	/** As splice(2), from the device into a pipe. NULL: not used. */
	ssize_t (*splice_receive)(int fdin, off_t *offin, int fdout,
				  off_t *offout, size_t len,
				  unsigned int flags, void *userdata);

	/** As splice(2), from a pipe into the device. NULL: not used. */
	ssize_t (*splice_send)(int fdin, off_t *offin, int fdout,
			       off_t *offout, size_t len,
			       unsigned int flags, void *userdata);

	/** Make a further descriptor of the same connection for a worker thread;
	 *  returns it or -1 with errno. NULL: the usual way. Since 3.17. */
	int (*clone_fd)(int master_fd);
};

/** How fuse_lowlevel_notify_expire_entry() and its relatives treat a name. */
enum fuse_notify_entry_flags {
	/** Forget the name. */
	FUSE_LL_INVALIDATE = 0,

	/** Only look it up again when it is next used. */
	FUSE_LL_EXPIRE_ONLY = (1 << 0)
};

/* Bits of setattr's to_set: the members of attr that count. */
/** st_mode is to be set. */
#define FUSE_SET_ATTR_MODE (1 << 0)
/** st_uid is to be set. */
#define FUSE_SET_ATTR_UID (1 << 1)
/** st_gid is to be set. */
#define FUSE_SET_ATTR_GID (1 << 2)
/** st_size is to be set. */
#define FUSE_SET_ATTR_SIZE (1 << 3)
/** st_atim is to be set. */
#define FUSE_SET_ATTR_ATIME (1 << 4)
/** st_mtim is to be set. */
#define FUSE_SET_ATTR_MTIME (1 << 5)
/** The access time is to be set to the present. */
#define FUSE_SET_ATTR_ATIME_NOW (1 << 7)
/** The modification time is to be set to the present. */
#define FUSE_SET_ATTR_MTIME_NOW (1 << 8)
/** Set it although permissions would not allow it. */
#define FUSE_SET_ATTR_FORCE (1 << 9)
/** st_ctim is to be set (writeback caching). */
#define FUSE_SET_ATTR_CTIME (1 << 10)
/** The set-user-ID bit is to be cleared. */
#define FUSE_SET_ATTR_KILL_SUID (1 << 11)
/** The set-group-ID bit is to be cleared. */
#define FUSE_SET_ATTR_KILL_SGID (1 << 12)
/** The change was made through an open file. */
#define FUSE_SET_ATTR_FILE (1 << 13)
/** Privileges of the file are to be dropped. */
#define FUSE_SET_ATTR_KILL_PRIV (1 << 14)
/** The size is set because of O_TRUNC in open(2). */
#define FUSE_SET_ATTR_OPEN (1 << 15)
/** Times were given explicitly. */
#define FUSE_SET_ATTR_TIMES_SET (1 << 16)
/** Times are set to the present as by touch(1). */
#define FUSE_SET_ATTR_TOUCH (1 << 17)

/**
 * The handlers of a filesystem.
 *
 * A handler that is NULL is answered by the library: usually ENOSYS, after
 * which the kernel does without that request. The defaults that differ are
 * named below.
 *
 * Each handler with a request answers it exactly once, with one of the
 * functions named, or with fuse_reply_err() and a positive error number. It
 * may do so before it returns or later, on any thread. Names, data, lists and
 * structures that it is given are valid until it returns (or has replied, if
 * that is earlier): copy what is needed longer.
 *
 * Handlers run on the thread that called fuse_session_loop(), or on up to
 * max_threads threads of fuse_session_loop_mt(). The kernel does not order
 * requests that do not depend on each other.
 *
 * Each reply with a struct fuse_entry_param (and each entry of a readdirplus
 * reply, "." and ".." apart) adds one to the lookup count of the inode; forget
 * takes from it. The inode must stay usable until the count is 0. At unmount
 * no forgets need come.
 */
struct fuse_lowlevel_ops {
	/** The connection starts. No reply.
	 *  @param userdata what fuse_session_new() was given
	 *  @param conn     what is offered, and what will be used; may be changed */
	void (*init)(void *userdata, struct fuse_conn_info *conn);

	/** The connection has ended. No reply.
	 *  @param userdata what fuse_session_new() was given */
	void (*destroy)(void *userdata);

	/** Find a name in a directory. Reply: fuse_reply_entry().
	 *  @param req    the request
	 *  @param parent the directory
	 *  @param name   the name */
	void (*lookup)(fuse_req_t req, fuse_ino_t parent, const char *name);

	/** The kernel needs an inode less. Reply: fuse_reply_none(). Default:
	 *  nothing.
	 *  @param req     the request
	 *  @param ino     the inode
	 *  @param nlookup number to take off its lookup count */
	void (*forget)(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);

	/** Attributes. Reply: fuse_reply_attr().
	 *  @param req the request
	 *  @param ino the inode
	 *  @param fi  the open file if there is one that the kernel knows, else
	 *             NULL */
	void (*getattr)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

	/** Change attributes. Reply: fuse_reply_attr().
	 *  @param req    the request
	 *  @param ino    the inode
	 *  @param attr   new values
	 *  @param to_set FUSE_SET_ATTR_ bits: which of them count
	 *  @param fi     the open file, for ftruncate(2) and the like, else NULL */
	void (*setattr)(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			int to_set, struct fuse_file_info *fi);

	/** Target of a symbolic link. Reply: fuse_reply_readlink().
	 *  @param req the request
	 *  @param ino the inode */
	void (*readlink)(fuse_req_t req, fuse_ino_t ino);

	/** Make a file, FIFO, socket or device node. Reply: fuse_reply_entry().
	 *  Also used for regular files if there is no create handler.
	 *  @param req    the request
	 *  @param parent the directory
	 *  @param name   the name
	 *  @param mode   type and permissions
	 *  @param rdev   number of the device, if it is one */
	void (*mknod)(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode, dev_t rdev);

	/** Make a directory. Reply: fuse_reply_entry().
	 *  @param req    the request
	 *  @param parent the directory to make it in
	 *  @param name   the name
	 *  @param mode   permissions; the type is not set */
	void (*mkdir)(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode);

	/** Remove a name that is no directory. The inode lives until it is
	 *  forgotten. Reply: fuse_reply_err().
	 *  @param req    the request
	 *  @param parent the directory
	 *  @param name   the name */
	void (*unlink)(fuse_req_t req, fuse_ino_t parent, const char *name);

	/** Remove a directory; as unlink. Reply: fuse_reply_err().
	 *  @param req    the request
	 *  @param parent the directory that it is in
	 *  @param name   the name */
	void (*rmdir)(fuse_req_t req, fuse_ino_t parent, const char *name);

	/** Make a symbolic link. Reply: fuse_reply_entry().
	 *  @param req    the request
	 *  @param link   its target
	 *  @param parent the directory
	 *  @param name   the name */
	void (*symlink)(fuse_req_t req, const char *link, fuse_ino_t parent,
			const char *name);

	/** Give something another name. Reply: fuse_reply_err().
	 *  @param req       the request
	 *  @param parent    the old directory
	 *  @param name      the old name
	 *  @param newparent the new directory
	 *  @param newname   the new name; what it names is replaced
	 *  @param flags     0, RENAME_NOREPLACE, RENAME_EXCHANGE; answer EINVAL
	 *                   to what is not supported */
	void (*rename)(fuse_req_t req, fuse_ino_t parent, const char *name,
		       fuse_ino_t newparent, const char *newname,
		       unsigned int flags);

	/** Make a further name of an inode. Reply: fuse_reply_entry().
	 *  @param req       the request
	 *  @param ino       the inode
	 *  @param newparent the directory
	 *  @param newname   the name */
	void (*link)(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
		     const char *newname);

	/** Open a file. Reply: fuse_reply_open(). `fi->flags` holds the flags of
	 *  open(2) without O_CREAT, O_EXCL and O_NOCTTY; set `fi->fh` and the
	 *  outputs that struct fuse_file_info names. Default: all opens succeed.
	 *  @param req the request
	 *  @param ino the inode
	 *  @param fi  the open file */
	void (*open)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

	/** Read. Reply: fuse_reply_buf(), fuse_reply_data() or fuse_reply_iov();
	 *  fewer bytes than asked for mean the end of the file, except with
	 *  `direct_io`.
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param size bytes wanted
	 *  @param off  place in the file
	 *  @param fi   the open file */
	void (*read)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi);

	/** Write. Reply: fuse_reply_write(); fewer bytes than given are an error
	 *  of the device unless `direct_io` is in use. Not called if write_buf is
	 *  there.
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param buf  the data
	 *  @param size bytes
	 *  @param off  place in the file
	 *  @param fi   the open file */
	void (*write)(fuse_req_t req, fuse_ino_t ino, const char *buf,
		      size_t size, off_t off, struct fuse_file_info *fi);

	/** A descriptor of an open file is closed; comes as often as close(2) is
	 *  called, so this is not the end of the open file. Give up POSIX locks
	 *  of `fi->lock_owner` if there is a setlk handler. The error is that of
	 *  close(2). Reply: fuse_reply_err().
	 *  @param req the request
	 *  @param ino the inode
	 *  @param fi  the open file */
	void (*flush)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

	/** The open file ends; exactly one for each successful open or create.
	 *  Nobody sees the error. Reply: fuse_reply_err(). Default: success.
	 *  @param req the request
	 *  @param ino the inode
	 *  @param fi  the open file */
	void (*release)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

	/** Make written data permanent. Reply: fuse_reply_err().
	 *  @param req      the request
	 *  @param ino      the inode
	 *  @param datasync not 0: the data only, not the attributes
	 *  @param fi       the open file */
	void (*fsync)(fuse_req_t req, fuse_ino_t ino, int datasync,
		      struct fuse_file_info *fi);

	/** Open a directory. Reply: fuse_reply_open(). Default: success.
	 *  @param req the request
	 *  @param ino the directory
	 *  @param fi  the open directory; set `fi->fh` as you need */
	void (*opendir)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

	/** Entries of a directory, made with fuse_add_direntry(). Reply:
	 *  fuse_reply_buf() or fuse_reply_data(); empty at the end.
	 *  @param req  the request
	 *  @param ino  the directory
	 *  @param size most bytes in the reply
	 *  @param off  0, or the offset of the last entry that was taken
	 *  @param fi   the open directory */
	void (*readdir)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi);

	/** The open directory ends. Reply: fuse_reply_err(). Default: success.
	 *  @param req the request
	 *  @param ino the directory
	 *  @param fi  the open directory */
	void (*releasedir)(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi);

	/** Make changes of a directory permanent. Reply: fuse_reply_err().
	 *  @param req      the request
	 *  @param ino      the directory
	 *  @param datasync not 0: the entries only, not the attributes
	 *  @param fi       the open directory */
	void (*fsyncdir)(fuse_req_t req, fuse_ino_t ino, int datasync,
			 struct fuse_file_info *fi);

	/** Size of the filesystem and so on. Reply: fuse_reply_statfs(). Default:
	 *  names of up to 255 bytes, blocks of 512, all else 0.
	 *  @param req the request
	 *  @param ino an inode; 0 if none is meant */
	void (*statfs)(fuse_req_t req, fuse_ino_t ino);

	/** Set an extended attribute. Reply: fuse_reply_err().
	 *  @param req   the request
	 *  @param ino   the inode
	 *  @param name  name of the attribute
	 *  @param value its value, not a string
	 *  @param size  bytes of the value
	 *  @param flags 0, XATTR_CREATE or XATTR_REPLACE */
	void (*setxattr)(fuse_req_t req, fuse_ino_t ino, const char *name,
			 const char *value, size_t size, int flags);

	/** Value of an extended attribute. If size is 0, reply with its length:
	 *  fuse_reply_xattr(). Else with the value: fuse_reply_buf(), or ERANGE
	 *  if it is longer than size, ENODATA if there is none.
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param name name of the attribute
	 *  @param size most bytes wanted */
	void (*getxattr)(fuse_req_t req, fuse_ino_t ino, const char *name,
			 size_t size);

	/** Names of all extended attributes, each with its final NUL. Replies as
	 *  for getxattr.
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param size most bytes wanted, 0 to ask for the length */
	void (*listxattr)(fuse_req_t req, fuse_ino_t ino, size_t size);

	/** Remove an extended attribute. Reply: fuse_reply_err().
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param name name of the attribute */
	void (*removexattr)(fuse_req_t req, fuse_ino_t ino, const char *name);

	/** Check permissions for access(2) and chdir(2). Not called with the
	 *  mount option `default_permissions`. Reply: fuse_reply_err(). ENOSYS
	 *  means that all further checks succeed.
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param mask R_OK, W_OK, X_OK, or F_OK */
	void (*access)(fuse_req_t req, fuse_ino_t ino, int mask);

	/** Make a regular file and open it. Reply: fuse_reply_create(). Default:
	 *  the kernel uses mknod and open.
	 *  @param req    the request
	 *  @param parent the directory
	 *  @param name   the name
	 *  @param mode   type and permissions
	 *  @param fi     the open file, as for open */
	void (*create)(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode, struct fuse_file_info *fi);

	/** Would a POSIX lock be granted? Reply: fuse_reply_lock(), with F_UNLCK
	 *  as type, or a lock in the way.
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param fi   the open file; `lock_owner` asks
	 *  @param lock the lock */
	void (*getlk)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock);

	/** Set or give up a POSIX lock. Reply: fuse_reply_err(). If the handlers
	 *  for POSIX locks are missing, the kernel keeps the locks.
	 *  @param req   the request
	 *  @param ino   the inode
	 *  @param fi    the open file; `lock_owner` owns the lock
	 *  @param lock  the lock, F_UNLCK to give it up
	 *  @param sleep not 0: wait; else answer EAGAIN if it is taken */
	void (*setlk)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock, int sleep);

	/** Block of the device that holds a block of a file; for mounts with
	 *  `blkdev`. Reply: fuse_reply_bmap().
	 *  @param req       the request
	 *  @param ino       the inode
	 *  @param blocksize bytes of a block
	 *  @param idx       number of the block in the file */
	void (*bmap)(fuse_req_t req, fuse_ino_t ino, size_t blocksize,
		     uint64_t idx);

#if FUSE_USE_VERSION < 35
	/** ioctl(2). Reply: fuse_reply_ioctl(), fuse_reply_ioctl_iov() or, if
	 *  FUSE_IOCTL_UNRESTRICTED is set, fuse_reply_ioctl_retry(). The command
	 *  is unsigned from 35 on.
	 *  @param req       the request
	 *  @param ino       the inode
	 *  @param cmd       number of the command
	 *  @param arg       the caller's argument: an address in the caller, not
	 *                   here
	 *  @param fi        the open file or directory
	 *  @param flags     FUSE_IOCTL_ bits
	 *  @param in_buf    data that came along
	 *  @param in_bufsz  its bytes
	 *  @param out_bufsz most bytes of data in the reply */
	void (*ioctl)(fuse_req_t req, fuse_ino_t ino, int cmd, void *arg,
		      struct fuse_file_info *fi, unsigned flags,
		      const void *in_buf, size_t in_bufsz, size_t out_bufsz);
#else
	/** ioctl(2). Reply: fuse_reply_ioctl(), fuse_reply_ioctl_iov() or, if
	 *  FUSE_IOCTL_UNRESTRICTED is set, fuse_reply_ioctl_retry().
	 *  @param req       the request
	 *  @param ino       the inode
	 *  @param cmd       number of the command
	 *  @param arg       the caller's argument: an address in the caller, not
	 *                   here
	 *  @param fi        the open file or directory
	 *  @param flags     FUSE_IOCTL_ bits
	 *  @param in_buf    data that came along
	 *  @param in_bufsz  its bytes
	 *  @param out_bufsz most bytes of data in the reply */
	void (*ioctl)(fuse_req_t req, fuse_ino_t ino, unsigned int cmd,
		      void *arg, struct fuse_file_info *fi, unsigned flags,
		      const void *in_buf, size_t in_bufsz, size_t out_bufsz);
#endif

	/** Is an open file ready? Reply: fuse_reply_poll(). Default: always
	 *  ready.
	 *  @param req the request
	 *  @param ino the inode
	 *  @param fi  the open file; `poll_events` are waited for
	 *  @param ph  not NULL: keep it, and call fuse_lowlevel_notify_poll() with
	 *             it when something changes; release it and any earlier one of
	 *             this file with fuse_pollhandle_destroy() */
	void (*poll)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct fuse_pollhandle *ph);

	/** As write, but the data may be behind a descriptor: move it with
	 *  fuse_buf_copy() before the handler returns. Reply: fuse_reply_write().
	 *  @param req  the request
	 *  @param ino  the inode
	 *  @param bufv the data
	 *  @param off  place in the file
	 *  @param fi   the open file */
	void (*write_buf)(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_bufvec *bufv, off_t off,
			  struct fuse_file_info *fi);

	/** Data that fuse_lowlevel_notify_retrieve() asked for. Reply:
	 *  fuse_reply_none().
	 *  @param req    the request
	 *  @param cookie what was given to that function
	 *  @param ino    the inode
	 *  @param offset place in the file
	 *  @param bufv   the data; shorter than asked for if less was cached */
	void (*retrieve_reply)(fuse_req_t req, void *cookie, fuse_ino_t ino,
			       off_t offset, struct fuse_bufvec *bufv);

	/** Several forgets at once. Reply: fuse_reply_none(). Default: forget for
	 *  each.
	 *  @param req     the request
	 *  @param count   how many
	 *  @param forgets the inodes and counts */
	void (*forget_multi)(fuse_req_t req, size_t count,
			     struct fuse_forget_data *forgets);

	/** Set or give up a lock of flock(2). Reply: fuse_reply_err(). If the
	 *  handler is missing, the kernel keeps the locks.
	 *  @param req the request
	 *  @param ino the inode
	 *  @param fi  the open file; `lock_owner` owns the lock
	 *  @param op  LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB not to wait */
	void (*flock)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      int op);

	/** Reserve or release space. Reply: fuse_reply_err(). ENOSYS makes all
	 *  further calls fail with EOPNOTSUPP.
	 *  @param req    the request
	 *  @param ino    the inode
	 *  @param mode   as for fallocate(2)
	 *  @param offset where
	 *  @param length how many bytes
	 *  @param fi     the open file */
	void (*fallocate)(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
			  off_t length, struct fuse_file_info *fi);

	/** Entries of a directory with their attributes, made with
	 *  fuse_add_direntry_plus(). Each, "." and ".." apart, counts as a
	 *  lookup. Reply as for readdir.
	 *  @param req  the request
	 *  @param ino  the directory
	 *  @param size most bytes in the reply
	 *  @param off  0, or the offset of the last entry that was taken
	 *  @param fi   the open directory */
	void (*readdirplus)(fuse_req_t req, fuse_ino_t ino, size_t size,
			    off_t off, struct fuse_file_info *fi);

	/** Copy between two open files. Reply: fuse_reply_write(). With ENOSYS
	 *  the caller sees EOPNOTSUPP, or the kernel copies. Since 3.4.
	 *  @param req     the request
	 *  @param ino_in  inode to copy from
	 *  @param off_in  place in it
	 *  @param fi_in   its open file
	 *  @param ino_out inode to copy to
	 *  @param off_out place in it
	 *  @param fi_out  its open file
	 *  @param len     bytes to copy
	 *  @param flags   as for copy_file_range(2) */
	void (*copy_file_range)(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
				struct fuse_file_info *fi_in, fuse_ino_t ino_out,
				off_t off_out, struct fuse_file_info *fi_out,
				size_t len, int flags);

	/** Find the next data or hole. Reply: fuse_reply_lseek(). Since 3.8.
	 *  @param req    the request
	 *  @param ino    the inode
	 *  @param off    where to begin
	 *  @param whence SEEK_DATA or SEEK_HOLE
	 *  @param fi     the open file */
	void (*lseek)(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		      struct fuse_file_info *fi);

	/** Make a file without a name and open it (O_TMPFILE). Reply:
	 *  fuse_reply_create(). Default: the caller sees EOPNOTSUPP.
	 *  Since 3.13.
	 *  @param req    the request
	 *  @param parent a directory
	 *  @param mode   type and permissions
	 *  @param fi     the open file, as for open */
	void (*tmpfile)(fuse_req_t req, fuse_ino_t parent, mode_t mode,
			struct fuse_file_info *fi);

	/** Attributes for statx(2). Reply: fuse_reply_statx(). Default: getattr
	 *  is used. Since 3.18.
	 *  @param req   the request
	 *  @param ino   the inode
	 *  @param flags AT_STATX_ bits
	 *  @param mask  STATX_ bits: what the caller wants
	 *  @param fi    the open file, or NULL */
	void (*statx)(fuse_req_t req, fuse_ino_t ino, int flags, int mask,
		      struct fuse_file_info *fi);
};

/**************************************************************************
 * Replies
 *
 * Each takes a request that has not been answered and ends it, whatever it
 * returns. All may be called on any thread, also after the handler returned.
 * What is passed in by pointer is not needed any more after the call.
 *
 * They return 0, or a negative error number if the kernel did not take the
 * reply: -ENOENT when the caller was interrupted meanwhile. There is nothing
 * to be done about it, except for replies that open something: no release
 * follows then, so undo the open.
 **************************************************************************/

/**
 * Answer with an error, or with success where nothing else is to be said.
 *
 * @param req the request
 * @param err a positive error number, 0 for success
 * @return 0 or a negative error number
 */
int fuse_reply_err(fuse_req_t req, int err);

/**
 * End a request that gets no answer: forget, forget_multi, retrieve_reply.
 *
 * @param req the request
 */
void fuse_reply_none(fuse_req_t req);

/**
 * Answer with a name: lookup, mknod, mkdir, symlink, link. Adds one to the
 * lookup count of the inode, unless an error is returned.
 *
 * @param req the request
 * @param e   the entry
 * @return 0 or a negative error number
 */
int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e);

/**
 * Answer with a name and an open file: create, tmpfile. Adds one to the lookup
 * count of the inode, unless an error is returned.
 *
 * @param req the request
 * @param e   the entry
 * @param fi  the open file
 * @return 0 or a negative error number
 */
int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
		      const struct fuse_file_info *fi);

/**
 * Answer with attributes: getattr, setattr.
 *
 * @param req          the request
 * @param attr         the attributes
 * @param attr_timeout seconds for which they may be remembered
 * @return 0 or a negative error number
 */
int fuse_reply_attr(fuse_req_t req, const struct stat *attr, double attr_timeout);

/**
 * Answer with the target of a symbolic link: readlink.
 *
 * @param req  the request
 * @param link the target
 * @return 0 or a negative error number
 */
int fuse_reply_readlink(fuse_req_t req, const char *link);

/**
 * Register a file with the kernel, to be used instead of requests for reads,
 * writes and mmap of files that are opened with it as their `backing_id`. Does
 * not answer the request, and is for use in its handler, before the reply.
 *
 * Needs FUSE_CAP_PASSTHROUGH and the capability CAP_SYS_ADMIN.
 *
 * @param req the request; names the connection
 * @param fd  an open file, may be closed afterwards
 * @return a number above 0 for `backing_id`; 0 after an error that was logged
 *
 * Since 3.17.
 */
int fuse_passthrough_open(fuse_req_t req, int fd);

/**
 * Give up what fuse_passthrough_open() registered. Files that were opened with
 * it go on using it. Does not answer the request.
 *
 * @param req        a request; names the connection
 * @param backing_id the number
 * @return 0, or -1 after an error that was logged
 *
 * Since 3.17.
 */
int fuse_passthrough_close(fuse_req_t req, int backing_id);

/**
 * Answer with an open file or directory: open, opendir.
 *
 * @param req the request
 * @param fi  the open file
 * @return 0 or a negative error number; -ENOENT: it will not be released
 */
int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi);

/**
 * Answer with a number of bytes: write, write_buf, copy_file_range.
 *
 * @param req   the request
 * @param count bytes that were written
 * @return 0 or a negative error number
 */
int fuse_reply_write(fuse_req_t req, size_t count);

/**
 * Answer with data: read, readdir, readdirplus, getxattr, listxattr.
 *
 * @param req  the request
 * @param buf  the data; may be NULL if @p size is 0
 * @param size bytes, not more than were asked for
 * @return 0 or a negative error number
 */
int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size);

/**
 * Answer with data in memory or behind descriptors, which may be spliced:
 * read, readdir, readdirplus, getxattr, listxattr.
 *
 * With FUSE_BUF_SPLICE_MOVE the memory pages of the file may end up in the
 * kernel's cache.
 *
 * @param req   the request
 * @param bufv  the data; its place is not moved on
 * @param flags how to copy
 * @return 0 or a negative error number
 */
int fuse_reply_data(fuse_req_t req, struct fuse_bufvec *bufv,
		    enum fuse_buf_copy_flags flags);

/**
 * Answer with data from several places: read, readdir, readdirplus, getxattr,
 * listxattr.
 *
 * @param req   the request
 * @param iov   the places
 * @param count how many
 * @return 0 or a negative error number
 */
int fuse_reply_iov(fuse_req_t req, const struct iovec *iov, int count);

/**
 * Answer with the state of the filesystem: statfs.
 *
 * @param req   the request
 * @param stbuf the state
 * @return 0 or a negative error number
 */
int fuse_reply_statfs(fuse_req_t req, const struct statvfs *stbuf);

/**
 * Answer with the length of a value or list: getxattr and listxattr with size
 * 0.
 *
 * @param req   the request
 * @param count bytes
 * @return 0 or a negative error number
 */
int fuse_reply_xattr(fuse_req_t req, size_t count);

/**
 * Answer with a lock: getlk.
 *
 * @param req  the request
 * @param lock the lock in the way, or one of type F_UNLCK
 * @return 0 or a negative error number
 */
int fuse_reply_lock(fuse_req_t req, const struct flock *lock);

/**
 * Answer with a number of a block: bmap.
 *
 * @param req the request
 * @param idx the block on the device
 * @return 0 or a negative error number
 */
int fuse_reply_bmap(fuse_req_t req, uint64_t idx);

/**
 * Add an entry to the data of a readdir reply. Does not answer.
 *
 * The data is complete when the next entry does not fit: it is not added then,
 * and the function tells how many bytes it needs.
 *
 * @param req     the request
 * @param buf     where the entry goes; NULL to ask for its length
 * @param bufsize bytes that are free there
 * @param name    the name
 * @param stbuf   of this only `st_ino` and the type bits of `st_mode` count;
 *                an unknown inode number is 0xffffffff
 * @param off     what readdir gets as its offset to go on behind this entry
 * @return bytes that the entry takes; more than @p bufsize: it was not added
 */
size_t fuse_add_direntry(fuse_req_t req, char *buf, size_t bufsize,
			 const char *name, const struct stat *stbuf, off_t off);

/**
 * Add an entry to the data of a readdirplus reply. Does not answer.
 *
 * As fuse_add_direntry(), and it counts as a lookup of `e->ino`, except for
 * "." and "..", and for `e->ino` 0, which gives no attributes.
 *
 * @param req     the request
 * @param buf     where the entry goes; NULL to ask for its length
 * @param bufsize bytes that are free there
 * @param name    the name
 * @param e       the entry
 * @param off     what readdirplus gets as its offset to go on behind it
 * @return bytes that the entry takes; more than @p bufsize: it was not added
 */
size_t fuse_add_direntry_plus(fuse_req_t req, char *buf, size_t bufsize,
			      const char *name, const struct fuse_entry_param *e,
			      off_t off);

/**
 * Ask the kernel to repeat an ioctl with data from other places of the caller:
 * ioctl with FUSE_IOCTL_UNRESTRICTED.
 *
 * @param req       the request
 * @param in_iov    places in the caller to read from, or NULL
 * @param in_count  how many, up to #FUSE_IOCTL_MAX_IOV
 * @param out_iov   places in the caller to write to, or NULL
 * @param out_count how many, up to #FUSE_IOCTL_MAX_IOV
 * @return 0 or a negative error number
 */
int fuse_reply_ioctl_retry(fuse_req_t req, const struct iovec *in_iov,
			   size_t in_count, const struct iovec *out_iov,
			   size_t out_count);

/**
 * Finish an ioctl.
 *
 * @param req    the request
 * @param result what ioctl(2) returns
 * @param buf    data for the caller
 * @param size   bytes of it
 * @return 0 or a negative error number
 */
int fuse_reply_ioctl(fuse_req_t req, int result, const void *buf, size_t size);

/**
 * Finish an ioctl with data from several places.
 *
 * @param req    the request
 * @param result what ioctl(2) returns
 * @param iov    the places
 * @param count  how many
 * @return 0 or a negative error number
 */
int fuse_reply_ioctl_iov(fuse_req_t req, int result, const struct iovec *iov,
			 int count);

/**
 * Answer with events: poll.
 *
 * @param req     the request
 * @param revents POLLIN and so on: what is ready now
 * @return 0 or a negative error number
 */
int fuse_reply_poll(fuse_req_t req, unsigned revents);

/**
 * Answer with a place in a file: lseek.
 *
 * @param req the request
 * @param off the place
 * @return 0 or a negative error number
 */
int fuse_reply_lseek(fuse_req_t req, off_t off);

/**
 * Answer with attributes: statx.
 *
 * @param req          the request
 * @param flags        of the answer; 0
 * @param statx        the attributes; `stx_mask` says which are there
 * @param attr_timeout seconds for which they may be remembered
 * @return 0 or a negative error number
 *
 * Since 3.18.
 */
int fuse_reply_statx(fuse_req_t req, int flags, struct statx *statx,
		     double attr_timeout);

/**************************************************************************
 * Messages to the kernel on the filesystem's own account
 *
 * They may be called on any thread, while the session is mounted. They return
 * 0 or a negative error number: -ENOENT if the kernel does not know the inode
 * or name, -ENOSYS if it does not know the message.
 *
 * Do not call one that names an inode, a directory or a name in the handler of
 * a request that the kernel holds a lock for (for example in one on the same
 * directory): each would wait for the other. Reply first, or use a thread.
 **************************************************************************/

/**
 * Tell the kernel that a file may be ready. Does not release the handle.
 *
 * @param ph what the poll handler was given
 * @return 0 or a negative error number
 */
int fuse_lowlevel_notify_poll(struct fuse_pollhandle *ph);

/**
 * Let the kernel forget the attributes of an inode, and cached data of it.
 * Data that it has not written back yet is written first.
 *
 * @param se  the session
 * @param ino the inode
 * @param off begin of the data; negative: the attributes only
 * @param len bytes; 0 or less: to the end
 * @return 0 or a negative error number
 */
int fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino,
				     off_t off, off_t len);

/**
 * Let the kernel look up all names again, each when it is next used.
 *
 * @param se the session
 * @return 0 or a negative error number
 *
 * Since 3.18; needs Linux 6.16.
 */
int fuse_lowlevel_notify_increment_epoch(struct fuse_session *se);

/**
 * Let the kernel forget a name, and the attributes of its directory.
 *
 * @param se      the session
 * @param parent  the directory
 * @param name    the name
 * @param namelen its bytes
 * @return 0 or a negative error number
 */
int fuse_lowlevel_notify_inval_entry(struct fuse_session *se, fuse_ino_t parent,
				     const char *name, size_t namelen);

/**
 * Let the kernel look up a name again when it is next used. Other than
 * fuse_lowlevel_notify_inval_entry() it does not disturb what is mounted or in
 * use below it. Needs FUSE_CAP_EXPIRE_ONLY.
 *
 * @param se      the session
 * @param parent  the directory
 * @param name    the name
 * @param namelen its bytes
 * @return 0 or a negative error number
 *
 * Since 3.12.
 */
int fuse_lowlevel_notify_expire_entry(struct fuse_session *se, fuse_ino_t parent,
				      const char *name, size_t namelen);

/**
 * Tell the kernel that a name has been removed. It is forgotten, as for
 * fuse_lowlevel_notify_inval_entry(), and who watches it is told.
 *
 * @param se      the session
 * @param parent  the directory
 * @param child   what the name stood for; if it is something else by now,
 *                the name is only forgotten
 * @param name    the name
 * @param namelen its bytes
 * @return 0 or a negative error number
 */
int fuse_lowlevel_notify_delete(struct fuse_session *se, fuse_ino_t parent,
				fuse_ino_t child, const char *name,
				size_t namelen);

/**
 * Put data into the kernel's cache of a file, which grows if need be.
 *
 * @param se     the session
 * @param ino    the inode
 * @param offset where in the file
 * @param bufv   the data
 * @param flags  how to copy
 * @return 0 or a negative error number
 */
int fuse_lowlevel_notify_store(struct fuse_session *se, fuse_ino_t ino,
			       off_t offset, struct fuse_bufvec *bufv,
			       enum fuse_buf_copy_flags flags);

/**
 * Ask for data in the kernel's cache of a file. It comes to the handler
 * retrieve_reply, up to the first gap; with no bytes if nothing is cached there.
 * It does not come any more when the session ends before.
 *
 * @param se     the session
 * @param ino    the inode
 * @param size   bytes
 * @param offset where in the file
 * @param cookie handed to retrieve_reply
 * @return 0 or a negative error number; after an error nothing comes
 */
int fuse_lowlevel_notify_retrieve(struct fuse_session *se, fuse_ino_t ino,
				  size_t size, off_t offset, void *cookie);

/**
 * Let the kernel drop inodes from its caches that nobody uses at the moment;
 * `forget` is called for those that it drops.
 *
 * @param se      the session
 * @param nodeids the inodes
 * @param count   how many
 * @return 0 or a negative error number
 *
 * Since 3.19; needs Linux 6.18.
 */
int fuse_lowlevel_notify_prune(struct fuse_session *se, fuse_ino_t *nodeids,
			       uint32_t count);

/**************************************************************************
 * Questions about a request; not after its reply
 **************************************************************************/

/** What fuse_session_new() was given as userdata. */
void *fuse_req_userdata(fuse_req_t req);

/** Who sends the request. The pointer is valid until the reply. */
const struct fuse_ctx *fuse_req_ctx(fuse_req_t req);

/**
 * Supplementary groups of the process that sends the request, from /proc. They
 * may be wrong if the process changes them, or has ended, meanwhile.
 *
 * @param req  the request
 * @param size elements of @p list; 0 to ask for the number of groups
 * @param list where to put them
 * @return number of groups, which may be more than @p size; -EIO if the
 *         process is not to be found
 */
int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]);

/**
 * Called when a request is interrupted, on a thread of the library.
 *
 * It must not answer the request itself if its handler may do so too, nor
 * destroy what the handler uses: the library makes sure that it does not run
 * once the reply function has returned.
 */
typedef void (*fuse_interrupt_func_t)(fuse_req_t req, void *data);

/**
 * Have a function called when the request is interrupted; at once, if it
 * already is.
 *
 * @param req  the request
 * @param func the function, NULL for none
 * @param data handed to it
 */
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func,
			     void *data);

/**
 * Has the request been interrupted (its caller got a signal)? Answer it soon
 * then, with EINTR for example.
 *
 * @param req the request
 * @return 1 or 0
 */
int fuse_req_interrupted(fuse_req_t req);

/**
 * Did the request come over io_uring? May be called on any thread, until the
 * reply.
 *
 * Since 3.18.
 */
bool fuse_req_is_uring(fuse_req_t req);

/**
 * The buffer that the reply's data will be sent from, of a request that came
 * over io_uring: data that is put there (and passed to fuse_reply_buf() with
 * the same address) is not copied again.
 *
 * The request's own data is in the same buffer, so be done with that first.
 * The buffer is yours until the reply.
 *
 * @param req        the request
 * @param payload    set to the buffer
 * @param payload_sz set to its bytes
 * @param mr         if not NULL, set to NULL; for use with RDMA later
 * @return 0, or -EINVAL if the request did not come over io_uring
 *
 * Since 3.18.
 */
int fuse_req_get_payload(fuse_req_t req, char **payload, size_t *payload_sz,
			 void **mr);

/**************************************************************************
 * Command line
 **************************************************************************/

/** Print version of library, protocol and fusermount3 to standard output. */
void fuse_lowlevel_version(void);

/** Print the options that fuse_session_new() knows to standard output. */
void fuse_lowlevel_help(void);

/** Print the options that fuse_parse_cmdline() knows to standard output. */
void fuse_cmdline_help(void);

/** What fuse_parse_cmdline() has found. */
struct fuse_cmdline_opts {
	/** `-s`: use fuse_session_loop(). */
	int singlethread;

	/** `-f` or `-d`: stay in the foreground. */
	int foreground;

	/** `-d` or `-o debug`; the option also stays in the list. */
	int debug;

	/** `fsname=` or `subtype=` was given, so no subtype was added. */
	int nodefault_subtype;

	/** The mount point as an absolute path, for free(3); NULL if none. */
	char *mountpoint;

	/** `-V`: print versions and end. */
	int show_version;

	/** `-h`: print help and end. */
	int show_help;

	/** `-o clone_fd`. */
	int clone_fd;

	/** `-o max_idle_threads=`; UINT_MAX if not given. */
	unsigned int max_idle_threads;

	/** `-o max_threads=`; 10 if not given. Since 3.12. */
	unsigned int max_threads;
};

/**
 * Take the options that most filesystems have out of a list.
 *
 * The rest, and those that the session has to see as well, stay for
 * fuse_session_new(). Unless the user named the filesystem, a `subtype=` with
 * the name of the program is added.
 *
 * @param args the list
 * @param opts where to put what was found; cleared first
 * @return 0, or -1 after an error that has been logged (bad option, mount
 *         point that is not there, or a second one); release
 *         `opts->mountpoint` and the list in both cases
 */
#if !defined(LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS)
#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
#define fuse_parse_cmdline fuse_parse_cmdline_30
#else
#define fuse_parse_cmdline fuse_parse_cmdline_312
#endif
#endif
int fuse_parse_cmdline(struct fuse_args *args, struct fuse_cmdline_opts *opts);

/**************************************************************************
 * Sessions
 **************************************************************************/

/**
 * What fuse_session_new() calls. Programs use that.
 *
 * @param args     as there
 * @param op       as there
 * @param op_size  as there
 * @param version  release of the headers
 * @param userdata as there
 * @return as there
 *
 * Since 3.17.
 */
struct fuse_session *fuse_session_new_versioned(struct fuse_args *args,
						const struct fuse_lowlevel_ops *op,
						size_t op_size,
						struct libfuse_version *version,
						void *userdata);

/** What the macro fuse_session_new() stands for. */
static inline struct fuse_session *
fuse_session_new_fn(struct fuse_args *args, const struct fuse_lowlevel_ops *op,
		    size_t op_size, void *userdata)
{
	struct libfuse_version version = {
		FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0
	};

	return fuse_session_new_versioned(args, op, op_size, &version, userdata);
}

/**
 * Make a session: a filesystem that is not mounted yet. No thread is started.
 *
 * @param args     options; the known ones are taken out. Anything that is left,
 *                 `argv[0]` apart, is an error. `argv[0]` must be there.
 * @param op       the handlers; copied
 * @param op_size  sizeof(struct fuse_lowlevel_ops)
 * @param userdata handed to init and destroy; see also fuse_req_userdata()
 * @return the session, for fuse_session_destroy(); NULL after an error that
 *         has been logged, for example an unknown option
 */
#define fuse_session_new(args, op, op_size, userdata) \
	fuse_session_new_fn(args, op, op_size, userdata)

/**
 * What fuse_session_custom_io() calls. Programs use that.
 *
 * @param se      as there
 * @param io      as there
 * @param op_size sizeof(struct fuse_custom_io) of the caller; members beyond it
 *                count as NULL
 * @param fd      as there
 * @return as there
 *
 * Since 3.17.
 */
int fuse_session_custom_io_317(struct fuse_session *se,
			       const struct fuse_custom_io *io, size_t op_size,
			       int fd);

/**
 * Use a descriptor and functions of the program's own in place of a mount; for
 * a connection that somebody else has made. Call it instead of
 * fuse_session_mount(). Such a session does not use io_uring.
 *
 * The functions are called on the threads of the loop, `writev` on any thread
 * that replies. The structure is copied.
 *
 * From 317 on it takes the size of @p io as third argument; below, `clone_fd`
 * does not count.
 *
 * @param se      the session
 * @param io      the functions
 * @param op_size (from 317 on) sizeof(struct fuse_custom_io)
 * @param fd      descriptor that they work on; at the end it is closed with the
 *                session
 * @return 0; -EINVAL if @p io is NULL or lacks `read` or `writev`, -EBADF if
 *         @p fd is negative
 */
#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 17)
static inline int fuse_session_custom_io(struct fuse_session *se,
					 const struct fuse_custom_io *io, int fd)
{
	return fuse_session_custom_io_317(se, io,
					  offsetof(struct fuse_custom_io, clone_fd), fd);
}
#else
static inline int fuse_session_custom_io(struct fuse_session *se,
					 const struct fuse_custom_io *io,
					 size_t op_size, int fd)
{
	return fuse_session_custom_io_317(se, io, op_size, fd);
}
#endif

/**
 * Mount the filesystem: with mount(2), or with fusermount3 for users who may
 * not. Requests are answered once a loop runs.
 *
 * @param se         the session
 * @param mountpoint a directory or file; `/dev/fd/N` makes no mount and takes
 *                   the open device N
 * @return 0, or -1 after an error that has been logged
 */
int fuse_session_mount(struct fuse_session *se, const char *mountpoint);

/**
 * Answer requests on the calling thread, one after the other, until the
 * session is exited or unmounted. All handlers run on this thread.
 *
 * @param se a mounted session
 * @return 0 after fuse_session_exit() or an unmount; a positive number of a
 *         signal that ended it; a negative error number
 */
int fuse_session_loop(struct fuse_session *se);

/**
 * As fuse_session_loop(), with several threads, which have ended when it
 * returns.
 *
 * @param se     a mounted session
 * @param config what fuse_loop_cfg_create() returned (from 312 on), a structure
 *               (32 to 311); below 32 an int, whether to clone descriptors.
 *               NULL for default values
 * @return 0 after fuse_session_exit() or an unmount; a positive number of a
 *         signal that ended it; a negative error number, -EINVAL if the
 *         configuration is not one
 */
#if FUSE_USE_VERSION < 32
int fuse_session_loop_mt_31(struct fuse_session *se, int clone_fd);
#define fuse_session_loop_mt(se, clone_fd) fuse_session_loop_mt_31(se, clone_fd)
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_session_loop_mt_32(struct fuse_session *se, struct fuse_loop_config *config);
#define fuse_session_loop_mt(se, config) fuse_session_loop_mt_32(se, config)
#else
#if !defined(LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS)
#define fuse_session_loop_mt fuse_session_loop_mt_312
#endif
int fuse_session_loop_mt(struct fuse_session *se, struct fuse_loop_config *config);
#endif

/**
 * Make the loop return. May be called on any thread and in a signal handler.
 * Requests that handlers work on at the moment are finished first; a loop that
 * waits on /dev/fuse may notice with the next request only.
 *
 * @param se the session
 */
void fuse_session_exit(struct fuse_session *se);

/**
 * Take back fuse_session_exit(), so that a loop may run again.
 *
 * @param se the session
 */
void fuse_session_reset(struct fuse_session *se);

/**
 * Has fuse_session_exit() been called, or has the connection ended?
 *
 * @param se the session
 * @return 1 or 0
 */
int fuse_session_exited(struct fuse_session *se);

/**
 * Unmount. Harmless if it is not mounted any more.
 *
 * @param se the session
 */
void fuse_session_unmount(struct fuse_session *se);

/**
 * Release a session. Call destroy of the filesystem, if init has been called.
 * No other thread may use the session or a request of it any more.
 *
 * @param se the session; must not be in a loop
 */
void fuse_session_destroy(struct fuse_session *se);

/**************************************************************************
 * Sessions that drive themselves: instead of a loop
 **************************************************************************/

/**
 * The descriptor of the connection, for poll(2) and the like. Programs that
 * read it themselves keep the session on /dev/fuse: io_uring is used by the
 * loop functions only.
 *
 * @param se the session
 * @return the descriptor; -1 if there is none
 */
int fuse_session_fd(struct fuse_session *se);

/**
 * Answer a request that fuse_session_receive_buf() has read.
 *
 * @param se  the session
 * @param buf the request
 */
void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf);

/**
 * Read a request from the kernel; waits for one.
 *
 * Several threads may do so, each with a buffer of its own.
 *
 * @param se  the session
 * @param buf zeroed at first: memory is allocated as needed, and kept from call
 *            to call. Release `mem` with free(3) in the end.
 * @return bytes of the request; 0 when the session has ended; a negative error
 *         number, -EINTR after a signal
 */
int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf);

#ifdef __cplusplus
}
#endif

#endif /* FUSE_LOWLEVEL_H_ */
