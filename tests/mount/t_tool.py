# SPDX-License-Identifier: MIT OR Apache-2.0
"""`ringfuse check` and `ringfuse run`."""
import errno
import os
import shutil
import stat
import subprocess

from harness import check, set_enable_uring
from registry import test
from t_stat import NOBODY, equal, tool

AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def checked(env, code, *words, wrapper=(), **variables):
    """`check` has that exit code and says these words."""
    done = subprocess.run([*wrapper, str(env.prefix / "bin/ringfuse"), "check"], capture_output=True, text=True,
                          timeout=20, check=False, env={**os.environ, **variables})
    check(done.returncode == code, f"exit {done.returncode}, wanted {code}:\n{done.stdout}{done.stderr}")
    for word in words:
        check(word in done.stdout, f"no {word!r} in:\n{done.stdout}")
    return done.stdout


def elsewhere(script):
    """A wrapper that runs `script` first, in a mount namespace of its own."""
    return ["unshare", "--mount", "--propagation=private", "sh", "-ec", f'{script}; exec "$@"', "sh"]


@test("tool", transports=("ring",), ours_only=True)
def check_says_what_would_be_used(env):
    """By the kernel's switch, as root and as another user; and a mount then uses that."""
    os.chmod("/dev/fuse", 0o666)  # the runner puts it back
    for switch, code, transport, words in (("Y", 0, "ring", ["would use the ring"]),
                                           ("N", 1, "dev", ["off: the kernel does not offer", "echo Y > /sys/module"])):
        set_enable_uring(switch)
        try:
            checked(env, code, *words, "may mount by itself")
            checked(env, code, *words, "fusermount3, version", "set-uid root", wrapper=AS_NOBODY)
            fs = env.probe(transport=transport)
            fs.stop()
        finally:
            set_enable_uring("Y")
    checked(env, 1, "FUSE_URING_ENABLE=0", FUSE_URING_ENABLE="0")
    checked(env, 0, FUSE_URING_ENABLE="1")


@test("tool", transports=("ring",), ours_only=True)
def check_without_the_device(env):
    """/dev/fuse that is not there, or not for this user."""
    node = env.dir / "fuse"
    os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(10, 229))
    forbidden = elsewhere(f"mount --bind {node} /dev/fuse")
    checked(env, 2, "may not be opened by this user (mode 0600)", "chmod 0666", "Nothing can be mounted",
            wrapper=[*forbidden, *AS_NOBODY])
    checked(env, 0, wrapper=forbidden)
    checked(env, 2, "/dev/fuse does not exist", wrapper=elsewhere("mount -t tmpfs none /dev"))
    checked(env, 2, "has no driver behind it", FUSE_KERN_DEVICE=str(no_driver(env)))


def no_driver(env):
    node = env.dir / "nothing"
    os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(10, 77))
    return node


@test("tool", transports=("ring",), ours_only=True)
def check_without_io_uring(env):
    """io_uring that is disabled, for all or for users, or refused by seccomp."""
    deny = str(env.builder.build("deny_uring"))
    for value, word in (("0", "seccomp"), ("1", "io_uring_group"), ("2", "io_uring_disabled=2: for nobody")):
        setting = env.dir / f"disabled{value}"
        setting.write_text(value)
        bind = elsewhere(f"mount --bind {setting} /proc/sys/kernel/io_uring_disabled")
        checked(env, 1, word, "on /dev/fuse", wrapper=[*bind, deny, str(errno.EPERM)])
    checked(env, 1, "unknown to this kernel", wrapper=[deny, str(errno.ENOSYS)])


@test("tool", transports=("ring",), ours_only=True)
def check_who_may_mount(env):
    """A user without fusermount3, with one that can't help, and with no_new_privs."""
    helper = env.dir / "fusermount3"
    shutil.copy(shutil.which("fusermount3"), helper)
    helper.chmod(0o755)
    harmless = elsewhere(f"mount --bind {helper} {shutil.which('fusermount3')}")
    user = AS_NOBODY
    os.chmod("/dev/fuse", 0o666)
    checked(env, 2, "neither can fusermount3", "chmod u+s", wrapper=[*harmless, *user])
    checked(env, 2, "no_new_privs", wrapper=[*user[:1], "--no-new-privs", *user[1:]])
    checked(env, 1, "limit 8; the ring needs about", wrapper=["prlimit", "--nofile=8"])


