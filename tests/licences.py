#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""deny.toml's rules on licences, wildcards and sources, where cargo-deny is not installed.

Usage: licences.py [MANIFEST]

One thing more than cargo-deny knows: a crate that is only let in by an exception must not get into the library, so it
may be reached through build and dev dependencies only.
"""
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def metadata(manifest, target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", target,
               "--manifest-path", str(manifest)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def permitted(expression, allowed):
    """Evaluates an SPDX expression: OR binds weaker than AND, and that weaker than WITH."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def atom():
        token = tokens.pop(0)
        if token == "(":
            value = either()
            tokens.pop(0)
            return value
        if tokens[:1] == ["WITH"]:
            tokens.pop(0)
            token += " WITH " + tokens.pop(0)
        return token in allowed

    def both():
        value = atom()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            value &= atom()
        return value

    def either():
        value = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            value |= both()
        return value

    return either() and not tokens


def reached(graph, kinds):
    """Ids of the packages that the root needs by dependencies of these kinds."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    found, todo = set(), [graph["root"]]
    while todo:
        package = todo.pop()
        if package in found:
            continue
        found.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] in kinds for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return found


def complaints(package, rules, linked):
    name = f"{package['name']} {package['version']}"
    licences = rules["licenses"]
    excused = [e["allow"] for e in licences["exceptions"] if e["crate"] == package["name"]]
    allowed = set(licences["allow"])
    expression = package["license"] or "(none named)"
    if not permitted(expression, allowed):
        if not permitted(expression, allowed.union(*excused)):
            yield f"{name}: licence {expression} is not in deny.toml"
        elif package["id"] in linked:
            yield f"{name}: licence {expression} is allowed for building only, but it is linked"
    source = package["source"]
    known = {f"registry+{url}" for url in rules["sources"]["allow-registry"]}
    if source is not None and source not in known:
        yield f"{name}: from {source}, which is not in deny.toml"
    for dependency in package["dependencies"]:
        if dependency["req"] == "*" and not dependency.get("path") and source is None:
            yield f"{name}: {dependency['name']} has a wildcard for a version"


def main():
    manifest = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Cargo.toml"
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    bad, seen = set(), set()
    for target in rules["graph"]["targets"]:
        data = metadata(manifest, target)
        built = reached(data["resolve"], (None, "build", "dev"))
        linked = reached(data["resolve"], (None,))
        for package in data["packages"]:
            if package["id"] in built:
                seen.add(package["id"])
                bad.update(complaints(package, rules, linked))
    for line in sorted(bad):
        print(f"FAIL: {line}")
    print(f"licences: {len(seen)} packages looked at, {len(bad)} complaints")
    return 1 if bad or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
