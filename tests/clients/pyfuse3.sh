#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# pyfuse3, the Python binding of the low-level interface, built from its source against an installed prefix; then its
# own tests, which start its example filesystems. As root. pip fetches what it needs, so this is not part of run.sh.
# Usage: pyfuse3.sh PREFIX [VERSION]
set -euo pipefail
prefix=$(cd "$1" && pwd)
version=${2:-3.5.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
python=$work/venv/bin/python

"$python" -m pip install -q 'setuptools>=78' setuptools-scm cython trio pytest pytest-trio
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LDFLAGS=-Wl,-rpath,$prefix/lib
"$python" -m pip download -q --no-deps --no-binary :all: --no-build-isolation -d "$work" "pyfuse3==$version"
tar -xzf "$work/pyfuse3-$version.tar.gz" -C "$work"
cd "$work/pyfuse3-$version"
"$python" -m pip install -q --no-build-isolation --no-deps .

module=$("$python" -c 'import pyfuse3; print(pyfuse3.__file__)')
if ! ldd "$module" | grep -q "$prefix/lib/libfuse3.so.4"; then
	echo "FAIL: $module is not linked with $prefix"
	exit 1
fi
for uring in 1 0; do
	echo "FUSE_URING_ENABLE=$uring"
	FUSE_URING_ENABLE=$uring timeout 120 "$python" -m pytest test -q -p no:cacheprovider \
		-o addopts="--assert=rewrite --tb=short"
done
