# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# fuse2fs: an ext4 image, checked by e2fsck afterwards.
package=fuse2fs
kinds='relinked unmodified'
tools='e2fsprogs'
source=e2fsprogs
suites='trixie sid' # Debian 12's is for libfuse 2
build_needs=''

build() {
	./configure --prefix="$built" --disable-nls --disable-e2initrd-helper
	make -j2 libs
	make -j2 -C misc fuse2fs
	install -D misc/fuse2fs "$built/bin/fuse2fs"
}

test_it() {
	make_input /mnt/input
	truncate -s 200M /mnt/image
	tool mkfs.ext4 -q -d /mnt/input /mnt/image
	start fuse2fs /mnt/image "$m"
	rmdir "$m/lost+found"
	same /mnt/input "$m"
	readers "$m" /mnt/input 4
	writers "$m" 3
	metadata "$m"
	links "$m"
	attributes "$m/random"
	sums "$m" >/mnt/before
	stop
	tool e2fsck -fn /mnt/image
	start_foreground fuse2fs -f -o ro /mnt/image "$m"
	cmp /mnt/before <(sums "$m")
	refuses_writes "$m"
	stop
}
