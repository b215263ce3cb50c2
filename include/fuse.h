/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * The high-level interface: handlers on path names that return a result.
 *
 * A filesystem fills in struct fuse_operations and calls fuse_main().
 *
 * Define FUSE_USE_VERSION before including this file; 318 for new programs.
 */
#ifndef FUSE_H_
#define FUSE_H_

#include "fuse_common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct statx;

/** A mounted filesystem; opaque. See fuse_new(). */
struct fuse;

/** One layer of a filesystem that consists of several; opaque. See
 *  fuse_fs_new(). */
struct fuse_fs;

/** How readdir is asked. */
enum fuse_readdir_flags {
	/** Names, numbers and types are wanted. */
	FUSE_READDIR_DEFAULTS = 0,

	/** All attributes are welcome: give them to the filler function with
	 *  FUSE_FILL_DIR_PLUS where they cost little. */
	FUSE_READDIR_PLUS = (1 << 0)
};

/** What readdir gives to the filler function. */
enum fuse_fill_dir_flags {
	/** Of the attributes only number and type count. */
	FUSE_FILL_DIR_DEFAULTS = 0,

	/** The attributes are complete. */
	FUSE_FILL_DIR_PLUS = (1 << 1)
};

/**
 * Takes one entry of a directory; given to the handler readdir.
 *
 * @param buf   what readdir was given
 * @param name  the name
 * @param stbuf attributes, NULL if not known
 * @param off   where to go on behind this entry; 0 for entries that are all
 *              delivered in one call of readdir
 * @param flags whether the attributes are complete
 * @return 0; 1 if there is no more room, or memory ran out: return from readdir
 */
typedef int (*fuse_fill_dir_t)(void *buf, const char *name,
			       const struct stat *stbuf, off_t off,
			       enum fuse_fill_dir_flags flags);

/**
 * How the library treats a filesystem. The handler init() may change it; the
 * values it finds come from the options of the command line.
 *
 * New members take the place of `reserved`.
 */
struct fuse_config {
	/** Not 0: all objects belong to the group `gid`. */
	int32_t set_gid;
	/** Group for `set_gid`. */
	uint32_t gid;

	/** Not 0: all objects belong to the user `uid`. */
	int32_t set_uid;
	/** User for `set_uid`. */
	uint32_t uid;

	/** Not 0: permissions are 0777 without `umask`, `fmask`, `dmask`. */
	int32_t set_mode;
	/** Bits for `set_mode`. */
	uint32_t umask;

	/** Seconds for which names may be remembered; 1.0. */
	double entry_timeout;

	/** Seconds for which missing names may be remembered; 0. */
	double negative_timeout;

	/** Seconds for which attributes may be remembered; 1.0. */
	double attr_timeout;

	/** Not 0: requests can be interrupted, see fuse_interrupted(). */
	int32_t intr;

	/** Signal that the thread of an interrupted request gets; SIGUSR1. */
	int32_t intr_signal;

	/** Seconds to remember inodes that the kernel has forgotten; -1 for
	 *  ever. */
	int32_t remember;

	/** Not 0: files that are open are removed at once; else they are renamed
	 *  to a hidden name until they are closed. The handlers read, write and
	 *  so on have to cope with a path of NULL then. */
	int32_t hard_remove;

	/** Not 0: `st_ino` is what the filesystem says, in getattr and readdir;
	 *  else the library numbers the objects. */
	int32_t use_ino;

	/** Not 0, and `use_ino` 0: readdir delivers numbers of names that are
	 *  known already; else the number is unknown. */
	int32_t readdir_ino;

	/** Not 0: direct I/O for all files. */
	int32_t direct_io;

	/** Not 0: cached data is not dropped when a file is opened. */
	int32_t kernel_cache;

	/** Not 0: cached data is dropped on open if the size or the modification
	 *  time has changed. */
	int32_t auto_cache;

