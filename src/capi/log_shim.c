/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The variadic part of fuse_log.h (API since 3.7, syslog since 3.13), which Rust cannot define.
 *
 * The handler belongs to the program and is called on whatever thread has something to say. It is one word that is
 * read and written atomically, so it can be exchanged at any time; a call already under way ends in the old one.
 */

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>

/* As `fuse_log_func_t`; the enum of the public header has the size of an int. */
typedef void (*log_handler)(int level, const char *fmt, va_list ap);

static _Atomic(log_handler) installed;
static atomic_bool to_syslog;

static void write_by_default(int level, const char *fmt, va_list ap)
{
	if (atomic_load(&to_syslog))
		vsyslog(level, fmt, ap);
	else
		vfprintf(stderr, fmt, ap);
}

__attribute__((format(printf, 2, 3), visibility("default")))
void fuse_log(int level, const char *fmt, ...)
{
	log_handler handler = atomic_load(&installed);
	va_list ap;

	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	if (handler != NULL)
		handler(level, fmt, ap);
	else
		write_by_default(level, fmt, ap);
	va_end(ap);
}

void ringfuse_log_line(int level, const char *line)
{
	fuse_log(level, "%s", line);
}

void ringfuse_log_set_handler(log_handler handler)
{
	atomic_store(&installed, handler);
}

/* Closing syslog does not bring stderr back: a daemon has none. syslog opens itself again when needed. */
void ringfuse_log_to_syslog(void)
{
	atomic_store(&to_syslog, true);
}
