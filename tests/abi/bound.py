#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Do the names that a program needs from the library bind to the recorded versions?

Usage: bound.py PROGRAM SOURCE FUSE_USE_VERSION
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def bound(program):
    text = subprocess.run(["readelf", "--dyn-syms", "-W", program], capture_output=True, text=True, check=True).stdout
    return {re.sub("@+", "@", f[7]) for f in (line.split() for line in text.splitlines())
            if len(f) >= 8 and f[6] == "UND" and re.match(r"_?fuse_", f[7])}


def expected(source, version):
    """Versioned symbols of every function that the source names and that exists at this version."""
    words = set(re.findall(r"\b_?fuse_\w+", open(source).read()))
    found = set()
    for function in json.load(open(os.path.join(HERE, "functions.json")))["functions"]:
        if function["name"] not in words:
            continue
        for form in function["forms"]:
            if form["use_min"] <= version and version <= (form["use_max"] or version):
                found |= set(form["resolves_to"])
    return found


def main():
    program, source, version = sys.argv[1], sys.argv[2], int(sys.argv[3])
    have, want = bound(program), expected(source, version)
    if have == want and want:
        return 0
    print("FAIL: FUSE_USE_VERSION %d binds to %s, recorded %s" % (version, sorted(have - want), sorted(want - have)))
    return 1


if __name__ == "__main__":
    sys.exit(main())