	/** Not 0: `ac_attr_timeout` was set. */
	int32_t ac_attr_timeout_set;
	/** Seconds for which `auto_cache` believes attributes; `attr_timeout`. */
	double ac_attr_timeout;

	/** Not 0: handlers with an open file may get a path of NULL, which saves
	 *  the work to find it. */
	int32_t nullpath_ok;

	/** For the library. */
	int32_t show_help;
	/** For the library. */
	char *modules;
	/** For the library. */
	int32_t debug;

	/** Bits for `set_mode`, for what is no directory; 0: `umask`. */
	uint32_t fmask;

	/** Bits for `set_mode`, for directories; 0: `umask`. */
	uint32_t dmask;

	/** Not 0: no flush for files that are opened for reading only. */
	int32_t no_rofd_flush;

	/** Not 0: writes to one file may be handled at once, with direct I/O. */
	int32_t parallel_direct_writes;

	/** No flags are defined; 0. */
	uint32_t flags;

	/** Room to grow; leave it 0. */
	uint64_t reserved[48];
};

/**
 * The handlers of a filesystem.
 *
 * Each returns 0 (or a number of bytes where it says so), or a negative error
 * number. All may be NULL; then the call fails with ENOSYS or behaves as said
 * below. Paths begin with a slash, which is the root. What a handler is given
 * is valid until it returns. With several threads, handlers run at once.
 *
 * `fi` is NULL where the call is not made on an open file, or the open file is
 * not known.
 */
struct fuse_operations {
	/** Attributes. `st_dev` and `st_blksize` do not count; `st_ino` only with
	 *  `use_ino`.
	 *  @param fi the open file, or NULL */
	int (*getattr)(const char *, struct stat *, struct fuse_file_info *fi);

	/** Target of a symbolic link, with a final NUL, cut off if the buffer
	 *  (whose size is the third argument) is too small. */
	int (*readlink)(const char *, char *, size_t);

	/** Make a node; used for regular files if there is no create. */
	int (*mknod)(const char *, mode_t, dev_t);

	/** Make a directory. The mode need not contain S_IFDIR. */
	int (*mkdir)(const char *, mode_t);

	/** Remove a name that is no directory. */
	int (*unlink)(const char *);

	/** Remove a directory. */
	int (*rmdir)(const char *);

	/** Make a symbolic link: target, name. */
	int (*symlink)(const char *, const char *);

	/** Rename: old, new.
	 *  @param flags RENAME_EXCHANGE, RENAME_NOREPLACE or 0; -EINVAL for what
	 *               is not supported */
	int (*rename)(const char *, const char *, unsigned int flags);

	/** Make a hard link: old name, new name. */
	int (*link)(const char *, const char *);

	/** Change permissions.
	 *  @param fi the open file, or NULL */
	int (*chmod)(const char *, mode_t, struct fuse_file_info *fi);

	/** Change owner and group; -1 leaves one as it is.
	 *  @param fi the open file, or NULL */
	int (*chown)(const char *, uid_t, gid_t, struct fuse_file_info *fi);

	/** Change the size.
	 *  @param fi the open file, or NULL */
	int (*truncate)(const char *, off_t, struct fuse_file_info *fi);

	/** Open. O_CREAT, O_EXCL and O_NOCTTY are taken out of the flags; set the
	 *  outputs of struct fuse_file_info as needed. Default: success. */
	int (*open)(const char *, struct fuse_file_info *);

	/** Read: returns the number of bytes; fewer than wanted mean the end of
	 *  the file, except with `direct_io`. Arguments: buffer, bytes, place. */
	int (*read)(const char *, char *, size_t, off_t, struct fuse_file_info *);

	/** Write: returns the number of bytes, which are all, except with
	 *  `direct_io`. Arguments: data, bytes, place. */
	int (*write)(const char *, const char *, size_t, off_t,
		     struct fuse_file_info *);

