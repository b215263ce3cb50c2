#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The installed headers and libraries against the recorded interface of libfuse 3.18.3, and programs of every
# FUSE_USE_VERSION built and run with them.
# Usage: run.sh PREFIX
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(cd "$1" && pwd)
"$here/headers.sh" "$prefix/include/fuse3"
python3 "$here/library.py" "$prefix"
"$here/use_versions.sh" "$prefix"
