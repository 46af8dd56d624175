#!/bin/bash
# qaudjrn replay beside the script an administrator would write, on the same capture, on one core, in one go.
#
#     benches/compare.sh            reference capture of 100,000 entries; prints entries a second and ratios
#     benches/compare.sh --grow     also 10 thousand to 10 million entries: time, rate, peak memory
#
# Each program runs five times in turn; the medians are compared, because machines drift. The reference capture is made
# once below target/bench (150 MB). Needs python3; taskset pins both to one core where it is there.
set -euo pipefail
source "$(dirname "$0")/reference.sh"

rate() { # entries a second of one run, from the summary
    "${pin[@]}" "$bin" replay --to null --summary json "$@" "$capture" 2>&1 | python3 -c 'import json,sys; print(int(json.load(sys.stdin)["entries_per_second"]))'
}
naive() { "${pin[@]}" python3 tests/tools/naive_forwarder.py "$capture" 2>&1 >/dev/null | sed 's/.*= \([0-9,]*\) entries.*/\1/; s/,//g'; }

for i in 1 2 3 4 5; do
    naive >> "$dir/naive.$$"
    for format in cef leef leef2 syslog; do rate --format "$format" >> "$dir/$format.$$"; done
    # A type that is in no capture: every entry is dropped by its type.
    rate --types C3 >> "$dir/dropped.$$"
done
base=$(median < "$dir/naive.$$")
printf '%-32s %12s %8s\n' "one core, 100,000 entries" "entries/s" "ratio"
printf '%-32s %12s %8s\n' "naive_forwarder.py (CEF)" "$base" "1.0"
for what in cef leef leef2 syslog dropped; do
    value=$(median < "$dir/$what.$$")
    printf '%-32s %12s %8s\n' "qaudjrn replay, $what" "$value" "$(python3 -c "print(f'{$value / $base:.1f}')")"
done
rm -f "$dir"/*.$$

echo
for format in cef leef syslog; do
    "$bin" replay --format "$format" --to null --summary json "$capture" 2>&1 | python3 -c '
import json, sys
s = json.load(sys.stdin)
print("%-8s mean line %.1f bytes, %.2f percent less than its entry" % (sys.argv[1], s["mean_event_bytes"], s["reduction_percent"]))' "$format"
done
python3 - "$bin" "$capture" <<'P'
import subprocess, sys, time
best = 9
for _ in range(10):
    t = time.perf_counter()
    p = subprocess.Popen([sys.argv[1], "replay", "--summary", "none", sys.argv[2]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p.stdout.readline()
    best = min(best, time.perf_counter() - t)
    p.kill(); p.wait(); p.stdout.close()
print(f"start to first line: {best * 1000:.1f} ms (best of 10)")
P

if [ "${1:-}" = --grow ]; then
    echo
    printf '%12s %10s %12s %12s\n' entries seconds entries/s peak-KiB
    for n in 10000 100000 1000000 10000000; do
        python3 - "$bin" "$capture" "$n" <<'P'
import json, re, subprocess, sys
bin, capture, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = open(capture, "rb").read()
p = subprocess.Popen([bin, "replay", "--to", "null", "--summary", "json", "--record-length", "1500", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
left = n * 1500
while left > 0:
    piece = data if left >= len(data) else data[:left]
    p.stdin.write(piece)
    left -= len(piece)
peak = int(re.search(r"VmHWM:\s*(\d+)", open(f"/proc/{p.pid}/status").read())[1])
p.stdin.close()
s = json.loads(p.stderr.read())
p.wait()
print(f"{s['read']:>12} {s['seconds']:>10.3f} {s['entries_per_second']:>12.0f} {peak:>12}")
P
    done
fi