	/** State of the filesystem. `f_favail`, `f_fsid` and `f_flag` do not
	 *  count. */
	int (*statfs)(const char *, struct statvfs *);

	/** A descriptor is closed; once or more for each open file. Report errors
	 *  of writing here. */
	int (*flush)(const char *, struct fuse_file_info *);

	/** The open file ends; once for each open. The result does not count. */
	int (*release)(const char *, struct fuse_file_info *);

	/** Make data permanent; the attributes too, if the second argument is 0. */
	int (*fsync)(const char *, int, struct fuse_file_info *);

	/** Set an extended attribute: name, value, bytes, flags. */
	int (*setxattr)(const char *, const char *, const char *, size_t, int);

	/** Value of an extended attribute: name, buffer, its bytes. Returns the
	 *  length of the value; only that if the buffer has 0 bytes. */
	int (*getxattr)(const char *, const char *, char *, size_t);

	/** Names of extended attributes, each with its NUL; as getxattr. */
	int (*listxattr)(const char *, char *, size_t);

	/** Remove an extended attribute. */
	int (*removexattr)(const char *, const char *);

	/** Open a directory. Default: success. */
	int (*opendir)(const char *, struct fuse_file_info *);

	/** Entries of a directory, handed to the filler function together with
	 *  the second argument. Either ignore the offset, pass 0 with each entry
	 *  and deliver all in one call; or begin behind the offset, pass offsets
	 *  that are not 0, and stop when the filler returns 1. */
	int (*readdir)(const char *, void *, fuse_fill_dir_t, off_t,
		       struct fuse_file_info *, enum fuse_readdir_flags);

	/** The open directory ends. The path is NULL if it has been removed. */
	int (*releasedir)(const char *, struct fuse_file_info *);

	/** Make a directory permanent; as fsync. */
	int (*fsyncdir)(const char *, int, struct fuse_file_info *);

	/** The filesystem starts. What it returns takes the place of user_data in
	 *  fuse_get_context() and goes to destroy.
	 *  @param conn what is offered, and what will be used; may be changed
	 *  @param cfg  how the library works; may be changed */
	void *(*init)(struct fuse_conn_info *conn, struct fuse_config *cfg);

	/** The filesystem ends.
	 *  @param private_data what init returned */
	void (*destroy)(void *private_data);

	/** Check permissions for access(2); not with `default_permissions`. */
	int (*access)(const char *, int);

	/** Make a regular file and open it. Default: mknod, then open. */
	int (*create)(const char *, mode_t, struct fuse_file_info *);

	/** POSIX locks. The owner is `fi->lock_owner`, not the process of the
	 *  context. Default: the kernel keeps them.
	 *  @param cmd F_GETLK, F_SETLK or F_SETLKW */
	int (*lock)(const char *, struct fuse_file_info *, int cmd,
		    struct flock *);

	/** Set access time and modification time; UTIME_NOW and UTIME_OMIT occur.
	 *  @param tv the two times
	 *  @param fi the open file, or NULL */
	int (*utimens)(const char *, const struct timespec tv[2],
		       struct fuse_file_info *fi);

	/** Number of a block on the device; for mounts with `blkdev`.
	 *  @param blocksize bytes of a block
	 *  @param idx       number in the file, to be replaced */
	int (*bmap)(const char *, size_t blocksize, uint64_t *idx);

#if FUSE_USE_VERSION < 35
	/** ioctl(2). The command is unsigned from 35 on.
	 *  @param cmd   number of the command
	 *  @param arg   address in the caller, not here
	 *  @param flags FUSE_IOCTL_ bits
	 *  @param data  data from and for the caller, as large as the command's
	 *               number says */
	int (*ioctl)(const char *, int cmd, void *arg, struct fuse_file_info *,
		     unsigned int flags, void *data);
#else
	/** ioctl(2).
	 *  @param cmd   number of the command
	 *  @param arg   address in the caller, not here
	 *  @param flags FUSE_IOCTL_ bits
	 *  @param data  data from and for the caller, as large as the command's
	 *               number says */
	int (*ioctl)(const char *, unsigned int cmd, void *arg,
		     struct fuse_file_info *, unsigned int flags, void *data);
#endif

