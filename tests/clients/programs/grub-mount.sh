# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# grub-mount: the filesystems of a boot loader, read only.
package=grub-common
kinds=unmodified
tools='squashfs-tools'

test_it() {
	make_input /mnt/input
	rm -r /mnt/input/{bash,bash-too,perl,modules,random,deep/link,dangling}
	head -c 300000 /dev/urandom >/mnt/input/random
	tool mksquashfs /mnt/input /mnt/image -quiet -no-progress -comp gzip
	start grub-mount /mnt/image "$m"
	same /mnt/input "$m" '%P\n'
	readers "$m" /mnt/input 2
	stop 1 # as with libfuse
}
