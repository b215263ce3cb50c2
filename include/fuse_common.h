/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * What the high-level interface (fuse.h) and the low-level one
 * (fuse_lowlevel.h) have in common. Do not include this file by itself.
 */
#if !defined(FUSE_H_) && !defined(FUSE_LOWLEVEL_H_)
#error "fuse_common.h is not to be included directly: include <fuse.h> or <fuse_lowlevel.h>"
#endif

#ifndef FUSE_COMMON_H_
#define FUSE_COMMON_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libfuse_config.h"
#include "fuse_log.h"
#include "fuse_opt.h"

/** A version as one number: FUSE_MAKE_VERSION(3, 18) is 318. */
#define FUSE_MAKE_VERSION(major, minor) ((major) * 100 + (minor))

/** Version of the interface that these headers describe, as one number. */
#define FUSE_VERSION FUSE_MAKE_VERSION(FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION)

/*
 * FUSE_USE_VERSION is the version a program was written for. It keeps old
 * sources compiling: functions that changed are offered in their old form.
 */
#ifndef FUSE_USE_VERSION
#error "define FUSE_USE_VERSION (for example 318) before you include a header of FUSE"
#elif FUSE_USE_VERSION < 30
#error "FUSE_USE_VERSION is below 30: version 2 of the interface is not offered here"
#endif

/*
 * Offsets are 64 bit wide in this interface. On a 32-bit machine that takes
 * -D_FILE_OFFSET_BITS=64; pkg-config cannot add it, so its absence is an error.
 */
#if defined(__cplusplus) && __cplusplus >= 201103L
static_assert(sizeof(off_t) == 8, "FUSE needs a 64-bit off_t: compile with -D_FILE_OFFSET_BITS=64");
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(off_t) == 8, "FUSE needs a 64-bit off_t: compile with -D_FILE_OFFSET_BITS=64");
#else
typedef char fuse_needs_64_bit_off_t_compile_with_FILE_OFFSET_BITS_64[sizeof(off_t) == 8 ? 1 : -1];
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The release of the headers that a program was compiled with. The inline
 * functions of the headers pass it on; programs have no need to.
 *
 * Since 3.17.
 */
struct libfuse_version {
	uint32_t major;
	uint32_t minor;
	uint32_t hotfix;
	uint32_t padding;
};

/**
 * An open file, as the kernel and the filesystem describe it to each other.
 *
 * The library owns the structure that it hands to a handler; it is valid until
 * the request has been answered or the handler has returned, whichever is
 * later for the interface in use. Copy what you need longer.
 */
struct fuse_file_info {
	/** Flags of open(2): input of open, create, opendir, tmpfile, release
	 *  and, where the kernel sends them, of read and write. */
	int32_t flags;

	/** Input of write: the data comes from the page cache, possibly later
	 *  and in another order than written, and the caller in the request's
	 *  context need not be the one who wrote it. */
	uint32_t writepage : 1;

	/** Output of open, create: reads and writes pass by the page cache, and
	 *  may return less than asked for. */
	uint32_t direct_io : 1;

	/** Output of open: what the page cache holds of this file stays valid.
	 *  If 0, it is dropped. On opendir: as `cache_readdir` allows. */
	uint32_t keep_cache : 1;

	/** Input of release (high-level interface): a flush goes with it. */
	uint32_t flush : 1;

	/** Output of open, create, opendir: lseek(2) fails on this file. */
	uint32_t nonseekable : 1;

	/** Input of release: give up the flock(2) locks of this open file. */
	uint32_t flock_release : 1;

	/** Output of opendir: the kernel may keep what readdir returned.
	 *  Since 3.5. */
	uint32_t cache_readdir : 1;

	/** Output of open, create: no flush request at close(2), unless
	 *  writeback caching needs it. Since 3.11. */
	uint32_t noflush : 1;

	/** Output of open, create: with `direct_io`, writes to one file may be
	 *  sent at the same time. Since 3.15. */
	uint32_t parallel_direct_writes : 1;

	/** Input of write: take away the set-user-ID and set-group-ID bits; sent
	 *  after FUSE_CAP_HANDLE_KILLPRIV_V2 was agreed on. Since 3.18.3. */
	uint32_t kill_suidgid : 1;

	/** Not used; leave it 0. */
	uint32_t padding : 22;
	/** Not used; leave it 0. */
	uint32_t padding2 : 32;
	/** Not used; leave it 0. */
	uint32_t padding3 : 32;

