# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# pyfuse3, the Python binding: it receives and answers in Python's own event loop, so it stays on /dev/fuse.
package=python3-pyfuse3
kinds=unmodified
tools=''
expected=dev

test_it() {
	cp "$(dirname "$file")/../pyfuse3_tree.py" /mnt/
	start_foreground python3 /mnt/pyfuse3_tree.py "$m"
	writers "$m" 4
	attributes "$m/writer1/b5"
	head -c 5000000 /dev/urandom >/mnt/big
	cp /mnt/big "$m/big"
	cmp /mnt/big "$m/big"
	readers "$m" "$m" 4
	stop
}
