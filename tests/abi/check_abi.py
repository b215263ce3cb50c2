#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compare a set of FUSE 3 headers and a libfuse3 shared object with the
interface recorded in the data files that lie next to this script.

Needs python3, gcc and readelf.  Every difference is printed on one line; the
last line is "N passed, N failed".  The exit status is 0 only without failures.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ENV = dict(os.environ, LC_ALL="C", LANGUAGE="C")

# A conversion that needs a cast is a difference, so these warnings are errors.
STRICT = ["-Werror=incompatible-pointer-types", "-Werror=int-conversion",
          "-Werror=implicit-function-declaration", "-Werror=implicit-int",
          "-Werror=discarded-qualifiers", "-Werror=pointer-sign",
          "-Werror=return-type"]
BASE = ["-std=gnu11", "-D_FILE_OFFSET_BITS=64", "-D_GNU_SOURCE",
        "-fmax-errors=0", "-fno-diagnostics-show-caret", "-fdiagnostics-color=never",
        "-ftrack-macro-expansion=0", "-fno-stack-protector", "-O0"]

SYSTEM = "#include <stddef.h>\n#include <stdint.h>\n#include <stdbool.h>\n" \
         "#include <stdarg.h>\n#include <stdio.h>\n#include <string.h>\n"
ALL_HEADERS = ["fuse.h", "fuse_lowlevel.h", "cuse_lowlevel.h"]
# headers that a program may include to see what the given header declares
REACH = {"fuse_common.h": ["fuse.h", "fuse_lowlevel.h"],
         "fuse_opt.h": ["fuse_opt.h", "fuse.h", "fuse_lowlevel.h"],
         "fuse_log.h": ["fuse_log.h", "fuse.h", "fuse_lowlevel.h"]}
API_NAME = re.compile(r"^(_?fuse_|cuse_)")


def run(cmd, **kw):
    return subprocess.run(cmd, capture_output=True, text=True, env=ENV, **kw)


# --------------------------------------------------------------- bookkeeping
class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.order = []
        self.lines = {}
        self.notes = []

    def check(self, good, text, uv=None):
        if good:
            self.passed += 1
            return True
        self.failed += 1
        if text not in self.lines:
            self.lines[text] = []
            self.order.append(text)
        if uv is not None and uv not in self.lines[text]:
            self.lines[text].append(uv)
        return False

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def dump(self):
        for n in self.notes:
            print("note: " + n)
        for text in self.order:
            uvs = self.lines[text]
            tail = ""
            if uvs:
                tail = " [FUSE_USE_VERSION %s]" % ",".join(str(u) for u in uvs)
            print("DIFF: " + text + tail)
        print("%d passed, %d failed" % (self.passed, self.failed))


# -------------------------------------------------------- compiling of probes
class Compiler:
    def __init__(self, cc, include, tmp):
        self.cc, self.include, self.tmp = cc, include, tmp
        self.serial = 0

    def clean(self, line):
        """An error message without the directories of this run."""
        return line.replace(self.include.rstrip("/") + "/", "").replace(self.tmp.rstrip("/") + "/", "")

    def path(self, suffix):
        self.serial += 1
        return os.path.join(self.tmp, "p%d%s" % (self.serial, suffix))

    def head(self, uv, headers, system=True):
        text = "" if uv is None else "#define FUSE_USE_VERSION %d\n" % uv
        if system:
            text += SYSTEM
        return text + "".join("#include <%s>\n" % h for h in headers)

    def once(self, text, flags, out):
        src = self.path(".c")
        with open(src, "w") as f:
            f.write(text)
        return run([self.cc, "-I", self.include, *flags, "-o", out, src])

    def batch(self, uv, headers, probes, flags, out, tail=None, system=True):
        """Compile (key, code) probes together.  Probes with errors are left
        out and the rest is compiled again.  Returns (errors, fatal): the error
        text of each rejected key, and a text if nothing could be compiled."""
        errors = {}
        left = list(probes)
        while True:
            text = self.head(uv, headers, system)
            for i, (key, code) in enumerate(left):
                text += '#line 1 "probe:%d"\n%s\n' % (i, code)
            if tail:
                text += '#line 1 "tail"\n' + tail([k for k, _ in left])
            r = self.once(text, flags, out)
            if r.returncode == 0:
                return errors, None
            bad = {}
            other = None
            for line in r.stderr.splitlines():
                m = re.match(r"^probe:(\d+):\d+:(?:\d+:)? (?:fatal )?error: (.*)$", line)
                if m:
                    bad.setdefault(int(m.group(1)), m.group(2))
                elif other is None and re.search(r"\berror: ", line):
                    other = self.clean(line)
            if not bad:
                return errors, other or r.stderr.strip()[-300:]
            for i in bad:
                errors[left[i][0]] = bad[i]
            left = [p for i, p in enumerate(left) if i not in bad]


