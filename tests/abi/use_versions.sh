#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# A low-level program, compiled with every FUSE_USE_VERSION, links with the installed library, binds to the recorded
# versions and runs; also in C++, and statically through `pkg-config --static`.
# Usage: use_versions.sh PREFIX
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(cd "$1" && pwd)
CC=${CC:-gcc}
CXX=${CXX:-g++}
CXXS=$CXX
[ "$CXX" = clang++ ] || ! command -v clang++ >/dev/null || CXXS="$CXX clang++"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
source=$here/use_versions.c
strict="-Wall -Wextra -Wpedantic -Werror"

fail() {
	echo "FAIL: $*"
	exit 1
}

# run PROGRAM WHAT: the life of two sessions, then -V and -h.
run() {
	timeout 20 "$1" >"$tmp/out" 2>"$tmp/err" || { cat "$tmp/err"; fail "$2 does not run"; }
	[ "$(cat "$tmp/out")" = ok ] || fail "$2 says $(cat "$tmp/out")"
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "$2 has something to complain about"; }
	timeout 20 "$1" -V >"$tmp/out" 2>&1 || fail "$2 -V"
	grep -q '^FUSE library version 3\.18' "$tmp/out" || { cat "$tmp/out"; fail "$2 -V names no version"; }
	timeout 20 "$1" -h >"$tmp/out" 2>&1 || fail "$2 -h"
	grep -q 'max_threads' "$tmp/out" || { cat "$tmp/out"; fail "$2 -h does not tell its options"; }
}

[ "$(pkg-config --modversion fuse3)" = 3.18.3 ] || fail "pkg-config: version"
flags=$(pkg-config --cflags fuse3)
libs=$(pkg-config --libs fuse3)
# lxcfs and others include <fuse3/fuse.h>, which libfuse in /usr lets them.
for header in fuse.h fuse_lowlevel.h cuse_lowlevel.h; do
	# shellcheck disable=SC2086
	echo "#include <fuse3/$header>" | "$CC" -std=gnu11 $strict -DFUSE_USE_VERSION=318 $flags -fsyntax-only -xc - ||
		fail "<fuse3/$header> is not found"
done
count=0
for uv in $(seq 30 39) $(seq 310 318); do
	# shellcheck disable=SC2086
	"$CC" -std=gnu11 $strict -DFUSE_USE_VERSION="$uv" $flags -o "$tmp/prog" "$source" $libs -Wl,-rpath,"$prefix/lib"
	python3 "$here/bound.py" "$tmp/prog" "$source" "$uv"
	run "$tmp/prog" "FUSE_USE_VERSION $uv"
	count=$((count + 1))
done
for compiler in $CXXS; do
	for uv in 30 31 32 35 312 317 318; do
		# shellcheck disable=SC2086
		"$compiler" -x c++ -std=c++11 $strict -DFUSE_USE_VERSION="$uv" $flags -o "$tmp/prog" "$source" -x none $libs \
			-Wl,-rpath,"$prefix/lib"
		python3 "$here/bound.py" "$tmp/prog" "$source" "$uv"
		run "$tmp/prog" "$compiler, FUSE_USE_VERSION $uv"
		count=$((count + 1))
	done
done

static=$(pkg-config --static --libs fuse3)
for how in -static -static-pie; do
	for uv in 30 318; do
		# shellcheck disable=SC2086
		"$CC" -std=gnu11 $strict $how -DFUSE_USE_VERSION="$uv" $flags -o "$tmp/prog" "$source" $static
		! readelf -dW "$tmp/prog" | grep -q NEEDED || fail "$how: the program needs shared libraries"
		run "$tmp/prog" "$how, FUSE_USE_VERSION $uv"
		count=$((count + 1))
	done
done
# The archive inside a program that is otherwise dynamic.
archive=$(echo "$static" | sed "s|-lfuse3|$prefix/lib/libfuse3.a|")
# shellcheck disable=SC2086
"$CC" -std=gnu11 $strict -DFUSE_USE_VERSION=318 $flags -o "$tmp/prog" "$source" $archive
! readelf -dW "$tmp/prog" | grep -q libfuse3 || fail "libfuse3.a: the program needs libfuse3.so"
run "$tmp/prog" "libfuse3.a in a dynamic program"
count=$((count + 1))
echo "use_versions: $count programs built, bound and run"
