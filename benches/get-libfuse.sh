#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds the measuring stick: Debian's libfuse3 source package (suite sid) with
# its io_uring transport compiled in, as a plain release build.
#
#   get-libfuse.sh PREFIX     -> PREFIX/lib/libfuse3.so.4, PREFIX/include/fuse3
#
# Needs root (apt) and the network. Does nothing if PREFIX already holds a
# library that has the ring. Nothing that it fetches or builds belongs into
# this repository.
#
# libnuma-dev is not optional: without it libfuse's build says nothing and
# leaves the ring out, whatever -Denable-io-uring says. Hence the last check.
set -euo pipefail
prefix=${1:?usage: get-libfuse.sh PREFIX}

has_ring() { readelf -d "$prefix/lib/libfuse3.so.4" 2>/dev/null | grep -q 'NEEDED.*liburing'; }

if has_ring; then
	echo "$prefix: already there"
	exit 0
fi

mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/src" "$prefix"
prefix=$(realpath "$prefix")

# The source comes from sid by a private sources list: the system's own list of
# packages stays as it is.
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb-src [signed-by=$key] ${mirror:-http://deb.debian.org/debian} sid main" >"$work/sources.list"
sid=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=-
	-o Dir::State::lists="$work/lists" -o APT::Sandbox::User=root)

apt-get -qq update
apt-get -qq install -y --no-install-recommends meson ninja-build pkg-config \
	liburing-dev libnuma-dev dpkg-dev gcc libc6-dev >/dev/null
apt-get -qq "${sid[@]}" update
(
	cd "$work/src"
	apt-get -qq "${sid[@]}" source --download-only fuse3
	dpkg-source --no-check -x fuse3_*.dsc tree >/dev/null
)

log=$prefix/build.log
meson setup "$work/build" "$work/src/tree" --prefix="$prefix" --libdir=lib \
	-Dbuildtype=release -Dexamples=false -Dtests=false -Dutils=false \
	-Denable-io-uring=true >"$log"
ninja -C "$work/build" install >>"$log"

if ! has_ring; then
	echo "$prefix: libfuse was built without its io_uring transport, see $log" >&2
	exit 1
fi
ls -l "$prefix/lib/libfuse3.so.4"
