#!/usr/bin/env python3
"""Make a synthetic history log file (QSYS/QHSTyydddn) as captured in binary, and the truth beside it.

Shares no code with the product. Standard library only; the EBCDIC codecs are those of make_capture.py.

    make_qhst.py --out QHST26324A --truth qhst.jsonl --count 2000 --seed 7
    make_qhst.py --out QHST26324A --truth qhst.jsonl --ccsid 273 --language de --count 500
    make_qhst.py --out QHST26324A --truth qhst.jsonl --hostile --count 2000       # everything a file may say that a decoder does not expect
    make_qhst.py --out QHST26324A --truth qhst.jsonl --data-at text               # the other reading of IBM's text: see qhst_messages.md
    make_qhst.py --out QHST26324A --truth qhst.jsonl --csv qhst.csv --json qhst.json   # the same messages as rows of QSYS2.HISTORY_LOG_INFO

A file is a run of 142-byte records: 8 bytes *DTS, a 2-byte record number within the message, 132 bytes of data. Record 1 holds the header; the text follows from record 2 on, and
the message data from the record after it (--data-at record) or straight after it in the same record (--data-at text). CPF1124 and CPF1164 have their data at position 11 of
record 3 in any case; their text is cut at 132 bytes. Without text no record is spent on it, but for those two.

--csv and --json write the same messages as a tool exports them from QSYS2.HISTORY_LOG_INFO: --csv-style rfc (commas, quotes where needed, CRLF), acs (semicolons, all texts in
quotes, UTF-8 with BOM), tabs; --json-style array, lines, pretty. --columns new has FROM_JOB_NAME, FROM_JOB_USER, FROM_JOB_NUMBER in place of FROM_JOB, and the columns in another order and
case. --tokens hex writes the message data as HEX() does, literal as X'...', text as a conversion to text leaves it. --descending turns the rows around.

The message data does not depend on --language. Dates in it and in the text are in --datfmt, always with slashes.

Truth, one JSON object a message, in file order: id, type, severity (number, null when not digits), timestamp (ISO, from *DTS), timestamp_text (ISO, from cyymmddhhmmss), job_name,
job_user, job_number, user (the sending profile), program, message_file, message_library, ccsid (as the header states it; 0 and 65535 say nothing), text, data (hex), records, record (of
its first record, counted from 0), complete (false where --truncate-at cut it: nothing of its text and data is to be relied on), fields: what the message data holds, for the ids of
qhst_messages.md; a field that is not there in full is left out. All texts right-trimmed of blanks; other control characters stay. Bytes nobody knows are hex.
"""
import argparse, csv, datetime as dt, json, pathlib, random, struct, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from make_capture import CODEC, HOSTILE, HOSTS, JOBS, NATIONAL, PYTHON, USERS
from qhst_layouts import FIXED_PLACE, INFORMATIONAL, LAYOUTS, PROGRAM, SEVERITY, TYPE, WEIGHT, text_of

RECORD, DATA = 142, 132
EPOCH = dt.datetime(2000, 1, 1)
MIXED_WORDS = ["\x00\x01\x02", "\x1b[31m", "\u0085", "A|B=C\\", "Ünïcödé", "{}[]^~", "#@$", '"\'<>&', "   ", "%s%n", "\r\n"]
UNKNOWN = ["CPF9898", "CPI1466", "CPI9490", "CPD0006", "SQL0204", "USR0001", "abc1234", "       ", "MCH3601", "HTP8050", "CPI59B2", "X\x00Y\x00Z\x00W"]


