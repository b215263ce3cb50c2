// SPDX-License-Identifier: MIT OR Apache-2.0
/* The example, built like the test filesystems. */
#include "../../../c-examples/passthrough_fh.c"
