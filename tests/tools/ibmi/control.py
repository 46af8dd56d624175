#!/usr/bin/env python3
"""The handle of the stand-in: one JSON object a line, answered by one JSON object a line, on a Unix socket or a TCP port.

    {"cmd": "append", "count": 100}  ->  {"ok": true, "receiver": "AUDRCV0001", "first": 1002, "last": 1101}

By hand: control.py SOCKET '{"cmd": "stats"}'

The commands are the functions whose names begin with do_; a mistake is answered with {"ok": false, "error": ...}.
"""
import asyncio
import json
import socket
import sys
import time
from collections import Counter

from system import Profile, parse_stamp

HISTORY = [  # made up, with real ids: sign-on, sign-off, a client's connection, a wrong password
    ("CPF1124", "COMPLETION", 0, "Job {job} started on {day} in subsystem QINTER in QSYS."),
    ("CPIAD09", "INFORMATIONAL", 0, "User BILL from client 10.1.7.44 connected to job {job} in subsystem QUSRWRK in QSYS."),
    ("CPF2234", "DIAGNOSTIC", 40, "Password from device QPADEV000F not correct for user BILL."),
    ("CPF1164", "COMPLETION", 0, "Job {job} ended on {day}; 1 seconds used; end code 0."),
]


def do_append(server, count=1, step_us=1000, code=None, type=None, data=None, start=None, fields=None):
    """Entries that repeat the templates, or `count` equal ones of a code and type with data in hex. `start`: local time of the first. `fields`: what
    the data says, for AUDIT_JOURNAL_xx, which has no row of these entries without."""
    from entries import Template
    journal = server.system.journal
    begin = None if start is None else parse_stamp(start)
    first = journal.attached.last + 1
    if code:
        template = Template(code, type or "ZZ", bytes.fromhex(data or ""))
        template.fields = fields
        for i in range(count):
            journal.add(template, None if begin is None else begin + i * step_us)
    else:
        journal.grow(count, step_us, begin)
    return {"receiver": journal.attached.name, "first": first, "last": journal.attached.last}


def do_roll(server, reset=False, stale=0, kind="missing", hidden=0):
    """A new receiver; with `reset` its sequence begins at 1; `stale` chain queries to come do not see it (or, kind last, see old last numbers)."""
    return {"receiver": server.system.journal.roll(reset, stale, kind, hidden)}


def do_reset(server, stale=0):
    """Roll, and begin the numbers again at 1: what an IPL does."""
    return do_roll(server, reset=True, stale=stale)


def do_delete(server, receiver=None):
    """The oldest receiver, or the one named, is deleted: its entries are lost."""
    return {"receiver": server.system.journal.delete(receiver)}


def do_stale(server, queries=1):
    """The next chain queries see the chain as it is now."""
    journal = server.system.journal
    journal.stale_queries, journal.stale_rows = queries, journal.chain_rows()


def do_chain(server):
    names = ("library", "name", "first", "last", "attached", "status")
    return {"receivers": [dict(zip(names, row)) for row in server.system.journal.chain_rows()]}


def do_stall(server, seconds, statement=None, count=1):
    """The next queries (of that name: PAGE, CHAIN, ...; SQLMORE for the pages after the first) are answered so much later."""
    server.stalls.append([statement, seconds, count])


def do_fail(server, error, statement=None, count=1):
    """The next queries fail with this CPF id."""
    server.database.failures.append([statement, error, count])


def do_authority(server, missing=()):
    """Statements that are answered as to a user without authority: CPF9802, or no rows for JOURNAL and CHAIN."""
    server.system.not_authorized = set(missing)


def do_drop(server, statement=None, after=0):
    """When this statement (or SQLMORE) has been answered `after` times more, the next one ends its connection instead."""
    server.drops.append([statement, after])


def do_kill(server):
    """All connections end at once, without a farewell."""
    victims = list(server.sessions)
    for client in victims:
        client.kill()
    return {"killed": len(victims)}


