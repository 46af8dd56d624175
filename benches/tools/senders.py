"""Many senders of one agent (docs/STREAM.md), and what the agent costs meanwhile, by /proc. Shares no code with the product.

    senders.py active|idle SECONDS COUNT PROGRAM...

Active senders send four records five times a second each; idle ones have sent four and say nothing. The programs take turns under the same
configuration, a `[[source]]` of kind "stream" with a Unix socket for each sender; the last one runs once more with one `[[listener]]`, where
each sender comes under TLS with a certificate of its own. Printed are, for the time of the measure: transactions that stored batches a second
(each is one sync; "-" where the program does not say), CPU, context switches a second, threads, and the most resident memory."""
import asyncio, os, re, shutil, signal, ssl, struct, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIR = ROOT / "target/bench/senders"
BATCH, EVERY = 4, 0.2
PORT = 17171


def make_records(count):
    path = DIR / f"records-{count}.stream"
    if not path.exists():
        subprocess.run([sys.executable, ROOT / "tests/tools/make_capture.py", "--layouts", ROOT / "formats/journal", "--count", str(count),
                        "--seed", "385", "--framing", "stream", "--out", path], check=True, stdout=subprocess.DEVNULL)
    data, records, at = path.read_bytes(), [], 0
    while at < len(data):
        end = at + 4 + struct.unpack(">I", data[at:at + 4])[0]
        records.append(data[at:end])
        at = end
    return records


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificates(count):
    """One key, and a certificate of it for each sender: what is measured is not how keys are made."""
    c = DIR / "certificates"
    c.mkdir(exist_ok=True)
    if not (c / "ca.pem").exists():
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=bench authority",
                "-keyout", c / "ca.key", "-out", c / "ca.pem")
        for name in ("server", "client"):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", c / f"{name}.key")
            (c / f"{name}.key").chmod(0o600)
    names = [("server", "localhost")] + [(f"s{n}", f"s{n}.example") for n in range(count)]
    for file, name in names:
        if not (c / f"{file}.pem").exists():
            key = "server" if file == "server" else "client"
            openssl("req", "-x509", "-CA", c / "ca.pem", "-CAkey", c / "ca.key", "-key", c / f"{key}.key", "-days", "3650", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE", "-out", c / f"{file}.pem")
    return c


class Agent:
    def __init__(self, program, count, certificates=None):
        self.dir = DIR / "agent"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        usual = 'input = "type5"\ntimezone = "UTC"\n'
        if certificates:
            sources = f'[[listener]]\nname = "bench"\nlisten = "tls://127.0.0.1:{PORT}"\ncert = "{certificates}/server.pem"\n' \
                f'key = "{certificates}/server.key"\nclient_ca = "{certificates}/ca.pem"\nmax_senders = {count}\n{usual}'
        else:
            sources = "".join(f'[[source]]\nname = "s{n}"\nkind = "stream"\nlisten = "unix:s{n}"\n{usual}' for n in range(count))
        (self.dir / "agent.toml").write_text(
            f'state_dir = "state"\nheartbeat = 0\n{sources}[[output]]\nname = "none"\naddress = "null"\nformat = "json"\n')
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen([program, "run", "--config", "agent.toml"], cwd=self.dir, stdout=self.log, stderr=self.log)

    def figures(self):
        pid = self.process.pid
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        switches, threads = 0, 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                text = (task / "status").read_text()
            except OSError:
                continue
            threads += 1
            switches += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))
        rss = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        return cpu, switches, threads, rss

    def commits(self):
        """Transactions so far, and when the agent wrote that."""
        path = self.dir / "state/metrics.prom"
        try:
            found = re.search(r"^qaudjrn_spool_commits_total (\d+)", path.read_text(), re.M)
            return (int(found[1]), path.stat().st_mtime) if found else None
        except OSError:
            return None

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        if code != 0:
            sys.exit(f"the agent ended with {code}: {(self.dir / 'log').read_text()[-2000:]}")


