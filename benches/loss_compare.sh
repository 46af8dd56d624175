#!/bin/bash
# What is lost when a receiver stalls for a second and then dies: qaudjrn run, rsyslog and syslog-ng in one go.
#
#     benches/loss_compare.sh                 300,000 events, each forwarder once
#     benches/loss_compare.sh --rounds 5      each five times in turn
#
# Every forwarder reads a file of 300,000 events and sends the same lines over plain TCP to the same counting receiver
# (benches/tools/sink.rs). When a third of them is in, the receiver reads nothing for a second, closes with what is unread
# (a reset), refuses connections for another second, and is back. Then the ids are counted that came at least once, in whole
# lines. Nothing else goes wrong: no forwarder is stopped or killed.
#
# Settings (benches/tools/forwarders.py): all retry without end, once a second.
#   rsyslog                       imfile to omfwd, the action run by the memory queue that it has by default
#   rsyslog, Disk queue           the action's queue on disk; state saved by default
#   rsyslog, Disk queue, synced   checkpointInterval=1 and syncQueueFiles=on: what its documentation gives as safest
#   syslog-ng                     file to network with flow-control
#   syslog-ng, reliable           disk-buffer(reliable(yes)) with flow-control: what its documentation gives as safest
#   qaudjrn run                   defaults: TCP, resend window of 32 MiB or 60 s
# RELP or a protocol of their own would spare them the loss; a SIEM's plain syslog port speaks neither.
#
# Needs the receivers of the tests (tests/tools/fetch_peers.sh) and 600 MB below target/bench.
set -euo pipefail
source "$(dirname "$0")/reference.sh"
source benches/tools/prepare.sh

exec python3 - "$events" "$lines" "$@" <<'P'
import argparse, sys
sys.path.insert(0, "benches/tools")
from forwarders import *

options = argparse.ArgumentParser()
options.add_argument("events")
options.add_argument("lines")
options.add_argument("--rounds", type=int, default=1)
options = options.parse_args()
count = 300_000
folder = ROOT / "target/bench/forwarder"
kinds = {
    "qaudjrn run": lambda port: agent(folder, Path(options.events).resolve(), port),
    "rsyslog": lambda port: rsyslog(folder, Path(options.lines).resolve(), port),
    "rsyslog, Disk queue": lambda port: rsyslog(folder, Path(options.lines).resolve(), port, RSYSLOG_DISK),
    "rsyslog, Disk queue, synced": lambda port: rsyslog(folder, Path(options.lines).resolve(), port, RSYSLOG_SAFE),
    "syslog-ng": lambda port: syslog_ng(folder, Path(options.lines).resolve(), port),
    "syslog-ng, reliable disk-buffer": lambda port: syslog_ng(folder, Path(options.lines).resolve(), port, buffer=SYSLOG_NG_RELIABLE),
}
print(f"{'the receiver stalls 1 s, dies, is back':34} {'events in':>10} {'arrived':>10} {'lost':>8} {'twice':>8} {'connections':>12}", flush=True)
sink = Sink(count)
bad = 0
for _ in range(options.rounds):
    for name, start in kinds.items():
        sink.ask("reset")
        sink.ask("fault", count // 3, 1000, 1000)
        forwarder = start(sink.port)
        sink.ask("wait", count, 5)
        # What has not come when nothing new came for ten seconds will not: the slowest of them sends thousands a second.
        came = sink.ask("quiet", 10, 900) if sink.ask("status")["distinct"] < count else sink.ask("quiet", 1, 5)
        forwarder.stop()
        lost = count - came["distinct"]
        bad += lost if name.startswith("qaudjrn") else 0
        print(f"{name:34} {count:>10,} {came['distinct']:>10,} {lost:>8,} {came['twice']:>8,} {came['connections']:>12}", flush=True)
        if came["connections"] < 2:
            sys.exit(f"{name}: there was no second connection, so this shows nothing; its log: {forwarder.log.read_text()[-1000:]}")
sink.close()
if bad:
    sys.exit(f"qaudjrn lost {bad} events")
P
