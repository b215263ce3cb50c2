# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2154
# What the programs' tests are written with. Sourced by one.sh.
m=/mnt/m           # where the program mounts
built=/mnt/built   # where a relinked program is installed
expected=ring      # the transport; a program with a loop of its own says dev
daemon=            # the process that serves the mount
seen_at_start=0    # completions on its rings by then

# ---- starting and ending ------------------------------------------------------------------------------------------

# A command of the tree, with the tree's own library.
tool() { chroot "$tree" env -u LD_LIBRARY_PATH PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# A command under test, in place of this shell.
exec_program() {
	if [ "$kind" = relinked ]; then
		exec env PATH="$built/bin:$built/sbin:$PATH" "$@"
	elif [ "$library" = ours ]; then
		exec chroot "$tree" env PATH=/mnt/other/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=/srv/lib "$@"
	else
		exec chroot "$tree" env PATH=/mnt/other/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
	fi
}
program() { (exec_program "$@"); }

# Polls a command until it succeeds: within SECONDS COMMAND...
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			echo "not in time: $*"
			return 1
		fi
		sleep 0.02
	done
}

mounted() { grep -q " $1 fuse" /proc/self/mounts; }
not_mounted() { ! mounted "$1"; }

# The processes with /dev/fuse open; the one with rings first.
serving() {
	local pid found=()
	for pid in $( (find /proc/[0-9]*/fd -lname '*/dev/fuse' 2>/dev/null || true) | cut -d / -f 3 | sort -un); do
		if ls -l "/proc/$pid/fd" | grep -q 'io_uring'; then found=("$pid" "${found[@]}"); else found+=("$pid"); fi
	done
	echo "${found[0]:-}"
}

# What has come over the rings of the daemon so far.
completions() {
	local fd sum=0 tail
	for fd in $(find "/proc/$daemon/fd" -lname 'anon_inode:\[io_uring\]' -printf '%f ' 2>/dev/null || true); do
		tail=$(sed -n 's/^CqTail:[[:space:]]*//p' "/proc/$daemon/fdinfo/$fd")
		sum=$((sum + ${tail:-0}))
	done
	echo "$sum"
}

started() {
	within 10 mounted "$m"
	daemon=$(serving)
	[ -n "$daemon" ] || { echo 'no process has /dev/fuse open'; return 1; }
	echo "served by $daemon: $(tr '\0' ' ' <"/proc/$daemon/cmdline")"
	seen_at_start=$(completions)
}

# Starts a program that goes into the background by itself.
start() {
	echo "starting $*"
	program "$@"
	started
}

# Starts one that stays in the foreground. An orphan, too: init.py sees how it ends.
start_foreground() {
	echo "starting $*, in the foreground"
	( (exec_program "$@") & )
	started
}

# Notes which transport the requests since the start have taken. Call it when enough of them have been made.
note_transport() {
	local now
	now=$(completions)
	echo "completions on the rings: $seen_at_start, then $now"
	if [ $((now - seen_at_start)) -gt 20 ]; then echo ring >/mnt/transport; else echo dev >/mnt/transport; fi
}

has_ended() { grep -q "^$1 " /mnt/ended; }

# The daemon's end, which must be with the exit status given (0).
ended() { # [STATUS]
	local status
	within 10 has_ended "$daemon"
	status=$(sed -n "s/^$daemon //p" /mnt/ended)
	[ "$status" = "${1:-0}" ] || { echo "the daemon ended with exit status $status"; return 1; }
}

# Unmounts as users do, and waits for a clean end.
stop() { # [STATUS]
	note_transport
	umount "$m"
	not_mounted "$m"
	ended "${1:-0}"
}

# Ends the daemon by SIGTERM: it unmounts by itself.
terminate() { # [STATUS]
	note_transport
	kill -TERM "$daemon"
	within 10 not_mounted "$m"
	ended "${1:-0}"
}

# ---- a relinked program -------------------------------------------------------------------------------------------

