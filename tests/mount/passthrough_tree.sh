#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Lives in a passthrough mount for half a minute: copies a tree of several
# thousand files in, compares it from both sides, changes it in every way, and
# removes it again.
#
#   passthrough_tree.sh BINARY [OPTIONS...]
#   passthrough_tree.sh build/passthrough_ll -s -o cache=none
#
# BINARY is c-examples/passthrough_ll.c built against any libfuse3; OPTIONS go
# to it as they are. Exit 0, or 1 after a line that names the failing step.
#
#   LD_LIBRARY_PATH       the library to use, if not the one linked
#   EXPECT=ring|dev       fail unless requests came that way
#   SKIP="step step"      leave steps out
#   TREE_FILES=N          size of the tree (4000)
#   VERBOSE=1             say how long each step took
#
# Every step has a deadline. When it passes, the connection is aborted, which
# frees whoever hangs in it; what this script started is ended by its pid.
set -u

binary=$(realpath "${1:?usage: passthrough_tree.sh BINARY [OPTIONS...]}")
shift
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d "${TMPDIR:-/tmp}/passthrough.XXXXXX")
stage=$work/stage src=$work/src mnt=$work/mnt log=$work/daemon.log
options=("$@")
tree_files=${TREE_FILES:-4000}
daemon='' connection='' watchdog=''
mkdir "$stage" "$src" "$mnt"
chmod 711 "$work" # for those who are not root
[ "$(id -u)" = 0 ] && options+=(-o allow_other)

# ---- the mount ---------------------------------------------------------------

start_daemon() {
	"$binary" -f -o "source=$src" "${options[@]}" "$mnt" >>"$log" 2>&1 &
	daemon=$!
	for _ in $(seq 100); do
		if mountpoint -q "$mnt"; then
			connection=/sys/fs/fuse/connections/$(mountpoint -d "$mnt" | cut -d: -f2)
			return 0
		fi
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.05
	done
	fail "mount" "not mounted after 5 seconds"
}

# Counts how many completions the daemon's io_urings have seen. A mount on
# /dev/fuse has none; on the ring each request is at least one.
ring_completions() {
	local sum=0 fd tail
	for fd in /proc/"$daemon"/fd/*; do
		[ "$(readlink "$fd")" = 'anon_inode:[io_uring]' ] || continue
		tail=$(awk '$1 == "CqTail:" { print $2 }' "/proc/$daemon/fdinfo/${fd##*/}")
		sum=$((sum + tail))
	done
	echo $sum
}

check_transport() {
	local seen
	seen=$(ring_completions)
	case ${EXPECT:-} in
	ring) [ "$seen" -gt "$tree_files" ] ;;
	dev) [ "$seen" -lt 1000 ] ;;
	*) true ;;
	esac || fail transport "expected ${EXPECT:-}, completions on rings: $seen"
	[ "$seen" -gt "$tree_files" ] && transport=ring || transport=dev
}

stop_daemon() {
	local rc
	umount "$mnt" || fail unmount "umount refused"
	arm_watchdog 10
	wait "$daemon"
	rc=$?
	disarm_watchdog
	daemon=''
	[ $rc = 0 ] || fail unmount "the daemon ended with $rc"
}

abort_connection() {
	if [ -n "$connection" ] && [ -e "$connection/abort" ]; then
		echo 1 >"$connection/abort"
	fi
}

# Ends a hung daemon, or a step (given by its pid) and all that it started.
arm_watchdog() {
	local victim=${2:-}
	set -m
	(
		sleep "$1"
		: >"$work/late"
		abort_connection
		sleep 1
		[ -n "$victim" ] && kill -KILL -- "-$victim"
		sleep 1
		[ -n "$daemon" ] && kill -KILL "$daemon"
	) >/dev/null 2>&1 &
	watchdog=$!
	set +m
}

disarm_watchdog() {
	[ -n "$watchdog" ] && kill -KILL -- "-$watchdog" 2>/dev/null
	wait "$watchdog" 2>/dev/null
	watchdog=''
}