# ---------------------------------------------------------------- the library
def read_symbol_file(path):
    """-> soname, {node: [parents]}, {(name, version): (default, kind)}, optional"""
    soname, nodes, syms, optional = None, {}, {}, set()
    for line in open(path):
        line = line.strip()
        m = re.match(r"#\s*soname:\s*(\S+)", line)
        if m:
            soname = m.group(1)
        m = re.match(r"#\s*node:\s*(\S+)(?:\s*<-\s*(.*))?$", line)
        if m:
            nodes[m.group(1)] = (m.group(2) or "").split()
        if not line or line.startswith("#"):
            continue
        body, _, remark = line.partition("#")
        name_ver, kind = body.split()
        name, at, ver = re.match(r"([^@]+)(@@?)(.+)$", name_ver).groups()
        syms[(name, ver)] = (at == "@@", kind)
        if "optional" in remark:
            optional.add((name, ver))
    return soname, nodes, syms, optional


def read_library(lib):
    soname, nodes, syms = None, {}, {}
    for line in run(["readelf", "-dW", lib]).stdout.splitlines():
        m = re.search(r"\(SONAME\).*\[(.*)\]", line)
        if m:
            soname = m.group(1)
    names, current, inside = {}, None, False
    for line in run(["readelf", "-VW", lib]).stdout.splitlines():
        if line.startswith("Version definition section"):
            inside = True
        elif line.startswith("Version "):
            inside = False
        if not inside:
            continue
        m = re.search(r"Rev: \d+\s+Flags: (.*?)\s+Index: (\d+)\s+Cnt: \d+\s+Name: (\S+)", line)
        if m:
            current = None if "BASE" in m.group(1) else m.group(3)
            if current:
                nodes[current] = []
        m = re.search(r"Parent \d+: (\S+)", line)
        if m and current:
            nodes[current].append(m.group(1))
    for line in run(["readelf", "--dyn-syms", "-W", lib]).stdout.splitlines():
        f = line.split()
        if len(f) < 8 or not f[0].rstrip(":").isdigit():
            continue
        kind, bind, ndx, full = f[3], f[4], f[6], f[7]
        if ndx == "UND" or bind == "LOCAL":
            continue
        name, _, ver = full.partition("@")
        default = ver.startswith("@")
        ver = ver.lstrip("@")
        if ndx == "ABS" and (name == ver or name in nodes):
            continue                        # marker of a version node
        syms[(name, ver or "(none)")] = (default or not ver, kind)
    return soname, nodes, syms


def check_library(rep, lib, data):
    want_soname, want_nodes, want, optional = read_symbol_file(os.path.join(data, "symbols.txt"))
    soname, nodes, have = read_library(lib)
    rep.check(soname == want_soname, "library: soname is %s, recorded %s" % (soname, want_soname))
    for n, parents in want_nodes.items():
        if rep.check(n in nodes, "library: version node %s is missing" % n):
            rep.check(nodes[n] == parents, "library: version node %s depends on [%s], recorded [%s]"
                      % (n, " ".join(nodes[n]), " ".join(parents)))
    newer_path = os.path.join(data, "symbols-3.19.txt")
    newer_nodes, newer = {}, {}
    if os.path.exists(newer_path):
        _, newer_nodes, newer, _ = read_symbol_file(newer_path)
    for n in nodes:
        if n in want_nodes:
            continue
        if n in newer_nodes:
            rep.note("library has version node %s (not in 3.18)" % n)
        else:
            rep.check(False, "library: version node %s is not recorded" % n)
    for (name, ver), (default, kind) in sorted(want.items()):
        if (name, ver) in optional:
            continue
        tag = "%s%s%s" % (name, "@@" if default else "@", ver)
        if not rep.check((name, ver) in have, "library: symbol %s is missing" % tag):
            continue
        d, k = have[(name, ver)]
        rep.check(d == default, "library: symbol %s@%s is %s, recorded %s"
                  % (name, ver, "default" if d else "not default", "default" if default else "not default"))
        rep.check(k == kind, "library: symbol %s is %s, recorded %s" % (tag, k, kind))
    extra = 0
    for (name, ver), (default, kind) in sorted(have.items()):
        if (name, ver) in want:
            continue
        if (name, ver) in newer:
            extra += 1
            continue
        rep.check(False, "library: symbol %s@%s is exported but not recorded" % (name, ver))
    if extra:
        rep.note("library exports %d of the %d symbols recorded for 3.19" % (extra, len(newer)))
    return {n for n, _ in have}


