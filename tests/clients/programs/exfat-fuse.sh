# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# exfat-fuse: an image made and checked by exfatprogs.
package=exfat-fuse
kinds='relinked unmodified'
tools='exfatprogs'
source=exfat-fuse
suites='trixie sid'
build_needs='autoconf automake'

build() {
	autoreconf -fi
	./configure --prefix="$built"
	make -j2 install
}

test_it() {
	make_input /mnt/input
	find /mnt/input -type l -delete
	truncate -s 150M /mnt/image
	tool mkfs.exfat -q /mnt/image
	start mount.exfat-fuse "$(block_device /mnt/image)" "$m"
	cp -r /mnt/input/. "$m/"
	sync -f "$m"
	same /mnt/input "$m" '%P %y\n'
	readers "$m" /mnt/input 4
	writers "$m" 3
	sums "$m" >/mnt/before
	stop
	tool fsck.exfat -n /mnt/image
	start_foreground mount.exfat-fuse -d -o ro "$(block_device /mnt/image)" "$m"
	cmp /mnt/before <(sums "$m")
	stop
}
