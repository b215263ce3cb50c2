# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# rofiles-fuse, of ostree: a tree in which files with several names can't be changed.
package=ostree
kinds=unmodified
tools=''

test_it() {
	make_input /mnt/input
	start rofiles-fuse /mnt/input "$m"
	same /mnt/input "$m"
	readers "$m" /mnt/input
	writers "$m" 4
	if echo x 2>/dev/null >>"$m/bash"; then return 1; fi
	cmp /mnt/input/bash "$tree/usr/bin/bash"
	same /mnt/input "$m"
	stop
}