def do_reorder(server, seconds):
    """Each answer is held back for a random part of so many seconds, so that answers overtake each other."""
    server.reorder = seconds


def do_refuse_logins(server, count=1, reason="Password is expired."):
    """The next connects fail with this reason, in jt400's words."""
    server.system.refuse_logins, server.system.refusal = count, reason


def do_profile(server, user="AUDITOR", disabled=None, password=None):
    """Disable or enable a profile (its failures are forgotten), or give it a new password. One that cannot sign on yet can then."""
    profile = server.system.profiles.setdefault(user, Profile(password))
    if disabled is not None:
        profile.disabled, profile.failures = disabled, 0
    if password is not None:
        profile.password = password
    return {"disabled": profile.disabled, "failures": profile.failures}


def do_user(server, name, **fields):
    """A profile as USER_INFO shows it (Security.user): class, special authorities, groups, action auditing. One given before is replaced."""
    server.system.security.user(name, **fields)


def do_object(server, library, name, type, remove=False, **fields):
    """An object with owner and auditing, or none any more."""
    if remove:
        server.system.security.objects.pop((library, name, type), None)
    else:
        server.system.security.object(library, name, type, **fields)


def do_path(server, path, type="*STMF", audit="*NONE"):
    """A path with its auditing."""
    server.system.security.paths[path] = (type, audit)


def do_right(server, library, name, type, user, authority=None, add=(), autl=None):
    """A user's authority to an object (*ALL, *CHANGE, *USE, *EXCLUDE), with single ones beside it; without one, the row is gone."""
    if authority is None:
        server.system.security.rights.get((library, name, type), {}).pop(user, None)
    else:
        server.system.security.right(library, name, type, user, authority, add, autl)


def do_journal(server, there=None, detached=None, deletes_receivers=None):
    """Whether there is a journal, whether it has no receiver attached, and whether it says DLTRCV(*YES)."""
    journal = server.system.journal
    for name, value in (("there", there), ("detached", detached), ("deletes_receivers", deletes_receivers)):
        if value is not None:
            setattr(journal, name, value)


