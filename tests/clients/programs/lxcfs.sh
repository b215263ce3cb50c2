# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# lxcfs: files of /proc as a container should see them.
package=lxcfs
kinds='relinked unmodified'
tools=''
source=lxcfs
suites='trixie sid'
build_needs='meson ninja-build python3-jinja2'

build() {
	meson setup /mnt/b --prefix="$built" --libdir=lib -Ddocs=false -Dwith-init-script=sysvinit
	meson install -C /mnt/b
}

test_it() {
	local jobs=() i
	# It enters its mount namespace again, and is then out of the tree: what it loads later has to be found from both.
	mkdir /mnt/lib
	cp "$tree"/usr/lib/*/lxcfs/liblxcfs.so /mnt/lib/ 2>/dev/null || true
	if [ "$kind" = unmodified ]; then
		start_foreground env LD_LIBRARY_PATH="$([ "$library" = debian ] || echo /srv/lib:)/mnt/lib" lxcfs -f "$m"
	else
		start_foreground lxcfs -f "$m"
	fi
	for i in 1 2 3 4; do
		(for _ in $(seq 100); do cat "$m"/proc/{meminfo,stat,uptime,cpuinfo,swaps,diskstats} >/dev/null || exit 1; done) &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
	grep -q '^MemTotal: *[1-9]' "$m/proc/meminfo"
	[ "$(grep -c '^processor' "$m/proc/cpuinfo")" = "$(nproc)" ]
	[ "$(sed -n 's/^MemTotal: *//p' "$m/proc/meminfo")" = "$(sed -n 's/^MemTotal: *//p' /proc/meminfo)" ]
	ls -R "$m/sys" >/dev/null
	refuses_writes "$m"
	kill -USR1 "$daemon" # reloads its library
	sleep 0.2
	grep -q '^MemTotal: *[1-9]' "$m/proc/meminfo"
	stop
}
