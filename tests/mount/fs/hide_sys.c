/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Preloaded into a program, it hides /sys from it, as in a chroot where that is not mounted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

static int opened(const char *name, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);

	if (strncmp(path, "/sys/", 5) == 0) {
		errno = ENOENT;
		return -1;
	}
	return real(path, flags, mode);
}

#define OPENS(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list rest; \
		mode_t mode; \
		va_start(rest, flags); \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
		va_end(rest); \
		return opened(#name, path, flags, mode); \
	}

OPENS(open)
OPENS(open64)
