#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# All tests, from a fresh clone on a fresh Debian with Rust and gcc; as root, since it mounts.
#
#   tests/run.sh                  everything, on both transports
#   tests/run.sh --quick          without mounting anything
#   tests/run.sh -k NAME          mount tests with this in their name only
#   tests/run.sh --transport T    mount tests on dev or on ring only
#   tests/run.sh --long           what is random or large for longer: the model for 5 minutes at a stretch, fsx for a
#                                 million operations in each way, a table of a million nodes; about an hour
#   tests/run.sh --clients        also the programs of others in tests/clients/, which takes 10 minutes more
#
# A step that fails does not stop the others. The last line is `N passed, N failed`: each cargo and mount test counts,
# and of the other steps each check. The exit status is 0 if none failed. Logs and builds are in build-test/.
set -uo pipefail
set -m # each step is a process group of its own, which can be ended as a whole
cd "$(dirname "$0")/.." || exit 1
root=$PWD
out=$root/build-test
logs=$out/logs
prefix=$out/prefix
fault_prefix=$out/prefix-fault
switch=/sys/module/fuse/parameters/enable_uring
switch_was=
limit=1170 # seconds for everything
quick=
clients=
mount_args=()
results=$logs/results
lane=
lanes=()
job=
here_since=$SECONDS

usage() {
	sed -n '3,15s/^# \{0,1\}//p' "$0"
	exit "$1"
}

while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=yes ;;
	--long)
		export RINGFUSE_MODEL_SECONDS=300 RINGFUSE_MODEL_NODES=1000000 FSX_OPERATIONS=1000000
		limit=7200
		;;
	--clients) clients=yes limit=2400 ;;
	-k | --transport)
		[ $# -ge 2 ] || usage 2
		mount_args+=("$1" "$2")
		shift
		;;
	-h | --help) usage 0 ;;
	*) usage 2 ;;
	esac
	shift
done

# ---- running a step ----------------------------------------------------------------------------------------------

end_group() { # PROCESS_GROUP
	kill -TERM -- "-$1" 2>/dev/null || return 0
	for _ in $(seq 100); do
		kill -0 -- "-$1" 2>/dev/null || return 0
		sleep 0.2
	done
	kill -KILL -- "-$1" 2>/dev/null
}

# Sums up what a log says: `cargo` its test results, `lines` every `N passed, N failed`, `one` nothing.
count_log() { # HOW LOG
	case $1 in
	cargo) sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$2" ;;
	lines) sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$2" ;;
	esac | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }'
}

# Runs a function with a heading, a log and a deadline. `show` passes its output on; otherwise it is shown on failure.
step() { # HEADING show|hide HOW SECONDS FUNCTION
	local heading=$1 show=$2 how=$3 seconds=$4 name=$5
	local log=$logs/$name.log late=$logs/$name.late begin=$SECONDS status watchdog good bad took why=
	local left=$((limit - (SECONDS - here_since)))
	[ "$seconds" -le "$left" ] || seconds=$left
	[ "$seconds" -ge 5 ] || seconds=5
	[ -n "$lane" ] || printf '\n== %s\n' "$heading"
	if [ "$show" = show ] && [ -z "$lane" ]; then
		("$name" </dev/null 2>&1 | tee -i "$log") &
	else
		("$name" </dev/null >"$log" 2>&1) &
	fi
	job=$!
	(
		sleep "$seconds"
		: >"$late"
		end_group "$job"
	) &
	watchdog=$!
	wait "$job" 2>/dev/null
	status=$?
	job=
	kill -KILL -- "-$watchdog" 2>/dev/null
	wait "$watchdog" 2>/dev/null
	took=$((SECONDS - begin))
	if [ -e "$late" ]; then
		status=124
		why=", ended after $seconds s"
	fi
	[ -z "$lane" ] || printf '\n== %s\n' "$heading"
	if [ $status != 0 ] && [ "$show" = hide ]; then
		tail -n 80 "$log"
	elif [ "$show" = show ] && [ -n "$lane" ]; then
		cat "$log"
	fi
	read -r good bad < <(count_log "$how" "$log")
	[ $status = 0 ] || [ "$bad" -gt 0 ] || bad=1
	# Nothing run is nothing proven, unless the step is one check by itself.
	if [ $status = 0 ] && [ $((good + bad)) = 0 ]; then
		if [ "$how" = one ]; then good=1; else bad=1; fi
	fi
	printf '%s\t%d\t%d\t%d\t%s\n' "$heading" "$good" "$bad" "$took" "(exit $status$why; ${log#"$root/"})" >>"$results"
	printf -- '-- %s: %d passed, %d failed, in %d s\n' "$heading" "$good" "$bad" "$took"
}