# --------------------------------------------------------------------- layout
def resolved(entry, uv):
    """The record of one type at one FUSE_USE_VERSION."""
    d = entry.get("differs", {}).get(str(uv))
    if d is None:
        return entry
    out = {k: v for k, v in entry.items() if k != "differs"}
    for k, v in d.items():
        if k == "members" and isinstance(v, dict):
            out["members"] = [dict(m, **v.get(m["name"], {})) for m in entry["members"]]
        else:
            out[k] = v
    return out


def check_layout(rep, comp, layout, uv):
    probes, expect, opaque = [], {}, []

    def add(key, code, want):
        expect[key] = want
        probes.append((key, code))

    def fn(i, body):
        return "static void f%d(void) { %s }" % (i, body)

    n = 0
    for tag, entry in list(layout["structs"].items()) + list(layout["enums"].items()):
        e = resolved(entry, uv)
        if not e.get("complete", True):
            opaque.append((tag, "unsigned long v%d = sizeof(%s);" % (n, tag)))
            n += 1
            continue
        add(tag, fn(n, 'printf("%d %%zu %%zu\\n", sizeof(%s), _Alignof(%s));' % (n, tag, tag)),
            ("size", n, e["size"], e["align"]))
        n += 1
        if tag.startswith("enum "):
            add(tag + " signedness", fn(n, 'printf("%d %%d\\n", ((%s)-1) < 0);' % (n, tag)),
                ("sign", n, int(e["signed"])))
            n += 1
        for m in e.get("members", []):
            key = tag + "." + m["name"]
            if "bit_width" in m:
                body = ('union { %s s; unsigned char b[sizeof(%s)]; } u; unsigned i, first = 0, n = 0; '
                        'memset(&u, 0, sizeof u); u.s.%s--; '
                        'for (i = 0; i < 8 * sizeof u; i++) if (u.b[i / 8] >> (i %% 8) & 1) { if (!n++) first = i; } '
                        'printf("%d %%u %%u %%d\\n", first, n, u.s.%s < 0);' % (tag, tag, m["name"], n, m["name"]))
                add(key, fn(n, body), ("bits", n, m["bit_offset"], m["bit_width"], int(m["signed"])))
                n += 1
                continue
            add(key, fn(n, 'printf("%d %%zu %%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));'
                        % (n, tag, m["name"], tag, m["name"])), ("place", n, m["offset"], m["size"]))
            n += 1
            add(key + " type", fn(n, "%s *s = 0; __typeof__(%s) *p = &s->%s; (void)p;"
                                  % (tag, m["type"], m["name"])), ("type", n, m["type"]))
            n += 1
    for name, t in layout["typedefs"].items():
        add(name, fn(n, "%s *a = 0; __typeof__(%s) *p = a; (void)p;" % (name, t["type"])),
            ("type", n, t["type"]))
        n += 1

    def tail(keys):
        ids = [expect[k][1] for k in keys]
        return "int main(void) { %s return 0; }\n" % " ".join("f%d();" % i for i in ids)

    exe = comp.path(".exe")
    errors, fatal = comp.batch(uv, ALL_HEADERS, probes, BASE + STRICT, exe, tail)
    if fatal:
        rep.check(False, "headers do not compile: " + fatal, uv)
        return
    unsized, _ = comp.batch(uv, ALL_HEADERS, opaque, BASE + ["-c"], comp.path(".o"))
    for tag, _code in opaque:
        rep.check(tag in unsized, "%s: has a visible definition, recorded as opaque" % tag, uv)
    for key, msg in errors.items():
        w = expect[key]
        if w[0] == "type":
            rep.check(False, "%s: recorded type is %s: %s" % (key, w[2], msg), uv)
        else:
            rep.check(False, "%s: %s" % (key, msg), uv)
    got = {}
    for line in run([exe]).stdout.splitlines():
        f = [int(x) for x in line.split()]
        got[f[0]] = f[1:]
    for key, w in expect.items():
        if key in errors:
            continue
        if w[0] == "type":
            rep.check(True, "")
            continue
        have = got.get(w[1])
        want = list(w[2:])
        label = {"size": "size, alignment", "place": "offset, size", "sign": "signed",
                 "bits": "bit offset, bit width, signed"}[w[0]]
        rep.check(have == want, "%s: %s = %s, recorded %s" % (key, label, have, want), uv)


