#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Programs that other people wrote, run on this library with real input; on a Debian 12 or newer, as root.
#
#   tests/clients/run.sh [PREFIX]    all programs with the library in PREFIX (built from this tree if not given)
#   -k NAME                          those with NAME in their name only
#   --kind relinked|unmodified       those built from source, or Debian 13's binaries, only
#   --sources DIR                    takes sources from there first: trees, source packages or upstream tarballs
#   --debian                         unmodified binaries with Debian's own library: what the tests expect of them holds there
#   --messages                       says where messages and exit statuses of wrong command lines differ from Debian's library
#
# programs/NAME.sh is one program: how it is built, started and used. Sources and a Debian 13 tree are fetched from the
# mirror that apt is set up with and kept in /var/cache/ringfuse-clients (or $XDG_CACHE_HOME/ringfuse-clients).
# The last line is `N passed, N failed`; the exit status is 0 if none failed. Logs are in build-clients/.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/build-clients
cache=${XDG_CACHE_HOME:-/var/cache}/ringfuse-clients
tree=$cache/trixie
switch=/sys/module/fuse/parameters/enable_uring
limit=90 # seconds for one program, after which it is diagnosed and ended
prefix=
sources=
only=
only_kind=
library=ours
messages=
passed=0
failed=0

usage() {
	sed -n '3,14s/^# \{0,1\}//p' "$0"
	exit "$1"
}

while [ $# -gt 0 ]; do
	case $1 in
	-k | --kind)
		[ $# -ge 2 ] || usage 2
		if [ "$1" = -k ]; then only=$2; else only_kind=$2; fi
		shift
		;;
	--sources)
		[ $# -ge 2 ] || usage 2
		sources=$(cd "$2" && pwd) || exit 2
		shift
		;;
	--debian) library=debian only_kind=unmodified ;;
	--messages) messages=yes only_kind=unmodified ;;
	-h | --help) usage 0 ;;
	-*) usage 2 ;;
	*) prefix=$1 ;;
	esac
	shift
done
if [ "$(id -u)" != 0 ]; then
	echo 'debootstrap, chroot and mounting need root'
	exit 1
fi

. "$here/fetch.sh"

# One field of a program's description: field FILE NAME
field() { (. "$1" && eval "printf '%s' \"\${$2:-}\""); }

# What to run: lines of `FILE KIND`.
rows() {
	local file kind
	for file in "$here"/programs/*.sh; do
		case $(basename "$file") in *"$only"*) ;; *) continue ;; esac
		[ -z "$messages" ] || grep -q '^mistakes()' "$file" || continue
		for kind in $(field "$file" kinds); do
			[ -z "$only_kind" ] || [ "$kind" = "$only_kind" ] || continue
			echo "$file $kind"
		done
	done
}

build_library() {
	prefix=$out/prefix
	echo "building the library into $prefix"
	[ -e "$out/lib/build.ninja" ] ||
		meson setup "$out/lib" --prefix="$prefix" --libdir=lib >"$out/library.log" 2>&1 || return 1
	meson install -C "$out/lib" >>"$out/library.log" 2>&1
}

print_row() { printf '%-16s %-24s %-10s %-9s %-7s %s\n' "$@"; }

# Runs one program in namespaces of its own: what it leaves behind, processes and mounts, ends with them.
run_row() { # FILE KIND
	local name kind=$2 work log begin=$EPOCHREALTIME result=ok took
	name=$(basename "$1" .sh)
	log=$out/$name-$kind.log
	work=$(mktemp -d /var/tmp/ringfuse-clients.XXXXXX)
	env CLIENT_TREE="$tree" CLIENT_PREFIX="$prefix" CLIENT_LIBRARY="$library" CLIENT_CACHE="$cache" \
		CLIENT_SOURCE="$(source_of "$1" "$kind")" CLIENT_SUITE_NAME="$name" \
		unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
		python3 "$here/init.py" "$work/ended" "$limit" \
		bash "$here/one.sh" "$1" "$kind" "$work" ${messages:+messages} </dev/null >"$log" 2>&1 || result=FAIL
	grep -q '^no source of' "$log" && result='no source' # no less a failure: nothing was shown
	took=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	print_row "$name" "$(cat "$work/version" 2>/dev/null || echo '?')" "$kind" \
		"$(cat "$work/transport" 2>/dev/null || echo -)" "$result" "$took"
	if [ "$result" = ok ]; then
		passed=$((passed + 1))
		[ -z "$messages" ] || cat "$work/messages"
	else
		failed=$((failed + 1))
		tail -n 15 "$log" | sed 's/^/    /'
		echo "    (all of it: ${log#"$root/"})"
	fi
	rm -rf "$work"
}

mkdir -p "$out" "$cache"
command -v cargo >/dev/null || [ ! -e "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
mapfile -t todo < <(rows)
if [ ${#todo[@]} = 0 ]; then
	echo "no program is called *$only*"
	exit 2
fi
install_here "${todo[@]}" || exit 1
[ -n "$prefix" ] || build_library || { tail -n 30 "$out/library.log"; exit 1; }
prefix=$(cd "$prefix" && pwd) || exit 1
prepare_tree "${todo[@]}" || exit 1
fetch_others "${todo[@]}"
fetch_sources "${todo[@]}"

[ -e $switch ] || modprobe fuse 2>/dev/null
switch_was=$(cat $switch 2>/dev/null)
trap '[ -z "$switch_was" ] || echo "$switch_was" >$switch' EXIT
trap 'exit 130' INT TERM
{ echo Y >$switch; } 2>/dev/null || { echo "$switch can't be set: there is no ring to test"; exit 1; }

[ $library = ours ] && echo "library: $prefix/lib/libfuse3.so.4" || echo "library: the tree's own libfuse3.so.4"
print_row program version kind transport result seconds
for row in "${todo[@]}"; do
	# shellcheck disable=SC2086 # a file and a kind
	run_row $row
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
