# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# qemu-storage-daemon: a disk image as a file. It has an event loop of its own, so it stays on /dev/fuse.
package=qemu-utils
kinds=unmodified
tools=''
expected=dev

test_it() {
	m=/mnt/file
	head -c 30000000 /dev/urandom >/mnt/raw
	tool qemu-img convert -f raw -O qcow2 /mnt/raw /mnt/disk
	: >$m
	start_foreground qemu-storage-daemon --blockdev driver=file,node-name=f,filename=/mnt/disk \
		--blockdev driver=qcow2,node-name=q,file=f \
		--export type=fuse,id=e,node-name=q,mountpoint=$m,writable=on,growable=on
	cmp -n 30000000 /mnt/raw $m
	jobs=()
	for i in 1 2 3 4; do
		dd if=/mnt/raw of=$m bs=64k seek=$((i * 50)) skip=$((i * 30)) count=40 conv=notrunc status=none &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
	truncate -s 40M $m
	sync $m
	sha256sum <$m >/mnt/through
	terminate
	tool qemu-img convert -f qcow2 -O raw /mnt/disk /mnt/after
	cmp /mnt/through <(sha256sum </mnt/after)
	tool qemu-img check -q /mnt/disk
}
