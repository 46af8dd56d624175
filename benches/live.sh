#!/bin/bash
# What a live source reads a second, and how long an entry takes from the journal to a receiver.
#
#     benches/live.sh              400,000 entries of 600 bytes of entry data, three runs in turn
#
# The system is the stand-in of the tests (tests/tools/ibmi): it serves what it holds as fast as it is asked, some 100,000 entries a
# second, on the same two cores. Read are 400,000 entries by `qaudjrn run` (decoded, filtered, spooled, sent as CEF over TCP, counted
# there) and, beside it, by the naive script: mapepire-python, which asks for the same columns and prints a line for each row.
#
# Latency: the journal grows by 200 entries a second for half a minute; the time in a line is when its entry was written. The poll
# interval is 1 s. Ends with 1 where an aim is missed: 20,000 entries a second, 99 of 100 entries within two poll intervals.
set -euo pipefail
source "$(dirname "$0")/reference.sh"
tests/tools/fetch_python.sh >&2
cargo build --release --locked --quiet --example sink

exec target/venv/bin/python - <<'P'
import socket, statistics, sys, threading
sys.path[:0] = ["benches/tools", "tests/tools/ibmi"]
from datetime import datetime
from forwarders import *
import statements

COUNT, POLL = 400_000, 1.0
folder = ROOT / "target/bench/live"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
subprocess.run([ROOT / "tests/tools/ibmi/make_cert.sh", folder], check=True, stdout=subprocess.DEVNULL)
(folder / "password").write_text("secret\n")
(folder / "password").chmod(0o600)


class System:
    """The simulated system."""

    def __init__(self, *options):
        command = [sys.executable, ROOT / "tests/tools/ibmi/mapepire.py", "--cert", folder / "cert.pem", "--key", folder / "key.pem", "--offset", "0", *options]
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def stop(self):
        self.process.kill()
        self.process.wait()


def run(system, port, start):
    config = f'''state_dir = "state"
[[source]]
name = "prod01"
kind = "mapepire"
address = "localhost:{system.port}"
user = "AUDITOR"
password = "{folder / "password"}"
ca = "{folder / "cert.pem"}"
from = "{start}"
poll_interval = {POLL}
[[output]]
name = "siem"
address = "tcp://127.0.0.1:{port}"
'''
    return Forwarder(folder / "agent", {"agent.toml": config}, [AGENT, "run", "--config", "agent.toml"])


sink = Sink(COUNT + 1_000)
rates, naive = [], []
for _ in range(3):
    system = System("--entries", str(COUNT), "--entry-bytes", "600")
    sink.ask("reset")
    forwarder = run(system, sink.port, "oldest")
    came = sink.ask("wait", COUNT, 120)
    rates.append((COUNT / (time.monotonic() - forwarder.began), forwarder.cpu()))
    memory = forwarder.status("VmHWM")
    forwarder.stop()
    chain = ["QSYS", "QAUDJRN", "QGPL", "AUDRCV0001"]
    page = statements.PAGE.format(user="USER_NAME", remote=statements.REMOTE)
    began = time.monotonic()
    command = [sys.executable, "benches/tools/naive_live.py", system.port, folder / "cert.pem", page, *chain, 1, "T,J", *chain[2:], COUNT]
    with open(folder / "naive.out", "wb") as out, open(folder / "naive.err", "wb") as err:
        subprocess.run(list(map(str, command)), check=True, stdout=out, stderr=err)
    naive.append(COUNT / (time.monotonic() - began))
    system.stop()
    if came["distinct"] < COUNT:
        sys.exit(f"{came['distinct']} of {COUNT} came; its log: {forwarder.log.read_text()[-800:]}")
rate = statistics.median(r for r, _ in rates)
cpu = statistics.median(c for _, c in rates)
beside = statistics.median(naive)
print(f"mapepire-python, printing rows: {beside:,.0f} a second; qaudjrn run / script: {rate / beside:.2f}")
print(f"{COUNT:,} entries of 600 bytes: {rate:,.0f} a second by the clock, {COUNT / cpu:,.0f} a CPU second of the agent, peak {memory / 1024:.1f} MiB")

# How long an entry takes.
server = socket.create_server(("127.0.0.1", 0))
late = []


def receive():
    connection, _ = server.accept()
    rest = b""
    while piece := connection.recv(65_536):
        now = time.time()
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if b"AGENT-" not in line:
                late.append(now - datetime.fromisoformat(line.split(b" ")[1].decode()).timestamp())


threading.Thread(target=receive, daemon=True).start()
system = System("--entries", "10", "--rate", "200")
forwarder = run(system, server.getsockname()[1], "now")
time.sleep(30)
forwarder.stop()
system.stop()
late.sort()
worst = late[int(len(late) * 0.99)]
print(f"{len(late):,} entries at 200 a second, polled each {POLL} s: from journal to receiver {statistics.median(late):.2f} s in the median, 99 of 100 within {worst:.2f} s, all within {late[-1]:.2f} s")
sys.exit(rate < 20_000 or worst > 2 * POLL or len(late) < 3_000)
P
