#!/bin/bash
# Run every fuzz target for some seconds, for CI: fuzz/short.sh [SECONDS], 10 without it. Stable Rust, a C++ compiler
# and Python 3.11. Exits with 1 when a target found something; the input is kept in fuzz/artifacts/TARGET/.
set -euo pipefail
seconds=${1:-10}
cd "$(dirname "$0")"
for tool in cargo c++ python3; do command -v $tool >/dev/null || { echo "fuzz: $tool is missing" >&2; exit 1; }; done
source ./build.sh
./seed.sh
failed=
for target in records exports decode encode_cef encode_leef encode_syslog encode_json filter config; do
    mkdir -p "artifacts/$target"
    log=artifacts/$target/log
    if "$fuzz_bin/$target" -max_total_time="$seconds" -max_len=8192 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target/" "corpus/$target" >"$log" 2>&1; then
        echo "fuzz: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $seconds s," \
            "$(grep -oE 'cov: [0-9]+' "$log" | tail -1)"
    else
        failed="$failed $target"
        grep -aE 'panicked at|^==.*ERROR|SUMMARY|ALARM|Test unit written' -A2 "$log" | cut -c1-2000 | head -20
        echo "fuzz: $target FAILED; run it again: $fuzz_bin/$target fuzz/artifacts/$target/crash-..."
    fi
done
[ -z "$failed" ] || { echo "fuzz: these targets found something:$failed" >&2; exit 1; }
