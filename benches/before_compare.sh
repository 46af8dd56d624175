#!/bin/bash
# What a change cost: the program of another commit beside this one, in one go.
#
#     benches/before_compare.sh 05516bd       seven runs in turn, medians
#
# The other program is built in a work tree of its own below target/bench/before. Both read the same capture of 300,000 entries and send
# it to the counting receiver (benches/tools/sink.rs) over loopback, with `replay` and with `run`, each with its defaults. The measure
# is events per CPU second, user and system, of the whole process; the ratio is this program's by the other's.
set -euo pipefail
[ $# = 1 ] || { echo "usage: benches/before_compare.sh COMMIT" >&2; exit 2; }
source "$(dirname "$0")/reference.sh"
source benches/tools/prepare.sh
before=$dir/before
git worktree list | grep -q "$PWD/$before " || git worktree add --quiet --detach "$before" "$1"
git -C "$before" checkout --quiet --detach "$1"
(cd "$before" && cargo build --release --locked --quiet)

exec python3 - "$events" "$before/target/release/qaudjrn" <<'P'
import statistics, sys
sys.path.insert(0, "benches/tools")
import forwarders
from forwarders import *

count, rounds = 300_000, 7
events, before = (Path(p).resolve() for p in sys.argv[1:])
folder = ROOT / "target/bench/forwarder"
programs = {"before": str(before), "now": forwarders.AGENT}
sink = Sink(count)
cpu = {(how, which): [] for how in (replay, agent) for which in programs}
for _ in range(rounds):
    for how, which in cpu:
        sink.ask("reset")
        forwarders.AGENT = programs[which]
        forwarder = how(folder, events, sink.port)
        came = sink.ask("wait", count, 300)
        code, seconds = forwarder.end(60)
        if came["distinct"] != count or code != 0:
            sys.exit(f"{which}: {came['distinct']} of {count} ids, exit code {code}; its log: {forwarder.log.read_text()[-1000:]}")
        cpu[how, which].append(seconds)


print(f"{'events per CPU second':24} {'before':>12} {'now':>12} {'now / before':>14}")
for how, name in ((replay, "replay"), (agent, "run")):
    rate = [count / statistics.median(cpu[how, which]) for which in programs]
    print(f"{name:24} {rate[0]:>12,.0f} {rate[1]:>12,.0f} {rate[1] / rate[0]:>14.3f}")
P