PROGRAM = r"""
#define FUSE_USE_VERSION 35
#include <fuse.h>
#include <stdio.h>
int main(int argc, char *argv[])
{
	printf("%s %s %d\n", argv[0], fuse_pkgversion(), argc);
	return 7;
}
"""


def compiled(env, name, *flags):
    source = env.dir / "program.c"
    source.write_text(PROGRAM)
    binary = env.dir / name
    subprocess.run(["cc", "-D_FILE_OFFSET_BITS=64", f"-I{env.prefix}/include/fuse3", str(source), "-o", str(binary),
                    *flags], check=True)
    return binary


def stub(env, soname):
    """A library of that name that is not ours."""
    directory = env.dir / f"stub-{soname}"
    directory.mkdir()
    source = directory / "stub.c"
    source.write_text('const char *fuse_pkgversion(void) { return "stub"; }\n')
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", str(source), "-o", str(directory / soname)],
                   check=True)
    return directory / soname


@test("tool", transports=("dev",), ours_only=True)
def run_puts_the_library_in_front(env):
    """An unmodified program, its arguments and exit code; the caller's own search path stays behind ours."""
    other = stub(env, "libfuse3.so.4")
    plain = compiled(env, "plain", str(other))
    code, out, err = tool(env, "run", plain, "a", "b", variables={"LD_LIBRARY_PATH": str(other.parent)})
    check((code, out.split()[0], out.split()[2]) == (7, str(plain), "3"), f"{code} {out} {err}")
    check("stub" not in out, f"the other library was used: {out}")
    code, out, _ = tool(env, "run", "plain", variables={"PATH": f"{env.dir}:{os.environ['PATH']}"})
    equal((code, out.split()[0]), (7, "plain"), "from PATH")
    code, out, _ = tool(env, "run", "sh", "-c", "echo $LD_LIBRARY_PATH")
    equal(code, 126, "sh is not linked to libfuse3")
    code, out, _ = tool(env, "run", "--force", "sh", "-c", "echo $LD_LIBRARY_PATH")
    equal((code, out.strip()), (0, str(env.prefix / "lib")), "--force")
    script = env.dir / "script"
    script.write_text("#!/bin/sh\nexec ./plain\n")
    script.chmod(0o755)
    equal(tool(env, "run", script, cwd=env.dir)[0], 7, "a script's program")


@test("tool", transports=("dev",), ours_only=True)
def run_says_why_not(env):
    """Programs for which LD_LIBRARY_PATH can't work."""
    plain = compiled(env, "plain", str(stub(env, "libfuse3.so.4")))
    old = compiled(env, "old", str(stub(env, "libfuse3.so.3")))
    stubborn = compiled(env, "stubborn", str(env.dir / "stub-libfuse3.so.4/libfuse3.so.4"), "-Wl,--disable-new-dtags",
                        f"-Wl,-rpath,{env.dir}/stub-libfuse3.so.4")
    empty = env.dir / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-static", str(empty), "-o", str(env.dir / "static")], check=True)
    privileged = env.dir / "privileged"
    shutil.copy(plain, privileged)
    os.chown(privileged, NOBODY, NOBODY)
    privileged.chmod(0o4755)
    (env.dir / "data").write_text("x")
    cases = [(env.dir / "nowhere", 127, "No such file"), ("no-such-program", 127, "not found in PATH"),
             (env.dir / "data", 126, "not a program"), (env.dir, 126, "not a program"),
             (env.dir / "static", 126, "linked statically"), (privileged, 126, "set-user-ID"),
             (stubborn, 126, "RPATH"), ("true", 126, "not linked to libfuse3.so.4")]
    if not (env.prefix / "lib/libfuse3.so.3").exists():
        cases.append((old, 126, "asks for libfuse3.so.3"))
    for program, code, word in cases:
        got, out, err = tool(env, "run", program)
        check((got, out) == (code, "") and word in err, f"{program}: exit {got}, wanted {code} and {word!r}: {err}")
    equal(tool(env, "run")[0], 64, "exit code without a program")
    equal(tool(env, "run", "--nonsense", plain)[0], 64, "exit code with an unknown option")
    equal(tool(env, "frobnicate")[0], 64, "exit code of an unknown command")
    equal(tool(env, "--help")[0], 0, "exit code of --help")
