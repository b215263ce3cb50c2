# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# disorderfs: a directory whose names come in another order, to test builds with. Debian 13 has none.
package=disorderfs
kinds=unmodified
from=sid
tools=''

test_it() {
	make_input /mnt/input
	start disorderfs --multi-user=yes --reverse-dirents=yes --sort-dirents=yes /mnt/input "$m"
	same /mnt/input "$m"
	cmp <(ls -U "$m") <(ls "$m" | LC_ALL=C sort -r)
	readers "$m" /mnt/input
	writers "$m" 4
	metadata "$m"
	links "$m" any # a count that may be a second old
	attributes "$m/random"
	same /mnt/input "$m" '%P %y %m %u %g %T@ %l\n'
	stop
}