# ------------------------------------------------------------------ constants
def check_constants(rep, comp, consts, uv, any_hotfix):
    probes, expect = [], {}
    n = 0

    def add(key, code, want, label="value, size, signed"):
        nonlocal n
        expect[key] = (n, want, label)
        probes.append((key, code))
        n += 1

    def numeric(name):
        return ('static void f%d(void) { printf("%d %%lld %%zu %%d\\n", (long long)(%s), sizeof(%s), '
                '((__typeof__(%s))-1) < 0); }' % (n, n, name, name, name))

    def is_macro(name):
        return "#ifndef %s\n#error %s is not a macro\n#endif\n" % (name, name)

    for name, c in consts["macros"].items():
        if any_hotfix and name == "FUSE_HOTFIX_VERSION":
            continue
        if "value" in c:
            add(name, is_macro(name) + numeric(name), [c["value"], c["size"], int(c["signed"])])
            add(name + " in #if", "#if (%s) != %d\n#error differs from %d in the preprocessor\n#endif\n"
                'static void f%d(void) { printf("%d 0\\n"); }' % (name, c["value"], c["value"], n, n), [0])
        else:
            add(name, is_macro(name) +
                "#define STR%d_(...) #__VA_ARGS__\n#define STR%d(...) STR%d_(__VA_ARGS__)\n"
                'static void f%d(void) { printf("%d %%d\\n", strcmp(STR%d(%s), "%s")); }'
                % (n, n, n, n, n, n, name, c["text"]), [0], "difference to text '%s'" % c["text"])
    for name, c in consts["enum_constants"].items():
        add(name, numeric(name), [c["value"], c["size"], int(c["signed"])])
    for i, case in enumerate(consts["initializer_cases"]):
        for field, value in case["fields"].items():
            key = "%s(%s).%s" % (case["macro"], case.get("args", ""), field)
            call = case["macro"] + ("(%s)" % case["args"] if "args" in case else "")
            add(key, 'static void f%d(void) { %s x = %s; printf("%d %%lld\\n", (long long)(x.%s)); }'
                % (n, case["type"], call, n, field), [value], "value")
    for case in consts["expression_cases"]:
        add(case["expression"], 'static void f%d(void) { printf("%d %%lld\\n", (long long)(%s)); }'
            % (n, n, case["expression"]), [case["value"]], "value")
    for i, case in enumerate(consts["declaration_cases"]):
        add(case["declaration"], "%s\n%s\nstatic void f%d(void) { printf(\"%d %%d\\n\", (int)sizeof(&%s)); }"
            % (case["before"], case["declaration"], n, n, case["defines"]), [8], "pointer size")

    def tail(keys):
        return "int main(void) { %s return 0; }\n" % " ".join("f%d();" % expect[k][0] for k in keys)

    exe = comp.path(".exe")
    errors, fatal = comp.batch(uv, ALL_HEADERS, probes, BASE, exe, tail)
    if fatal:
        rep.check(False, "headers do not compile: " + fatal, uv)
        return
    got = {}
    for line in run([exe]).stdout.splitlines():
        f = [int(x) for x in line.split()]
        got[f[0]] = f[1:]
    for key, (i, want, label) in expect.items():
        if key in errors:
            rep.check(False, "constant %s: %s" % (key, errors[key]), uv)
        else:
            rep.check(got.get(i) == want, "constant %s: %s = %s, recorded %s"
                      % (key, label, got.get(i), want), uv)


# ------------------------------------------------------------------ functions
def form_at(func, uv):
    for f in func["forms"]:
        if f["use_min"] <= uv and (f["use_max"] is None or uv <= f["use_max"]):
            return f
    return None


def prototype(form):
    params = ", ".join(p["type"] for p in form["params"])
    if form.get("variadic"):
        params += ", ..."
    return "%s (%s)" % (form["return"], params or "void")


