# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# fusefile: parts of several files as one file.
package=fusefile
kinds='relinked unmodified'
tools=''
source=fusefile
suites='trixie sid'
build_needs=''

build() {
	make CPPFLAGS="$(pkg-config --cflags fuse3)" LDFLAGS="$(pkg-config --libs fuse3) -pthread $LDFLAGS"
	install -D fusefile "$built/sbin/fusefile"
}

test_it() {
	local jobs=() i
	m=/mnt/file
	: >$m
	head -c 20000000 /dev/urandom >/mnt/one
	head -c 10000000 /dev/urandom >/mnt/two
	cat /mnt/one /mnt/two >/mnt/whole
	start fusefile $m /mnt/one /mnt/two
	cmp /mnt/whole $m
	for i in 1 2 3 4; do
		(sha256sum <$m >"/mnt/sum$i") &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
	for i in 1 2 3 4; do cmp "/mnt/sum$i" <(sha256sum </mnt/whole); done
	dd if=/dev/urandom of=/mnt/part bs=1M count=2 status=none
	for i in /mnt/whole $m; do dd if=/mnt/part of=$i bs=1M seek=18 conv=notrunc status=none; done
	cmp /mnt/whole $m
	stop
	cmp /mnt/whole <(cat /mnt/one /mnt/two)
}
