# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# fusefat: a FAT image, read only (its writing is called experimental by itself).
package=fusefat
kinds=unmodified
tools='dosfstools mtools'

test_it() {
	mkdir /mnt/input
	cp "$tree"/usr/bin/{bash,dpkg,perl} /mnt/input/
	truncate -s 40M /mnt/image
	tool mkfs.vfat /mnt/image
	tool mcopy -i /mnt/image /mnt/input/bash /mnt/input/dpkg /mnt/input/perl ::
	start_foreground fusefat -f -o ro /mnt/image "$m"
	same /mnt/input "$m" '%P %y\n'
	readers "$m" /mnt/input 4
	stop
}
