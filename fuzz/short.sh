#!/bin/bash
# Run every fuzz target for some seconds, for CI: fuzz/short.sh [SECONDS], 10 without it; as many targets at a time as there are cores.
# Stable Rust, a C++ compiler and Python 3.11. Exits with 1 when a target found something; the input is kept in fuzz/artifacts/TARGET/.
set -euo pipefail
seconds=${1:-10}
cd "$(dirname "$0")"
for tool in cargo c++ python3; do command -v $tool >/dev/null || { echo "fuzz: $tool is missing" >&2; exit 1; }; done
source ./build.sh
./seed.sh

run_target() { # TARGET SECONDS
    local log=artifacts/$1/log
    mkdir -p "artifacts/$1"
    if "$fuzz_bin/$1" -max_total_time="$2" -max_len=8192 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$1/" "corpus/$1" >"$log" 2>&1; then
        echo "fuzz: $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $2 s, $(grep -oE 'cov: [0-9]+' "$log" | tail -1)"
    else
        # In one piece: others are at work.
        echo "$(grep -aE 'panicked at|^==.*ERROR|SUMMARY|ALARM|Test unit written' -A2 "$log" | cut -c1-2000 | head -20)
fuzz: $1 FAILED; run it again: $fuzz_bin/$1 fuzz/artifacts/$1/crash-..."
        return 1
    fi
}
export -f run_target
export fuzz_bin

printf '%s\n' records exports decode encode_cef encode_leef encode_syslog encode_json filter config \
    | xargs -P "$(nproc)" -I{} bash -c 'run_target "$1" "$2"' _ {} "$seconds" || { echo "fuzz: a target found something, see above" >&2; exit 1; }
