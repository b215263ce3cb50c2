#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds with cargo and copies one result; the copy is only touched when it has changed, so that nothing is linked again.
# Usage: cargo-output.sh CARGO SOURCE_DIR TARGET_DIR RESULT OUTPUT [CARGO_ARGS...]
set -eu
cargo=$1
source=$2
target=$3
result=$4
output=$5
shift 5
"$cargo" build --release --locked --manifest-path "$source/Cargo.toml" --target-dir "$target" "$@"
# With CARGO_BUILD_TARGET the result lies one level deeper.
built=$target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}release/$result
cmp -s "$built" "$output" || cp "$built" "$output"