	/** Number of the filesystem's choice: output of open, create, opendir;
	 *  handed back in all requests on the open file. */
	uint64_t fh;

	/** Owner of a lock, as an opaque number: input of getlk, setlk, flock,
	 *  flush, and release (with `flock_release`). */
	uint64_t lock_owner;

	/** Events of poll(2) that the caller waits for: input of poll. */
	uint32_t poll_events;

	/** Output of open, create: what fuse_passthrough_open() returned; reads,
	 *  writes and mmap then go straight to that file. 0 for none.
	 *  Since 3.17. */
	int32_t backing_id;

	/** For the library. Since 3.17. */
	uint64_t compat_flags;

	/** Room to grow; leave it 0. */
	uint64_t reserved[2];
};

#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
/**
 * How fuse_session_loop_mt() runs; from 312 on it is opaque, see
 * fuse_loop_cfg_create().
 */
struct fuse_loop_config {
	/** Not 0: each worker thread opens a device descriptor of its own. */
	int clone_fd;

	/** Idle worker threads to keep; those beyond end. */
	unsigned int max_idle_threads;
};
#else
/** Opaque; see fuse_loop_cfg_create(). */
struct fuse_loop_config;

/** The form that struct fuse_loop_config had below 312. */
struct fuse_loop_config_v1 {
	/** Not 0: each worker thread opens a device descriptor of its own. */
	int clone_fd;

	/** Idle worker threads to keep; those beyond end. */
	unsigned int max_idle_threads;
};
#endif

/**************************************************************************
 * Capabilities of a connection: bits of fuse_conn_info's `capable_ext` and
 * `want_ext`. "Default" means that the library asks for it by itself when the
 * kernel offers it.
 **************************************************************************/

/** Several reads of one open file may be sent at once. Default. */
#define FUSE_CAP_ASYNC_READ (1UL << 0)

/** Locks of fcntl(2) are sent to the filesystem (getlk, setlk), else the
 *  kernel keeps them. Default if both handlers exist. */
#define FUSE_CAP_POSIX_LOCKS (1UL << 1)

/** O_TRUNC comes with open; else a setattr goes before it. Default. */
#define FUSE_CAP_ATOMIC_O_TRUNC (1UL << 3)

/** lookup of "." and ".." is understood; needed for export over NFS. Never a
 *  default. */
#define FUSE_CAP_EXPORT_SUPPORT (1UL << 4)

/** The filesystem applies the umask to create, mkdir, mknod itself. Never a
 *  default. */
#define FUSE_CAP_DONT_MASK (1UL << 6)

/** Replies may be sent with splice(2). Default where it can be used. */
#define FUSE_CAP_SPLICE_WRITE (1UL << 7)

/** With FUSE_CAP_SPLICE_WRITE: pages may be moved instead of copied. */
#define FUSE_CAP_SPLICE_MOVE (1UL << 8)

/** Requests may be received with splice(2). Default if write_buf exists. */
#define FUSE_CAP_SPLICE_READ (1UL << 9)

/** Locks of flock(2) are sent to the filesystem. Default if it has a flock
 *  handler. */
#define FUSE_CAP_FLOCK_LOCKS (1UL << 10)

/** ioctl(2) works on directories. Default. */
#define FUSE_CAP_IOCTL_DIR (1UL << 11)

/** The kernel drops cached data of a file when the size or the modification
 *  time in an attribute reply has changed. Default. */
#define FUSE_CAP_AUTO_INVAL_DATA (1UL << 12)

/** Directories are read with readdirplus. Default if that handler exists. */
#define FUSE_CAP_READDIRPLUS (1UL << 13)

/** The kernel chooses between readdir and readdirplus as it sees fit. Default
 *  if both handlers exist. */
#define FUSE_CAP_READDIRPLUS_AUTO (1UL << 14)

/** Direct I/O of one call may be sent as several requests at once. Default. */
#define FUSE_CAP_ASYNC_DIO (1UL << 15)

/** Writes stay in the page cache and are sent later. The filesystem may then
 *  get reads on files opened for writing only, and the kernel keeps size and
 *  modification time. Never a default. */
#define FUSE_CAP_WRITEBACK_CACHE (1UL << 16)

/** An open that is answered with ENOSYS succeeds, and no open or release
 *  follows for any file. Information only: it works whenever it is offered. */
#define FUSE_CAP_NO_OPEN_SUPPORT (1UL << 17)