def call_probe(i, name, form):
    args = ", ".join("%s a%d" % (p["type"], k) for k, p in enumerate(form["params"])) or "void"
    use = ", ".join("a%d" % k for k in range(len(form["params"])))
    ret = "" if form["return"] == "void" else "return "
    return "%s call_%d(%s) { %s%s(%s); }" % (form["return"], i, args, ret, name, use)


def closure(obj, count):
    """{probe number: set of API symbols its code needs}, from the relocations."""
    refs, current = {}, None
    for line in run(["readelf", "-rW", obj]).stdout.splitlines():
        m = re.match(r"Relocation section '\.rela?\.text\.(\S+)'", line)
        if m:
            current = m.group(1)
            refs.setdefault(current, set())
            continue
        if line.startswith("Relocation section"):
            current = None
            continue
        f = line.split()
        if current and len(f) >= 5 and re.match(r"^[0-9a-f]+$", f[0]):
            name = f[4]
            if name.startswith(".text."):
                name = name[len(".text."):]
            refs[current].add(name)
    out = {}
    for i in range(count):
        seen, todo = set(), ["call_%d" % i]
        need = set()
        while todo:
            s = todo.pop()
            for t in refs.get(s, ()):
                if t in seen:
                    continue
                seen.add(t)
                if t in refs:
                    todo.append(t)
                elif API_NAME.match(t):
                    need.add(t)
        # a static function without relocations of its own is not an API symbol
        out[i] = need
    return out


def defined_static(obj):
    out = set()
    for line in run(["readelf", "-sW", obj]).stdout.splitlines():
        f = line.split()
        if len(f) >= 8 and f[4] == "LOCAL" and f[6] != "UND":
            out.add(f[7])
    return out


def linked_versions(comp, obj, lib):
    """{symbol: version it binds to} when the object is linked with the library."""
    so = comp.path(".so")
    r = run([comp.cc, "-shared", "-nostdlib", "-o", so, obj, lib, "-Wl,--allow-shlib-undefined",
             "-Wl,--no-as-needed"])
    if r.returncode:
        return None, r.stderr.strip()[-300:]
    out = {}
    for line in run(["readelf", "--dyn-syms", "-W", so]).stdout.splitlines():
        f = line.split()
        if len(f) >= 8 and f[6] == "UND" and API_NAME.match(f[7]):
            name, _, ver = f[7].partition("@")
            out[name] = ver.lstrip("@") or None
    return out, None


def by_header(funcs):
    groups = {}
    for fn in funcs["functions"]:
        for h in REACH.get(fn["header"], [fn["header"]]):
            groups.setdefault(h, []).append(fn)
    return groups.items()


def check_cxx(rep, comp, funcs, uv):
    """The same calls from C++: the headers compile, names are not mangled."""
    flags = [f for f in BASE if f != "-std=gnu11"] + ["-x", "c++", "-std=gnu++11", "-c", "-fPIC",
                                                      "-ffunction-sections"]
    for header, members in by_header(funcs):
        calls = []
        for i, fn in enumerate(members):
            form = form_at(fn, uv)
            if form and not fn.get("helper"):
                calls.append((fn["name"], 'extern "C" ' + call_probe(i, fn["name"], form)))
        obj = comp.path(".o")
        errors, fatal = comp.batch(uv, [header], calls, flags, obj)
        if fatal:
            rep.check(False, "C++: header %s does not compile: %s" % (header, fatal), uv)
            continue
        need = closure(obj, len(members))
        for i, fn in enumerate(members):
            form = form_at(fn, uv)
            if form is None or fn.get("helper"):
                continue
            if rep.check(fn["name"] not in errors, "C++: function %s: a call with the recorded types fails: %s"
                         % (fn["name"], errors.get(fn["name"])), uv):
                want = {s.split("@")[0] for s in form["resolves_to"]}
                rep.check(want <= need[i], "C++: function %s: needs %s, recorded %s"
                          % (fn["name"], " ".join(sorted(need[i])) or "other names", " ".join(sorted(want))), uv)