	/** Is an open file ready?
	 *  @param ph       not NULL: keep it, call fuse_notify_poll() when
	 *                  something changes, fuse_pollhandle_destroy() once
	 *  @param reventsp set to POLLIN and so on */
	int (*poll)(const char *, struct fuse_file_info *,
		    struct fuse_pollhandle *ph, unsigned *reventsp);

	/** As write, from memory or from a descriptor; see fuse_buf_copy().
	 *  @param buf the data
	 *  @param off place in the file */
	int (*write_buf)(const char *, struct fuse_bufvec *buf, off_t off,
			 struct fuse_file_info *);

	/** As read, without copying. The pieces may be memory, which the library
	 *  releases with free(3), as it does the structure, or places in a file.
	 *  @param bufp set to pieces from malloc(3)
	 *  @param size bytes wanted
	 *  @param off  place in the file */
	int (*read_buf)(const char *, struct fuse_bufvec **bufp, size_t size,
			off_t off, struct fuse_file_info *);

	/** Locks of flock(2), owned by `fi->lock_owner`. Default: the kernel keeps
	 *  them.
	 *  @param op LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB or not */
	int (*flock)(const char *, struct fuse_file_info *, int op);

	/** Reserve or release space: mode, place, bytes as fallocate(2). */
	int (*fallocate)(const char *, int, off_t, off_t,
			 struct fuse_file_info *);

	/** Copy between files; returns the number of bytes. Since 3.4. */
	ssize_t (*copy_file_range)(const char *path_in,
				   struct fuse_file_info *fi_in, off_t offset_in,
				   const char *path_out,
				   struct fuse_file_info *fi_out,
				   off_t offset_out, size_t size, int flags);

	/** Find data or a hole; returns the place. Since 3.8. */
	off_t (*lseek)(const char *, off_t off, int whence,
		       struct fuse_file_info *);

	/** Attributes for statx(2). Default: getattr. Since 3.18.
	 *  @param path   the path
	 *  @param flags  AT_STATX_ bits
	 *  @param mask   STATX_ bits that are wanted
	 *  @param stxbuf where to put them
	 *  @param fi     the open file, or NULL */
	int (*statx)(const char *path, int flags, int mask, struct statx *stxbuf,
		     struct fuse_file_info *fi);
};

/** Who calls; see fuse_get_context(). */
struct fuse_context {
	/** The filesystem. */
	struct fuse *fuse;

	/** User of the caller. */
	uid_t uid;

	/** Group of the caller. */
	gid_t gid;

	/** Thread of the caller. */
	pid_t pid;

	/** What init returned. */
	void *private_data;

	/** File mode creation mask of the caller: in mknod, mkdir, create. */
	mode_t umask;
};

/**************************************************************************
 * A filesystem in one call
 **************************************************************************/

/**
 * What fuse_main() calls. Programs use that.
 *
 * @param argc      as there
 * @param argv      as there
 * @param op        as there
 * @param op_size   sizeof(struct fuse_operations)
 * @param version   release of the headers
 * @param user_data as there
 * @return as there
 *
 * Since 3.17.
 */
int fuse_main_real_versioned(int argc, char *argv[],
			     const struct fuse_operations *op, size_t op_size,
			     struct libfuse_version *version, void *user_data);

/** For programs that pass the size themselves; new ones use fuse_main(). */
static inline int fuse_main_real(int argc, char *argv[],
				 const struct fuse_operations *op,
				 size_t op_size, void *user_data)
{
	struct libfuse_version version = {
		FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0
	};

	return fuse_main_real_versioned(argc, argv, op, op_size, &version,
					user_data);
}

