# SPDX-License-Identifier: MIT OR Apache-2.0
"""Process 1 of a program's namespace: notes how every orphan ended.

    init.py ENDED SECONDS COMMAND...

A filesystem that goes into the background is nobody's child but ours, so only
here its exit status can be seen. Each goes as a line `PID STATUS` to the file
ENDED, with 128 + N for signal N. After SECONDS it says what every thread was
waiting for, and ends; the kernel then kills the rest.
"""
import os
import signal
import sys


def text(path):
    try:
        with open(path, "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError as error:
        return f"({error.strerror})"


def diagnose(*_):
    print(f"not done after {sys.argv[2]} s; what each thread waits for:")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        print(f"- {pid}: {text(f'/proc/{pid}/cmdline')}")
        for task in os.listdir(f"/proc/{pid}/task"):
            base = f"/proc/{pid}/task/{task}"
            stack = " < ".join(line.split()[-1] for line in text(f"{base}/stack").splitlines()[:6] if line)
            print(f"    {task} {text(base + '/comm')} wchan={text(base + '/wchan')} {stack}")
    sys.stdout.flush()
    os._exit(124)


def main():
    ended, seconds, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    signal.signal(signal.SIGALRM, diagnose)
    signal.alarm(seconds)
    child = os.spawnvp(os.P_NOWAIT, command[0], command)
    with open(ended, "a", buffering=1) as out:
        while True:
            pid, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code
            if pid == child:
                sys.exit(code)
            out.write(f"{pid} {code}\n")


main()
