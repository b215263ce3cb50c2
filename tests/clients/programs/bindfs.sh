# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# bindfs: a directory with other owners and modes. Debian 12's and 13's are for libfuse 2: so newer ones of sid.
package=bindfs
kinds='relinked unmodified'
from=sid
tools=''
source=bindfs
suites='sid'
build_needs=''

build() {
	./configure --prefix="$built"
	make -j2 install
}

test_it() {
	make_input /mnt/input
	start bindfs /mnt/input "$m"
	same /mnt/input "$m"
	readers "$m" /mnt/input
	writers "$m"
	metadata "$m"
	links "$m"
	attributes "$m/random"
	same /mnt/input "$m" '%P %y %m %u %g %T@ %l\n'
	stop
	start_foreground bindfs -f --force-user=7 --perms=a-w --xattr-none /mnt/input "$m"
	[ "$(stat -c '%u %a' "$m/dpkg")" = '7 440' ]
	readers "$m" /mnt/input 2
	terminate 8
}
