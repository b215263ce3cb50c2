# SPDX-License-Identifier: MIT OR Apache-2.0
"""The list of mount tests: `@test(promise)` puts a function on it."""
from dataclasses import dataclass
from typing import Callable

TESTS = []


@dataclass
class Test:
    name: str
    promise: str  # P1..P13 of the design, or the area
    function: Callable
    transports: tuple
    timeout: float
    ours_only: bool  # libfuse crashes or does not have it
    needs_fault: bool
    peer_fails: tuple  # transports on which libfuse 3.18.3 fails; "ring?": at times


def test(promise, transports=("dev", "ring"), timeout=30, ours_only=False, needs_fault=False,
         peer_fails=()):
    def add(function):
        TESTS.append(Test(function.__name__, promise, function, transports, timeout,
                          ours_only, needs_fault, peer_fails))
        return function
    return add
