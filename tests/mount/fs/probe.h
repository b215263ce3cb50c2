/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_PROBE_H
#define TEST_PROBE_H
#include "common.h"
#include <stdatomic.h>

extern atomic_int eintrs;      /* system calls broken off in handlers */
extern atomic_int interrupted; /* handlers that learned of their interrupt */

double now(void);
void sleep_ms(int ms);
void wait_interrupt(fuse_req_t req, int late);
void poll_interrupt(fuse_req_t req);
void count_eintr(const char *kind, int ms);
void count_eintr_pipe(int ms);
void wait_flag(void);
#endif
