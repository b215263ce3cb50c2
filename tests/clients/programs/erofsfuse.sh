# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# erofsfuse: a compressed image, read only.
package=erofsfuse
kinds='relinked unmodified'
tools='erofs-utils'
source=erofs-utils
suites='trixie sid bookworm'
build_needs='autoconf automake libtool liblz4-dev uuid-dev'

build() {
	./autogen.sh
	./configure --prefix="$built" --enable-fuse --without-selinux
	make -j2 install
}

test_it() {
	make_input /mnt/input
	setfattr -n user.origin -v here /mnt/input/random
	tool mkfs.erofs -zlz4 --quiet /mnt/image /mnt/input
	start erofsfuse /mnt/image "$m"
	same /mnt/input "$m"
	readers "$m" /mnt/input
	refuses_writes "$m"
	stop
	start_foreground erofsfuse -f /mnt/image "$m"
	readers "$m" /mnt/input 2
	stop
}

mistakes() {
	make_input /mnt/input
	tool mkfs.erofs --quiet /mnt/image /mnt/input
	usual_mistakes 'erofsfuse /mnt/image'
}
