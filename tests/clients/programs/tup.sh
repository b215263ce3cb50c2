# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# tup: a build system that finds out by a filesystem what each command reads and writes.
package=tup
kinds='relinked unmodified'
tools=''
source=tup
suites='sid trixie'
build_needs='libpcre2-dev libsqlite3-dev fuse3' # it calls fusermount3 at the end

build() {
	TUP_LABEL=relinked ./build.sh
	install -D build/tup "$built/bin/tup"
}

test_it() {
	local i
	m=/mnt/project/.tup/mnt
	mkdir /mnt/project
	cd /mnt/project
	for i in $(seq 40); do
		seq "$i" >"in$i"
		echo ": in$i |> sha256sum %f > %o; sed s/^/x/ %f > out$i.x |> out$i | out$i.x"
	done >Tupfile
	printf 'for i in $(seq 150); do cat in1; sleep 0.01; done\n' >slow.sh
	echo ': in1 slow.sh |> sh slow.sh > slow |> slow' >>Tupfile
	program sh -c 'cd /mnt/project && tup init && exec tup -j4' &
	started
	sleep 1
	note_transport
	wait $!
	for i in $(seq 40); do
		cmp "out$i" <(sha256sum "in$i")
		cmp "out$i.x" <(sed s/^/x/ "in$i")
	done
	echo more >>in7
	program sh -c 'cd /mnt/project && tup' >/mnt/second
	cmp out7 <(sha256sum in7)
	grep -q 'in7' /mnt/second
	if grep -q 'sha256sum in8' /mnt/second; then return 1; fi
	not_mounted $m
}
