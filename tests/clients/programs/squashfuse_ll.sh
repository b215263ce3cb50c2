# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# squashfuse_ll, on the low-level API, from the same package.
. "$(dirname "${BASH_SOURCE[0]}")/squashfuse.sh"
binary=squashfuse_ll
by_signal=241 # it returns what the loop returned, -SIGTERM

mistakes() {
	make_input /mnt/input
	tool mksquashfs /mnt/input /mnt/image -quiet -no-progress
	usual_mistakes "$binary /mnt/image"
}