cleanup() {
	disarm_watchdog
	if [ -n "$daemon" ]; then
		abort_connection
		umount -l "$mnt" 2>/dev/null
		kill -KILL "$daemon" 2>/dev/null
		wait "$daemon" 2>/dev/null
	fi
	mountpoint -q "$mnt" && umount -l "$mnt"
	# Never descend into something still mounted.
	mountpoint -q "$mnt" || rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "passthrough_tree: FAILED at step '$1': $2 (options: ${options[*]})" >&2
	if [ -n "$daemon" ] && ! kill -0 "$daemon" 2>/dev/null; then
		wait "$daemon"
		echo "  the daemon has ended with $?" >&2
	fi
	[ -s "$work/step.log" ] && tail -n 20 "$work/step.log" | sed 's/^/  step:   /' >&2
	[ -s "$log" ] && tail -n 20 "$log" | sed 's/^/  daemon: /' >&2
	exit 1
}

# step NAME SECONDS [ARGUMENTS]: runs do_NAME in a shell that stops at the
# first error, and fails the test if it is late or not 0.
step() {
	local name=$1 limit=$2 pid rc began=$EPOCHREALTIME
	shift 2
	case " ${SKIP:-} " in *" $name "*) return ;; esac
	set -m
	(
		trap - EXIT
		set -e -o pipefail
		"do_$name" "$@"
	) >"$work/step.log" 2>&1 </dev/null &
	pid=$!
	set +m
	arm_watchdog "$limit" "$pid"
	wait "$pid"
	rc=$?
	disarm_watchdog
	[ ! -e "$work/late" ] || fail "$name" "not done after $limit seconds"
	[ $rc = 0 ] || fail "$name" "ended with $rc"
	kill -0 "$daemon" 2>/dev/null || fail "$name" 'the daemon is gone'
	[ -z "${VERBOSE:-}" ] ||
		awk -v n="$name" -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "  %-12s %6.2f s\n", n, b - a }'
}

# ---- the steps ---------------------------------------------------------------

# A step ends at the first command that fails; `[ a ] && [ b ]` and `! c` would
# not end it, hence these two.
same() {
	[ "$1" = "$2" ] || { echo "got '$1', not '$2'"; return 1; }
}
refused() {
	if "$@" 2>/dev/null; then
		echo "was not refused: $*"
		return 1
	fi
}

