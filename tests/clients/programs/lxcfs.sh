# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# lxcfs: files of /proc as a container should see them.
package=lxcfs
kinds=unmodified
tools=''

test_it() {
	local jobs=() i
	start_foreground lxcfs -f "$m"
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
