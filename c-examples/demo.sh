#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# From a fresh clone to a file read over io_uring: builds the library, installs
# it into a private prefix, compiles hello_ll.c against it through pkg-config,
# mounts that and shows which way its requests came.
#
#   c-examples/demo.sh        needs Rust, gcc, and Linux; best as root
#
# Exit 0 if `hello` was read, over the ring wherever this kernel offers one.
# Everything it makes is in build-demo/ and in a temporary directory.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build-demo
prefix=$build/prefix
switch=/sys/module/fuse/parameters/enable_uring
mnt=$(mktemp -d "${TMPDIR:-/tmp}/ringfuse-demo.XXXXXX")
pids=()

say() { printf '\n== %s\n' "$*"; }
die() {
	echo "demo: $*" >&2
	exit 1
}

unmount() {
	if [ "$(id -u)" = 0 ]; then umount "$mnt"; else fusermount3 -u "$mnt"; fi
}

cleanup() {
	mountpoint -q "$mnt" && unmount
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	rmdir "$mnt" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# ---- what is needed ----------------------------------------------------------

install_tools() {
	local missing=()
	command -v meson >/dev/null || missing+=(meson)
	command -v ninja >/dev/null || missing+=(ninja-build)
	command -v pkg-config >/dev/null || missing+=(pkg-config)
	command -v fusermount3 >/dev/null || missing+=(fuse3)
	command -v mountpoint >/dev/null || missing+=(util-linux)
	[ ${#missing[@]} = 0 ] && return
	say "installing ${missing[*]}"
	[ "$(id -u)" = 0 ] || die "not root: please install ${missing[*]}"
	apt-get -qq update || true
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Sets $ring to yes, or to the reason why there can be none on this machine.
prepare_kernel() {
	[ -e /dev/fuse ] || modprobe fuse 2>/dev/null || die '/dev/fuse is missing'
	if [ -e $switch ] && [ "$(cat $switch)" != Y ]; then
		{ echo Y >$switch; } 2>/dev/null || true
	fi
	if [ ! -e $switch ]; then
		ring='this kernel has no FUSE over io_uring (6.14 or newer, CONFIG_FUSE_IO_URING)'
	elif [ "$(cat $switch)" != Y ]; then
		ring="$switch is N, and only root can change it"
	elif [ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" != 0 ]; then
		ring='io_uring is disabled (/proc/sys/kernel/io_uring_disabled)'
	else
		ring=yes
	fi
}

# ---- build -------------------------------------------------------------------

build_library() {
	say "building into $prefix"
	[ -e "$build/lib/build.ninja" ] || meson setup "$build/lib" --prefix="$prefix" --libdir=lib
	meson install -C "$build/lib"
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
	say "compiling hello_ll with: pkg-config --cflags --libs fuse3"
	# shellcheck disable=SC2046 # several words are meant
	cc -O2 -Wall -Wextra -o "$build/hello_ll" c-examples/hello_ll.c \
		$(pkg-config --cflags --libs fuse3) -Wl,-rpath,"$prefix/lib"
	ldd "$build/hello_ll" | grep libfuse3
}

# ---- run ---------------------------------------------------------------------

wait_for() { # SECONDS COMMAND...
	local tries=$(($1 * 20))
	shift
	while ! "$@"; do
		[ $((tries--)) -gt 0 ] || return 1
		sleep 0.05
	done
}

gone() { ! [ -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# The process whose last argument is the mount point.
daemon_pid() {
	local dir
	for dir in /proc/[0-9]*; do
		if [ "$(tr '\0' '\n' 2>/dev/null <"$dir/cmdline" | tail -n 1)" = "$mnt" ] &&
			[ "$(readlink "$dir/exe")" = "$(realpath "$build/hello_ll")" ]; then
			echo "${dir##*/}"
			return
		fi
	done
	return 1
}

read_hello() {
	local text
	text=$(timeout 10 cat "$mnt/hello") || die 'hello could not be read'
	echo "  cat $mnt/hello: $text"
	[ -n "$text" ] || die 'hello is empty'
}

# In the foreground with -d the library says which transport it took, and why.
show_trace() {
	local line
	say 'hello_ll -d: what the library says'
	"$build/hello_ll" -d "$mnt" >"$build/trace.log" 2>&1 &
	pids+=($!)
	wait_for 10 mountpoint -q "$mnt" || die "no mount, see $build/trace.log"
	read_hello
	unmount
	wait_for 10 gone "${pids[-1]}" || die 'the daemon did not end after unmounting'
	pids=()
	line=$(grep -m 1 '^fuse: transport: ' "$build/trace.log") ||
		die "no line about the transport in $build/trace.log"
	echo "  $line"
	[ "$ring" != yes ] || [[ $line == 'fuse: transport: io_uring'* ]] || die 'the ring was not used'
}

# The same as a real daemon, seen from outside: its io_urings and how many
# completions they have had. Each request on the ring is one.
show_daemon() {
	local pid fd rings=0 completions=0 tail
	say 'hello_ll as a daemon: what the kernel says'
	timeout 10 "$build/hello_ll" "$mnt" || die 'hello_ll did not start'
	wait_for 10 daemon_pid >/dev/null || die 'no daemon'
	pid=$(daemon_pid)
	pids+=("$pid")
	read_hello
	for _ in $(seq 20); do ls "$mnt" >/dev/null; done
	for fd in "/proc/$pid/fd"/*; do
		[ "$(readlink "$fd")" = 'anon_inode:[io_uring]' ] || continue
		rings=$((rings + 1))
		tail=$(awk '$1 == "CqTail:" { print $2 }' "/proc/$pid/fdinfo/${fd##*/}")
		completions=$((completions + tail))
	done
	echo "  daemon $pid: $rings io_uring descriptors, $completions completions"
	unmount
	wait_for 10 gone "$pid" || die 'the daemon did not end after unmounting'
	pids=()
	[ "$ring" != yes ] || [ "$completions" -ge 20 ] || die 'the requests did not come on the ring'
}

install_tools
prepare_kernel
build_library
show_trace
show_daemon
say 'done'
if [ "$ring" = yes ]; then
	echo '  hello was read over io_uring'
else
	echo "  hello was read over /dev/fuse: $ring"
fi
