#!/bin/bash
# What a change cost: the program of another commit beside this one, in one go.
#
#     benches/before_compare.sh 05516bd       seven runs in turn, medians
#
# The other program is built in a work tree of its own below target/bench/before. Both read the same capture of 300,000 entries and send
# it to the counting receiver (benches/tools/sink.rs) over loopback, with `replay` and with `run`, each with its defaults. The measure
# is events per CPU second, user and system, of the whole process; the ratio is this program's by the other's. Then the seconds from the
# start of `run` to its first line behind a backlog of 600,000 events of which none is of a priority type.
set -euo pipefail
[ $# = 1 ] || { echo "usage: benches/before_compare.sh COMMIT" >&2; exit 2; }
source "$(dirname "$0")/reference.sh"
source benches/tools/prepare.sh
before=$dir/before
git worktree list | grep -q "$PWD/$before " || git worktree add --quiet --detach "$before" "$1"
git -C "$before" checkout --quiet --detach "$1"
(cd "$before" && cargo build --release --locked --quiet)

exec python3 - "$events" "$before/target/release/qaudjrn" <<'P'
import socket, sqlite3, statistics, sys
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



def first_line(program):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()[1]
    state = ROOT / "target/bench/first-line"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()

    def start(port):
        source = "".join(f'[[source]]\nname = "s{n}"\npath = "{events}"\n' for n in (1, 2))
        output = f'[[output]]\nname = "siem"\naddress = "tcp://127.0.0.1:{port}"\npriority_types = ["YC"]\n'
        (state / "agent.toml").write_text(f'state_dir = "state"\n{source}{output}')
        return subprocess.Popen([program, "run", "--config", "agent.toml"], cwd=state, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(process):
        process.terminate()
        process.wait(60)

    process = start(closed)
    stored = 0
    while stored < 2 * count:
        time.sleep(0.2)
        try:
            with sqlite3.connect(f"file:{state}/state/spool.db?mode=ro", uri=True) as db:
                stored = db.execute("SELECT sum(events) FROM batch").fetchone()[0] or 0
        except sqlite3.OperationalError:
            pass
    stop(process)
    sink.ask("reset")
    began = time.monotonic()
    process = start(sink.port)
    sink.ask("wait", 1, 60)
    took = time.monotonic() - began
    stop(process)
    return took


print(f"{'events per CPU second':24} {'before':>12} {'now':>12} {'now / before':>14}")
for how, name in ((replay, "replay"), (agent, "run")):
    rate = [count / statistics.median(cpu[how, which]) for which in programs]
    print(f"{name:24} {rate[0]:>12,.0f} {rate[1]:>12,.0f} {rate[1] / rate[0]:>14.3f}")
took = [statistics.median(first_line(program) for _ in range(3)) for program in programs.values()]
print(f"{'seconds to the first line':24} {took[0]:>12.2f} {took[1]:>12.2f} {took[1] / took[0]:>14.3f}")
P
