# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# squashfuse, on the high-level API.
package=squashfuse
kinds='relinked unmodified'
tools='squashfs-tools'
source=squashfuse
suites='bookworm trixie sid'
elsewhere='http://archive.ubuntu.com/ubuntu/pool/universe/s/squashfuse/squashfuse_0.5.0.orig.tar.gz
	93ef7fc5d359d5a8faf284232bbf351ce5630de4234c9655445803030f7e1bc5'
build_needs='autoconf automake libtool zlib1g-dev liblzma-dev liblz4-dev libzstd-dev'
binary=squashfuse
by_signal=8 # its exit status when SIGTERM ends it, as with libfuse

build() {
	./autogen.sh
	./configure --prefix="$built" --enable-static --disable-shared
	make -j2 install
}

test_it() {
	make_input /mnt/input
	setfattr -n user.origin -v here /mnt/input/random
	tool mksquashfs /mnt/input /mnt/image -quiet -no-progress -comp zstd
	start $binary /mnt/image "$m"
	same /mnt/input "$m"
	readers "$m" /mnt/input
	[ "$(getfattr --absolute-names --only-values -n user.origin "$m/random")" = here ]
	refuses_writes "$m"
	stop
	start_foreground $binary -f /mnt/image "$m"
	readers "$m" /mnt/input 2
	terminate $by_signal
}

mistakes() {
	make_input /mnt/input
	tool mksquashfs /mnt/input /mnt/image -quiet -no-progress
	usual_mistakes "$binary /mnt/image"
}