/** What the macro fuse_main() stands for. */
static inline int fuse_main_fn(int argc, char *argv[],
			       const struct fuse_operations *op, void *user_data)
{
	struct libfuse_version version = {
		FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0
	};

	return fuse_main_real_versioned(argc, argv, op, sizeof(*op), &version,
					user_data);
}

/**
 * Parse the command line, mount, go to the background, run until unmounted,
 * clean up.
 *
 * @param argc      number of arguments
 * @param argv      arguments of main()
 * @param op        the handlers; copied
 * @param user_data see fuse_context's `private_data`
 * @return an exit code. 0: all went well. 1: bad options. 2: no mount point.
 *         3: the filesystem could not be set up. 4: not mounted. 5: not in the
 *         background. 6: no signal handlers. 7: no memory. 8: the loop ended by
 *         a signal or with an error
 */
#define fuse_main(argc, argv, op, user_data) fuse_main_fn(argc, argv, op, user_data)

/**************************************************************************
 * Step by step
 **************************************************************************/

/**
 * Print the options that fuse_new() and the mount know to standard output.
 *
 * @param args the list; modules that it names print theirs as well
 */
void fuse_lib_help(struct fuse_args *args);

/** What fuse_new() calls below 31: knows `-h`. Since 3.17. */
struct fuse *_fuse_new_30(struct fuse_args *args,
			  const struct fuse_operations *op, size_t op_size,
			  struct libfuse_version *version, void *user_data);

/** What fuse_new() calls from 31 on. Since 3.17. */
struct fuse *_fuse_new_31(struct fuse_args *args,
			  const struct fuse_operations *op, size_t op_size,
			  struct libfuse_version *version, void *user_data);

/** What the macro fuse_new() stands for. */
static inline struct fuse *fuse_new_fn(struct fuse_args *args,
				       const struct fuse_operations *op,
				       size_t op_size, void *user_data)
{
	struct libfuse_version version = {
		FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0
	};

#if FUSE_USE_VERSION < 31
	return _fuse_new_30(args, op, op_size, &version, user_data);
#else
	return _fuse_new_31(args, op, op_size, &version, user_data);
#endif
}

/**
 * Make a filesystem that is not mounted yet.
 *
 * @param args      options; `argv[0]` must be there. The known ones are taken
 *                  out, anything that is left is an error. With
 *                  FUSE_USE_VERSION 30, `-h` prints help and returns NULL.
 * @param op        the handlers; copied
 * @param op_size   sizeof(struct fuse_operations)
 * @param user_data see fuse_context's `private_data`
 * @return the filesystem, for fuse_destroy(); NULL after an error that has
 *         been logged
 */
#define fuse_new(args, op, op_size, user_data) fuse_new_fn(args, op, op_size, user_data)

/**
 * Mount; see fuse_session_mount().
 *
 * @param f          the filesystem
 * @param mountpoint where
 * @return 0, or -1 after an error that has been logged
 */
int fuse_mount(struct fuse *f, const char *mountpoint);

/**
 * Unmount; harmless if it is not mounted any more.
 *
 * @param f the filesystem
 */
void fuse_unmount(struct fuse *f);

/**
 * Release a filesystem that is not mounted.
 *
 * @param f the filesystem
 */
void fuse_destroy(struct fuse *f);

/**
 * Answer requests on the calling thread until exited or unmounted.
 *
 * @param f the filesystem
 * @return 0; a positive number of a signal that ended it; a negative error
 *         number
 */
int fuse_loop(struct fuse *f);

/**
 * Make the loop return. May be called on any thread and in a signal handler.
 *
 * @param f the filesystem
 */
void fuse_exit(struct fuse *f);

/**
 * As fuse_loop(), with several threads, which have ended when it returns.
 *
 * @param f      the filesystem
 * @param config what fuse_loop_cfg_create() returned (from 312 on), a structure
 *               (32 to 311); below 32 an int, whether to clone descriptors.
 *               NULL for default values
 * @return as for fuse_loop(); -EINVAL if the configuration is not one
 */
