#!/usr/bin/env python3
"""Makes a state as an earlier program leaves it, with what is still to be delivered beside it (README.md).

    make.py PROGRAM 1|2 OUT.tar.gz

PROGRAM is that earlier program. The archive holds agent.toml, the files of the sources as they were, `more/` (what is appended or added to
them afterwards), `state/` without the reserve, and truth.json."""
import json, os, pathlib, shutil, signal, socket, subprocess, sys, tarfile, tempfile, time

program, tables, out = os.path.abspath(sys.argv[1]), int(sys.argv[2]), os.path.abspath(sys.argv[3])
tools = pathlib.Path(__file__).resolve().parent.parent / "tools"
here = pathlib.Path(tempfile.mkdtemp(prefix="qaudjrn-upgrade-"))
os.chdir(here)


def make(name, args):
    subprocess.run([sys.executable, tools / "make_capture.py", "--out", name, "--truth", name + ".truth", *args.split()], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return [json.loads(l) for l in open(name + ".truth")]


# `day` shows profiles to be privileged (CP), and its filter drops every user it can: in `more` those that were learned must come.
day = make("day.type5", "--count 60 --seed 41 --mix CP,ZR,PW --entdtalen 400 --system PROD01")
os.makedirs("more/inbox")
more = make("more/day.type5", "--count 40 --seed 42 --mix ZR --entdtalen 400 --system PROD01 --first-sequence 1001 --start 2026-11-21T08:00:00")
users = sorted({t["header"]["user_name"] for t in day + more} - {"QSECOFR"})
rule = f"filter.users.exclude = {json.dumps([u for u in users if u.isascii()])}\n"
# *TYPE1 says neither its system nor its receiver, and its dates have six digits.
old = make("old.type1", "--count 25 --seed 43 --type type1 --entdtalen 300 --mix PW,AF,CD,ZC --ccsid 273")
source = lambda name, rest: f'[[source]]\nname = "{name}"\ntimezone = "Europe/Berlin"\n{rest}'
sources = source("day", f'path = "day.type5"\nfollow = true\n{rule if tables > 1 else ""}')
sources += source("old", 'path = "old.type1"\ninput = "type1"\nfollow = true\nccsid = 273\nsystem = "OLDBOX"\nreceiver = "AUDRCV0007"\nreceiver_library = "OLDLIB"\ndate_format = "MDY"\n')
if tables > 1:
    os.makedirs("inbox")
    for n, seed in ((1, 44), (2, 45)):
        make(f"inbox/{n}.type5", f"--count 15 --seed {seed} --entdtalen 300 --mix PW,AF,CD --system PROD02 --first-sequence {n}001 --receiver AUDRCV0050")
    make("more/inbox/3.type5", "--count 5 --seed 46 --entdtalen 300 --mix PW,AF,CD --system PROD02 --first-sequence 3001 --receiver AUDRCV0050")
    sources += source("inbox", 'kind = "directory"\npath = "inbox"\nfollow = true\ncomplete = "rename"\n')
    make("relay.stream", "--count 20 --seed 47 --entdtalen 300 --mix PW,AF,CD --framing stream --system PROD03")
    sources += source("relay", 'kind = "stream"\ninput = "type5"\nlisten = "unix:DIR/relay.sock"\n')
for f in list(here.rglob("*.truth")):
    os.remove(f)

closed = 'address = "tcp://127.0.0.1:9"\n'
paced = "meter.events_per_second = 20\n" if tables == 1 else 'meter.bytes_per_day = 34000\nmeter.timezone = "UTC"\nmeter.pass_types = ["PW"]\npriority_types = ["AF"]\n'
outputs = f'[[output]]\nname = "near"\nformat = "json"\naddress = "file:near"\n{paced}\n[[output]]\nname = "far"\nformat = "json"\n{closed}'
head = "" if tables > 1 else rule + "\n"


def start(name, text):
    text = f'state_dir = "{name}"\nstop_timeout = 2\nheartbeat = 0\n' + text if tables > 1 else f'state_dir = "{name}"\nstop_timeout = 2\n' + text
    open(name + ".toml", "w").write(text.replace("DIR", str(here)))
    return text, subprocess.Popen([program, "run", "--config", name + ".toml"], stderr=open(name + ".log", "a"))


def send():
    """Sends what `relay` holds, until it is acknowledged."""
    if tables == 1:
        return
    end = time.time() + 10
    while not os.path.exists("relay.sock"):
        assert time.time() < end
        time.sleep(0.02)
    subprocess.run([sys.executable, tools / "stream_sender.py", "relay.stream", f"unix:{here}/relay.sock"], check=True, stdout=subprocess.DEVNULL)


def ids(name):
    try:
        return [json.loads(l)["entry_id"] for l in open(name) if l.endswith("}\n")]
    except FileNotFoundError:
        return []


def settled(name):
    """Waits until a file has not grown for a second."""
    n, since = -1, time.time()
    while time.time() - since < 1.5:
        if len(ids(name)) != n:
            n, since = len(ids(name)), time.time()
        time.sleep(0.05)


def stop(p):
    p.send_signal(signal.SIGTERM)
    p.wait(20)


# Everything, and what comes of `more`, as one undisturbed run of the earlier program gives them.
whole = lambda: start("whole", (head if tables == 1 else "") + sources + '[[output]]\nname = "all"\nformat = "json"\naddress = "file:all"\n')
_, p = whole()
send()
settled("all")
before = ids("all")
for name, extra in (("day.type5", open("more/day.type5", "rb").read()),):
    shutil.copy(name, name + ".before")
    open(name, "ab").write(extra)
if tables > 1:
    shutil.copy("more/inbox/3.type5", "inbox/3.type5")
settled("all")
stop(p)
grown = ids("all")[len(before):]
shutil.move("day.type5.before", "day.type5")
if tables > 1:
    os.remove("inbox/3.type5")
# What is kept: near stops half-way, at its budget or at the end, far gets nothing.
text, p = start("state", head + sources + outputs)
send()
if tables == 1:
    while len(ids("near")) < 25:
        time.sleep(0.05)
else:
    settled("near")
made = time.time()
stop(p)
near = set(ids("near"))
db = "state/spool.db"
rows = lambda q: subprocess.run(["sqlite3", "-json", db, q], check=True, capture_output=True, text=True).stdout
rows("pragma wal_checkpoint(truncate)")
truth = {
    "made": int(made), "delivered": sorted(near), "grown": grown,
    "undelivered": {"near": [i for i in before if i not in near], "far": before},
    "cursors": json.loads(rows("select output, lane, batch, event from cursor") or "[]"),
    "batches": json.loads(rows("select id, source, events from batch") or "[]"),
    "learned": {r["name"]: json.loads(r["position"]).get("learned", []) for r in json.loads(rows("select name, position from source"))},
}
if tables > 1:
    truth["outputs"] = json.loads(rows("select name, spent from output"))
json.dump(truth, open("truth.json", "w"), indent=1)
open("agent.toml", "w").write("\n".join(text.splitlines()[1:]) + "\n")
for f in ("state/reserve", "state/lock", "state/metrics.prom"):
    if os.path.exists(f):
        os.remove(f)
with tarfile.open(out, "w:gz") as t:
    for f in ["agent.toml", "truth.json", "day.type5", "old.type1", "more", "state"] + (["inbox", "relay.stream"] if tables > 1 else []):
        t.add(f, filter=lambda i: (setattr(i, "uid", 0), setattr(i, "gid", 0), setattr(i, "uname", ""), setattr(i, "gname", ""), i)[-1])
print(here, os.path.getsize(out), "bytes", {k: len(v) for k, v in truth["undelivered"].items()}, "grown", len(grown), "of", 40 + 5 * (tables > 1))
print(json.dumps({k: v for k, v in truth.items() if k in ("cursors", "batches", "learned", "outputs")}))
print(open("state.log").read())
