#!/bin/bash
# Whether one dead output holds up the others: the agent with three outputs, of which the third lives, refuses connections,
# or takes them and reads nothing.
#
#     benches/dead_output.sh              five runs in turn, medians
#
# The same 300,000 events as in forward_compare.sh go to each output. Printed is the rate of the slower of the first two, by the
# clock, from the start of the agent until every id is in, beside an agent that has only those two, and one whose three outputs live. Then the third comes back,
# and must get everything as well. Ends with 1 where a dead output costs the others more than a tenth of what they had beside a live one.
set -euo pipefail
source "$(dirname "$0")/reference.sh"
source benches/tools/prepare.sh

exec python3 - "$events" <<'P'
import socket, statistics, sys
sys.path.insert(0, "benches/tools")
from forwarders import *

count = 300_000
capture = Path(sys.argv[1]).resolve()
folder = ROOT / "target/bench/forwarder"
first, second, third = (Sink(count) for _ in range(3))


def output(name, port):
    return f'[[output]]\nname = "{name}"\naddress = "tcp://127.0.0.1:{port}"\n'


def nobody():
    """A port that refuses connections."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


kinds = ("two outputs", "three, all live", "the third refuses", "the third reads nothing")
rate = {kind: [] for kind in kinds}
for _ in range(5):
    for kind in kinds:
        for sink in (first, second, third):
            sink.ask("reset")
        silent = None
        more = output("b", second.port)
        if kind == "three, all live":
            more += output("c", third.port)
        elif kind == "the third refuses":
            more += output("c", nobody())
        elif kind == "the third reads nothing":
            silent = socket.create_server(("127.0.0.1", 0))
            more += output("c", silent.getsockname()[1])
        forwarder = agent(folder, capture, first.port, output=more)
        for sink in (first, second):
            came = sink.ask("wait", count, 120)
            if came["distinct"] != count:
                sys.exit(f"{kind}: {came['distinct']} of {count} ids came; its log: {forwarder.log.read_text()[-1000:]}")
        rate[kind].append(count / (time.monotonic() - forwarder.began))
        forwarder.stop()
        if silent:
            silent.close()
        if kind.startswith("the third"):
            # It is back: the same state, its address now that of a receiver that lives.
            config = (folder / "agent.toml").read_text()
            (folder / "agent.toml").write_text(config.replace(more, output("b", second.port) + output("c", third.port)))
            with forwarder.log.open("ab") as log:
                back = subprocess.Popen([AGENT, "run", "--config", "agent.toml"], cwd=folder, stdout=log, stderr=log)
            came = third.ask("wait", count, 120)
            if came["distinct"] != count or back.wait(60) != 0:
                sys.exit(f"{kind}: after its return {came['distinct']} of {count} ids came; its log: {forwarder.log.read_text()[-1000:]}")

alone = statistics.median(rate["two outputs"])
bad = False
print(f"{'300,000 events, medians of five':30} {'events/s':>10} {'of two alone':>13} {'of three live':>14}")
live = statistics.median(rate["three, all live"])
for kind in kinds:
    now = statistics.median(rate[kind])
    dead = kind.startswith("the third")
    slow = dead and now < 0.9 * live
    bad |= slow
    print(f"{kind:30} {now:>10,.0f} {now / alone:>13.2f} {now / live:>14.2f}{'  SLOW' if slow else ''}")
print("after its return the third had all 300,000 each time")
sys.exit(bad)
P
