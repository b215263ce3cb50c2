#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The public headers against the recorded interface, and free of warnings for every FUSE_USE_VERSION that means
# something, in strict C and C++; a 32-bit off_t has to be refused with a message that says what to do.
# Every compiler of $CCS and $CXXS that is installed takes part (gcc and clang unless set); $CC and $CXX have to be.
# Usage: headers.sh INCLUDE_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
inc=$(cd "$1" && pwd)
CC=${CC:-gcc}
CXX=${CXX:-g++}
# present COMPILER...: those that there are, each once, the first in any case.
present() {
	first=$1
	echo "$first"
	for compiler in "$@"; do
		[ "$compiler" = "$first" ] || ! command -v "$compiler" >/dev/null || echo "$compiler"
	done
}
CCS=$(present "$CC" ${CCS:-gcc clang})
CXXS=$(present "$CXX" ${CXXS:-g++ clang++})
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 "$here/check_abi.py" --include "$inc" --cc "$CC" --cxx "$CXX"

# Every macro and inline is expanded once: warnings inside macros show only where they are used.
cat >"$tmp/use.c" <<'EOF'
#include HEADER
#include <stddef.h>
#ifdef FUSE_LOWLEVEL_H_
int use_ll(struct fuse_args *a, struct fuse_session *se, struct fuse_custom_io *io);
int use_ll(struct fuse_args *a, struct fuse_session *se, struct fuse_custom_io *io)
{
	struct fuse_lowlevel_ops op;
	struct fuse_cmdline_opts opts;
	if (fuse_parse_cmdline(a, &opts) || !fuse_session_new(a, &op, sizeof(op), NULL))
		return 1;
#if FUSE_USE_VERSION < 317
	if (fuse_session_custom_io(se, io, 3))
		return 1;
#else
	if (fuse_session_custom_io(se, io, sizeof(*io), 3))
		return 1;
#endif
#if FUSE_USE_VERSION < 32
	return fuse_session_loop_mt(se, 1);
#else
	return fuse_session_loop_mt(se, NULL);
#endif
}
#endif
#ifdef FUSE_H_
struct fuse_fs *a_factory(struct fuse_args *args, struct fuse_fs **fs);
extern fuse_module_factory_t fuse_module_a_factory;
FUSE_REGISTER_MODULE(a, a_factory);
int use_hl(struct fuse_args *a, int argc, char **argv);
int use_hl(struct fuse_args *a, int argc, char **argv)
{
	struct fuse_operations op;
	struct fuse *f = fuse_new(a, &op, sizeof(op), NULL);
	if (!f || fuse_main(argc, argv, &op, NULL))
		return fuse_main_real(argc, argv, &op, sizeof(op), NULL);
#if FUSE_USE_VERSION < 32
	return fuse_loop_mt(f, 1);
#else
	return fuse_loop_mt(f, NULL);
#endif
}
#endif
#ifdef FUSE_COMMON_H_
size_t use_common(size_t n);
size_t use_common(size_t n)
{
	struct fuse_bufvec b = FUSE_BUFVEC_INIT(n);
	return fuse_buf_size(&b) + FUSE_CAP_OVER_IO_URING + FUSE_VERSION;
}
#endif
#ifdef FUSE_OPT_H_
int use_opt(int argc, char **argv);
int use_opt(int argc, char **argv)
{
	static const struct fuse_opt table[] = { FUSE_OPT_KEY("-x ", FUSE_OPT_KEY_KEEP), FUSE_OPT_END };
	struct fuse_args a = FUSE_ARGS_INIT(argc, argv);
	return fuse_opt_parse(&a, NULL, table, NULL);
}
#endif
EOF
cp "$tmp/use.c" "$tmp/use.cc"
strict="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror"
strict_cxx="-Wall -Wextra -Wpedantic -Wshadow -Werror"
count=0
for uv in $(seq 30 36) 39 304 311 312 314 316 317 318 319 400; do
	for header in fuse.h fuse_lowlevel.h cuse_lowlevel.h fuse_opt.h fuse_log.h libfuse_config.h; do
		for compiler in $CCS; do
			for std in c11 gnu11 c17; do
				"$compiler" -std=$std $strict -fsyntax-only -I"$inc" -DFUSE_USE_VERSION=$uv -DHEADER="<$header>" "$tmp/use.c"
				count=$((count + 1))
			done
		done
		for compiler in $CXXS; do
			for std in 11 14 17 20; do
				"$compiler" -std=c++$std $strict_cxx -fsyntax-only -I"$inc" -DFUSE_USE_VERSION=$uv -DHEADER="<$header>" "$tmp/use.cc"
				count=$((count + 1))
			done
		done
	done
	# The numbered names, for a library that was built without versioned symbols.
	printf '#include <libfuse_config.h>\n#undef LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS\n#include <fuse.h>\n' >"$tmp/plain.c"
	printf '#include <fuse_lowlevel.h>\nvoid *p[] = { (void *)fuse_parse_cmdline };\n' >>"$tmp/plain.c"
	"$CC" -std=c11 -Wall -Werror -c -o "$tmp/plain.o" -I"$inc" -DFUSE_USE_VERSION=$uv "$tmp/plain.c"
	want=fuse_parse_cmdline_312
	[ "$uv" -ge 312 ] || want=fuse_parse_cmdline_30
	nm -u "$tmp/plain.o" | grep -qw $want || { echo "FAIL: without versioned symbols $uv does not use $want"; exit 1; }
done

# A 32-bit off_t. The C library's 32-bit stubs need not be installed: an empty stand-in is enough to compile.
mkdir -p "$tmp/stub/gnu"
: >"$tmp/stub/gnu/stubs-32.h"
: >"$tmp/guards"
for compiler in $CCS; do printf '%s\n' "$compiler -std=c11 -x c" "$compiler -std=gnu99 -x c" >>"$tmp/guards"; done
for compiler in $CXXS; do echo "$compiler -std=c++11 -x c++" >>"$tmp/guards"; done
for header in fuse.h fuse_lowlevel.h cuse_lowlevel.h; do
	while read -r compiler; do
		base="$compiler -m32 -fsyntax-only -I$inc -I$tmp/stub -isystem /usr/include/$("$CC" -print-multiarch) -DFUSE_USE_VERSION=318"
		echo "#include <$header>" >"$tmp/off.h"
		if $base "$tmp/off.h" 2>"$tmp/err"; then
			echo "FAIL: $header compiles with a 32-bit off_t ($compiler)"
			exit 1
		fi
		grep -q FILE_OFFSET_BITS "$tmp/err" || { echo "FAIL: $header: no helpful message ($compiler)"; cat "$tmp/err"; exit 1; }
		$base -D_FILE_OFFSET_BITS=64 "$tmp/off.h" || { echo "FAIL: $header refused with a 64-bit off_t ($compiler)"; exit 1; }
	done <"$tmp/guards"
done
# shellcheck disable=SC2086
echo "headers: $count strict compilations and the off_t guard passed (" $CCS $CXXS ")"
