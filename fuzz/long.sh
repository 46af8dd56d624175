#!/bin/bash
# Fuzz one target for long: fuzz/long.sh TARGET [SECONDS], an hour without it. TARGET is records, decode, encode_cef,
# encode_leef, encode_syslog, encode_json, filter or config. Uses all processors; what it finds is kept in fuzz/artifacts/TARGET/, the
# inputs with new coverage in fuzz/corpus/TARGET/. (With nightly and cargo-fuzz: `cargo +nightly fuzz run TARGET`.)
set -euo pipefail
target=${1:?usage: fuzz/long.sh TARGET [SECONDS]}
seconds=${2:-3600}
cd "$(dirname "$0")"
source ./build.sh
[ -x "$fuzz_bin/$target" ] || { echo "fuzz: there is no target $target" >&2; exit 2; }
[ -d "corpus/$target" ] || ./seed.sh
mkdir -p "artifacts/$target"
exec "$fuzz_bin/$target" -max_total_time="$seconds" -max_len=16384 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
    -fork="$(nproc)" -ignore_crashes=0 -artifact_prefix="artifacts/$target/" "corpus/$target"
