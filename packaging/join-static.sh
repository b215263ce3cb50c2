#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Makes libfuse3.a: joins the Rust library and the C objects into one relocatable object and makes every name local
# that is not of the interface. A program may so contain another Rust library as well, with a standard library of its
# own, and cannot collide with a name of ours.
# Usage: join-static.sh VERSION_SCRIPT OUTPUT PRIVATE_DIR ARCHIVE... -- CC...
set -eu
script=$1
output=$2
private=$3
shift 3
archives=
while [ "$1" != -- ]; do
	archives="$archives $1"
	shift
done
shift
objcopy=${OBJCOPY:-objcopy}
export LC_ALL=C
mkdir -p "$private"

# Everything in one object. LLVM bitcode of the Rust standard library is of no use any more, and an nm or ar that finds
# the plugin of another LLVM chokes on it.
# shellcheck disable=SC2086
"$@" -r -nostdlib -o "$private/all.o" -Wl,--whole-archive $archives -Wl,--no-whole-archive
"$objcopy" --strip-debug -R .llvmbc -R .llvmcmd "$private/all.o" "$private/plain.o"

# Names of the interface: one per line in the version script, indented, with a semicolon.
sed -n 's/^[[:space:]]*\([a-z_][a-z0-9_]*\);$/\1/p' "$script" | sort -u >"$private/api"
"${NM:-nm}" -g --defined-only "$private/plain.o" | sed -n 's/^[0-9a-f]* T //p' | sort -u >"$private/defined"
roots=$(comm -12 "$private/api" "$private/defined" | sed 's/^/-Wl,-u,/')
[ -n "$roots" ] || { echo "join-static.sh: no name of the interface in $archives" >&2; exit 1; }

# What the interface does not reach is left out here: later linkers see one object only.
# shellcheck disable=SC2086
"$@" -r -nostdlib -o "$private/joined.o" $roots -Wl,--gc-sections "$private/plain.o"
# The second step takes out references of what was left out, which would still draw in (and warn about) getaddrinfo.
"$objcopy" --keep-global-symbols="$private/api" "$private/joined.o"
"$objcopy" --strip-unneeded "$private/joined.o" "$private/fuse3.o"
rm -f "$output" "$private/all.o" "$private/plain.o" "$private/joined.o"
"${AR:-ar}" rcsD "$output" "$private/fuse3.o"