def check_functions(rep, comp, funcs, uv, lib):
    for header, members in by_header(funcs):
        calls, types, absent, forms = [], [], [], {}
        for i, fn in enumerate(members):
            form = form_at(fn, uv)
            if form is None:
                absent.append((fn["name"], "#ifndef %s\nvoid *abs_%d = (void *)%s;\n#endif"
                               % (fn["name"], i, fn["name"])))
                continue
            forms[fn["name"]] = (i, fn, form)
            calls.append((fn["name"], call_probe(i, fn["name"], form)))
            if form["kind"] != "macro":
                types.append((fn["name"], "void type_%d(void) { __typeof__(%s) *p = %s; (void)p; }"
                              % (i, prototype(form), fn["name"])))
        flags = BASE + STRICT + ["-c", "-fPIC", "-ffunction-sections"]
        system = header not in ("fuse_opt.h", "fuse_log.h")
        hidden, fatal = comp.batch(uv, [header], absent, flags, comp.path(".o"))
        for name, _code in absent:
            rep.check(fatal or name in hidden, "function %s: visible, recorded as not visible" % name, uv)
        terr, fatal = comp.batch(uv, [header], types, flags, comp.path(".o"), system=system)
        if fatal:
            rep.check(False, "header %s does not compile: %s" % (header, fatal), uv)
            continue
        for name, (i, fn, form) in forms.items():
            if form["kind"] == "macro":
                continue
            if name in terr and fn.get("helper"):
                continue
            rep.check(name not in terr, "function %s: recorded as %s: %s"
                      % (name, prototype(form), terr.get(name)), uv)
        obj = comp.path(".o")
        cerr, fatal = comp.batch(uv, [header], calls, flags, obj, system=system)
        if fatal:
            rep.check(False, "header %s does not compile: %s" % (header, fatal), uv)
            continue
        static = defined_static(obj)
        need = closure(obj, len(members))
        versions, linkerr = linked_versions(comp, obj, lib) if lib else ({}, None)
        if linkerr:
            rep.check(False, "cannot link with the library: " + linkerr, uv)
        for name, (i, fn, form) in forms.items():
            if name in cerr:
                if not fn.get("helper"):
                    rep.check(False, "function %s: a call with the recorded types fails: %s"
                              % (name, cerr[name]), uv)
                continue
            rep.check(True, "")
            if not lib or versions is None:
                continue
            have = sorted("%s@%s" % (s, versions.get(s)) if versions.get(s) else s + " (unresolved)"
                          for s in need[i] if s not in static)
            must = [s for s in have if s not in form.get("may_need", [])]
            rep.check(must == sorted(form["resolves_to"]), "function %s: needs %s, recorded %s"
                      % (name, " ".join(have) or "nothing", " ".join(form["resolves_to"])), uv)


INLINE_PROBE = r"""
static struct fuse_operations op;
static struct fuse_lowlevel_ops llop;
static struct fuse_custom_io io;
static void show(const char *call, size_t size, const struct libfuse_version *v) {
    printf("%s %zu", call, size);
    if (v) printf(" %u %u %u %u", v->major, v->minor, v->hotfix, v->padding);
    printf("\n");
}
int fuse_main_real_versioned(int argc, char *argv[], const struct fuse_operations *o, size_t size,
                             struct libfuse_version *v, void *data) {
    if (argc == 1 && argv && o == &op && data == &op) show("fuse_main", size, v);
    return 0;
}
struct fuse *_fuse_new_30(struct fuse_args *args, const struct fuse_operations *o, size_t size,
                          struct libfuse_version *v, void *data) {
    if (!args && o == &op && data == &op) show("fuse_new", size, v);
    return 0;
}
struct fuse *_fuse_new_31(struct fuse_args *args, const struct fuse_operations *o, size_t size,
                          struct libfuse_version *v, void *data) {
    if (!args && o == &op && data == &op) show("fuse_new", size, v);
    return 0;
}
struct fuse_session *fuse_session_new_versioned(struct fuse_args *args, const struct fuse_lowlevel_ops *o,
                                                size_t size, struct libfuse_version *v, void *data) {
    if (!args && o == &llop && data == &op) show("fuse_session_new", size, v);
    return 0;
}
int fuse_session_custom_io_317(struct fuse_session *se, const struct fuse_custom_io *i, size_t size, int fd) {
    if (!se && i == &io && fd == 9) show("fuse_session_custom_io", size, 0);
    return 0;
}
int main(void) {
    static char *argv[] = { "x", 0 };
    fuse_main(1, argv, &op, &op);
    fuse_new(0, &op, 16, &op);
    fuse_session_new(0, &llop, 24, &op);
#if FUSE_USE_VERSION >= 317
    fuse_session_custom_io(0, &io, 8, 9);
#else
    fuse_session_custom_io(0, &io, 9);
#endif
    return 0;
}
"""


