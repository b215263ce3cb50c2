#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# What the benchmark needs besides a libfuse to compare with (get-libfuse.sh):
# a compiler, fio, and liburing's headers for --limit. Debian and Ubuntu; root.
set -euo pipefail
apt-get -qq update
apt-get -qq install -y --no-install-recommends fio gcc libc6-dev liburing-dev python3 tar >/dev/null
fio --version
