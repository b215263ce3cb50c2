/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * ioctl(2) as a 32-bit program does it: through the kernel's 32-bit entry, from
 * a 64-bit program, with memory below 4 GiB. Reverses eight bytes.
 */
#include "common.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#ifdef __x86_64__
static long ioctl32(int fd, unsigned cmd, void *arg)
{
	long result = 54; /* ioctl of i386 */

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"((long)fd), "c"((long)cmd), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#else
static long ioctl32(int fd, unsigned cmd, void *arg)
{
	(void)fd;
	(void)cmd;
	(void)arg;
	return -ENOSYS;
}
#endif

int main(int argc, char **argv)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
	long result;

	if (low == MAP_FAILED || fd < 0)
		return 1;
	memcpy(low, "abcdefgh", 8);
	result = ioctl32(fd, _IOWR('T', 3, char[8]), low);
	fprintf(stderr, "result %ld, %.8s\n", result, low);
	return result == 0 && !memcmp(low, "hgfedcba", 8) ? 0 : 2;
}
