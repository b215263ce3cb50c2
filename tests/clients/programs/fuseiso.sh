# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# fuseiso: a CD image.
package=fuseiso
kinds=unmodified
tools=genisoimage

test_it() {
	make_input /mnt/input
	tool genisoimage -quiet -R -o /mnt/image /mnt/input
	start fuseiso -n /mnt/image "$m"
	same /mnt/input "$m" '%P %y\n'
	readers "$m" /mnt/input 4
	refuses_writes "$m"
	stop
}