#if FUSE_USE_VERSION < 32
int fuse_loop_mt_31(struct fuse *f, int clone_fd);
#define fuse_loop_mt(f, clone_fd) fuse_loop_mt_31(f, clone_fd)
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_loop_mt_32(struct fuse *f, struct fuse_loop_config *config);
#define fuse_loop_mt(f, config) fuse_loop_mt_32(f, config)
#else
#if !defined(LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS)
#define fuse_loop_mt fuse_loop_mt_312
#endif
int fuse_loop_mt(struct fuse *f, struct fuse_loop_config *config);
#endif

/**
 * The context of the request that the calling thread works on; in handlers
 * only. The structure belongs to the library and holds for the handler's
 * duration.
 */
struct fuse_context *fuse_get_context(void);

/**
 * Supplementary groups of the caller; see fuse_req_getgroups(). In handlers
 * only.
 *
 * @param size elements of @p list
 * @param list where to put them
 * @return number of groups, or a negative error number
 */
int fuse_getgroups(int size, gid_t list[]);

/**
 * Has the request that the calling thread works on been interrupted? In
 * handlers only.
 *
 * @return 1 or 0
 */
int fuse_interrupted(void);

/**
 * Let the kernel forget attributes and cached data of a path that it knows.
 * Not in handlers.
 *
 * @param f    the filesystem
 * @param path the path
 * @return 0; -ENOENT if the kernel does not know it, or another negative error
 *         number
 *
 * Since 3.1.
 */
int fuse_invalidate_path(struct fuse *f, const char *path);

/**
 * Start the thread that drops remembered inodes (`remember=`); fuse_loop_mt()
 * does so itself.
 *
 * @param fuse the filesystem
 * @return 0 or -1
 */
int fuse_start_cleanup_thread(struct fuse *fuse);

/**
 * End that thread.
 *
 * @param fuse the filesystem
 */
void fuse_stop_cleanup_thread(struct fuse *fuse);

/**
 * Drop remembered inodes whose time is over; for loops of the program's own.
 *
 * @param fuse the filesystem
 * @return seconds until it should be called again
 */
int fuse_clean_cache(struct fuse *fuse);

/**
 * Tell the kernel that an open file may be ready. May be called on any thread.
 * Does not release the handle.
 *
 * @param ph what poll was given
 * @return 0 or a negative error number
 */
int fuse_notify_poll(struct fuse_pollhandle *ph);

/** The session below a filesystem. It ends with the filesystem. */
struct fuse_session *fuse_get_session(struct fuse *f);

/**
 * Mount and return the descriptor of the device, without a session.
 *
 * @param mountpoint where
 * @param options    list as after `-o`; unknown names are ignored
 * @return the descriptor, or -1
 *
 * Since 3.3.
 */
int fuse_open_channel(const char *mountpoint, const char *options);

/**************************************************************************
 * Layers
 *
 * A module lies on top of another filesystem and hands requests on. Each of
 * the following functions calls the handler of the same name, in the context
 * of the request at hand, and returns its result; -ENOSYS (or the default that
 * struct fuse_operations names) if it is missing.
 **************************************************************************/

/** Attributes. */
int fuse_fs_getattr(struct fuse_fs *fs, const char *path, struct stat *buf,
		    struct fuse_file_info *fi);
/** Rename. */
int fuse_fs_rename(struct fuse_fs *fs, const char *oldpath, const char *newpath,
		   unsigned int flags);
