#!/bin/bash
# Build the fuzz targets on stable Rust: cargo-fuzz itself wants nightly, for the address sanitizer, of which a program
# without unsafe code has no need. Coverage comes from LLVM's own pass, as cargo-fuzz asks for it. Source it, or run it
# to build only; $fuzz_bin is the folder of the programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
host=$(rustc -vV | sed -n 's/^host: //p')
fuzz_bin=${CARGO_TARGET_DIR:-$PWD/target}/$host/release
# With --target the flags do not reach build scripts, which have no fuzzer to link with.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --locked --release --target "$host"
