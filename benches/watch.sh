#!/bin/bash
# What it costs to look at an agent: the same run with nobody looking, with `tap`, and with `tap` and what `top` asks, in turn.
#
#     benches/watch.sh           seven runs of each in turn, medians
#
# The agent reads a capture of 300,000 entries and sends it to the counting receiver (benches/tools/sink.rs) over loopback. The measure is
# events per CPU second, user and system, of the whole process of the agent; the ratio is that of a run that is looked at by one that is not.
set -euo pipefail
[ $# = 0 ] || { echo "usage: benches/watch.sh" >&2; exit 2; }
source "$(dirname "$0")/reference.sh"
source benches/tools/prepare.sh

exec python3 - "$events" <<'P'
import json, socket, statistics, sys, threading, time
sys.path.insert(0, "benches/tools")
from forwarders import *

count, rounds = 300_000, 7
events = Path(sys.argv[1]).resolve()
folder = ROOT / "target/bench/forwarder"
sink = Sink(count)


def connect(path, deadline):
    while time.monotonic() < deadline:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(str(path))
            return stream
        except OSError:
            stream.close()
            time.sleep(0.002)
    sys.exit(f"no agent answers at {path}")


def tap(path, seen):
    """Reads all that a tap shows, until the agent ends."""
    stream = connect(path, time.monotonic() + 30)
    stream.sendall(b'{"ask":"tap","output":"siem"}\n')
    for line in stream.makefile("rb"):
        answer = json.loads(line)
        if answer["answer"] == "error":
            sys.exit(answer["error"])
        seen[answer["answer"]] = seen.get(answer["answer"], 0) + 1


def top(path, seen):
    """Asks how it is, ten times as often as top does."""
    stream = connect(path, time.monotonic() + 30)
    answers = stream.makefile("rb")
    while True:
        try:
            stream.sendall(b'{"ask":"status"}\n')
        except OSError:
            return
        if not answers.readline():
            return
        seen["status"] = seen.get("status", 0) + 1
        time.sleep(0.1)


cpu = {"nobody looks": [], "tap": [], "tap and top": []}
seen = {}
for _ in range(rounds):
    for how in cpu:
        sink.ask("reset")
        forwarder = agent(folder, events, sink.port)
        watchers = {"nobody looks": [], "tap": [tap], "tap and top": [tap, top]}[how]
        threads = [threading.Thread(target=w, args=(folder / "state/control.sock", seen), daemon=True) for w in watchers]
        for thread in threads:
            thread.start()
        came = sink.ask("wait", count, 300)
        code, seconds = forwarder.end(60)
        if came["distinct"] != count or code != 0:
            sys.exit(f"{how}: {came['distinct']} of {count} ids, exit code {code}; its log: {forwarder.log.read_text()[-1000:]}")
        cpu[how].append(seconds)

alone = count / statistics.median(cpu["nobody looks"])
print(f"{'':24} {'events per CPU second':>22} {'ratio':>8}")
for how, seconds in cpu.items():
    rate = count / statistics.median(seconds)
    print(f"{how:24} {rate:>22,.0f} {rate / alone:>8.3f}")
print("answers that were read:", ", ".join(f"{what} {n:,}" for what, n in sorted(seen.items())))
P
