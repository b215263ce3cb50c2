// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles the C part of the crate (`fuse_log` is variadic) and holds the Rust definitions of exported functions to
//! the public headers: cbindgen writes their prototypes, the C compiler reads them together with `include/`, and a
//! prototype that has drifted ends the build.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const CAPI: &str = "src/capi";

fn main() {
    // Set by the build of libfuse3.so.3: structures of the older interface (docs/soname3.md).
    println!("cargo::rerun-if-env-changed=RINGFUSE_SONAME");
    println!("cargo::rustc-check-cfg=cfg(soname3)");
    if std::env::var("RINGFUSE_SONAME").as_deref() == Ok("3") {
        println!("cargo::rustc-cfg=soname3");
    }
    for input in [CAPI, "include", "cbindgen.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    cc::Build::new()
        .file("src/capi/log_shim.c")
        .include("include")
        .extra_warnings(true)
        .pic(true)
        .compile("ringfuse_log_shim");
    if let Err(complaint) = check_prototypes() {
        for line in complaint.lines() {
            println!("cargo::error={line}");
        }
    }
}

/// Compiles the generated prototypes together with the public headers.
fn check_prototypes() -> Result<(), String> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let prototypes = generate(&out.join("prototypes.h"))?;
    let unit = out.join("prototypes.c");
    std::fs::write(&unit, check_unit(&prototypes))
        .map_err(|e| format!("cannot write {}: {e}", unit.display()))?;

    let compiler = cc::Build::new().get_compiler();
    let result = Command::new(compiler.path())
        .args([
            "-std=gnu11",
            "-D_FILE_OFFSET_BITS=64",
            "-Werror",
            "-fsyntax-only",
            "-fdiagnostics-color=never",
        ])
        .args(["-Iinclude", "-I", CAPI, "-I"])
        .arg(&out)
        .arg(&unit)
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("cannot run {}: {e}", compiler.path().display()))?;
    if result.status.success() {
        return Ok(());
    }
    Err(explain(&String::from_utf8_lossy(&result.stderr)))
}

/// Writes the prototypes of all exported functions; returns them.
fn generate(header: &Path) -> Result<String, String> {
    let config = cbindgen::Config::from_file("cbindgen.toml").map_err(|e| format!("cbindgen.toml: {e}"))?;
    // cbindgen follows the `mod` lines from here.
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(Path::new(CAPI).join("mod.rs"))
        .generate()
        .map_err(|e| format!("cbindgen cannot read {CAPI}: {e}"))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8_lossy(&text);
    // "extern" marks what Rust imports from the C part; only what it exports is a promise.
    let exports: Vec<&str> = text.lines().filter(|line| !line.starts_with("extern ")).collect();
    let prototypes = exports.join("\n") + "\n";
    std::fs::write(header, &prototypes).map_err(|e| format!("cannot write {}: {e}", header.display()))?;
    Ok(prototypes)
}

/// The C file to compile: the contract, a line per exported name that fails if the contract does not know it, and the
/// prototypes as Rust defines them.
fn check_unit(prototypes: &str) -> String {
    let mut unit = String::from(concat!(
        "#define FUSE_USE_VERSION 318\n",
        // A static inline function in the header and an exported one in the library: two things of one name.
        "#define fuse_main_real ringfuse_inline_main_real\n",
        "#include \"fuse.h\"\n#include \"fuse_lowlevel.h\"\n#include \"cuse_lowlevel.h\"\n",
        "#undef fuse_main_real\n",
        "#define RINGFUSE_CHECK_PROTOTYPES\n#include \"unlisted.h\"\n",
    ));
    for name in prototypes.lines().filter_map(function_name) {
        let _ = writeln!(unit, "extern __typeof__({name}) {name};");
    }
    unit.push_str("#include \"prototypes.h\"\n");
    unit
}

/// The name in a line such as `int *name(int a);`.
fn function_name(line: &str) -> Option<&str> {
    let (head, _) = line.split_once('(')?;
    let name = head.rsplit([' ', '*']).next()?;
    (head.len() > name.len() && !name.is_empty()).then_some(name)
}

/// What the compiler's messages mean here, and where to look, followed by the messages themselves.
fn explain(stderr: &str) -> String {
    let mut lines = vec!["the exported functions in src/capi do not match the public headers:".to_owned()];
    for message in stderr.lines() {
        let name = message.split('\'').nth(1).unwrap_or("?");
        let line = if message.contains("error: conflicting types for") {
            format!("  {name}: the Rust definition and the C declaration differ (types follow below)")
        } else if message.contains("undeclared") {
            format!("  {name}: exported, but declared neither in include/ nor in src/capi/unlisted.h")
        } else if message.contains("unknown type name") {
            format!("  type {name}: no C name; add it to [export.rename] in cbindgen.toml")
        } else {
            continue;
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n" + stderr
}