/** Lookups and readdirs in one directory may be sent at once. Default. */
#define FUSE_CAP_PARALLEL_DIROPS (1UL << 18)

/** The kernel checks access control lists, which are stored as extended
 *  attributes of the filesystem. Implies `default_permissions`. Never a
 *  default. */
#define FUSE_CAP_POSIX_ACL (1UL << 19)

/** The filesystem takes away set-user-ID and set-group-ID bits itself on write,
 *  chown and truncate. Never a default. */
#define FUSE_CAP_HANDLE_KILLPRIV (1UL << 20)

/** As FUSE_CAP_HANDLE_KILLPRIV, but the kernel says in each request whether it
 *  is to be done. Never a default. */
#define FUSE_CAP_HANDLE_KILLPRIV_V2 (1UL << 21)

/** The kernel may keep targets of symbolic links. Never a default. */
#define FUSE_CAP_CACHE_SYMLINKS (1UL << 23)

/** As FUSE_CAP_NO_OPEN_SUPPORT, for opendir and releasedir. Information only. */
#define FUSE_CAP_NO_OPENDIR_SUPPORT (1UL << 24)

/** The kernel drops cached data only when told to, or on truncate; takes the
 *  place of FUSE_CAP_AUTO_INVAL_DATA. Never a default. */
#define FUSE_CAP_EXPLICIT_INVAL_DATA (1UL << 25)

/** The kernel knows fuse_lowlevel_notify_expire_entry(). Information only. */
#define FUSE_CAP_EXPIRE_ONLY (1UL << 26)

/** setxattr tells whether the set-group-ID bit has to go along with an access
 *  control list. Never a default. */
#define FUSE_CAP_SETXATTR_EXT (1UL << 27)

/** mmap(2) with MAP_SHARED works on files opened with direct I/O. Never a
 *  default. */
#define FUSE_CAP_DIRECT_IO_ALLOW_MMAP (1UL << 28)

/** fuse_passthrough_open() may be used. Never a default; see also
 *  fuse_conn_info's `max_backing_stack_depth`. */
#define FUSE_CAP_PASSTHROUGH (1UL << 29)

/** The filesystem cannot be exported over NFS, and file handles are refused.
 *  Never a default. */
#define FUSE_CAP_NO_EXPORT_SUPPORT (1UL << 30)

/** Requests may come over io_uring. In ringfuse this is a default: it is used
 *  when the kernel offers it, unless `-o no_io_uring` is given. Clear it in
 *  init() to stay on /dev/fuse. */
#define FUSE_CAP_OVER_IO_URING (1UL << 31)

/** Flag of ioctl: a 32-bit caller on a 64-bit kernel. */
#define FUSE_IOCTL_COMPAT (1 << 0)
/** Flag of ioctl: the sizes are not taken from the command's number, so
 *  fuse_reply_ioctl_retry() is possible (character devices only). */
#define FUSE_IOCTL_UNRESTRICTED (1 << 1)
/** Flag of ioctl: the call is repeated after fuse_reply_ioctl_retry(). */
#define FUSE_IOCTL_RETRY (1 << 2)
/** Flag of ioctl: it is on a directory. */
#define FUSE_IOCTL_DIR (1 << 4)

/** Most pieces that fuse_reply_ioctl_retry() may ask for, in and out each. */
#define FUSE_IOCTL_MAX_IOV 256

/** Value of `max_backing_stack_depth`: this filesystem may lie below another
 *  stacked one; backing files may not lie on a stacked filesystem. */
#define FUSE_BACKING_STACKED_UNDER (0)

/** Value of `max_backing_stack_depth`: backing files may lie on a stacked
 *  filesystem; this one may not lie below another stacked one. */
#define FUSE_BACKING_STACKED_OVER (1)

/**
 * What kernel and filesystem agree on when a connection starts.
 *
 * The handler init() gets it: it may read all members, and change those marked
 * so until it returns. The library owns the structure, which lies inside the
 * session; do not copy it and do not pass a copy to the functions below.
 */
struct fuse_conn_info {
	/** First part of the kernel's protocol version. */
	uint32_t proto_major;

	/** Second part of the kernel's protocol version. */
	uint32_t proto_minor;

	/** Most bytes in a write request. May be changed: downwards as you like,
	 *  upwards as far as the kernel and the system's limit on pages allow. */
	uint32_t max_write;

	/** Most bytes in a read request; 0 means no limit of our own. Must equal
	 *  the mount option `max_read=`, else the session ends with EPROTO. */
	uint32_t max_read;

