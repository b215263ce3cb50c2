/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_CUSE_FAKE_H
#define TEST_CUSE_FAKE_H
#include "common.h"

/* Does what the kernel does with a new device; 0 or the step that went wrong. */
int play_kernel(int fd, int single_threaded);
#endif
