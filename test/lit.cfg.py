"""How lit runs the tests. See lit.site.cfg.py.in for what the build sets.

A test is a .mlir or .test file with RUN lines. In them stand

  linnet-opt, ...   the tools in build/bin, each under a time limit
  FileCheck, not, count, split-file, mlir-opt, llvm-nm, ...   LLVM's
  %t, %s, %S        as everywhere
  %oracle           test/oracle: checkpoints and tensors with known results
  %examples         examples
  %fixtures         the full fixtures, where they are (feature `fixtures`)
  %source, %build   the two roots
  %cc, %cxx         the compilers of the build
  %mlir_dir         where the build found MLIR's CMake files
  %launcher         the build's compiler launcher (ccache), or nothing
  %python, %lit     the interpreter lit runs on, and lit

Features: avx2, avx512 (this machine has them), sanitize (an ASan and UBSan
build), fixtures, minilm (with long=1, if the model could be fetched: %minilm), and
one per tool that is built. test/.lit_test_times.txt names the slowest tests:
until a build tree has times of its own, lit starts with them. Parameters: roundtrip=1 makes
linnet-opt verify that every module survives printing and bytecode; long=1 runs
test/long instead.
"""

import os
import shutil
import subprocess
import sys

import lit.formats

source, build = config.linnet_source, config.linnet_build
roundtrip = lit_config.params.get("roundtrip") == "1"
long = lit_config.params.get("long") == "1"

config.name = "linnet"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.join(source, "test", "long") if long else os.path.join(source, "test")
config.test_exec_root = os.path.join(build, "test", "lit-long" if long else "lit")
config.excludes = ["oracle", "unit", "fuzz", "long", "Inputs", "CMakeLists.txt"]
if long:
    config.excludes.remove("long")
if roundtrip:
    # The other suites do not run linnet-opt.
    config.excludes += ["Integration", "Tools", "Docs"]
    config.test_exec_root += "-roundtrip"

config.environment["PATH"] = os.pathsep.join([config.llvm_tools, os.environ.get("PATH", "")])
config.environment["HOME"] = os.path.join(config.test_exec_root, "home")
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR", "CCACHE_SLOPPINESS", "CCACHE_BASEDIR", "CCACHE_DIR"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
# Tests share the cores: waiting threads of OpenBLAS spin on them.
config.environment["OPENBLAS_NUM_THREADS"] = os.environ.get("OPENBLAS_NUM_THREADS", "1")
if config.sanitize:
    config.environment.setdefault("ASAN_OPTIONS", "detect_leaks=0:allocator_may_return_null=1")
    config.environment.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")

limit = "1200" if long else "600" if config.sanitize else "300"
limited = os.path.join(source, "test", "run-limited") + " " + limit + " "

# A tool's name in command position. Not after a dash, dot or slash: a name
# within a path or an option stays what it is.
bin_dir = os.path.join(build, "bin")
for tool in sorted(os.listdir(bin_dir)) if os.path.isdir(bin_dir) else []:
    path = os.path.join(bin_dir, tool)
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        continue
    config.available_features.add(tool)
    command = limited + path
    if tool == "linnet-opt" and roundtrip:
        command += " --verify-roundtrip"
    config.substitutions.append((r"(?<![\w./=-])" + tool + r"(?![\w./-])", command))

config.substitutions += [
    ("%oracle", os.path.join(source, "test", "oracle")),
    ("%examples", os.path.join(source, "examples")),
    ("%fixtures", os.path.join(os.path.dirname(source), "shared", "fixtures")),
    ("%source", source),
    ("%build", build),
    ("%cc", config.c_compiler),
    ("%cxx", config.cxx_compiler),
    ("%mlir_dir", config.mlir_dir),
    ("%launcher", config.compiler_launcher),
    ("%lit", os.path.join(config.llvm_tools, "lit")),
    ("%python", sys.executable),
    ("%limited", limited),
]

if os.path.isdir(os.path.join(os.path.dirname(source), "shared", "fixtures")):
    config.available_features.add("fixtures")
if config.sanitize:
    config.available_features.add("sanitize")
if long:
    minilm = os.path.join(config.test_exec_root, "minilm")
    fetch = os.path.join(source, "test", "long", "Inputs", "fetch-minilm.py")
    if subprocess.run([sys.executable, fetch, minilm]).returncode == 0:
        config.available_features.add("minilm")
        config.substitutions.append(("%minilm", minilm))
if shutil.which("git"):
    config.available_features.add("git")


def cpu_flags():
    """The CPU's flags as the kernel names them, and so only those it enables."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            for line in cpuinfo:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


flags = cpu_flags()
if {"avx2", "fma"} <= flags:
    config.available_features.add("avx2")
if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
    config.available_features.add("avx512")
