#!/bin/bash
# How an agent starts behind a standing backlog: 600,000 events wait in the spool, of which none is of a priority type.
#
#     benches/backlog.sh                  this program
#     benches/backlog.sh 05516bd          and the program of another commit beside it, with the ratio
#
# The spool is filled while nobody listens. Then a receiver is there (benches/tools/sink.rs), the agent starts, and it is measured how long its
# first line takes, how long all take, and how much memory it has at most. Three times each in turn, medians.
set -euo pipefail
source "$(dirname "$0")/reference.sh"
source benches/tools/prepare.sh
source benches/tools/programs.sh

exec python3 - "$events" "${programs[@]}" <<'P'
import re, socket, sqlite3, statistics, sys
sys.path.insert(0, "benches/tools")
from forwarders import *

count, rounds = 300_000, 3
events, *programs = (Path(p).resolve() for p in sys.argv[1:])
state = ROOT / "target/bench/first-line"
sink = Sink(2 * count)


def start(program, port):
    source = "".join(f'[[source]]\nname = "s{n}"\npath = "{events}"\n' for n in (1, 2))
    output = f'[[output]]\nname = "siem"\naddress = "tcp://127.0.0.1:{port}"\npriority_types = ["YC"]\n'
    (state / "agent.toml").write_text(f'state_dir = "state"\n{source}{output}')
    return subprocess.Popen([program, "run", "--config", "agent.toml"], cwd=state, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stop(process):
    process.terminate()
    process.wait(60)


def fill(program):
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        process = start(program, nobody.getsockname()[1])
        stored = 0
        while stored < 2 * count:
            time.sleep(0.2)
            try:
                with sqlite3.connect(f"file:{state}/state/spool.db?mode=ro", uri=True) as db:
                    stored = db.execute("SELECT sum(events) FROM batch").fetchone()[0] or 0
            except sqlite3.OperationalError:
                pass
        stop(process)


def measure(program):
    fill(program)
    sink.ask("reset")
    began = time.monotonic()
    process = start(program, sink.port)
    sink.ask("wait", 1, 60)
    first = time.monotonic() - began
    # Both captures hold the same ids.
    came = sink.ask("wait", count, 300)
    last = time.monotonic() - began
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text()).group(1)) / 1024
    stop(process)
    if came["distinct"] != count:
        sys.exit(f"{program}: {came['distinct']} of {count} ids")
    return first, last, peak


found = [[] for _ in programs]
for _ in range(rounds):
    for which, program in enumerate(programs):
        found[which].append(measure(program))
medians = [[statistics.median(column) for column in zip(*rows)] for rows in found]
names = ["before", "now"] if len(programs) > 1 else ["now"]
print(f"{'behind 600,000 events':28}" + "".join(f"{n:>12}" for n in names) + ("  now / before" if len(programs) > 1 else ""))
for n, what in enumerate(("seconds to the first line", "seconds to every id", "peak MiB")):
    row = [m[n] for m in medians]
    print(f"{what:28}" + "".join(f"{v:>12.2f}" for v in row) + (f"{row[1] / row[0]:>14.3f}" if len(row) > 1 else ""))
P
