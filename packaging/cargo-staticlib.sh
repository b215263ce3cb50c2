#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds libringfuse.a with cargo; the output is only touched when it has changed, so that nothing is linked again.
# Usage: cargo-staticlib.sh CARGO SOURCE_DIR TARGET_DIR OUTPUT [CARGO_ARGS...]
set -eu
cargo=$1
source=$2
target=$3
output=$4
shift 4
"$cargo" build --manifest-path "$source/Cargo.toml" --target-dir "$target" "$@"
# With CARGO_BUILD_TARGET the result lies one level deeper.
built=$target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}release/libringfuse.a
cmp -s "$built" "$output" || cp "$built" "$output"