	/** Most bytes of read-ahead. May be lowered. */
	uint32_t max_readahead;

	/** What the kernel offers, bits 0 to 31; see `capable_ext`. */
	uint32_t capable;

	/** What is asked for, bits 0 to 31. May be changed; programs written for
	 *  releases before 3.17 do, and keep bits 32 and up as they are. If both
	 *  this and `want_ext` were changed, `want_ext` counts. */
	uint32_t want;

	/** Most requests that nobody waits for (read-ahead, background writes,
	 *  the release of closed files) at a time. May be changed; if it is left
	 *  at 0, the kernel is told 256, instead of its own 12: with more clients
	 *  than that, closed files are else released later than new ones are
	 *  opened, and stay open. How far it reads ahead does not depend on it,
	 *  but on `congestion_threshold`. */
	uint32_t max_background;

	/** Number of such requests from which on the kernel considers the
	 *  filesystem congested; 0 for three quarters of `max_background`. May
	 *  be changed. */
	uint32_t congestion_threshold;

	/** Granularity of time stamps in nanoseconds: a power of ten from 1 to
	 *  1000000000; 0 counts as 1. May be changed. */
	uint32_t time_gran;

	/** With FUSE_CAP_PASSTHROUGH: how deep filesystems may be stacked, see
	 *  #FUSE_BACKING_STACKED_UNDER. 0 by default. May be changed.
	 *  Since 3.17. */
	uint32_t max_backing_stack_depth;

	/** Set it to 1 to get no interrupts: fuse_req_interrupted() stays 0 and
	 *  interrupt functions are not called. Since 3.17. */
	uint32_t no_interrupt : 1;

	/** Not used; leave it 0. */
	uint32_t padding : 31;

	/** What the kernel offers: FUSE_CAP_ bits. Since 3.17. */
	uint64_t capable_ext;

	/** What is asked for: FUSE_CAP_ bits. May be changed; a bit that is not
	 *  in `capable_ext` ends the session with EPROTO, so prefer
	 *  fuse_set_feature_flag(). Since 3.17. */
	uint64_t want_ext;

	/** Seconds after which the kernel gives the whole connection up because a
	 *  request was not answered; 0 for never. May be changed. Since 3.18. */
	uint16_t request_timeout;

	/** Room to grow; leave it 0. */
	uint16_t reserved[31];
};

/** A mounted filesystem's connection; opaque. See fuse_session_new(). */
struct fuse_session;

/** A client that waits in poll(2); opaque. See the poll handler. */
struct fuse_pollhandle;

/** Options for fuse_conn_info; opaque. See fuse_parse_conn_info_opts(). */
struct fuse_conn_info_opts;

/**
 * Take the options that change struct fuse_conn_info out of a list.
 *
 * Meant for filesystems that let the user choose: parse before
 * fuse_session_new() or fuse_new(), apply in init(). Known are `max_write=`,
 * `max_readahead=`, `max_background=`, `congestion_threshold=`, `time_gran=`,
 * `readdirplus=`(`yes`, `no`, `auto`), `async_read`, `sync_read`,
 * `atomic_o_trunc` (does nothing), `no_remote_lock`, `no_remote_flock`,
 * `no_remote_posix_lock`, and with and without a leading `no_`:
 * `splice_write`, `splice_move`, `splice_read`, `auto_inval_data`,
 * `async_dio`, `writeback_cache`.
 *
 * @param args list of options; the known ones are taken out
 * @return the options, which the caller releases with free(3); NULL after an
 *         error that has been logged
 */
struct fuse_conn_info_opts *fuse_parse_conn_info_opts(struct fuse_args *args);

/**
 * Apply options to a connection. Call it in init().
 *
 * Capabilities that the kernel does not offer are left out. When an option
 * that turns something on meets one that turns it off, off wins.
 *
 * @param opts what fuse_parse_conn_info_opts() returned; it stays yours
 * @param conn what init() was given
 */
void fuse_apply_conn_info_opts(struct fuse_conn_info_opts *opts,
			       struct fuse_conn_info *conn);

/**
 * Go to the background: fork, let the parent exit with 0, start a session of
 * its own (setsid(2)), change to `/`, and put /dev/null in the place of the
 * standard descriptors.
 *
 * Call it after fuse_session_mount() and before threads are started; the
 * library starts none until a loop runs.
 *
 * @param foreground not 0: do not fork, change to `/` only
 * @return 0, or -1 after an error that has been logged
 */
