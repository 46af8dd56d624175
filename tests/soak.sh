#!/bin/bash
# Millions of events through `qaudjrn run`, with a receiver that is killed and comes back all the time.
#
#     tests/soak.sh             10 million events, 20,000 a second, the receiver killed every minute: some nine minutes
#     tests/soak.sh --short     1 million, the receiver killed every 15 seconds: a minute
#     tests/soak.sh --events 2000000 --rate 10000 --kill-every 30
#
# A capture grows by --rate entries a second, each with a sequence number of its own, and the agent follows it, spools and sends
# over TCP with a meter of twice that rate. The receiver is killed with what it has not read and is back after 2 s. Every 10 s
# a line says how much memory (now, and at most so far), spool and lag there is: events that were written and have not arrived.
# What the agent has read of the capture is punched out of it, so that 15 GB of entries need some 100 MB of disk.
#
# Fails when an event is missing at the end, when the agent took more than 96 MiB (VmHWM), when the lag does not go back to
# nothing, or when the agent's own sums do not hold. Needs python3, a file system with holes (ext4, xfs, btrfs, tmpfs), and is
# to run alone: on a busy machine the rate may not be kept, which is said.
set -euo pipefail
source "$(dirname "$0")/../benches/reference.sh"
cargo build --release --locked --quiet --example sink

exec python3 - "$capture" "$@" <<'P'
import argparse, ctypes, re, sys
sys.path.insert(0, "benches/tools")
from forwarders import *

options = argparse.ArgumentParser(prog="tests/soak.sh")
options.add_argument("capture")
options.add_argument("--events", type=int, default=10_000_000)
options.add_argument("--rate", type=int, default=20_000)
options.add_argument("--kill-every", type=float, default=60)
options.add_argument("--short", action="store_true")
options = options.parse_args()
if options.short:
    options.events, options.kill_every = 1_000_000, 15
count, rate = options.events, options.rate
RECORD, SEQUENCE, MOST = 1500, slice(5, 25), 96 << 10

with open(options.capture, "rb") as reference:
    reference = reference.read(20_000 * RECORD)
pieces = [bytearray(reference[at : at + RECORD]) for at in range(0, len(reference), RECORD)]
folder = ROOT / "target/bench/soak"
grown = ROOT / "target/bench/soak.type5"
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


EBCDIC = bytes.maketrans(b"0123456789", "0123456789".encode("cp037"))
if pieces[0][SEQUENCE] != (b"%020d" % 1).translate(EBCDIC):
    sys.exit("soak: the sequence number does not stand where it should in the reference capture")
written = 0


def write(out, n):
    """The next n entries, with the next sequence numbers."""
    global written
    block = bytearray()
    for _ in range(n):
        piece = pieces[written % len(pieces)]
        written += 1
        piece[SEQUENCE] = (b"%020d" % written).translate(EBCDIC)
        block += piece
    out.write(block)


def position(pid):
    """How far the agent has read the capture."""
    best = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(fd) == str(grown):
                best = max(best, int(re.search(r"pos:\s*(\d+)", Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text())[1]))
        except (OSError, TypeError):
            pass
    return best


sink = Sink(count)
out = grown.open("wb", buffering=0)
write(out, 2000)
forwarder = agent(folder, grown, sink.port, source="follow = true", output=f"format = \"cef\"\nmeter = {{ events_per_second = {2 * rate}, burst = 1000 }}", top="stop_timeout = 30")
began = last_kill = said = time.monotonic()
kills, punched, late, lag_at_kill, drained = 0, 8192, 0.0, [], 0
print(f"{'s':>5} {'written':>11} {'arrived':>11} {'lag':>8} {'RSS KiB':>8} {'VmHWM KiB':>9} {'spool MB':>8} {'CPU s':>7} {'kills':>5}", flush=True)


def say(now, came):
    spool = sum(p.stat().st_size for p in (folder / "state").glob("spool.db*"))
    print(f"{now - began:>5.0f} {written:>11,} {came['distinct']:>11,} {written - came['distinct']:>8,} {forwarder.status('VmRSS'):>8,} {forwarder.status('VmHWM'):>9,} {spool / 1e6:>8.1f} {forwarder.cpu():>7.1f} {kills:>5}", flush=True)


while True:
    if forwarder.process.poll() is not None:
        sys.exit(f"soak: the agent ended: {forwarder.log.read_text()[-2000:]}")
    now = time.monotonic()
    due = min(count, int((now - began) * rate) + 2000)
    if written < due:
        write(out, min(due - written, 5000))
        late = max(late, (due - written) / rate)
    else:
        time.sleep(0.02)
    if now - said >= 10:
        said = now
        say(now, sink.ask("status"))
        read = position(forwarder.process.pid) // 4096 * 4096 - (4 << 20)
        if read > punched:
            # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE; the first bytes tell the agent which file it is.
            if libc.fallocate(out.fileno(), 3, punched, read - punched) != 0:
                sys.exit(f"soak: cannot punch holes here: {os.strerror(ctypes.get_errno())}")
            punched = read
    if now - last_kill >= options.kill_every and written < count:
        last_kill = now
        lag_at_kill.append(written - sink.ask("status")["distinct"])
        sink.ask("die", 2000)
        kills += 1
    if written == count:
        break
# The rest comes at the meter's rate; then the lag is to be nothing.
came = sink.ask("wait", count, 120 + 200_000 / rate)
say(time.monotonic(), came)
# A followed source has no end: the agent is asked to stop, and says its sums.
peak, spent = forwarder.status("VmHWM"), forwarder.cpu()
forwarder.process.send_signal(signal.SIGTERM)
code, _ = forwarder.end(60)
log = forwarder.log.read_text()
came = sink.ask("status")
sink.close()
grown.unlink()
print(log[-1500:])
sums = re.search(r"read (\d+) = filtered (\d+) \+ parked (\d+) \+ spooled (\d+)", log)
sent = re.search(r"output siem: sent (\d+), filtered (\d+), resent (\d+)", log)
failures = []
if came["distinct"] != count:
    failures.append(f"{count - came['distinct']} of {count} events are missing")
if peak > MOST:
    failures.append(f"the agent took {peak} KiB, more than {MOST}")
if code != 0:
    failures.append(f"the agent ended with {code}")
if not sums or not sent or int(sums[1]) != count or int(sums[1]) != sum(map(int, sums.groups()[1:])) or int(sums[4]) != int(sent[1]) + int(sent[2]):
    failures.append("the sums of the agent do not hold")
if kills and came["twice"] == 0:
    failures.append("nothing came twice: the receiver was never killed with something on the way")
print(f"{count:,} events in {time.monotonic() - began:.0f} s, receiver killed {kills} times: {count - came['distinct']} lost, {came['twice']:,} twice, peak {peak / 1024:.1f} MiB, {count / spent:,.0f} events a CPU second; lag before each kill: {lag_at_kill}; the writer was at most {late:.1f} s late")
if failures:
    sys.exit("soak: FAILED: " + "; ".join(failures))
P