def dts(at):
    """*DTS: microseconds since 2000 in the upper 52 bits, with the sign turned so that 2000-01-01 is X'8000000000000000'. System local time."""
    return struct.pack(">Q", (1 << 63) + ((at - EPOCH) // dt.timedelta(microseconds=1) << 12))


class Maker:
    def __init__(self, a):
        self.a, self.r, self.codec = a, random.Random(a.seed), CODEC[a.ccsid]
        national = [s for ccsids, texts in NATIONAL if a.ccsid in ccsids for s in texts] if a.ccsid not in PYTHON or a.ccsid in (273, 1140) else []
        self.users = USERS + national
        self.clock, self.job = dt.datetime.fromisoformat(a.start), 480000
        self.first = list(LAYOUTS)  # every kind once, then as often as it comes

    # -- bytes -------------------------------------------------------------------------------------------------
    def text(self, s, n=None):
        """EBCDIC of s, blank-padded or cut to n bytes, and what a decoder must give back. Cuts after whole characters: mixed CCSIDs end with a shift-in."""
        s = str(s)
        while n is not None and len(s.encode(self.codec, "replace")) > n: s = s[:-1]
        raw = s.encode(self.codec, "replace")
        return raw.ljust(n or 0, b"\x40"), raw.decode(self.codec).rstrip(" ")

    def field(self, value, length, kind):
        if kind == "char": return self.text(value, length)
        if kind == "bin": return int(value).to_bytes(length, "big", signed=True), int(value)
        if kind == "dts": return dts(value), value.isoformat(timespec="microseconds")
        return value, value.hex()

    def pack(self, msgid, values):
        """The message data, and the fields of it that are there when it is cut or longer than its layout."""
        raw, fields, ends = b"", {}, []
        for name, length, kind in LAYOUTS[msgid]:
            b, truth = self.field(values[name], length, kind)
            raw += b
            fields[name], ends = truth, ends + [(name, len(raw))]
        if self.a.hostile and self.r.random() < .2:  # another release: fields more, or fewer
            raw = raw + self.r.randbytes(self.r.randint(1, 40)) if self.r.random() < .5 else raw[:self.r.randint(0, len(raw))]
        return raw, {name: fields[name] for name, end in ends if end <= len(raw)}

    # -- values ------------------------------------------------------------------------------------------------
    def name(self, usual, n=10):
        """A name; with --hostile now and then one that no system would give."""
        if self.a.hostile and self.r.random() < .15: return self.r.choice(HOSTILE + MIXED_WORDS)[:n]
        return usual

    def values(self, job):
        """A value for every field any layout has, so that the same seed gives the same data whatever the message."""
        r, at = self.r, self.clock
        entered, started = at - dt.timedelta(seconds=r.randint(1, 90000)), at - dt.timedelta(seconds=r.randint(0, 900))
        date = lambda t: t.strftime({"mdy": "%m/%d/%y", "dmy": "%d/%m/%y", "ymd": "%y/%m/%d"}[self.a.datfmt])
        clock = lambda t: t.strftime("%H:%M:%S")
        cpu = r.choice([0, 2, 24, 111, 33500, 210744, r.randint(0, 2**31 - 1)])
        v = {"job_name": job[0], "job_user": job[1], "job_number": job[2], "start_time": clock(started), "start_date": date(started), "entry_time": clock(entered), "entry_date": date(entered),
             "end_time": clock(at), "end_date": date(at), "connect_time": clock(at), "connect_date": date(at), "cpu_time": cpu, "routing_steps": r.randint(0, 3),
             "end_code": r.choice([0, 0, 0, 10, 20, 30, 50, 70, 80]), "secondary_end_code": r.choice([0, 0, 100, 500]), "unknown": r.randbytes(18), "performance_length": 45,
             "response_time": r.randint(0, 99999), "transactions": r.randint(0, 5000), "auxiliary_io": r.randint(0, 10**6), "job_type": r.choice("BBIIAX"),
             "subsystem": self.name(r.choice(["QINTER", "QBATCH", "QUSRWRK", "QSYSWRK", "SLSBS"])), "subsystem_library": "QSYS", "user": self.name(r.choice(self.users)),
             "device": r.choice(["QPADEV000F", "DSP01", "*N", ""]), "local_address": "10.1.7.2", "local_port": r.choice([23, 992, 8471, 8476]), "remote_port": r.randint(1024, 65535),
             "client_address": r.choice(HOSTS + ["::ffff:10.1.43.58", "fe80::1", ""]), "reason_code": r.randint(1, 3), "further_closed": r.choice([0, 0, 7]), "percent_used": r.randint(85, 99)}
        v["seconds"] = f"{cpu // 1000 or ''}{'.' if self.a.language == 'en' else ','}{cpu % 1000:03d}"
        return v

    def known(self, msgid, job):
        v = self.values(job)
        said = dict(v)
        if dict((n, k) for n, _, k in LAYOUTS[msgid]).get("connect_time") == "dts":
            v["connect_time"], said["connect_time"] = self.clock, f"{v['connect_date']} {v['connect_time']}"
        data, fields = self.pack(msgid, v)
        return text_of(msgid, self.a.language).format(**said), data, fields

    def strange(self):
        """An id without a layout, with text and data of any length."""
        r = self.r
        text = "".join(r.choice(HOSTILE + MIXED_WORDS + ["text ", "Meldung ", "/"]) for _ in range(r.choice([0, 0, 1, 3, 30, 60])))
        return text, r.randbytes(r.choice([0, 0, 1, 131, 132, 133, 264, r.randint(0, 4000)])), {}

    # -- records -----------------------------------------------------------------------------------------------
    def message(self):
        r, hostile = self.r, self.a.hostile
        self.clock += dt.timedelta(microseconds=r.randint(0, 3_000_000))
        self.job = (self.job + (r.random() < .4)) % 1000000
        job, user = r.choice(JOBS)
        sender = self.name(r.choice(self.users))
        job = (self.name(job), user or sender, f"{self.job:06d}")
        foreign = hostile and not self.first and r.random() < .3
        if foreign:
            msgid = r.choice(UNKNOWN)
            text, data, fields = self.strange()
        else:
            msgid = self.first.pop(0) if self.first else r.choices(list(LAYOUTS), [WEIGHT.get(i, 1) for i in LAYOUTS])[0]
            text, data, fields = self.known(msgid, job)
            if hostile and r.random() < .1: text = ""
        kind, severity = TYPE.get(msgid, INFORMATIONAL), f"{SEVERITY.get(msgid, 0):02d}"
        if hostile and r.random() < .15: kind, severity = r.choice(["02", "05", "08", "14", "16", "17", "21", "26", "99", "  ", "\x00\x00"]), r.choice(["00", "99", "  ", "4x", "\x00\x00"])
        ccsid = r.choice([0, 65535, self.a.ccsid]) if hostile and r.random() < .3 else self.a.ccsid
        stamp = self.clock - dt.timedelta(hours=1) if hostile and r.random() < .02 else self.clock  # the clock was set back: *DTS and the readable time need not agree
        raw, truth = self.compose(msgid, job, sender, kind, severity, self.name(PROGRAM.get(msgid, "QCMD"), 12), ccsid, stamp, text, data)
        return raw, truth | {"fields": fields}

    def compose(self, msgid, job, sender, kind, severity, program, ccsid, stamp, text, data):
        """The records of one message, and what they say."""
        raw = text.encode(self.codec, "replace")
        if msgid in FIXED_PLACE: raw = self.text(text, DATA)[0].rstrip(b"\x40")
        head = [("job_name", job[0], 10), ("job_user", job[1], 10), ("job_number", job[2], 6), (None, f"{int(stamp.year >= 2000)}{stamp:%y%m%d%H%M%S}", 13), ("id", msgid, 7),
                ("message_file", "QTCPMSG" if msgid.startswith("TCP") else "QCPFMSG", 10), ("message_library", "QSYS", 10), ("type", kind, 2), (None, severity, 2), ("program", program, 12),
                (None, "0000", 4), (None, "", 10), (None, "", 4)]
        first, truth = b"", {}
        for name, value, length in head:
            b, said = self.text(value, length)
            first += b
            if name: truth[name] = said
        user, truth["user"] = self.text(sender, 10)
        first += struct.pack(">HHi", len(raw), len(data), ccsid) + user + b"\x40" * 14
        truth |= {"severity": int(severity) if severity.isdigit() else None, "timestamp": self.clock.isoformat(timespec="microseconds"), "timestamp_text": stamp.isoformat(timespec="seconds"),
                  "ccsid": ccsid, "text": raw.decode(self.codec).rstrip(" "), "data": data.hex()}
        return self.records(msgid, first, raw, data), truth

    def records(self, msgid, first, text, data):
        fill = self.r.choice([b"\0", b"\x40"]) if self.a.hostile else b"\x40"  # behind what the lengths say, anything may stand
        pad = lambda b: b.ljust(-len(b) % DATA + len(b), fill)
        if msgid in FIXED_PLACE: body = text.ljust(DATA, fill) + pad(data)
        elif self.a.data_at == "text": body = pad(text + data)
        else: body = pad(text) + pad(data)
        body = first + body
        stamp = dts(self.clock)
        return b"".join(stamp + struct.pack(">H", i // DATA + 1) + body[i:i + DATA] for i in range(0, len(body), DATA))


TYPES = {"01": "COMPLETION", "02": "DIAGNOSTIC", "04": "INFORMATIONAL", "05": "INQUIRY", "06": "SENDER", "08": "REQUEST", "14": "NOTIFY", "15": "ESCAPE"}


def row(n, t, a):
    """A row of HISTORY_LOG_INFO for the truth of a message; None is NULL."""
    at = dt.datetime.fromisoformat(t["timestamp"])
    data = bytes.fromhex(t["data"])
    tokens = {"hex": data.hex().upper(), "literal": f"X'{data.hex().upper()}'", "text": data.decode("cp037")}[a.tokens] if data else None
    job = {"FROM_JOB": "/".join((t["job_number"], t["job_user"], t["job_name"]))}
    if a.columns == "new": job = {"FROM_JOB_NAME": t["job_name"], "FROM_JOB_USER": t["job_user"], "FROM_JOB_NUMBER": t["job_number"]}
    r = {"ORDINAL_POSITION": n + 1, "MESSAGE_ID": t["id"] or None, "MESSAGE_TYPE": TYPES.get(t["type"]), "MESSAGE_SUBTYPE": None, "SEVERITY": t["severity"],
         "MESSAGE_TIMESTAMP": at.isoformat(a.time_separator, "microseconds"), "FROM_USER": t["user"], **job, "FROM_PROGRAM": t["program"], "MESSAGE_LIBRARY": t["message_library"],
         "MESSAGE_FILE": t["message_file"], "MESSAGE_TOKENS": tokens, "MESSAGE_TEXT": t["text"], "MESSAGE_SECOND_LEVEL_TEXT": f'&N Cause . . . :   "{t["id"]}";\r\nRecovery {n}, {{"MESSAGE_ID":"CPF0000"}}'}
    if a.columns == "new": r = {k.lower().replace("_", " ") if n else k: r[k] for n, k in enumerate(sorted(r, key=lambda k: k[::-1]))}
    return r


def write_csv(path, rows, style):
    form = {"rfc": dict(delimiter=","), "acs": dict(delimiter=";", quoting=csv.QUOTE_NONNUMERIC), "tabs": dict(delimiter="\t")}[style]
    with open(path, "w", encoding="utf-8-sig" if style == "acs" else "utf-8", newline="") as f:
        w = csv.writer(f, lineterminator="\r\n", **form)
        if rows: w.writerow(rows[0])
        w.writerows(["" if v is None else v for v in r.values()] for r in rows)


def write_json(path, rows, style):
    with open(path, "w", encoding="utf-8") as f:
        if style == "lines": f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        else: json.dump(rows, f, ensure_ascii=style == "array", indent=2 if style == "pretty" else None)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True); p.add_argument("--truth")
    p.add_argument("--count", type=int, default=1000, help="messages; the first ones are every known id once"); p.add_argument("--seed", type=int, default=1)
    p.add_argument("--ccsid", type=int, choices=CODEC, default=37, metavar="N", help=", ".join(map(str, sorted(CODEC))))
    p.add_argument("--language", choices=["en", "de", "fr"], default="en"); p.add_argument("--datfmt", choices=["mdy", "dmy", "ymd"], default="mdy")
    p.add_argument("--data-at", choices=["record", "text"], default="record")
    p.add_argument("--hostile", action="store_true"); p.add_argument("--truncate-at", type=int, metavar="BYTES", help="cut the file there, in a record or between two")
    p.add_argument("--start", default="2026-11-20T08:00:00")
    p.add_argument("--csv", metavar="FILE"); p.add_argument("--csv-style", choices=["rfc", "acs", "tabs"], default="rfc")
    p.add_argument("--json", metavar="FILE"); p.add_argument("--json-style", choices=["array", "lines", "pretty"], default="array")
    p.add_argument("--columns", choices=["old", "new"], default="old"); p.add_argument("--tokens", choices=["hex", "literal", "text"], default="hex")
    p.add_argument("--time-separator", default=" "); p.add_argument("--descending", action="store_true")
    a = p.parse_args()
    rows = []
    m, at, limit = Maker(a), 0, a.truncate_at if a.truncate_at is not None else sys.maxsize
    truth = open(a.truth, "w", encoding="utf-8") if a.truth else None
    with open(a.out, "wb") as out:
        for _ in range(a.count):
            raw, t = m.message()
            if at >= limit: break
            out.write(raw[:limit - at])
            t |= {"record": at // RECORD, "records": len(raw) // RECORD, "complete": at + len(raw) <= limit}
            if truth: truth.write(json.dumps(t, ensure_ascii=False) + "\n")
            rows.append(row(len(rows), t, a))
            at += len(raw)
    if a.descending: rows.reverse()
    if a.csv: write_csv(a.csv, rows, a.csv_style)
    if a.json: write_json(a.json, rows, a.json_style)
    print(f"{min(at, limit)} bytes -> {a.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
