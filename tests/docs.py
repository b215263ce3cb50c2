#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/options.md against the source: every option and variable that the code knows is in it, and no others; the links
of all documents lead somewhere. Prints what differs, then `N passed, N failed`."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Tables of options, each with what a row looks like.
RUST = r'(?:Spec::new|set|number|goes|stays)\(\s*"([^"]+)"'
C_ROW = r'(?:option!?|stays)\(c"([^"]+)"'
TABLES = {
    "src/session/cmdline.rs": RUST, "src/session/options.rs": RUST, "src/session/conn_opts.rs": RUST,
    "src/mount/options.rs": RUST, "src/capi/fuse/config.rs": C_ROW, "src/capi/fuse/layers/subdir.rs": C_ROW,
    "src/capi/fuse/layers/iconv.rs": C_ROW,
}
VARIABLE = re.compile(r'"((?:FUSE|RINGFUSE|_FUSE)_[A-Z0-9_]+)"')


def bare(option):
    """An option without its value: `umask=%o` and `umask=M` are `umask`."""
    return re.sub(r"[=%].*", "", option)


def in_source():
    options, variables = set(), set()
    for name, row in TABLES.items():
        text = (ROOT / name).read_text().split("#[cfg(test)]")[0]
        found = {bare(option) for option in re.findall(row, text) if not VARIABLE.match(f'"{option}"')}
        if not found:
            sys.exit(f"{name}: no option found: has the table moved?")
        options |= found
    for path in (ROOT / "src").rglob("*.rs"):
        if "bin" not in path.parts and "capi" not in path.parts:
            variables |= set(VARIABLE.findall(path.read_text().split("#[cfg(test)]")[0]))
    return options, variables


def in_document():
    text = (ROOT / "docs/options.md").read_text()
    options = set()
    for row in re.findall(r"^\| (`[^|]*)\|", text, re.M):
        if "each with `no_` in front" in row:
            options |= {f"no_{bare(option)}" for option in re.findall(r"`-o ([^`]+)`", row)}
        for code in re.findall(r"`([^`]+)`", row):
            if code.endswith("-..."):  # a family of names
                continue
            if code.startswith("-o "):
                options.add(bare(code[3:]))
            elif code.startswith("-"):
                options.add(code)
    variables = set(re.findall(r"`((?:FUSE|RINGFUSE|_FUSE)_[A-Z0-9_]+)`", text))
    return options, variables


def compare(what, source, document):
    problems = [f"{what} {name} is in the source only" for name in sorted(source - document)]
    problems += [f"{what} {name} is in docs/options.md only" for name in sorted(document - source)]
    return len(source & document), problems


def links():
    good, problems = 0, []
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text()):
            if "://" in target:
                continue
            if (path.parent / target).exists():
                good += 1
            else:
                problems.append(f"{path.name}: {target} does not exist")
    return good, problems


def main():
    options, variables = in_source()
    documented, documented_variables = in_document()
    results = [compare("option", options, documented), compare("variable", variables, documented_variables), links()]
    problems = [problem for _, found in results for problem in found]
    print("\n".join(problems))
    print(f"{sum(good for good, _ in results)} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
