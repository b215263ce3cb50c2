#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compare an installed libfuse3 with the recorded interface, but for what pending.txt says is not there yet.

Usage: library.py PREFIX [--update]

A symbol that is missing has to be listed in pending.txt, and one that is listed has to be missing, so that the list
can only shrink together with the work. --update writes the list anew.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PENDING = os.path.join(HERE, "pending.txt")
HEAD = """# SPDX-License-Identifier: MIT OR Apache-2.0
# Symbols of the interface that the library does not define yet; run.sh fails if one of them exists, or if any other is
# missing. Delete a line together with the work that makes it untrue.
"""
NEEDED = {"libc.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
STATIC_DEFAULTS = ("fuse_parse_cmdline", "fuse_session_loop_mt", "fuse_session_custom_io")


def out(*cmd):
    return subprocess.run(cmd, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout


def recorded(name="symbols.txt"):
    """All symbols of a list, without the markers of version nodes."""
    found = {}
    for line in open(os.path.join(HERE, name)):
        fields = line.split()
        if len(fields) >= 2 and fields[1] == "FUNC":
            found[fields[0]] = fields[0].split("@")[0]
    return found


def read_pending():
    if not os.path.exists(PENDING):
        return set()
    return {line.strip() for line in open(PENDING) if line.strip() and not line.startswith("#")}


def excused(line, pending_names):
    """A function whose symbols the linker did not find, all of them pending."""
    m = re.match(r"(?:C\+\+: )?function \w+: needs (.*), recorded (.*?)(?: \[FUSE_USE_VERSION .*\])?$", line)
    if not m:
        return False
    have = set(re.findall(r"\S+@\S+|\S+ \(unresolved\)", m.group(1)))
    want = set(m.group(2).split())
    loose = {h[:-len(" (unresolved)")] for h in have if h.endswith("(unresolved)")}
    bound = {h for h in have if "@" in h}
    rest = {w for w in want - bound if w.split("@")[0] not in loose}
    return bool(loose) and loose <= pending_names and not rest and bound <= want


def check_interface(prefix, lib, update):
    r = subprocess.run([sys.executable, os.path.join(HERE, "check_abi.py"), "--include",
                        prefix + "/include/fuse3", "--lib", lib], capture_output=True, text=True)
    diffs = [l[len("DIFF: "):] for l in r.stdout.splitlines() if l.startswith("DIFF: ")]
    missing = {m.group(1) for m in (re.match(r"library: symbol (\S+) is missing$", d) for d in diffs) if m}
    if update:
        with open(PENDING, "w") as f:
            f.write(HEAD + "".join(s + "\n" for s in sorted(missing)))
    pending = read_pending()
    names = {s.split("@")[0] for s in pending}
    bad = ["symbol %s is missing and not in pending.txt" % s for s in sorted(missing - pending)]
    bad += ["symbol %s exists (or never did): take it out of pending.txt" % s for s in sorted(pending - missing)]
    for d in diffs:
        if not d.endswith("is missing") and not excused(d, names):
            bad.append(d)
    if not re.search(r"^\d+ passed, \d+ failed$", r.stdout, re.M):
        bad.append("check_abi.py did not finish: " + r.stderr.strip()[-300:])
    return bad, len(pending)


def check_elf(prefix, lib):
    bad = []
    dynamic = out("readelf", "-dW", lib)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    bad += ["depends on %s" % n for n in sorted(needed - NEEDED)]
    if re.search(r"\((RPATH|RUNPATH|TEXTREL)\)", dynamic):
        bad.append("has RPATH, RUNPATH or TEXTREL")
    if re.search(r"GNU_STACK.*RWE", out("readelf", "-lW", lib)):
        bad.append("asks for an executable stack")
    if os.path.realpath(prefix + "/lib/libfuse3.so") != os.path.realpath(lib):
        bad.append("libfuse3.so does not lead to libfuse3.so.4")
    if not os.path.basename(os.path.realpath(lib)).startswith("libfuse3.so.3.18."):
        bad.append("libfuse3.so.4 is not a link to libfuse3.so.3.18.x")
    return bad


def check_archive(path, pending):
    """libfuse3.a: nothing but the interface is global, and the plain default names are there."""
    api, coming = recorded(), recorded("symbols-3.19.txt")
    have = set()
    bad = []
    for line in out("nm", "-g", path).splitlines():
        fields = line.split()
        if len(fields) == 3:
            have.add(fields[2])
        elif len(fields) == 2 and fields[1] in set(api.values()):
            bad.append("libfuse3.a refers to %s and does not define it" % fields[1])
    foreign = have - set(api.values()) - set(coming.values())
    bad += ["libfuse3.a defines %s, which is not of the interface" % s for s in sorted(foreign)]
    defaults = {name for tag, name in api.items() if "@@" in tag and tag not in pending}
    bad += ["libfuse3.a lacks %s" % s for s in sorted((defaults | set(STATIC_DEFAULTS)) - have)]
    return bad


def main():
    prefix = os.path.abspath(sys.argv[1])
    lib = prefix + "/lib/libfuse3.so.4"
    if not os.path.exists(lib):
        print("no such file: " + lib)
        return 1
    bad, count = check_interface(prefix, lib, "--update" in sys.argv[2:])
    bad += check_elf(prefix, lib)
    bad += check_archive(prefix + "/lib/libfuse3.a", read_pending())
    for line in bad:
        print("FAIL: " + line)
    print("library: %d symbols recorded, %d pending, %d failures" % (len(recorded()), count, len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