def check_inlines(rep, comp, funcs, uv, any_hotfix):
    """What the inline functions hand to the library: sizes and version."""
    exe = comp.path(".exe")
    r = comp.once(comp.head(uv, ["fuse.h", "fuse_lowlevel.h"]) + INLINE_PROBE, BASE, exe)
    if r.returncode:
        first = next((l for l in r.stderr.splitlines() if "error: " in l), r.stderr.strip()[-200:])
        rep.check(False, "inline functions: probe does not compile: " + comp.clean(first), uv)
        return
    got = {}
    for line in run([exe]).stdout.splitlines():
        f = line.split()
        got[f[0]] = [int(x) for x in f[1:]]
    for case in funcs["inline_arguments"]:
        if uv < case["use_min"] or (case["use_max"] is not None and uv > case["use_max"]):
            continue
        have, want = got.get(case["call"]), list(case["passes"])
        if any_hotfix and len(want) == 5 and have and len(have) == 5:
            want[3] = have[3]
        rep.check(have == want, "inline %s: passes %s, recorded %s (op_size, major, minor, hotfix, padding)"
                  % (case["call"], have, want), uv)


# -------------------------------------------------------------------- headers
def check_headers(rep, comp, funcs):
    for h in funcs["headers"]:
        name = h["name"]
        for case in h["cases"]:
            text = "".join("#define %s\n" % d for d in case.get("defines", [])) + "#include <%s>\n" % name
            text += case.get("body", "")
            r = comp.once(text, BASE + ["-c"] + case.get("flags", []), comp.path(".o"))
            what = "header %s with %s" % (name, ", ".join(case.get("defines", [])) or "no defines")
            if case.get("body"):
                what += " and `%s'" % case["body"].strip()
            first = next((l for l in r.stderr.splitlines() if "error: " in l), "")
            rep.check((r.returncode == 0) == case["compiles"], "%s: %s, recorded otherwise %s"
                      % (what, "compiles" if r.returncode == 0 else "does not compile",
                         comp.clean(first)))


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    ap.add_argument("--include", required=True, metavar="DIR", help="directory that holds fuse.h")
    ap.add_argument("--lib", metavar="FILE", help="shared library (without it only headers are checked)")
    ap.add_argument("--json", metavar="DIR", default=HERE, help="directory of the data files")
    ap.add_argument("--cc", metavar="CMD", default="gcc", help="the gcc to use")
    ap.add_argument("--cxx", metavar="CMD", help="also compile the headers as C++11 with this command")
    ap.add_argument("--any-hotfix", action="store_true", help="accept any FUSE_HOTFIX_VERSION")
    opt = ap.parse_args()

    layout = json.load(open(os.path.join(opt.json, "layout.json")))
    consts = json.load(open(os.path.join(opt.json, "constants.json")))
    funcs = json.load(open(os.path.join(opt.json, "functions.json")))
    rep = Report()
    with tempfile.TemporaryDirectory() as tmp:
        comp = Compiler(opt.cc, os.path.abspath(opt.include), tmp)
        arch = run([opt.cc, "-dumpmachine"]).stdout.split("-")[0]
        if arch != layout["meta"]["arch"]:
            rep.note("compiler is for %s, the layout was recorded on %s" % (arch, layout["meta"]["arch"]))
        lib = os.path.abspath(opt.lib) if opt.lib else None
        if lib:
            if not os.path.exists(lib):
                print("no such file: %s" % opt.lib)
                print("0 passed, 1 failed")
                return 1
            check_library(rep, lib, opt.json)
        check_headers(rep, comp, funcs)
        for uv in layout["meta"]["use_versions"]:
            check_layout(rep, comp, layout, uv)
            check_constants(rep, comp, consts, uv, opt.any_hotfix)
            check_functions(rep, comp, funcs, uv, lib)
            check_inlines(rep, comp, funcs, uv, opt.any_hotfix)
            if opt.cxx:
                cxx = Compiler(opt.cxx, comp.include, tmp + "/cxx")
                os.makedirs(cxx.tmp, exist_ok=True)
                check_cxx(rep, cxx, funcs, uv)
    rep.dump()
    return 1 if rep.failed else 0


if __name__ == "__main__":
    sys.exit(main())
