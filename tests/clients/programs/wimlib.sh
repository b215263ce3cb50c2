# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# wimlib-imagex: a Windows image file, mounted for writing and committed.
package=wimtools
kinds=unmodified
tools=''

test_it() {
	make_input /mnt/input
	tool wimlib-imagex capture /mnt/input /mnt/a.wim --unix-data >/dev/null
	start wimlib-imagex mountrw /mnt/a.wim 1 "$m" --unix-data
	same /mnt/input "$m"
	readers "$m" /mnt/input 4
	writers "$m" 3
	mv "$m/dpkg" "$m/renamed"
	sums "$m" >/mnt/before
	note_transport
	tool wimlib-imagex unmount "$m" --commit >/dev/null
	within 10 not_mounted "$m"
	ended
	mkdir /mnt/after
	tool wimlib-imagex apply /mnt/a.wim 1 /mnt/after --unix-data >/dev/null
	cmp /mnt/before <(sums /mnt/after)
}
