"""The forwarders that the benchmarks compare: how each is configured and started, and what it costs.

Used by loss_compare.sh, forward_compare.sh and tests/soak.sh, not by hand. Every forwarder sends the same lines to the same
receiver (benches/tools/sink.rs): the agent makes them from a capture, rsyslog and syslog-ng read them from a text file that
`qaudjrn replay` wrote. Settings stand in the functions below, each with its reason.
"""
import json, os, shutil, signal, subprocess, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "target/peers/root"
AGENT = os.environ.get("QAUDJRN", str(ROOT / "target/release/qaudjrn"))
SINK = str(ROOT / "target/release/examples/sink")
LIBRARIES = ":".join(str(PEERS / d) for d in (f"usr/lib/{os.uname().machine}-linux-gnu", f"lib/{os.uname().machine}-linux-gnu", "usr/lib/syslog-ng", "usr/lib", "lib"))


class Sink:
    """The counting receiver; `folder` makes it speak TLS and holds its ca.pem."""

    def __init__(self, ids, folder=None):
        command = [SINK, str(ids)] + ([str(folder)] if folder else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Forwarder:
    """A started forwarder, in a folder of its own that is made anew."""

    def __init__(self, folder, configs, command, environment=None):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in configs.items():
            (folder / name).write_text(text)
        self.folder = folder
        self.log = folder / "log"
        self.began = time.monotonic()
        with self.log.open("wb") as log:
            # Ended with this script, however that ends.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(environment or {})})

    def cpu(self):
        """CPU seconds so far of all its threads, those that ended too: the kernel's clock of that process."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def status(self, key):
        """A line of /proc/PID/status in KiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        return 0

    def end(self, at_most):
        """Waits for its own end; its exit code and CPU seconds."""
        until = time.monotonic() + at_most
        while time.monotonic() < until:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                return self.process.returncode, usage.ru_utime + usage.ru_stime
            time.sleep(0.005)
        self.stop()
        return None, 0.0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def replay(folder, capture, port, tls=None):
    """A one-off job: the file is the log, and nothing is kept."""
    to = ["--to", f"tls://localhost:{port}", "--ca", str(tls / "ca.pem")] if tls else ["--to", f"tcp://127.0.0.1:{port}"]
    return Forwarder(folder, {}, [AGENT, "replay", "--format", "cef", *to, "--summary", "none", str(capture)])


def agent(folder, capture, port, tls=None, source="", output="", top=""):
    """The service with its defaults: everything is synced to the disk before it is sent."""
    to = f'address = "tls://localhost:{port}"\nca = "{tls / "ca.pem"}"' if tls else f'address = "tcp://127.0.0.1:{port}"'
    config = f'state_dir = "state"\n{top}\n[[source]]\nname = "prod01"\npath = "{capture}"\n{source}\n[[output]]\nname = "siem"\n{to}\n{output}\n'
    return Forwarder(folder, {"agent.toml": config}, [AGENT, "run", "--config", "agent.toml"])


RSYSLOG_DISK = 'queue.type="Disk" queue.filename="forward" queue.maxDiskSpace="4g" queue.saveOnShutdown="on"'
# What its documentation gives as safest: the state of the queue and the data are synced with every message.
RSYSLOG_SAFE = RSYSLOG_DISK + ' queue.checkpointInterval="1" queue.syncQueueFiles="on"'


def rsyslog(folder, lines, port, queue=""):
    """imfile to omfwd. The line goes on as it stands (%msg%), which is the cheapest template there is; retried without end."""
    config = f'''global(workDirectory="{folder}" maxMessageSize="64k" net.enableDNS="off")
module(load="imfile")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="{lines}" tag="qaudjrn" ruleset="forward")
action(type="omfile" file="{folder}/own")
ruleset(name="forward") {{
    action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="line" action.resumeRetryCount="-1" action.resumeInterval="1" {queue})
}}
'''
    environment = {"LD_LIBRARY_PATH": LIBRARIES, "RSYSLOG_MODDIR": str(PEERS / f"usr/lib/{os.uname().machine}-linux-gnu/rsyslog") + "/"}
    return Forwarder(folder, {"rsyslog.conf": config}, [str(PEERS / "usr/sbin/rsyslogd"), "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")], environment)


SYSLOG_NG_RELIABLE = "disk-buffer(reliable(yes) disk-buf-size(4294967296) mem-buf-size(67108864))"


def syslog_ng(folder, lines, port, flags="", buffer="", threaded="yes"):
    """file to network. flow-control, because without it the file is read faster than it is sent and the rest is dropped; larger
    batches than the default, as its documentation advises for files. threaded(yes) is the default; one file and one receiver
    cost it less CPU without threads."""
    config = f'''@version: 3.38
options {{ stats-freq(0); log-fifo-size(100000); use-dns(no); threaded({threaded}); time-reopen(1); keep-hostname(yes); }};
source s {{ file("{lines}" log-fetch-limit(1000) log-iw-size(10000) log-msg-size(65536) {f"flags({flags})" if flags else ""}); }};
destination d {{ network("127.0.0.1" port({port}) transport("tcp") {buffer}); }};
log {{ source(s); destination(d); flags(flow-control); }};
'''
    command = [str(PEERS / "usr/sbin/syslog-ng"), "--foreground", "--stderr", "--no-caps", "--cfgfile", str(folder / "syslog-ng.conf"), "--persist-file", str(folder / "persist"),
               "--pidfile", str(folder / "pid"), "--control", str(folder / "control"), "--module-path", str(PEERS / "usr/lib/syslog-ng/3.38")]
    return Forwarder(folder, {"syslog-ng.conf": config}, command, {"LD_LIBRARY_PATH": LIBRARIES})
