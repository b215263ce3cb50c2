#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian 12's own binaries, which were linked to its libfuse3.so.3 (3.14), on ours: docs/soname3.md.
#
#   tests/clients/soname3.sh PREFIX        PREFIX has lib/libfuse3.so.3 (-Dsoname3=true)
#
# On Debian 12 as root, with the ring on. Missing packages are installed with apt-get. Each program is mounted on each
# transport and used; its library is looked up in its memory map, its transport in its statistics. The last line is
# `N passed, N failed`. Such programs do not touch all members of the structures: soname3.c, built with the headers of
# Debian's libfuse3-dev (unpacked, not installed), does.
set -uo pipefail
prefix=$(realpath "${1:?usage: soname3.sh PREFIX}")
work=$(mktemp -d /tmp/soname3.XXXXXX)
mnt=$work/mnt
passed=0
failed=0
sshd=

cleanup() {
	umount -l "$mnt" 2>/dev/null
	[ ! -s "$work/nbdkit.pid" ] || kill "$(cat "$work/nbdkit.pid")" 2>/dev/null
	[ -z "$sshd" ] || kill "$sshd" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

[ -e "$prefix/lib/libfuse3.so.3" ] || { echo "$prefix/lib/libfuse3.so.3 is missing: -Dsoname3=true"; exit 2; }
grep -q '^VERSION_ID="12"' /etc/os-release || { echo 'this is not Debian 12'; exit 2; }
missing=()
for pair in sshfs:sshfs sshd:openssh-server squashfuse:squashfuse mksquashfs:squashfs-tools \
	fuse-overlayfs:fuse-overlayfs rofiles-fuse:ostree nbdfuse:libnbd-bin nbdkit:nbdkit lxcfs:lxcfs setfattr:attr; do
	PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null || exit 2
fi
mkdir -p "$mnt" "$work/tree/dir/deep" "$work/upper" "$work/scratch"
head -c 3000000 /dev/urandom >"$work/tree/big"
cp "$work/tree/big" "$work/nbd"
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

use_nbd() {
	local file=$mnt/nbd
	cmp "$file" "$work/tree/big" || echo 'contents differ'
	printf 'written' | dd of="$file" bs=7 seek=10 conv=notrunc status=none || echo 'write'
	[ "$(dd if="$file" bs=7 skip=10 count=1 status=none)" = written ] || echo 'read back'
	dd if="$work/tree/big" of="$file" conv=notrunc,fsync bs=64k status=none && cmp "$file" "$work/tree/big" || echo 'rewrite'
}

use_lxcfs() {
	grep -q '^MemTotal: *[0-9]' "$mnt/proc/meminfo" && grep -q '^processor' "$mnt/proc/cpuinfo" || echo 'proc'
	local n
	for n in $(seq 50); do cat "$mnt/proc/uptime" || echo 'uptime'; done | sort -n | tail -n 1 | grep -q '^[0-9]' || echo 'uptime'
}

use_layout() {
	local said
	said=$(cat "$mnt/result")
	[ "$said" = ok ] || echo "not where 3.14 has it: $said"
}

# With the headers of Debian's package, without installing it.
build_layout() {
	(cd "$work" && apt-get -qq download libfuse3-dev && dpkg -x libfuse3-dev_*.deb dev) >"$work/log" 2>&1 &&
		cc -std=gnu11 -Wall -Wextra -D_FILE_OFFSET_BITS=64 -I"$work/dev/usr/include/fuse3" -o "$work/layout" \
			"$(dirname "$0")/soname3.c" "$prefix/lib/libfuse3.so.3" >>"$work/log" 2>&1
}

daemon() { # the process that serves the mount
	local pid
	for pid in $(pgrep -x "$1"); do
		grep -qs "$prefix/lib/libfuse3.so.3" "/proc/$pid/maps" && echo "$pid" && return
	done
}

# For programs that stay in the foreground.
in_background() { setsid -f sh -c 'exec "$@" >/dev/null 2>&1' sh "$@"; }

# try NAME PROCESS TESTS COMMAND...
try() {
	local name=$1 process=$2 tests=$3 transport option problem pid out
	shift 3
	for transport in io_uring /dev/fuse; do
		option=1
		[ "$transport" = io_uring ] || option=0
		problem=
		out=$(FUSE_URING_ENABLE=$option LD_LIBRARY_PATH=$prefix/lib "$@" 2>&1) || problem="does not start: $out"
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
	/usr/sbin/sshd -f /dev/null -D -p 2299 -o ListenAddress=127.0.0.1 -h "$work/hostkey" -o PidFile=none -o StrictModes=no \
		-o AuthorizedKeysFile="$work/authorized" -o UsePAM=no -o PermitRootLogin=yes \
		-o Subsystem='sftp internal-sftp' 2>"$work/sshd.log" &
	sshd=$!
	for _ in $(seq 50); do (exec 3<>/dev/tcp/127.0.0.1/2299) 2>/dev/null && return; sleep 0.1; done
	return 1
}

if build_layout; then
	try soname3.c layout use_layout "$work/layout" -o ac_attr_timeout=5,no_rofd_flush,modules=subdir,subdir=/ "$mnt"
else
	result soname3.c - "$(cat "$work/log")"
fi
mksquashfs "$work/tree" "$work/image" -quiet -no-progress >/dev/null || exit 2
if start_sshd; then
	try sshfs sshfs 'use_readable use_writable' sshfs -p 2299 -o IdentityFile="$work/key" -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null "root@127.0.0.1:$work/tree" "$mnt"
else
	result sshfs - "no server: $(cat "$work/sshd.log")"
fi
try squashfuse squashfuse use_readable squashfuse "$work/image" "$mnt"
try squashfuse_ll squashfuse_ll use_readable squashfuse_ll "$work/image" "$mnt"
try fuse-overlayfs fuse-overlayfs 'use_readable use_writable attributes' fuse-overlayfs \
	-o "lowerdir=$work/tree,upperdir=$work/upper,workdir=$work/scratch" "$mnt"
try rofiles-fuse rofiles-fuse 'use_readable use_writable' rofiles-fuse "$work/tree" "$mnt"
nbdkit -U "$work/socket" -P "$work/nbdkit.pid" file "$work/nbd" || exit 2
try nbdfuse nbdfuse use_nbd in_background nbdfuse "$mnt" --unix "$work/socket"
try lxcfs lxcfs use_lxcfs in_background lxcfs -f -p "$work/lxcfs.pid" "$mnt"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