class Sender:
    def __init__(self, n, records, agent, certificates):
        self.n, self.records, self.agent, self.certificates = n, records, agent, certificates
        self.sent = self.acknowledged = 0

    async def connect(self):
        for _ in range(600):
            try:
                if self.certificates:
                    context = ssl.create_default_context(cafile=self.certificates / "ca.pem")
                    context.load_cert_chain(self.certificates / f"s{self.n}.pem", self.certificates / "client.key")
                    streams = asyncio.open_connection("127.0.0.1", PORT, ssl=context, server_hostname="localhost")
                else:
                    streams = asyncio.open_unix_connection(self.agent.dir / f"s{self.n}")
                self.reader, self.writer = await streams
                await self.reader.readexactly(64)
                self.task = asyncio.create_task(self.read())
                return
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)
        sys.exit(f"sender {self.n} is not let in: {(self.agent.dir / 'log').read_text()[-2000:]}")

    async def read(self):
        while True:
            try:
                self.acknowledged = struct.unpack(">Q", await self.reader.readexactly(8))[0]
            except (OSError, asyncio.IncompleteReadError):
                return

    def batch(self):
        self.writer.write(b"".join(self.records[self.sent:self.sent + BATCH]))
        self.sent += BATCH

    async def work(self, until, phase):
        at = time.monotonic() + phase
        while at < until:
            await asyncio.sleep(max(0, at - time.monotonic()))
            self.batch()
            at += EVERY

    async def settled(self):
        for _ in range(1200):
            if self.acknowledged == self.sent:
                return
            await asyncio.sleep(0.05)
        sys.exit(f"sender {self.n}: {self.acknowledged} of {self.sent} acknowledged: {(self.agent.dir / 'log').read_text()[-2000:]}")


async def measure(program, kind, seconds, count, records, certificates):
    agent = Agent(program, count, certificates)
    senders = [Sender(n, records, agent, certificates) for n in range(count)]
    for first in range(0, count, 50):
        await asyncio.gather(*(s.connect() for s in senders[first:first + 50]))
    for s in senders:
        s.batch()
    await asyncio.gather(*(s.settled() for s in senders))
    # What the start brought is over, and threads that were there for it have gone.
    await asyncio.sleep(12)
    before, commits, began = agent.figures(), agent.commits(), time.monotonic()
    most, until = 0, began + seconds

    async def look():
        nonlocal most
        while time.monotonic() < until:
            most = max(most, agent.figures()[3])
            await asyncio.sleep(1)

    works = [] if kind == "idle" else [s.work(until, EVERY * s.n / count) for s in senders]
    await asyncio.gather(look(), *works)
    await asyncio.sleep(max(0, until - time.monotonic()))
    after, took = agent.figures(), time.monotonic() - began
    later = agent.commits()
    await asyncio.gather(*(s.settled() for s in senders))
    for s in senders:
        s.writer.close()
        s.task.cancel()
    agent.end()
    synced = (later[0] - commits[0]) / (later[1] - commits[1]) if commits and later and later[1] > commits[1] else None
    return {"syncs/s": synced, "CPU %": 100 * (after[0] - before[0]) / took, "switches/s": (after[1] - before[1]) / took,
            "threads": after[2], "MiB": max(most, after[3]) / 1024}


def main():
    kind, seconds, count, *programs = sys.argv[1:]
    seconds, count = float(seconds), int(count)
    DIR.mkdir(parents=True, exist_ok=True)
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    records = make_records(BATCH * (int(seconds / EVERY) + 20))
    runs = [("before" if n + 1 < len(programs) else "now", p, None) for n, p in enumerate(programs)]
    runs.append(("listener", programs[-1], make_certificates(count)))
    found = {name: asyncio.run(measure(str(Path(p).resolve()), kind, seconds, count, records, c)) for name, p, c in runs}
    print(f"{count} {kind} senders, {seconds:.0f} s")
    names = list(found)
    ratio = "before" in found
    print(f"{'':12}" + "".join(f"{name:>12}" for name in names) + (f"{'now / before':>14}" if ratio else ""))
    for key in found[names[0]]:
        values = [found[name][key] for name in names]
        line = f"{key:12}" + "".join(f"{'-' if v is None else format(v, ',.1f'):>12}" for v in values)
        if ratio:
            now, before = found["now"][key], found["before"][key]
            line += f"{now / before:>14.3f}" if now is not None and before else f"{'-':>14}"
        print(line, flush=True)


main()
