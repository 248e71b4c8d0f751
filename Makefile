# The door. Every target but `help` and `clean` first installs what is missing
# (tools/setup), which is instant when nothing is.
#
#   MLIR_DIR, LLVM_DIR  an MLIR 22 of your own (its lib/cmake/mlir and .../llvm)
#   BUILD               where to build (build)
#   JOBS                how many compile jobs (ninja's choice)

BUILD ?= build
JOBS ?=
export MLIR_DIR LLVM_DIR

# The precompiled header would otherwise keep ccache from ever hitting.
export CCACHE_SLOPPINESS = pch_defines,time_macros,include_file_mtime,include_file_ctime
export CCACHE_BASEDIR = $(CURDIR)

CMAKE = cmake -G Ninja -S . -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
  $(if $(shell command -v ccache),-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache) \
  $(if $(MLIR_DIR),-DMLIR_DIR=$(MLIR_DIR)) $(if $(LLVM_DIR),-DLLVM_DIR=$(LLVM_DIR))
NINJA = ninja $(if $(JOBS),-j$(JOBS))

.PHONY: help setup configure configure-sanitize build demo check check-long bench lint format clean

help:
	@echo 'make demo        build, compile the example model, generate, measure'
	@echo 'make check       build and run all tests; the last line counts them'
	@echo 'make check-long  the same with sanitizers, fuzzers and large shapes'
	@echo 'make bench       the benchmarks'
	@echo 'make build       build only; the tools land in $(BUILD)/bin'
	@echo 'make lint        the checks that need no build'
	@echo 'make format      format the sources'
	@echo 'make clean       remove the build directories'

setup:
	@tools/setup

# Ninja configures again by itself when a CMakeLists.txt changes.
configure: setup
	@test -f $(BUILD)/build.ninja || $(CMAKE) -B $(BUILD)

configure-sanitize: setup
	@test -f build-sanitize/build.ninja || \
	  $(CMAKE) -B build-sanitize -DLINNET_SANITIZE=ON -DLINNET_FUZZ=ON

build: configure
	@$(NINJA) -C $(BUILD)

demo: build
	@tools/demo $(BUILD)

check: configure
	@tools/check --build=$(BUILD) $(if $(JOBS),--jobs=$(JOBS))

check-long: configure configure-sanitize
	@tools/check --build=$(BUILD) --long --sanitize-build=build-sanitize $(if $(JOBS),--jobs=$(JOBS))

bench: build
	@benchmarks/compile-time $(BUILD)
	@benchmarks/scan $(BUILD)
	@benchmarks/recurrent $(BUILD)
	@benchmarks/convolution $(BUILD)
	@benchmarks/run $(BUILD)
	@benchmarks/compress $(BUILD)

lint: setup
	@tools/lint

format: setup
	@git ls-files '*.cpp' '*.h' '*.c' | xargs clang-format-22 -i

clean:
	rm -rf $(BUILD) build-sanitize
