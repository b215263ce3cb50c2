/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * Messages of the library, and where they go.
 *
 * By default every message is written to standard error. A program may direct
 * them to syslog (fuse_log_enable_syslog()) or to a function of its own
 * (fuse_set_log_func()). The choice is one per process.
 */
#ifndef FUSE_LOG_H_
#define FUSE_LOG_H_

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How serious a message is. The values equal the priorities of syslog(3). */
enum fuse_log_level {
	FUSE_LOG_EMERG,
	FUSE_LOG_ALERT,
	FUSE_LOG_CRIT,
	FUSE_LOG_ERR,
	FUSE_LOG_WARNING,
	FUSE_LOG_NOTICE,
	FUSE_LOG_INFO,
	FUSE_LOG_DEBUG
};

/**
 * A receiver of messages.
 *
 * It is called on whichever thread has something to say, possibly on several
 * at once, so it has to be thread safe. It must not call fuse_log() itself.
 *
 * @param level how serious the message is
 * @param fmt   format string as for vprintf(3); it usually ends in a newline.
 *              A message may come in several calls, so do not assume that each
 *              call is a line.
 * @param ap    arguments of @p fmt; valid during the call only
 */
typedef void (*fuse_log_func_t)(enum fuse_log_level level, const char *fmt,
				va_list ap);

/**
 * Direct all messages to @p func.
 *
 * Call it before other threads use the library.
 *
 * @param func the receiver, or NULL to go back to standard error
 *
 * Since 3.7.
 */
void fuse_set_log_func(fuse_log_func_t func);

/**
 * Write a message to wherever the messages of the library go.
 *
 * May be called on any thread.
 *
 * @param level how serious the message is
 * @param fmt   format as for printf(3); include the final newline
 *
 * Since 3.7.
 */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void fuse_log(enum fuse_log_level level, const char *fmt, ...);

/**
 * Direct all messages to syslog(3); openlog(3) is called with the arguments.
 *
 * @param ident    name in front of each line. The pointer is kept, so the
 *                 string must stay valid until fuse_log_close_syslog().
 * @param option   LOG_PID and so on
 * @param facility LOG_DAEMON and so on
 *
 * Since 3.17.
 */
void fuse_log_enable_syslog(const char *ident, int option, int facility);

/**
 * Close the connection to syslog with closelog(3).
 *
 * Messages that follow still go to syslog, which opens itself again; call
 * fuse_set_log_func() with NULL to return to standard error.
 *
 * Since 3.17.
 */
void fuse_log_close_syslog(void);

#ifdef __cplusplus
}
#endif

#endif /* FUSE_LOG_H_ */