/** Remove a name. */
int fuse_fs_unlink(struct fuse_fs *fs, const char *path);
/** Remove a directory. */
int fuse_fs_rmdir(struct fuse_fs *fs, const char *path);
/** Make a symbolic link: its target, its name. */
int fuse_fs_symlink(struct fuse_fs *fs, const char *linkname, const char *path);
/** Make a hard link. */
int fuse_fs_link(struct fuse_fs *fs, const char *oldpath, const char *newpath);
/** The open file ends. */
int fuse_fs_release(struct fuse_fs *fs, const char *path,
		    struct fuse_file_info *fi);
/** Open. */
int fuse_fs_open(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
/** Read. */
int fuse_fs_read(struct fuse_fs *fs, const char *path, char *buf, size_t size,
		 off_t off, struct fuse_file_info *fi);
/** Read into pieces; made from read if read_buf is missing. */
int fuse_fs_read_buf(struct fuse_fs *fs, const char *path,
		     struct fuse_bufvec **bufp, size_t size, off_t off,
		     struct fuse_file_info *fi);
/** Write. */
int fuse_fs_write(struct fuse_fs *fs, const char *path, const char *buf,
		  size_t size, off_t off, struct fuse_file_info *fi);
/** Write from pieces; made from write if write_buf is missing. */
int fuse_fs_write_buf(struct fuse_fs *fs, const char *path,
		      struct fuse_bufvec *buf, off_t off,
		      struct fuse_file_info *fi);
/** Make data permanent. */
int fuse_fs_fsync(struct fuse_fs *fs, const char *path, int datasync,
		  struct fuse_file_info *fi);
/** A descriptor is closed. */
int fuse_fs_flush(struct fuse_fs *fs, const char *path,
		  struct fuse_file_info *fi);
/** State of the filesystem. */
int fuse_fs_statfs(struct fuse_fs *fs, const char *path, struct statvfs *buf);
/** Open a directory. */
int fuse_fs_opendir(struct fuse_fs *fs, const char *path,
		    struct fuse_file_info *fi);
/** Entries of a directory. */
int fuse_fs_readdir(struct fuse_fs *fs, const char *path, void *buf,
		    fuse_fill_dir_t filler, off_t off, struct fuse_file_info *fi,
		    enum fuse_readdir_flags flags);
/** Make a directory permanent. */
int fuse_fs_fsyncdir(struct fuse_fs *fs, const char *path, int datasync,
		     struct fuse_file_info *fi);
/** The open directory ends. */
int fuse_fs_releasedir(struct fuse_fs *fs, const char *path,
		       struct fuse_file_info *fi);
/** Make a regular file and open it. */
int fuse_fs_create(struct fuse_fs *fs, const char *path, mode_t mode,
		   struct fuse_file_info *fi);
/** POSIX locks. */
int fuse_fs_lock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
		 int cmd, struct flock *lock);
/** Locks of flock(2). */
int fuse_fs_flock(struct fuse_fs *fs, const char *path,
		  struct fuse_file_info *fi, int op);
/** Change permissions. */
int fuse_fs_chmod(struct fuse_fs *fs, const char *path, mode_t mode,
		  struct fuse_file_info *fi);
/** Change owner and group. */
int fuse_fs_chown(struct fuse_fs *fs, const char *path, uid_t uid, gid_t gid,
		  struct fuse_file_info *fi);
/** Change the size. */
int fuse_fs_truncate(struct fuse_fs *fs, const char *path, off_t size,
		     struct fuse_file_info *fi);
/** Set the times. */
int fuse_fs_utimens(struct fuse_fs *fs, const char *path,
		    const struct timespec tv[2], struct fuse_file_info *fi);
/** Check permissions. */
int fuse_fs_access(struct fuse_fs *fs, const char *path, int mask);
/** Target of a symbolic link. */
int fuse_fs_readlink(struct fuse_fs *fs, const char *path, char *buf,
		     size_t len);
/** Make a node. */
int fuse_fs_mknod(struct fuse_fs *fs, const char *path, mode_t mode, dev_t rdev);
/** Make a directory. */
int fuse_fs_mkdir(struct fuse_fs *fs, const char *path, mode_t mode);
/** Set an extended attribute. */
int fuse_fs_setxattr(struct fuse_fs *fs, const char *path, const char *name,
		     const char *value, size_t size, int flags);
