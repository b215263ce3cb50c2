# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# archivemount: a tar archive, written back at the end.
package=archivemount
kinds='relinked unmodified'
tools=''
source=archivemount
suites='trixie sid'
build_needs='g++ libarchive-dev'

build() {
	make archivemount VERSION=1 SOURCE_DATE_EPOCH=0
	install -D archivemount "$built/bin/archivemount"
}

test_it() {
	make_input /mnt/input
	head -c 2000000 /dev/urandom >/mnt/input/random
	rm /mnt/input/sparse
	find /mnt/input/modules -type f | tail -n +20 | xargs rm # each file is looked for from the archive's beginning
	(cd /mnt/input && tar -czf /mnt/a.tar.gz -- *)
	start archivemount -o nobackup /mnt/a.tar.gz "$m"
	same /mnt/input "$m" '%P %y\n'
	readers "$m" /mnt/input 2
	echo added >"$m/added"
	mv "$m/dpkg" "$m/renamed"
	rm "$m/perl"
	stop
	mkdir /mnt/after
	tar -xzf /mnt/a.tar.gz -C /mnt/after
	grep -q added /mnt/after/added
	cmp /mnt/input/dpkg /mnt/after/renamed
	[ ! -e /mnt/after/perl ]
	cmp /mnt/input/random /mnt/after/random
}