int fuse_daemonize(int foreground);

/**
 * Version of the interface that the library implements, for example 318. May
 * be called on any thread.
 */
int fuse_version(void);

/**
 * Release of the library as text; it begins with the release of libfuse that
 * the interface follows. The string is constant.
 */
const char *fuse_pkgversion(void);

/**
 * Release a poll handle; each one that a poll handler was given has to be
 * released once.
 *
 * @param ph the handle; not to be used afterwards
 */
void fuse_pollhandle_destroy(struct fuse_pollhandle *ph);

/**************************************************************************
 * Data in memory or behind a file descriptor
 **************************************************************************/

/** Properties of one buffer; may be combined. */
enum fuse_buf_flags {
	/** The data is behind `fd`, not at `mem`. */
	FUSE_BUF_IS_FD = (1 << 1),

	/** With FUSE_BUF_IS_FD: it is at `pos`; else at the descriptor's own
	 *  position, which moves. */
	FUSE_BUF_FD_SEEK = (1 << 2),

	/** With FUSE_BUF_IS_FD: after a short read or write go on until all is
	 *  done, the file ends, or an error occurs. */
	FUSE_BUF_FD_RETRY = (1 << 3)
};

/** How to copy; may be combined. */
enum fuse_buf_copy_flags {
	/** Do not use splice(2) between two descriptors. Wins over
	 *  FUSE_BUF_FORCE_SPLICE. */
	FUSE_BUF_NO_SPLICE = (1 << 1),

	/** Use splice(2) between two descriptors and fail where it is not
	 *  possible; the default is to copy by hand then. */
	FUSE_BUF_FORCE_SPLICE = (1 << 2),

	/** Let splice(2) move pages: SPLICE_F_MOVE. */
	FUSE_BUF_SPLICE_MOVE = (1 << 3),

	/** Let splice(2) not wait: SPLICE_F_NONBLOCK. */
	FUSE_BUF_SPLICE_NONBLOCK = (1 << 4)
};

/** A piece of data. */
struct fuse_buf {
	/** Bytes of data. */
	size_t size;

	/** Where it is, see enum fuse_buf_flags. */
	enum fuse_buf_flags flags;

	/** The data, unless FUSE_BUF_IS_FD is set. */
	void *mem;

	/** The descriptor, if FUSE_BUF_IS_FD is set. */
	int fd;

	/** Place in the file, if FUSE_BUF_FD_SEEK is set. */
	off_t pos;

	/** Bytes allocated at `mem`; only fuse_session_receive_buf() and
	 *  fuse_session_process_buf() use it. Since 3.17. */
	size_t mem_size;
};

/**
 * A row of pieces of data and a place in it. Allocate it with room for
 * `count` elements; the structure has room for one.
 */
struct fuse_bufvec {
	/** Number of pieces. */
	size_t count;

	/** Piece where the data goes on; those before are done with. */
	size_t idx;

	/** Bytes of that piece that are done with. */
	size_t off;

	/** The pieces. */
	struct fuse_buf buf[1];
};

/**
 * A struct fuse_bufvec with one piece of @p size_ bytes in memory; set its
 * `buf[0].mem` (or `fd` and `flags`) before use.
 */
#ifdef __cplusplus
#define FUSE_BUFVEC_INIT(size_) \
	(fuse_bufvec{ 1, 0, 0, { { (size_t)(size_), (enum fuse_buf_flags)0, NULL, -1, 0, 0 } } })
#else
#define FUSE_BUFVEC_INIT(size_) \
	((struct fuse_bufvec){ 1, 0, 0, { { (size_), (enum fuse_buf_flags)0, NULL, -1, 0, 0 } } })
#endif

/**
 * Bytes in all pieces together; a place in the middle does not count.
 *
 * @param bufv the pieces
 * @return the sum, SIZE_MAX if it does not fit
 */
size_t fuse_buf_size(const struct fuse_bufvec *bufv);

/**
 * Copy data from one row of pieces to another until one of them ends.
 *
 * Both places are moved on, so that a further call continues. May be called
 * on any thread.
 *
 * @param dst   where to
 * @param src   where from
 * @param flags how, see enum fuse_buf_copy_flags
 * @return bytes copied, which may be fewer than asked for if a file ended;
 *         a negative error number if nothing was copied
 */
ssize_t fuse_buf_copy(struct fuse_bufvec *dst, struct fuse_bufvec *src,
		      enum fuse_buf_copy_flags flags);

