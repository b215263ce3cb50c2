# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# xmount: a disk image that can be written to, while the original stays as it is.
package=xmount
kinds='relinked unmodified'
tools=''
source=xmount
suites='trixie sid'
build_needs='cmake zlib1g-dev'

build() {
	export LDFLAGS="$LDFLAGS -L$prefix/lib" # it takes the name of the library from pkg-config, not the folder
	cmake -S . -B /mnt/b -DCMAKE_INSTALL_PREFIX="$built" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
	make -j2 -C /mnt/b install
}

test_it() {
	local jobs=() i
	head -c 30408704 /dev/urandom >/mnt/disk.dd
	cp /mnt/disk.dd /mnt/copy
	start xmount --in raw /mnt/disk.dd --out raw --cache /mnt/cache "$m"
	cmp /mnt/disk.dd "$m/disk.dd"
	for i in 1 2 3 4; do
		head -c 1000000 /dev/urandom >"/mnt/part$i"
		dd if="/mnt/part$i" of=/mnt/copy bs=1000000 seek=$((i * 3)) conv=notrunc status=none
		dd if="/mnt/part$i" of="$m/disk.dd" bs=1000000 seek=$((i * 3)) conv=notrunc status=none &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
	cmp /mnt/copy "$m/disk.dd"
	if cmp -s /mnt/copy /mnt/disk.dd; then return 1; fi
	stop
}
