"""The state the stand-in starts with: from arguments, or from a JSON file that says the same and lists control commands.

    {"entries": 5000, "receivers": 3, "catalog": "old", "steps": [{"cmd": "append", "count": 10}, {"cmd": "roll", "reset": true}]}
"""
import asyncio
import json
import pathlib
import time

import control
from audit_tables import Tables
from entries import from_capture
from recorded import RecordedDatabase
from session import Server
from statements import CATALOG, Database
from stats import Stats
from system import Profile, System

TICK = 0.05  # seconds between the bursts of live growth


def arguments(parser):
    parser.add_argument("--scenario", type=pathlib.Path, help="a JSON file; its keys are the long options below with _ for -, and `steps`")
    parser.add_argument("--recorded", metavar="FILE", help="stand in for the server of the recording, with the rows in it")
    parser.add_argument("--entries", type=int, default=1000, help="in the journal at the start")
    parser.add_argument("--receivers", type=int, default=1, help="the entries are spread over so many")
    parser.add_argument("--entry-bytes", type=int, default=0, help="cut or fill each entry's data to just so many bytes (0: as the capture has it)")
    parser.add_argument("--templates", type=int, default=500, help="different entries in the capture; the journal repeats them")
    parser.add_argument("--seed", type=int, default=7, help="of the capture")
    parser.add_argument("--capture-args", default="", help="more arguments for make_capture.py, such as --capture-args='--foreign --mix all'")
    parser.add_argument("--truth", help="where make_capture.py writes what a right decoder must say of each template")
    parser.add_argument("--step-us", type=int, default=1000, help="microseconds between entries")
    parser.add_argument("--holes", type=int, default=0, help="leave out one sequence number after so many entries")
    parser.add_argument("--reset-at", type=int, default=0, metavar="N", help="the N-th receiver (from 1) starts at sequence 1 again")
    parser.add_argument("--catalog", choices=CATALOG, default="new", help="which columns DISPLAY_JOURNAL has")
    parser.add_argument("--offset", type=int, default=7200, help="seconds of local time east of UTC")
    parser.add_argument("--stamps", choices=["ibm", "iso"], default="ibm", help="how a timestamp is cast to text")
    parser.add_argument("--end-beyond", choices=["ok", "CPF7053"], default="ok", help="the answer to an ending sequence beyond the receiver")
    parser.add_argument("--messages", type=int, default=0, help="in the history log at the start")
    parser.add_argument("--rate", type=float, default=0, help="entries a second that are added while it runs")


def build(options):
    """The server state that the options, and the file they may name, ask for."""
    steps = []
    if options.scenario:
        said = json.loads(options.scenario.read_text())
        steps = said.pop("steps", [])
        for key, value in said.items():
            if not hasattr(options, key):
                raise SystemExit(f"{options.scenario}: no such key: {key}")
            setattr(options, key, value)
    # The journal began that long ago; an hour more, so that the first entries are not the newest thing on the system.
    past = options.entries * options.step_us + 3600_000_000
    system = System(offset=options.offset, catalog=options.catalog, holes=options.holes, behind=past)
    system.stamp_style, system.end_beyond = options.stamps, options.end_beyond
    system.profiles[options.user.upper()] = Profile(options.password)
    system.set_pool(from_capture(options.templates, options.seed, options.entry_bytes, options.truth, options.capture_args.split()))
    system.audit = Tables(system)
    stats = Stats()
    if options.recorded:
        database = RecordedDatabase(system, stats, options.recorded)
        server = Server(system, database, stats, database.version, database.build_date)
    else:
        server = Server(system, Database(system, stats), stats)
    server.reorder = options.reorder
    fill(system, options)
    system.behind = 0
    control.run(server, {"cmd": "history", "count": options.messages})
    for step in steps:
        control.run(server, step)
    stats.reset()
    return server


def fill(system, options):
    left, done = options.entries, 0
    for number in range(1, options.receivers + 1):
        count = left // (options.receivers + 1 - number)
        if number > 1:
            system.journal.roll(reset=number == options.reset_at)
        system.behind -= count * options.step_us
        system.journal.grow(count, options.step_us, first_template=done)
        left, done = left - count, done + count


async def live(server, rate):
    """Adds entries at the rate for as long as the program runs."""
    began, added = time.monotonic(), 0
    while True:
        await asyncio.sleep(TICK if rate else 3600)
        due = int((time.monotonic() - began) * rate) - added
        if due > 0:
            server.system.journal.grow(due, int(1e6 / rate), first_template=added)
            added += due