def do_offset(server, seconds, in_seconds=None):
    """The UTC offset changes: now, or so many seconds from now."""
    if in_seconds is None:
        server.system.set_offset(seconds)
    else:
        server.system.offset_changes.append((time.time_ns() // 1000 + int(in_seconds * 1e6), seconds))
        server.system.offset_changes.sort()


def do_history(server, count=1, messages=(), start=None, step_us=1000):
    """History log messages: those given (keys of System.add_message, tokens in hex), or `count` of the usual ones."""
    system = server.system
    for message in messages:
        tokens, at = bytes.fromhex(message.pop("tokens", "")), message.pop("at", None)
        system.add_message(**message, tokens=tokens, at=None if at is None else parse_stamp(at))
    if messages:
        count = 0
    at = system.now() - (count - 1) * step_us if start is None else parse_stamp(start)
    for i in range(count):
        message_id, kind, severity, text = HISTORY[i % len(HISTORY)]
        job = f"{200000 + i % 100000:06d}/BILL/QPADEV000F"
        system.add_message(message_id, kind, severity, "BILL", job, "QWTPIIPP", tokens=f"{i:06d}BILL".encode("cp037"),
                           text=text.format(job=job, day="11/20/26"), at=at + i * step_us)
    return {"messages": len(system.history)}


def do_values(server, values):
    """System values: a number or a text each, null to remove one."""
    for name, value in values.items():
        if value is None:
            server.system.values.pop(name, None)
        else:
            server.system.values[name] = (value, None) if isinstance(value, int) else (None, value)


def do_audit(server, type=None, there=None, column=None, how=None, to=None, lacks=None, backwards=None, empty=None):
    """SYSTOOLS.AUDIT_JOURNAL_xx. One function is not `there`; a column of it, by its right name, is missing, null, constant, shift (a byte off) or
    rename (`to`), or right again without `how`; the first rows of each answer are lacking (`lacks`: how many); the rows come `backwards`; `empty`:
    what a function that finds nothing answers, rows (none) or CPF7062. The answer lists the functions' types and the columns of this one."""
    audit = server.system.audit
    if empty not in (None, "rows", "CPF7062"):
        raise ValueError(f"empty is rows or CPF7062, not {empty}")
    if there is not None:
        (audit.gone.discard if there else audit.gone.add)(type)
    if column is not None:
        audit.fault(type, column, how, to)
    audit.lacks = audit.lacks if lacks is None else lacks
    audit.backwards = audit.backwards if backwards is None else backwards
    audit.empty = audit.empty if empty is None else empty
    return {"types": audit.types(), "columns": [c.name for c in audit.columns(type)] if type else []}


def do_catalog(server, catalog):
    """Which columns DISPLAY_JOURNAL has: new, middle (no remote columns) or old (nor USER_NAME)."""
    server.system.catalog = catalog


def do_stats(server, reset=False):
    """What was asked since the start, or since the last reset; the intervals are seconds between the starts of two queries."""
    report = server.stats.report() | {"open_connections": len(server.sessions)}
    if reset:
        server.stats.reset()
    return report


def do_truth(server, codes=None, deleted=False, path=None):
    """Every entry's id RECEIVER:SEQUENCE in order, and its code/type; with `path`, in a file, one JSON object a line, with the template's number
    (the line of --truth, from 0) and the local time. Deleted receivers are left out, unless asked for."""
    system, journal = server.system, server.system.journal
    receivers = sorted(journal.receivers + (journal.deleted if deleted else []), key=lambda r: r.name)
    kinds = [f"{t.code}/{t.type}" for t in system.templates]
    wanted = [codes is None or t.code in codes.replace(",", " ").split() for t in system.templates]
    place = {number: i for i, number in enumerate(system.pool)}
    rows = ((r.name, s, t, at) for r in receivers for s, t, at in zip(r.sequences, r.templates, r.times) if wanted[t])
    counts = Counter()
    if path:
        with open(path, "w", encoding="utf-8") as file:
            for name, sequence, template, at in rows:
                counts[kinds[template]] += 1
                file.write(f'{{"id":"{name}:{sequence}","kind":"{kinds[template]}","template":{json.dumps(place.get(template))},"time":{at}}}\n')
        return {"count": sum(counts.values()), "by_kind": counts, "path": path}
    ids, types = [], []
    for name, sequence, template, _ in rows:
        ids.append(f"{name}:{sequence}")
        types.append(kinds[template])
    return {"count": len(ids), "by_kind": Counter(types), "ids": ids, "kinds": types}


def run(server, command):
    """Carries out one command. Raises what it cannot do."""
    command = dict(command)
    function = globals().get(f"do_{command.pop('cmd')}")
    if function is None:
        raise ValueError("no such command")
    return function(server, **command) or {}


async def listen(server, where):
    async def talk(reader, writer):
        while line := await reader.readline():
            try:
                answer = {"ok": True} | run(server, json.loads(line))
            except Exception as error:  # a mistake in a test must come back to the test
                answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    if where.isdigit():
        listener = await asyncio.start_server(talk, "127.0.0.1", int(where), limit=2**24)
        return listener.sockets[0].getsockname()[1]
    await asyncio.start_unix_server(talk, where, limit=2**24)
    return where


def main():
    where, line = sys.argv[1:]
    with (socket.create_connection(("127.0.0.1", int(where))) if where.isdigit() else socket.socket(socket.AF_UNIX)) as handle:
        if not where.isdigit():
            handle.connect(where)
        handle.sendall(line.encode() + b"\n")
        print(handle.makefile("r", encoding="utf-8").readline(), end="")


if __name__ == "__main__":
    main()
