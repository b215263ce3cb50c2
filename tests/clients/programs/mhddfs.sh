# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# mhddfs: several directories as one. Debian 13 has none.
package=mhddfs
kinds=unmodified
from=sid
tools=''

test_it() {
	make_input /mnt/one
	mkdir -p /mnt/two/more
	cp "$tree"/usr/bin/{dpkg-deb,apt} /mnt/two/more/
	start mhddfs /mnt/one,/mnt/two "$m"
	(cd /mnt/one && sha256sum $(find . -name 'a*' -type f)) >/mnt/sums-one
	readers "$m" /mnt/one 4
	readers "$m" /mnt/two 2
	writers "$m" 4
	links "$m" any # a count that may be a second old
	attributes "$m/random"
	mv "$m/perl" "$m/renamed"
	cmp /mnt/one/renamed "$tree/usr/bin/perl"
	rm "$m/more/apt"
	[ ! -e /mnt/two/more/apt ]
	readers "$m" /mnt/one 4
	stop
}
