# SPDX-License-Identifier: MIT OR Apache-2.0
"""The high-level interface under tools that see every allocation: no error, and at the end nothing is left."""
import os
from pathlib import Path

from harness import check
from registry import test
from t_basic import equal, files, names_and_links

LEFT_OPEN = "left open"


def use(fs, count=300):
    """Names of all kinds, files with and without a name, attributes, listings; returns a descriptor to be closed."""
    names_and_links(fs.path)
    files(fs.path)
    os.mkdir(fs.path("d"))
    for n in range(count):
        Path(fs.path(f"d/{n:0{1 + n % 200}}")).write_bytes(bytes([n % 256]) * n * 100)
    equal(len(os.listdir(fs.path("d"))), count, "names")
    os.setxattr(fs.path("d/0"), "user.a", b"x" * 1000)
    equal(os.getxattr(fs.path("d/0"), "user.a"), b"x" * 1000, "xattr")
    os.rename(fs.path("d"), fs.path("e"))
    for n in range(0, count, 2):
        os.unlink(fs.path(f"e/{n:0{1 + n % 200}}"))
    Path("/proc/sys/vm/drop_caches").write_text("2")
    Path(fs.path("over")).write_text("new")
    fd = os.open(fs.path(LEFT_OPEN), os.O_CREAT | os.O_RDWR)
    os.rename(fs.path("over"), fs.path(LEFT_OPEN))
    check(not os.path.exists(fs.path("nothing")), "a name that is not there")
    return fd


@test("cycle", timeout=60)
def path_sanitizer_clean(env):
    """A mount, much use and an unmount under AddressSanitizer, which also looks for leaks at the end."""
    asan = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:detect_stack_use_after_return=1"}
    table = [("passthrough_path", []), ("passthrough_path", ["-s"]), ("passthrough_handle", ["-o", "remember=1"]),
             ("passthrough_path", ["-o", "modules=subdir:iconv,subdir=/,from_code=UTF-8,to_code=UTF-8,auto_cache"])]
    for number, (program, options) in enumerate(table):
        source = env.dir / f"source{number}"
        source.mkdir()
        fs = env.start(f"{program}+asan", *options, "-o", f"source={source}", mode="foreground", extra_env=asan)
        os.close(use(fs))
        fs.stop()
        check("Sanitizer" not in fs.stderr(), f"{program} {options}: {fs.stderr()[-1500:]}")


# Not on the ring, see valgrind_clean.
@test("cycle", timeout=60, transports=("dev",))
def path_valgrind_clean(env):
    """The same under valgrind."""
    valgrind = ["valgrind", "--error-exitcode=99", "--leak-check=full", "-q", "--errors-for-leak-kinds=definite",
                "--child-silent-after-fork=yes"]
    source = env.dir / "source"
    source.mkdir()
    fs = env.start("passthrough_path", "-o", f"source={source}", wrapper=valgrind, mode="foreground", transport="dev")
    os.close(use(fs, 60))
    fs.stop()