# Steps that have nothing to do with those that go on meanwhile; each prints when it has ended.
lane() { # FUNCTION
	(
		set -m
		lane=yes
		trap 'stop_job' EXIT
		"$1"
	) &
	lanes+=($!)
}

join_lanes() {
	wait "${lanes[@]}"
	lanes=()
}

stop_job() {
	[ -z "$job" ] || end_group "$job"
}

cleanup() {
	stop_job
	for other in "${lanes[@]}"; do
		kill -TERM "$other" 2>/dev/null && wait "$other" 2>/dev/null
	done
	if [ -n "$switch_was" ] && [ -w $switch ]; then
		echo "$switch_was" >$switch
	fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- what is needed ----------------------------------------------------------------------------------------------

missing_packages() {
	local pair
	for pair in meson:meson ninja:ninja-build pkg-config:pkg-config fusermount3:fuse3 python3:python3 fio:fio \
		setfattr:attr valgrind:valgrind readelf:binutils gcc:gcc cc:gcc g++:g++ clang++:clang setpriv:util-linux mount:mount; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
	done
	echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1 || echo libc6-dev
	python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

tools() {
	local missing as_root=()
	mapfile -t missing < <(missing_packages | sort -u)
	if [ ${#missing[@]} -gt 0 ]; then
		echo "missing: ${missing[*]}"
		if [ "$(id -u)" != 0 ]; then
			as_root=(sudo -n)
			if ! sudo -n true 2>/dev/null; then
				echo "not root: please run  apt-get install ${missing[*]}"
				return 1
			fi
		fi
		"${as_root[@]}" apt-get -qq update
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null || return 1
	fi
	if ! command -v cargo >/dev/null; then
		echo 'cargo is missing: see https://rustup.rs'
		return 1
	fi
	if ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
		rustup component add rustfmt clippy || return 1
	fi
	cargo --version
	cc --version | head -n 1
	meson --version | sed 's/^/meson /'
}

# The kernel's side. What can't be tested is a failure, not a gap.
kernel() {
	uname -r
	if [ "$(id -u)" != 0 ]; then
		echo 'mounting for tests needs root (--quick leaves it out)'
		return 1
	fi
	[ -e /dev/fuse ] || { echo '/dev/fuse is missing'; return 1; }
	if [ "${mount_args[*]}" = '--transport dev' ]; then
		echo 'the ring is not tested, as asked for'
		return 0
	fi
	if [ ! -e $switch ]; then
		echo "$switch is missing: this kernel has no FUSE over io_uring (6.14 or newer, CONFIG_FUSE_IO_URING);"
		echo 'the ring can not be tested here (--transport dev tests the rest)'
		return 1
	fi
	{ echo Y >$switch; } 2>/dev/null
	if [ "$(cat $switch)" != Y ]; then
		echo "$switch can't be set to Y"
		return 1
	fi
	if [ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" != 0 ]; then
		echo 'io_uring is disabled (/proc/sys/kernel/io_uring_disabled)'
		return 1
	fi
	echo "$switch is Y"
}

# ---- the Rust side -----------------------------------------------------------------------------------------------

format() { cargo fmt --check && cargo fmt --check --manifest-path fuzz/Cargo.toml; }

lint() {
	cargo clippy --locked --all-targets -- -D warnings &&
		cargo clippy --locked --all-targets --all-features -- -D warnings &&
		RINGFUSE_SONAME=3 cargo clippy --locked --target-dir "$out/soname3" -- -D warnings
}

docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items; }

options_documented() { python3 tests/docs.py; }

licences() {
	if cargo deny --version >/dev/null 2>&1; then
		echo 'checked by cargo-deny'
		cargo deny check licenses bans sources
	else
		echo 'cargo-deny is not installed: checked by tests/licences.py'
		python3 tests/licences.py
	fi
}

cargo_test() { cargo test --locked --all-features; }

fuzz() { cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir "$out/fuzz"; }

# ---- the C side --------------------------------------------------------------------------------------------------

install_into() { # BUILD PREFIX OPTIONS...
	local build=$1 to=$2
	shift 2
	rm -rf "$to" # what is not installed any more must not be found
	[ -e "$build/build.ninja" ] || meson setup "$build" --prefix="$to" --libdir=lib --werror "$@" || return 1
	meson install -C "$build"
}

build() { install_into "$out/lib" "$prefix" -Dexamples=true; }

build_faulty() { install_into "$out/lib-fault" "$fault_prefix" -Dfault_injection=true; }

abi_headers() { tests/abi/headers.sh "$prefix/include/fuse3"; }
abi_library() { python3 tests/abi/library.py "$prefix"; }
abi_programs() { tests/abi/use_versions.sh "$prefix"; }

# check WHAT COMMAND...: one line for each, and on failure what it said.
check() {
	local what=$1
	shift
	if "$@" >"$logs/check" 2>&1; then
		echo "ok    $what"
		good=$((good + 1))
	else
		echo "FAIL  $what (exit $?)"
		tail -n 40 "$logs/check"
		bad=$((bad + 1))
	fi
}

# Everything in C that is no filesystem under test: tests/capi/ is run, by itself and under valgrind; c-examples/ must
# compile without a warning, as a user would compile them.
c_programs() {
	local good=0 bad=0 source name flags bin=$out/bin
	mkdir -p "$bin"
	flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs fuse3) || return 1
	for source in c-examples/*.c tests/capi/*.c; do
		name=$(basename "$source" .c)
		rm -f "$bin/$name"
		# shellcheck disable=SC2086 # several words are meant
		check "$source compiles" cc -std=gnu11 -O1 -g -Wall -Wextra -Werror -o "$bin/$name" "$source" $flags -pthread \
			-Wl,-rpath,"$prefix/lib"
		case $source in tests/capi/*)
			check "$source" timeout 60 "$bin/$name"
			check "$source under valgrind" timeout 120 valgrind -q --error-exitcode=99 --leak-check=full \
				--errors-for-leak-kinds=definite "$bin/$name"
			;;
		esac
	done
	echo "$good passed, $bad failed"
	[ "$bad" = 0 ]
}

# An interpreter that has a binding of the library, for the test that runs a filesystem in Python.
python_binding() {
	"$out/venv/bin/python" -c 'import importlib.util as u; exit(u.find_spec("mfusepy") is None)' 2>/dev/null && return 0
	python3 -m venv "$out/venv" && "$out/venv/bin/pip" -q --disable-pip-version-check install 'mfusepy==3.1.1'
}

# Two programs that know what a filesystem has to do, for the tests on the passthrough examples.
posix_tools() {
	[ -x "$out/tools/bin/pjdfstest" ] && [ -x "$out/tools/bin/fsx" ] && return 0
	CARGO_TARGET_DIR=$out/tools/target cargo install --quiet --locked --root "$out/tools" pjdfstest@0.2.2 fsx@0.3.2
}

mounts() {
	POSIX_TOOLS=$out/tools/bin MFUSEPY_PYTHON=$out/venv/bin/python python3 tests/mount/run.py "$prefix" --fault-prefix "$fault_prefix" --build-dir "$out/mount-bin" "${mount_args[@]}"
}

clients() { tests/clients/run.sh "$prefix"; }

# ---- everything --------------------------------------------------------------------------------------------------

mkdir -p "$logs" || exit 1
rm -rf "${logs:?}"/* "$out/mount-bin"
command -v cargo >/dev/null || [ ! -e "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
if [ ! -e $switch ] && [ "$(id -u)" = 0 ]; then
	modprobe fuse 2>/dev/null
fi
[ ! -r $switch ] || switch_was=$(cat $switch)

rust_side() {
	step 'format' hide one 60 format
	step 'lint' hide one 400 lint
	step 'documentation' hide one 200 docs
	step 'documents' hide lines 20 options_documented
	step 'licences' show one 120 licences
	step 'cargo test' hide cargo 500 cargo_test
	step 'fuzz target compiles' hide one 300 fuzz
	[ -n "$quick" ] || step 'POSIX test suite' hide one 400 posix_tools
}

c_side() {
	step 'build and install' hide one 400 build
	step 'interface: headers' hide one 400 abi_headers
	step 'interface: library' hide one 100 abi_library
	step 'interface: every FUSE_USE_VERSION' hide one 200 abi_programs
	step 'C programs' show lines 200 c_programs
	step 'build with fault injection' hide one 400 build_faulty
	[ -n "$quick" ] || step 'Python binding' hide one 120 python_binding
}

step 'tools' show one 300 tools
[ -n "$quick" ] || step 'kernel' show one 20 kernel
lane rust_side
lane c_side
join_lanes
[ -n "$quick" ] || step 'mounts' show lines "$limit" mounts
[ -z "$clients" ] || step 'programs of others' show lines 1200 clients

printf '\n== summary, after %d s\n' $((SECONDS - here_since))
awk -F '\t' '{ printf "%-44s %5d passed %3d failed %4d s\n", $1, $2, $3, $4 }' "$results"
[ -z "$quick" ] || echo 'not run: kernel, mounts (--quick)'
[ ${#mount_args[@]} = 0 ] || echo "mount tests chosen by: ${mount_args[*]}"
awk -F '\t' '$3 { print "failed: " $1 " " $5 }
	{ passed += $2; failed += $3 }
	END { print passed + 0 " passed, " failed + 0 " failed"; exit failed != 0 }' "$results"