/** Value of an extended attribute. */
int fuse_fs_getxattr(struct fuse_fs *fs, const char *path, const char *name,
		     char *value, size_t size);
/** Names of extended attributes. */
int fuse_fs_listxattr(struct fuse_fs *fs, const char *path, char *list,
		      size_t size);
/** Remove an extended attribute. */
int fuse_fs_removexattr(struct fuse_fs *fs, const char *path, const char *name);
/** Number of a block on the device. */
int fuse_fs_bmap(struct fuse_fs *fs, const char *path, size_t blocksize,
		 uint64_t *idx);
/** ioctl(2); the command is unsigned from 35 on. */
#if FUSE_USE_VERSION < 35
int fuse_fs_ioctl(struct fuse_fs *fs, const char *path, int cmd, void *arg,
		  struct fuse_file_info *fi, unsigned int flags, void *data);
#else
int fuse_fs_ioctl(struct fuse_fs *fs, const char *path, unsigned int cmd,
		  void *arg, struct fuse_file_info *fi, unsigned int flags,
		  void *data);
#endif
/** Is an open file ready? */
int fuse_fs_poll(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
		 struct fuse_pollhandle *ph, unsigned *reventsp);
/** Reserve or release space. */
int fuse_fs_fallocate(struct fuse_fs *fs, const char *path, int mode,
		      off_t offset, off_t length, struct fuse_file_info *fi);
/** Copy between files. Since 3.4. */
ssize_t fuse_fs_copy_file_range(struct fuse_fs *fs, const char *path_in,
				struct fuse_file_info *fi_in, off_t off_in,
				const char *path_out,
				struct fuse_file_info *fi_out, off_t off_out,
				size_t len, int flags);
/** Find data or a hole. Since 3.8. */
off_t fuse_fs_lseek(struct fuse_fs *fs, const char *path, off_t off, int whence,
		    struct fuse_file_info *fi);
/** Attributes for statx(2). Since 3.18. */
int fuse_fs_statx(struct fuse_fs *fs, const char *path, int flags, int mask,
		  struct statx *stxbuf, struct fuse_file_info *fi);
/** The filesystem starts. */
void fuse_fs_init(struct fuse_fs *fs, struct fuse_conn_info *conn,
		  struct fuse_config *cfg);
/** The filesystem ends; releases @p fs as well. */
void fuse_fs_destroy(struct fuse_fs *fs);

/**
 * Make a layer.
 *
 * @param op           the handlers; copied
 * @param op_size      sizeof(struct fuse_operations)
 * @param private_data see fuse_context's `private_data`
 * @return the layer, for fuse_fs_destroy(); NULL after an error that has been
 *         logged
 */
struct fuse_fs *fuse_fs_new(const struct fuse_operations *op, size_t op_size,
			    void *private_data);

/**
 * Makes the layer of a module.
 *
 * @param args options; the module takes its own out
 * @param fs   the layers below, ended by NULL; the first is the next one
 * @return the layer; NULL after an error, which ends fuse_new()
 */
typedef struct fuse_fs *(*fuse_module_factory_t)(struct fuse_args *args,
						 struct fuse_fs *fs[]);

/**
 * Offer a module to `modules=NAME`: in a shared object `libfusemod_NAME.so`, or
 * in the program itself if that is linked with -rdynamic. Put it at file scope,
 * with a semicolon.
 *
 * @param name_    name of the module, an identifier
 * @param factory_ a fuse_module_factory_t
 */
#define FUSE_REGISTER_MODULE(name_, factory_) \
	fuse_module_factory_t fuse_module_##name_##_factory = factory_

#ifdef __cplusplus
}
#endif

#endif /* FUSE_H_ */