# Real files of this machine, small ones, with links and directories.
make_stage() {
	find /usr/include /usr/lib/python3* /usr/share /usr/lib -xdev \
		\( -type f -size -128k -o -type l \) 2>/dev/null |
		head -n "$tree_files" >"$work/list"
	tar -C / -cf - -T "$work/list" 2>/dev/null | tar -C "$stage" -xf - 2>/dev/null
	mkdir -p "$stage/odd names/ä é/空" "$stage/modes"
	echo x >"$stage/odd names/ä é/空/"$'new\nline'
	echo y >"$stage/odd names/$(printf 'n%.0s' $(seq 255))"
	touch -d '1985-10-26 01:21:00.123456789' "$stage/modes/old"
	local mode modes='0400 0644 1755 2750 4711 6777'
	[ "$(id -u)" != 0 ] || modes="0000 $modes" # others could not read it back
	for mode in $modes; do
		echo "$mode" >"$stage/modes/$mode"
		chmod "$mode" "$stage/modes/$mode"
	done
	head -c 20000000 /dev/urandom >"$stage/large"
	(cd "$stage" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/sums"
}

# Everything about a tree except its data: type, mode, owner, links, time, size.
describe() {
	(cd "$1" && find . -printf '%P|%y|%m|%U|%G|%n|%T@|%l|' \
		\( -type d -printf '\n' -o -printf '%s\n' \) | sort)
}

do_copy() {
	cp -a "$stage/." "$mnt/tree"
}

# compare [LIKE]: the data is what it was, the rest as in the tree LIKE.
do_compare() {
	(cd "$mnt/tree" && sha256sum --quiet -c "$work/sums")
	(cd "$src/tree" && sha256sum --quiet -c "$work/sums")
	describe "${1:-$stage}" >"$work/want"
	describe "$mnt/tree" | diff "$work/want" - | head
	describe "$src/tree" | diff "$work/want" - | head
}

do_probe() {
	"$work/probe" "$1" "$mnt"
	same "$(ls -A "$src")" tree # it cleaned up
}
do_rename() { do_probe rename; }
do_xattr() { do_probe xattr; }
do_unlinked() { do_probe unlinked; }
do_mmap() { do_probe mmap; }
do_ranges() { do_probe ranges; }
do_seekdir() { do_probe seekdir; }
do_flock() { do_probe flock; }

do_move_tree() {
	mkdir "$mnt/other"
	mv "$mnt/tree" "$mnt/other/moved"
	(cd "$mnt/other/moved" && sha256sum --quiet -c "$work/sums")
	mv "$mnt/other/moved" "$mnt/tree"
	rmdir "$mnt/other"
	same "$(ls "$src")" tree
}

do_truncate() {
	local f=$mnt/tree/large size
	cp "$stage/large" "$work/large"
	for size in 12345678 4096 4095 1 0 100000; do
		truncate -s $size "$f" "$work/large"
		cmp "$f" "$work/large"
		cmp "$src/tree/large" "$work/large"
	done
	cp "$stage/large" "$f" # O_TRUNC and write
	cmp "$src/tree/large" "$stage/large"
}

do_append() {
	local i
	for i in $(seq 20); do
		head -c 9999 /dev/zero | tr '\0' "$((i % 10))" >>"$mnt/tree/log"
	done
	same "$(stat -c %s "$src/tree/log")" 199980
	same "$(tail -c 1 "$mnt/tree/log")$(head -c 1 "$mnt/tree/log")" 01
	rm "$mnt/tree/log"
}

do_hardlinks() {
	cd "$mnt/tree"
	echo linked >a
	ln a b
	mkdir sub
	ln b sub/c
	same "$(stat -c '%h %i' a)" "$(stat -c '%h %i' sub/c)"
	same "$(stat -c %h "$src/tree/b")" 3
	echo more >>sub/c
	rm a b
	same "$(cat sub/c)" $'linked\nmore'
	same "$(stat -c %h sub/c)" 1
	rm -r sub
}

do_symlinks() {
	local long
	long=$(printf 'x%.0s' $(seq 4000))
	cd "$mnt/tree"
	ln -s modes/0644 good
	ln -s nowhere dangling
	ln -s "$long" long
	same "$(cat good)" 0644
	same "$(readlink "$src/tree/dangling")" nowhere
	same "$(readlink long)" "$long"
	refused cat dangling
	touch -h -d '2001-02-03 04:05:06.789' dangling
	[ "$(id -u)" != 0 ] || chown -h 12:34 dangling
	same "$(stat -c '%y %u %g' dangling)" "$(stat -c '%y %u %g' "$src/tree/dangling")"
	same "$(stat -c %Y "$src/tree/dangling")" "$(date -d '2001-02-03 04:05:06' +%s)"
	rm good dangling long
}

do_sparse() {
	truncate -s 64M "$work/sparse"
	echo needle | dd of="$work/sparse" bs=1 seek=40000000 conv=notrunc status=none
	cp --sparse=always "$work/sparse" "$mnt/tree/sparse"
	cmp "$work/sparse" "$mnt/tree/sparse"
	[ "$(stat -c %b "$src/tree/sparse")" -lt 4096 ]
	same "$(stat -c %b "$mnt/tree/sparse")" "$(stat -c %b "$src/tree/sparse")"
	rm "$mnt/tree/sparse"
}

do_special() {
	cd "$mnt/tree"
	mkfifo fifo
	echo through >fifo &
	same "$(cat fifo)" through
	wait $!
	rm fifo
	df "$mnt" >/dev/null
	sync -f "$mnt"
	[ "$(id -u)" = 0 ] || return 0
	mknod null c 1 3
	same "$(stat -c '%F %t,%T' "$src/tree/null")" 'character special file 1,3'
	rm null
}

# What others make is theirs; what they may not do is refused.
do_owner() {
	[ "$(id -u)" = 0 ] || return 0
	local nobody=(setpriv --reuid 65534 --regid 65533 --clear-groups)
	cd "$mnt/tree"
	mkdir -m 0777 open group
	mkdir -m 0700 closed
	chgrp 4321 group
	chmod 2777 group
	"${nobody[@]}" sh -ec 'umask 027; cd open; echo x >f; mkdir d; ln -s t l; mkfifo p; chmod 4755 f
		cd ../group; echo y >g; mkdir d'
	cd "$src/tree"
	same "$(stat -c '%u:%g' open/f open/d open/l open/p | sort -u)" 65534:65533
	same "$(stat -c %a open/d open/f | xargs)" '750 4755'
	same "$(stat -c '%u:%g %a' group/g group/d | xargs)" '65534:4321 640 65534:4321 2750'
	cd "$mnt/tree"
	"${nobody[@]}" sh -c 'echo more >>open/f' # a write ends set-user-ID
	same "$(stat -c %a "$src/tree/open/f")" 755
	refused "${nobody[@]}" sh -c 'echo x >closed/f'
	refused "${nobody[@]}" sh -c 'echo x >f'
	refused "${nobody[@]}" cat modes/0400
	refused "${nobody[@]}" chmod 777 modes/0644
	rm -r open closed group
}

do_big_directory() {
	mkdir "$mnt/tree/many"
	cd "$mnt/tree/many"
	seq -f 'a-file-with-a-rather-long-name-to-fill-buffers-%g' 3000 | xargs touch
	# shellcheck disable=SC2012 # the names are known
	same "$(ls -U | sort | sha256sum)" "$(ls -U "$src/tree/many" | sort | sha256sum)"
	same "$(find . -type f | wc -l)" 3000
	rm -r "$mnt/tree/many"
}

client() {
	local part j
	part=$(cd "$stage" && find usr -mindepth 2 -maxdepth 2 -type d | sort | sed -n "${1}p")
	part=${part:-modes}
	mkdir "$mnt/tree/client$1"
	cp -a "$stage/$part" "$mnt/tree/client$1/a"
	mv "$mnt/tree/client$1/a" "$mnt/tree/common/$1"
	diff -r --no-dereference "$stage/$part" "$mnt/tree/common/$1"
	for j in $(seq 50); do
		echo "$1 $j" >"$mnt/tree/common/f$j.$1"
		mv "$mnt/tree/common/f$j.$1" "$mnt/tree/common/f$j" # all fight for it
		stat "$mnt/tree/common" >/dev/null
	done
	rm -r "$mnt/tree/client$1" "$mnt/tree/common/$1"
}

# Eight at once, each in a directory of its own and in a common one.
do_clients() {
	local pids=() i
	mkdir "$mnt/tree/common"
	for i in $(seq 8); do
		client "$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	# shellcheck disable=SC2012
	same "$(ls "$src/tree/common" | wc -l)" 50
	same "$(cat "$mnt"/tree/common/f? | wc -l)" 9
	rm -r "$mnt/tree/common"
}

do_fio() {
	local common=(--directory="$mnt/tree" --rw=randwrite --bs=4k --size=6m --verify=crc32c
		--verify_fatal=1 --verify_state_save=0 --do_verify=1 --group_reporting --minimal)
	fio --name=sync --ioengine=psync --numjobs=2 --end_fsync=1 "${common[@]}" >/dev/null
	fio --name=deep --ioengine=libaio --direct=1 --iodepth=16 "${common[@]}" >/dev/null
	rm "$mnt"/tree/sync.* "$mnt"/tree/deep.*
}

do_remove() {
	rm -rf "$mnt/tree"
	same "$(ls -A "$mnt")" ''
	same "$(ls -A "$src")" ''
}

# ---- the run -----------------------------------------------------------------

command -v fio >/dev/null || fail preparation 'fio is missing: apt-get install fio'
cc -O1 -Wall -Wextra -o "$work/probe" "$here/passthrough_probe.c" || fail preparation 'no probe'
make_stage
began=$SECONDS
start_daemon
step copy 30
step compare 30
for name in rename xattr unlinked mmap ranges seekdir flock move_tree truncate append hardlinks \
	symlinks sparse special owner big_directory; do
	step $name 15
done
step clients 30
step fio 30
check_transport
stop_daemon
start_daemon # nothing is cached now
step compare 30 "$src/tree"
step remove 30
stop_daemon
mountpoint -q "$mnt" && fail unmount 'still mounted'
echo "passthrough_tree: ok, $(wc -l <"$work/sums") files, $transport, $((SECONDS - began)) s (options: ${options[*]})"
