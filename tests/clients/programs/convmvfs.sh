# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# convmvfs: a directory with its names in another encoding.
package=fuse-convmvfs
kinds=unmodified
tools=''

test_it() {
	make_input /mnt/input
	start convmvfs -o srcdir=/mnt/input,icharset=utf8,ocharset=latin1 "$m"
	[ -e "$m/$(printf 'gr\374n')" ]
	diff <(sums "$m" | cut -c 1-64 | sort) <(sums /mnt/input | cut -c 1-64 | sort)
	writers "$m" 4
	metadata "$m"
	links "$m" any # a count that may be a second old
	attributes "$m/random"
	diff <(sums "$m" | cut -c 1-64 | sort) <(sums /mnt/input | cut -c 1-64 | sort)
	stop
}

mistakes() {
	mkdir /mnt/input
	usual_mistakes 'convmvfs -o srcdir=/mnt/input'
}