/**************************************************************************
 * Signals
 **************************************************************************/

/**
 * Let SIGHUP, SIGINT and SIGTERM end the session, and ignore SIGPIPE.
 *
 * Only signals whose action is still the default one are touched. There is one
 * such session per process.
 *
 * @param se the session
 * @return 0, or -1 after an error that has been logged
 */
int fuse_set_signal_handlers(struct fuse_session *se);

/**
 * Let signals of a crash (SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV ...) end
 * the session and write a back trace before the process dies of them.
 *
 * @param se the session
 * @return 0, or -1 after an error that has been logged
 *
 * Since 3.17.
 */
int fuse_set_fail_signal_handlers(struct fuse_session *se);

/**
 * Take back what fuse_set_signal_handlers() did. Call it before
 * fuse_session_destroy().
 *
 * @param se the session that the signals were set for
 */
void fuse_remove_signal_handlers(struct fuse_session *se);

/**************************************************************************
 * Capabilities; for use in init()
 **************************************************************************/

/**
 * Ask for a capability, in `want` and `want_ext`, if the kernel offers it.
 *
 * @param conn what init() was given, not a copy
 * @param flag one FUSE_CAP_ bit
 * @return whether the kernel offers it
 *
 * Since 3.17.3.
 */
bool fuse_set_feature_flag(struct fuse_conn_info *conn, uint64_t flag);

/**
 * Do without a capability; the bit leaves `want` and `want_ext`.
 *
 * @param conn what init() was given, not a copy
 * @param flag one FUSE_CAP_ bit
 *
 * Since 3.17.3.
 */
void fuse_unset_feature_flag(struct fuse_conn_info *conn, uint64_t flag);

/**
 * Does the kernel offer a capability? (Not: is it asked for.)
 *
 * @param conn what init() was given
 * @param flag one FUSE_CAP_ bit
 *
 * Since 3.17.3.
 */
bool fuse_get_feature_flag(struct fuse_conn_info *conn, uint64_t flag);

/**
 * Make one of `want` and `want_ext`, as the library does after init(). For
 * tests; filesystems have no use for it.
 *
 * @param conn what init() was given, not a copy
 * @return 0, or -EINVAL if the two contradict each other
 *
 * Since 3.17.3.
 */
int fuse_convert_to_conn_want_ext(struct fuse_conn_info *conn);

#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
/**************************************************************************
 * Configuration of fuse_session_loop_mt() and fuse_loop_mt()
 **************************************************************************/

/**
 * A configuration with default values: at most 10 threads, idle ones stay, no
 * cloned descriptors.
 *
 * @return the configuration, for fuse_loop_cfg_destroy(); NULL if memory ran
 *         out
 *
 * Since 3.12.
 */
struct fuse_loop_config *fuse_loop_cfg_create(void);

/**
 * Release a configuration. Allowed once the loop has returned.
 *
 * @param config what fuse_loop_cfg_create() returned, or NULL
 *
 * Since 3.12.
 */
void fuse_loop_cfg_destroy(struct fuse_loop_config *config);

/**
 * How many idle threads to keep.
 *
 * @param config the configuration
 * @param value  a number. UINT_MAX changes nothing: all are kept unless another
 *               number was set. Others above 100000 are ignored, with a message
 *
 * Since 3.12.
 */
void fuse_loop_cfg_set_idle_threads(struct fuse_loop_config *config, unsigned int value);

/**
 * How many handlers may run at once, whichever transport is in use.
 *
 * @param config the configuration
 * @param value  a number, at least 1; with 1 never two handlers run at once
 *
 * Since 3.12.
 */
void fuse_loop_cfg_set_max_threads(struct fuse_loop_config *config, unsigned int value);

/**
 * Whether worker threads open descriptors of their own for /dev/fuse. It makes
 * no difference to requests that come over io_uring.
 *
 * @param config the configuration
 * @param value  0 for no, else yes
 *
 * Since 3.12.
 */
void fuse_loop_cfg_set_clone_fd(struct fuse_loop_config *config, unsigned int value);

/**
 * Take over the values of the old form.
 *
 * @param config  the configuration to change
 * @param v1_conf the old form
 *
 * Since 3.12.
 */
void fuse_loop_cfg_convert(struct fuse_loop_config *config, struct fuse_loop_config_v1 *v1_conf);
#endif /* FUSE_USE_VERSION >= 312 */

#ifdef __cplusplus
}
#endif

#endif /* FUSE_COMMON_H_ */
