#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian 12's own binaries, which were linked to its libfuse3.so.3 (3.14), on ours: docs/soname3.md.
#
#   tests/clients/soname3.sh PREFIX        PREFIX has lib/libfuse3.so.3 (-Dsoname3=true)
#
# On Debian 12 as root, with the ring on. Missing packages are installed with apt-get. Each program is mounted on each
# transport and used; its library is looked up in its memory map, its transport in its statistics. The last line is
# `N passed, N failed`.
set -uo pipefail
prefix=$(realpath "${1:?usage: soname3.sh PREFIX}")
work=$(mktemp -d /tmp/soname3.XXXXXX)
mnt=$work/mnt
passed=0
failed=0
sshd=

cleanup() {
	umount -l "$mnt" 2>/dev/null
	[ -z "$sshd" ] || kill "$sshd" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

[ -e "$prefix/lib/libfuse3.so.3" ] || { echo "$prefix/lib/libfuse3.so.3 is missing: -Dsoname3=true"; exit 2; }
grep -q '^VERSION_ID="12"' /etc/os-release || { echo 'this is not Debian 12'; exit 2; }
missing=()
for pair in sshfs:sshfs sshd:openssh-server squashfuse:squashfuse mksquashfs:squashfs-tools bindfs:bindfs \
	fuse-overlayfs:fuse-overlayfs unionfs:unionfs-fuse setfattr:attr; do
	PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null || exit 2
fi
mkdir -p "$mnt" "$work/tree/dir/deep" "$work/upper" "$work/scratch"
head -c 3000000 /dev/urandom >"$work/tree/big"
for n in $(seq 200); do echo "$n" >"$work/tree/dir/deep/f$n"; done
ln -s big "$work/tree/link"
sums() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2); }
sums "$work/tree" >"$work/sums"

result() { # NAME TRANSPORT PROBLEM
	if [ -z "$3" ]; then
		passed=$((passed + 1))
		printf 'ok    %-16s %s\n' "$1" "$2"
	else
		failed=$((failed + 1))
		printf 'FAIL  %-16s %s: %s\n' "$1" "$2" "$3"
	fi
}

# What every filesystem has to do; the last line on stdout is the problem, if there is one.
use_readable() {
	sums "$mnt" | cmp -s - "$work/sums" || echo 'contents differ'
	[ "$(readlink "$mnt/link")" = big ] || echo 'symbolic link'
	[ "$(find "$mnt" -name 'f*' | wc -l)" = 200 ] || echo 'directory'
	local job pids=()
	for job in 1 2 3 4; do
		sums "$mnt" >"$work/sums$job" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for job in 1 2 3 4; do cmp -s "$work/sums$job" "$work/sums" || echo "contents differ in parallel"; done
}

use_writable() {
	echo hello >"$mnt/new" && echo again >>"$mnt/new" || echo 'write'
	[ "$(cat "$mnt/new")" = $'hello\nagain' ] || echo 'read back'
	mv "$mnt/new" "$mnt/dir/renamed" && [ ! -e "$mnt/new" ] || echo 'rename'
	truncate -s 3 "$mnt/dir/renamed" && [ "$(cat "$mnt/dir/renamed")" = hel ] || echo 'truncate'
	chmod 640 "$mnt/dir/renamed" && [ "$(stat -c %a "$mnt/dir/renamed")" = 640 ] || echo 'chmod'
	mkdir "$mnt/made" && rmdir "$mnt/made" || echo 'mkdir and rmdir'
	cp "$mnt/big" "$mnt/copy" && cmp "$mnt/copy" "$work/tree/big" || echo 'copy'
	rm "$mnt/copy" "$mnt/dir/renamed" || echo 'unlink'
}

attributes() {
	setfattr -n user.test -v value "$mnt/big" && [ "$(getfattr --only-values -n user.test "$mnt/big" 2>/dev/null)" = value ] &&
		setfattr -x user.test "$mnt/big" || echo 'extended attributes'
}

daemon() { # the process that serves the mount
	local pid
	for pid in $(pgrep -x "$1"); do
		grep -qs "$prefix/lib/libfuse3.so.3" "/proc/$pid/maps" && echo "$pid" && return
	done
}

# try NAME PROCESS TESTS COMMAND...
try() {
	local name=$1 process=$2 tests=$3 transport option problem pid out
	shift 3
	for transport in io_uring /dev/fuse; do
		option=1
		[ "$transport" = io_uring ] || option=0
		problem=
		out=$(FUSE_URING_ENABLE=$option LD_LIBRARY_PATH=$prefix/lib timeout 30 "$@" 2>&1) || problem="does not start: $out"
		for _ in $(seq 50); do mountpoint -q "$mnt" && break; sleep 0.1; done
		if [ -z "$problem" ]; then
			pid=$(daemon "$process")
			[ -n "$pid" ] || problem='its process does not have our library'
		fi
		if [ -z "$problem" ]; then
			"$prefix/bin/ringfuse" stat --json "$mnt" >"$work/stat" 2>&1
			grep -q "\"transport\":\"$transport\"" "$work/stat" || problem="transport: $(cat "$work/stat")"
		fi
		[ -n "$problem" ] || problem=$(for test in $tests; do "$test"; done 2>&1 | head -n 3 | tr '\n' ' ')
		umount "$mnt" 2>/dev/null || { sleep 1; umount "$mnt"; } || problem="$problem does not unmount"
		if [ -n "${pid:-}" ]; then
			for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
			! kill -0 "$pid" 2>/dev/null || problem="$problem does not end"
		fi
		pid=
		result "$name" "$transport" "$problem"
	done
}

start_sshd() {
	ssh-keygen -q -t ed25519 -N '' -f "$work/hostkey" && ssh-keygen -q -t ed25519 -N '' -f "$work/key" || return 1
	cp "$work/key.pub" "$work/authorized"
	mkdir -p /run/sshd
	/usr/sbin/sshd -D -p 2299 -o ListenAddress=127.0.0.1 -h "$work/hostkey" -o PidFile=none -o StrictModes=no \
		-o AuthorizedKeysFile="$work/authorized" -o UsePAM=no -o PermitRootLogin=yes \
		-o Subsystem='sftp internal-sftp' 2>"$work/sshd.log" &
	sshd=$!
	for _ in $(seq 50); do (exec 3<>/dev/tcp/127.0.0.1/2299) 2>/dev/null && return; sleep 0.1; done
	return 1
}

mksquashfs "$work/tree" "$work/image" -quiet -no-progress >/dev/null || exit 2
if start_sshd; then
	try sshfs sshfs 'use_readable use_writable' sshfs -p 2299 -o IdentityFile="$work/key" -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null "root@127.0.0.1:$work/tree" "$mnt"
else
	result sshfs - "no server: $(cat "$work/sshd.log")"
fi
try squashfuse squashfuse use_readable squashfuse "$work/image" "$mnt"
try squashfuse_ll squashfuse_ll use_readable squashfuse_ll "$work/image" "$mnt"
try bindfs bindfs 'use_readable use_writable attributes' bindfs "$work/tree" "$mnt"
try fuse-overlayfs fuse-overlayfs 'use_readable use_writable attributes' fuse-overlayfs \
	-o "lowerdir=$work/tree,upperdir=$work/upper,workdir=$work/scratch" "$mnt"
try unionfs unionfs 'use_readable use_writable' unionfs "$work/tree=RW" "$mnt"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
