# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# fuse-overlayfs: two lower directories and an upper one.
package=fuse-overlayfs
kinds='relinked unmodified'
tools=''
source=fuse-overlayfs
suites='bookworm trixie sid'
build_needs='autoconf automake'

build() {
	[ -x configure ] || autoreconf -fi
	./configure --prefix="$built"
	make -j2 install
}

test_it() {
	make_input /mnt/lower1
	mkdir -p /mnt/lower2/deep /mnt/upper /mnt/workdir
	echo 'from the second' >/mnt/lower2/deep/second
	echo 'hidden by the first' >/mnt/lower2/bash
	start fuse-overlayfs -o lowerdir=/mnt/lower1:/mnt/lower2,upperdir=/mnt/upper,workdir=/mnt/workdir "$m"
	grep -q second "$m/deep/second"
	cmp /mnt/lower1/bash "$m/bash"
	readers "$m" /mnt/lower1
	writers "$m"
	metadata "$m"
	links "$m"
	attributes "$m/random"
	echo changed-by-the-test >>"$m/dpkg"
	rm "$m/perl"
	mv "$m/modules" "$m/elsewhere"
	(cd "$m" && sha256sum writer*/b* first* second random dpkg 2>/dev/null || true) >/mnt/through
	(cd /mnt/upper && sha256sum --quiet -c /mnt/through)
	cmp /mnt/lower1/perl "$tree/usr/bin/perl"
	[ "$(grep -c changed-by-the-test /mnt/lower1/dpkg || true)" = 0 ]
	sums "$m" >/mnt/before
	stop
	start_foreground fuse-overlayfs -f -o lowerdir=/mnt/lower1:/mnt/lower2,upperdir=/mnt/upper,workdir=/mnt/workdir "$m"
	cmp /mnt/before <(sums "$m")
	[ ! -e "$m/perl" ]
	stop
}

mistakes() {
	mkdir /mnt/lower
	usual_mistakes 'fuse-overlayfs -o lowerdir=/mnt/lower'
}
