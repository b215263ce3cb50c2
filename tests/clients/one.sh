#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs one program inside the namespaces that run.sh made for it: one.sh FILE KIND WORK [messages]
# WORK is /mnt outside and inside the tree, with mounts seen on both sides; PREFIX is the tree's /srv.
set -eEuo pipefail
file=$1
kind=$2
work=$3
tree=$CLIENT_TREE
prefix=$CLIENT_PREFIX
library=$CLIENT_LIBRARY
here=$(cd "$(dirname "$0")" && pwd)
trap 'echo "failed: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND (exit $?)" >&2' ERR

# shellcheck source=/dev/null
. "$here/lib.sh"
# shellcheck source=/dev/null
. "$file"
[ "$library" = ours ] || expected=dev

mount --bind "$tree" "$tree" # so that a program can change the propagation of its root
mount --bind "$work" /mnt
mount --make-shared /mnt
for pair in /mnt:mnt "$prefix":srv /dev:dev; do mount --rbind "${pair%%:*}" "$tree/${pair##*:}"; done
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount -t tmpfs tmpfs "$tree/run"
mount -t tmpfs tmpfs "$tree/tmp"
mount -t tmpfs tmpfs "$tree/media"
mknod -m 666 "$tree/media/fuse" c 10 229 # a device that other users may open, as udev would make it
mount --bind "$tree/media/fuse" "$tree/dev/fuse"
mkdir -p "$m"
chmod 755 /mnt
chmod 777 "$m" # for other users

if [ "$kind" = relinked ]; then
	unpack
	build >/mnt/build.log 2>&1 & # a job of its own, since bash ignores errors on the left of ||
	wait $! || { tail -n 40 /mnt/build.log; false; }
	linked_with_ours
elif [ -n "${from:-}" ]; then
	dpkg-deb -x "$CLIENT_CACHE/$from/$package.deb" /mnt/other
	echo "$(dpkg-deb -f "$CLIENT_CACHE/$from/$package.deb" Version), $from" >/mnt/version
else
	tool dpkg-query -W -f '${Version}' "$package" >/mnt/version
fi
if [ "${4:-}" = messages ]; then
	compare_messages
	exit
fi
test_it
[ -e /mnt/transport ] || { echo 'the transport was never looked at'; false; }
[ "$(cat /mnt/transport)" = "$expected" ] || { echo "on $(cat /mnt/transport), not on $expected"; false; }
