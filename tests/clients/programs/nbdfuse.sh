# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# nbdfuse: the disk of a network block device server as a file.
package=libnbd-bin
kinds='relinked unmodified'
tools=nbdkit
source=libnbd
suites='trixie sid'
build_needs='libxml2-dev nbdkit'

build() {
	./configure --prefix="$built" --disable-ocaml --disable-python --disable-golang --disable-rust --without-gnutls --without-bash-completions
	make -j2 -C common/utils
	make -j2 -C lib
	make -j2 -C fuse
	make -C lib install
	make -C fuse install
}

test_it() {
	local jobs=() i
	head -c 30000000 /dev/urandom >/mnt/disk
	start_foreground nbdfuse "$m/file" --command nbdkit -s file /mnt/disk
	[ "$(stat -c %s "$m/file")" = 30000000 ]
	cmp /mnt/disk "$m/file"
	for i in 1 2 3 4; do
		dd if=/dev/urandom of="$m/file" bs=64k seek=$((i * 50)) count=40 conv=notrunc status=none &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
	sync "$m/file"
	cmp /mnt/disk "$m/file"
	stop
}