# Unpacks the source that run.sh fetched into /mnt/source, and changes there.
unpack() {
	local from=$CLIENT_SOURCE suite dsc tarball=
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LDFLAGS=-Wl,-rpath,$prefix/lib
	if [ -e "$from/done" ]; then
		dsc=$(echo "$from"/done/*.dsc)
		sed -n 's/^Version: //p' "$dsc" | head -n 1 >/mnt/version
		dpkg-source --no-check -x "$dsc" /mnt/source >/dev/null
	else
		for suite in given $suites elsewhere; do
			[ -n "$tarball" ] || tarball=$(find "$from/$suite" -name '*.orig.tar*' 2>/dev/null | head -n 1 || true)
		done
		if [ -z "$tarball" ]; then
			echo "no source of ${source:?}: no suite of the mirror has it (see --sources)"
			cat "$from/lacking"
			return 1
		fi
		basename "$tarball" | sed 's/.*_\(.*\)\.orig.*/\1, unpatched/' >/mnt/version
		mkdir /mnt/source
		tar -xf "$tarball" -C /mnt/source --strip-components 1
	fi
	cd /mnt/source
}

linked_with_ours() {
	local found
	found=$(find "$built" -type f -perm -1 -exec sh -c 'ldd "$1" 2>/dev/null | grep -q "$2/lib/libfuse3" && echo "$1"' - {} "$prefix" \;)
	[ -n "$found" ] || { echo "nothing in $built is linked with $prefix"; return 1; }
	echo "linked with ours: $found"
}

# ---- load and comparison ------------------------------------------------------------------------------------------

# Real input: programs, scripts and time zones of the tree, and what filesystems get wrong.
make_input() { # INTO
	mkdir -p "$1/deep/er/and/deeper"
	cp -a "$tree"/usr/lib/*/perl-base "$1/modules"
	cp -a "$tree"/usr/bin/{bash,perl,apt-get,dpkg} "$1/"
	head -c 12000000 /dev/urandom >"$1/random"
	: >"$1/empty"
	printf 'x' >"$1/deep/er/and/deeper/one byte, and spaces"
	printf 'y' >"$1/$(printf 'gr\303\274n')"
	ln -s ../random "$1/deep/link"
	ln -s nowhere "$1/dangling"
	ln "$1/bash" "$1/bash-too"
	truncate -s 3000001 "$1/sparse"
	chmod 640 "$1/dpkg"
}

sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
listing() { # DIR [FORMAT]
	(cd "$1" && find . ! -name . -printf "${2:-%P %y %m %l\n}" | sort)
}

# Names, types, modes, targets of links and contents are the same on both sides.
same() { # A B [FORMAT]
	diff <(listing "$1" "${3:-}") <(listing "$2" "${3:-}") | head -n 20
	diff <(sums "$1") <(sums "$2") | head -n 20
	[ "$(sums "$1" | wc -l)" -gt 0 ]
	cmp <(listing "$1" "${3:-}") <(listing "$2" "${3:-}")
	cmp <(sums "$1") <(sums "$2")
}

# Waits for the jobs given and fails if one did.
all_of() {
	local pid bad=0
	for pid in "$@"; do wait "$pid" || bad=1; done
	return $bad
}

# A loop device for an image. It is marked to go away with its last user, before it has one: the one given the time for
# that is a process that ends with the test.
block_device() { # IMAGE
	local device held
	device=$(losetup -f --show "$1")
	exec {held}<"$device" # here, since the process may start too late
	sleep 1000 >/dev/null &
	losetup -d "$device"
	echo "$device"
}

# Several processes read everything at once, each comparing with what the other side says.
readers() { # MOUNT SIDE [PROCESSES]
	local jobs=() i
	sums "$2" >/mnt/expected-sums
	for i in $(seq "${3:-8}"); do
		(cd "$1" && shuf /mnt/expected-sums | sha256sum --quiet -c - && find . >/dev/null) &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
}

# One process's part of `writers`: every change a program makes to a tree, and the outcome by name.
writer() { # DIR
	local i
	mkdir "$1"
	for i in $(seq 30); do
		head -c $((i * 3001)) /dev/urandom >"$1/a$i"
		echo "line $i" >>"$1/a$i"
		mv "$1/a$i" "$1/b$i"
		[ $((i % 3)) != 0 ] || rm "$1/b$i"
		[ $((i % 3)) != 1 ] || truncate -s 1000 "$1/b$i"
	done
	mkdir "$1/sub"
	mv "$1/b2" "$1/sub/moved"
	mv -f "$1/b4" "$1/b5"
	dd if=/dev/urandom of="$1/b8" bs=1000 seek=3 count=2 conv=notrunc status=none
	[ "$(find "$1" -type f | wc -l)" = 19 ]
	mkdir "$1/gone"
	rmdir "$1/gone"
}

# Several processes change their part of the mount at once. The contents are then checked by who calls it.
writers() { # MOUNT [PROCESSES]
	local jobs=() i
	for i in $(seq "${2:-6}"); do
		writer "$1/writer$i" &
		jobs+=($!)
	done
	all_of "${jobs[@]}"
	sync -f "$1"
}

links() { # MOUNT [COUNT]: hard and symbolic links; COUNT is what the filesystem says of a file with two names
	echo 'content of a link' >"$1/first"
	ln "$1/first" "$1/second"
	[ "${2:-2}" = any ] || [ "$(stat -c %h "$1/first")" = "${2:-2}" ]
	ln -s first "$1/symbolic"
	cmp "$1/symbolic" "$1/second"
	rm "$1/first"
	grep -q 'content of a link' "$1/second"
}

metadata() { # MOUNT: modes, times, sizes
	echo x >"$1/meta"
	chmod 604 "$1/meta"
	touch -d '2001-02-03 04:05:06 UTC' "$1/meta"
	truncate -s 5000 "$1/meta"
	[ "$(stat -c '%a %s' "$1/meta")" = '604 5000' ]
	touch -d '2001-02-03 04:05:06 UTC' "$1/meta"
	[ "$(stat -c '%Y' "$1/meta")" = 981173106 ]
	chown 12:34 "$1/meta"
	[ "$(stat -c '%u %g' "$1/meta")" = '12 34' ]
	stat -f "$1" >/dev/null
}

attributes() { # FILE: extended attributes
	setfattr -n user.one -v first "$1"
	setfattr -n user.two -v "$(head -c 300 /dev/zero | tr '\0' v)" "$1"
	[ "$(getfattr --absolute-names --only-values -n user.one "$1")" = first ]
	[ "$(getfattr --absolute-names -d "$1" | grep -c '^user\.')" = 2 ]
	setfattr -x user.two "$1"
	if getfattr -n user.two "$1" 2>/dev/null; then return 1; fi
}

# A write is refused with the error that a read-only filesystem gives.
refuses_writes() { # MOUNT
	local said
	if said=$(touch "$1/new" 2>&1); then return 1; fi
	case $said in *'Read-only file system'* | *'Permission denied'* | *'not implemented'* | *'not permitted'*) ;; *) echo "$said"; return 1 ;; esac
}

# ---- messages -----------------------------------------------------------------------------------------------------

# What users get wrong with any filesystem on the library, for a command that lacks only the mount point.
usual_mistakes() { # COMMAND
	local user='setpriv --reuid 65534 --regid 65534 --clear-groups' option
	wrong+=("${1%% *}" "${1%% *} --version" "${1%% *} -V" "$1" "$1 /mnt/nowhere" "$1 /mnt/plain" "$1 /mnt/m /mnt/m" "$1 ''"
		"$1 /mnt/m --nonsense" "$user $1 /mnt/m" "$user $1 -o allow_other /mnt/m"
		"mount --bind /dev/null /dev/fuse; $1 /mnt/m; s=\$?; umount /dev/fuse; exit \$s"
		"PATH=/nowhere:/usr/sbin; /usr/bin/$user /usr/bin/$1 /mnt/m")
	for option in nonsense nonempty max_threads=0 max_threads=x max_threads=-1 max_idle_threads=x max_idle_threads=-7 \
		uid=x umask=9 attr_timeout=x modules=nosuch modules=subdir modules=subdir,subdir=x modules=iconv,from_code=x \
		clone_fd=x fsname subtype=a:b max_read=x max_read=1 blksize=3 user=me ro,rw dev,suid auto_unmount context=x \
		io_uring_q_depth=x; do
		wrong+=("$1 -o $option /mnt/m")
	done
}

# Runs a command line of the tree with one library, and prints what it says and its exit status.
says() { # ours|debian COMMAND
	local status=0 path=
	[ "$1" = debian ] || path=/srv/lib
	timeout 10 chroot "$tree" env PATH=/usr/sbin:/usr/bin:/sbin:/bin ${path:+LD_LIBRARY_PATH=$path} \
		sh -c "cd /mnt; $2" </dev/null >/mnt/said 2>&1 || status=$?
	sed -n 's/^[^ ]* \(\/mnt[^ ]*\) fuse.*/\1/p' /proc/self/mounts | while read -r path; do umount -l "$path" 2>/dev/null || true; done
	sed 's/0x[0-9a-f]\{6,\}/ADDRESS/g' /mnt/said
	echo "exit status $status"
}

# The wrong command lines of a program, with both libraries; what differs goes to /mnt/messages.
compare_messages() {
	local command
	wrong=()
	echo plain >/mnt/plain
	mistakes
	: >/mnt/messages
	for command in "${wrong[@]}"; do
		says debian "$command" >/mnt/theirs
		says ours "$command" >/mnt/ours
		if cmp -s /mnt/theirs /mnt/ours; then
			echo "same: $command: $(tr '\n' '|' </mnt/ours)"
		else
			{
				echo "    $command"
				diff /mnt/theirs /mnt/ours | sed 's/^/      /' || true
			} >>/mnt/messages
		fi
	done
	echo "    ${#wrong[@]} wrong command lines, $(grep -c '^    [^ ]' /mnt/messages || true) with another outcome" >>/mnt/messages
}
