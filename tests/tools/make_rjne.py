#!/usr/bin/env python3
"""Turn a synthetic capture into the buffers QjoRetrieveJournalEntries returns (RJNE0100 or RJNE0200), and write the truth beside them.

Shares no code with the product. Standard library only. The entries come from make_capture.py: a *TYPE5 capture in the stream framing, or made here.

    make_rjne.py --out day.rjne --truth day.jsonl --count 500 --seed 7
    make_rjne.py --out day.rjne --truth day.jsonl --make "--mix all --hostile --ccsid 273" --count 860
    make_capture.py --framing stream --out day.type5 --truth day.t5.jsonl && make_rjne.py --capture day.type5 --capture-truth day.t5.jsonl --out day.rjne --truth day.jsonl
    make_rjne.py --out gaps.rjne --truth gaps.jsonl --padding 40 --shuffle-parts     # nothing but the displacements leads to anything
    make_rjne.py --out bad.rjne --truth bad.jsonl --corrupt 3                        # displacements that lead nowhere

The file is one buffer after the other. Each begins with its own header, and is "bytes returned" long, a multiple of 16. Offsets count from the buffer's first byte, displacements from
the first byte of the entry they stand in; 0 is "not there", for the next entry "this is the last", for the receiver (RJNE0200) "the same as before". A receiver is given for the
first entry of a buffer and where it changes, with --sparse-receivers only where it changes. Continuation '1' and the next receiver are in every buffer but the last.
Parts: null-value indicators (u32 length, bytes), entry data (5 digits, 11 reserved, bytes), and for RJNE0200 transaction identifier (140), logical unit of work (39), receiver.
The 140 and 39 bytes are inferred from *TYPE5.

Truth, one JSON object a line: {"buffer": {...}} with offset, bytes, count, continuation ("0" or "1"), next_receiver, next_library, next_sequence; then one object for each of its entries:
offset (in the buffer), header (the names of make_capture.py; numbers as integers; thread as 16 hex digits), and of the capture's truth fields (or data), complete, cut and parts as they
are there. remote_address is the plain address (::ffff:10.1.7.44 is 10.1.7.44); remote_address_form says how it stood there: binary4, text, binary6, mapped6, none. With --corrupt an entry
(or buffer) has "corrupt", what was spoilt: that part, the receiver of later entries after a spoilt "receiver", and every later entry of the buffer after a spoilt "next" (or anything of the buffer, where its header is spoilt) may be
missing from what a decoder returns. What it does return must be true: every spoilt value is one that cannot be right (a "next" of 0 before the last entry contradicts the count).
"""
import argparse, datetime as dt, ipaddress, json, pathlib, random, shlex, struct, subprocess, sys, tempfile, tomllib

HERE = pathlib.Path(__file__).resolve().parent
ESD_AT = 609  # 0-based, in a *TYPE5 record
BUFFER_HEADER = {"0100": 16, "0200": 64}
ENTRY_HEADER = {"0100": 196, "0200": 236}
DISPLACEMENTS = {"0100": {"next": 0, "nvi": 4, "esd": 8}, "0200": {"next": 0, "nvi": 4, "esd": 8, "xid": 12, "luw": 16, "receiver": 20}}
EPOCH = dt.datetime(2000, 1, 1)
NOT_IN_0100 = ["receiver_name", "receiver_library", "receiver_library_asp_device", "receiver_library_asp_number", "remote_address", "remote_address_form", "remote_port", "address_family", "arm_number",
               "program_library", "program_library_asp_device", "program_library_asp_number", "thread", "system_sequence_number", "transaction_identifier", "logical_unit_of_work",
               "journaled_object_type", "file_type_indicator", "nested_commit_level", "field_boundaries"]
digits = lambda n, width: f"{n:0{width}d}".encode("cp037")
number = lambda v: int(str(v).strip() or 0) if v is not None and str(v).strip().isdigit() else 0
type5_layout = lambda: {f["name"]: (f["offset"] - 1, f["length"]) for f in tomllib.loads((HERE.parents[1] / "formats/journal/_headers.toml").read_text())["type5"]["field"]}


def dts(stamp):
    """*DTS: microseconds since 2000 in the upper 52 bits, with the sign turned so that 2000-01-01 is X'8000000000000000'. System local time."""
    at = dt.datetime.strptime(stamp, "%Y-%m-%d-%H.%M.%S.%f")
    return (1 << 63) + ((at - EPOCH) // dt.timedelta(microseconds=1) << 12)


def address(text, raw, r):
    """(16 bytes, address family, plain address, form). An IPv4 address arrives as 4 bytes or as text, and from a dual-stack socket as ::ffff:a.b.c.d."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        whole = not raw[16:].strip(b"\x40")
        return raw[:16], b"\xf4" if text else b"\xf0", text if whole else None, "text" if text else "none"
    if ip.version == 6: return ip.packed, b"\xf6", str(ip), "binary6"
    form = r.choice(["binary4", "binary4", "text", "mapped6"])
    if form == "mapped6": return bytes(10) + b"\xff\xff" + ip.packed, b"\xf6", str(ip), form
    return (ip.packed + bytes(12) if form == "binary4" else str(ip).encode("cp037").ljust(16, b"\x40")), b"\xf4", str(ip), form


class Writer:
    def __init__(self, a):
        self.a, self.f, self.r, self.layout = a, a.format, random.Random(a.seed), type5_layout()
        self.spoiler = random.Random(a.corrupt) if a.corrupt is not None else None
        self.receiver = None

    def entry(self, rec, t, index):
        """The bytes of one entry's header, its parts {name: bytes}, and its truth."""
        head, r = dict(t["header"]), self.r
        raw = lambda name: rec[self.layout[name][0]:sum(self.layout[name])]
        nvi = r.choice([None, None, b"", bytes([0xF0]) * r.randint(1, 20)])
        esd = rec[ESD_AT:]
        parts = {"esd": digits(len(esd), 5) + b"\x40" * 11 + esd}
        if nvi is not None: parts["nvi"] = struct.pack(">I", len(nvi)) + nvi
        seq, count, ccid = (number(head[n]) for n in ("sequence_number", "count_or_rrn", "commit_cycle"))
        head |= {"sequence_number": seq, "count_or_rrn": count, "commit_cycle": ccid, "null_value_indicators": (nvi or b"").decode("cp037")}
        for gone in ("entry_length", "entry_data_length", "thread_identifier"): head.pop(gone, None)
        obj = raw("object_name") + raw("object_library") + raw("member_name")
        if self.f == "0100":
            body = (digits(seq, 20) + raw("journal_code") + raw("journal_entry_type") + raw("entry_timestamp") + raw("job_name") + raw("job_user") + raw("job_number") + raw("program_name") + obj
                    + digits(count, 10) + raw("flag") + digits(ccid, 20) + raw("user_name") + raw("system_name") + raw("journal_identifier") + raw("referential_constraint") + raw("trigger")
                    + raw("incomplete_data") + raw("object_name_indicator") + raw("ignore_apply_remove") + raw("minimized_entry_data"))
            for name in NOT_IN_0100: head.pop(name, None)
            return bytes(12) + struct.pack(">I", 0) + body, parts, head
        receiver = self.receiver_of(head, raw, index)
        if receiver is not None: parts["receiver"] = receiver
        if head["logical_unit_of_work"]: parts["luw"] = raw("logical_unit_of_work")
        if r.random() < .1:  # its inside is not known, so the truth is silent about it
            parts["xid"] = r.randbytes(140)
            head.pop("transaction_identifier")
        thread, sysseq, nested = int.from_bytes(raw("thread_identifier"), "big"), number(head["system_sequence_number"]), number(head["nested_commit_level"])
        port, arm, asp = (number(head[n]) for n in ("remote_port", "arm_number", "program_library_asp_number"))
        addr, family, plain, form = address(head["remote_address"], raw("remote_address"), r)
        flags = ["referential_constraint", "trigger", "incomplete_data", "ignore_apply_remove", "minimized_entry_data", "file_type_indicator"]
        bits = sum(0x80 >> i for i, n in enumerate(flags) if head[n] == "1")
        head |= {n: "1" if head[n] == "1" else "0" for n in flags}
        head |= {"thread": f"{thread:016X}", "system_sequence_number": sysseq, "nested_commit_level": nested, "remote_port": port, "arm_number": arm, "program_library_asp_number": asp,
                 "address_family": family.decode("cp037"), "remote_address": plain, "remote_address_form": form}
        if plain is None: head.pop("remote_address")
        fixed = struct.pack(">QQQQQQIHHH", seq, dts(head["entry_timestamp"]), thread, sysseq, count, ccid, 0, port, arm, asp)
        body = (fixed + addr + raw("journal_code") + raw("journal_entry_type") + raw("job_name") + raw("job_user") + raw("job_number") + raw("program_name") + raw("program_library")
                + raw("program_library_asp_device") + obj + raw("user_name") + raw("journal_identifier") + family + raw("system_name") + raw("flag") + raw("object_name_indicator") + bytes([bits])
                + raw("journaled_object_type").ljust(10, b"\x40") + bytes(3) + struct.pack(">I", nested))
        return bytes(24) + body, parts, head

    def receiver_of(self, head, raw, index):
        """The receiver's part where the entry must have one, and its truth in head. The chain rolls every --receiver-every entries."""
        name = self.rolled(raw("receiver_name"), index)
        asp = number(head["receiver_library_asp_number"])
        part = name + raw("receiver_library") + raw("receiver_library_asp_device") + struct.pack(">h", asp)
        if name != raw("receiver_name"): head["receiver_name"] = name.decode("cp037").rstrip()
        head["receiver_library_asp_number"] = asp
        self.next_receiver = (self.rolled(raw("receiver_name"), index + 1), raw("receiver_library"))
        if part == self.receiver and not (self.first and not self.a.sparse_receivers): return None
        self.receiver = part
        return part

    def rolled(self, name, index):
        """The name of the receiver that holds the index-th entry: the capture's own first, then RCVROL0001 and on."""
        roll = index // self.a.receiver_every
        return f"RCVROL{roll:04d}".encode("cp037") if roll else name

    def gap(self, align=4):
        """Bytes between two parts: rubbish with --padding, else only up to the next multiple."""
        if self.a.padding: return lambda at: self.r.randbytes(self.r.randint(0, self.a.padding))
        return lambda at: bytes(-at % align)

    def buffer(self, entries, index, last):
        """One buffer of entries [(record, truth)], the first of them the index-th of all."""
        out, truths, before = bytearray(BUFFER_HEADER[self.f]), [], None
        self.next_receiver = (b"\x40" * 10, b"\x40" * 10)
        for i, (rec, t) in enumerate(entries):
            self.first = i == 0
            header, parts, head = self.entry(rec, t, index + i)
            assert len(header) == ENTRY_HEADER[self.f]
            out += self.gap(16)(len(out))
            at, where = len(out), {}
            out += header
            order = [p for p in ("nvi", "esd", "xid", "luw", "receiver") if p in parts]
            if self.a.shuffle_parts: self.r.shuffle(order)
            for name in order:
                out += self.gap()(len(out))
                where[name] = len(out) - at
                out += parts[name]
            for name, displacement in where.items(): struct.pack_into(">I", out, at + DISPLACEMENTS[self.f][name], displacement)
            if before is not None: struct.pack_into(">I", out, before, at - before)
            before = at
            truths.append({"offset": at, "header": head} | {k: t[k] for k in ("fields", "data", "complete", "cut", "parts") if k in t})
        out += bytes(-len(out) % 16)
        first = truths[0]["offset"] if truths else 0
        more = not last
        b = {"bytes": len(out), "count": len(truths), "continuation": "1" if more else "0"}
        struct.pack_into(">iii", out, 0, len(out), first, len(truths))
        out[12] = 0xF1 if more else 0xF0
        if self.f == "0200":
            name, library = self.next_receiver if more else (b"\x40" * 10, b"\x40" * 10)
            following = truths[-1]["header"]["sequence_number"] + 1 if truths and more else None
            out[13:64] = name + library + (digits(following, 20) if following else b"\x40" * 20) + b"\x40" * 11
            b |= {"next_receiver": name.decode("cp037").rstrip(), "next_library": library.decode("cp037").rstrip(), "next_sequence": following}
        if self.spoiler: self.spoil(out, b, truths)
        return out, b, truths

    def spoil(self, out, b, truths):
        """Turns displacements of some entries, now and then a word of the buffer's header, into ones that lead nowhere."""
        s = self.spoiler
        kinds = {"negative": lambda at, d: -s.randint(1, 2**31), "huge": lambda at, d: s.randint(len(out), 2**31 - 1), "end": lambda at, d: max(0, len(out) - at - s.randint(0, 3)),
                 "itself": lambda at, d: d, "backwards": lambda at, d: -s.randint(1, at), "header": lambda at, d: s.randint(1, ENTRY_HEADER[self.f] - 1)}
        for t in truths:
            if s.random() < .6: continue
            part, kind = s.choice(list(DISPLACEMENTS[self.f])), s.choice(list(kinds))
            at, field = t["offset"], DISPLACEMENTS[self.f][part]
            value = kinds[kind](at, field)
            struct.pack_into(">I", out, at + field, value & 0xFFFFFFFF)
            t["corrupt"] = {"part": part, "kind": kind, "value": value}
        if s.random() < .2:
            word = s.choice(["first", "count"])  # not the length: without it no later buffer could be found
            value = s.choice([-1, 2**31 - 1, 1, len(out) - 3, 0, 12])
            struct.pack_into(">i", out, {"first": 4, "count": 8}[word], value)
            b["corrupt"] = {"word": word, "value": value}


def capture(a):
    """(record, truth) of every entry. Without --capture the entries are made by make_capture.py, in a place of its own."""
    with tempfile.TemporaryDirectory() as d:
        if not a.capture:
            a.capture, a.capture_truth = f"{d}/entries", f"{d}/truth"
            subprocess.run([sys.executable, HERE / "make_capture.py", "--type", "type5", "--framing", "stream", "--out", a.capture, "--truth", a.capture_truth, "--count", str(a.count),
                            "--seed", str(a.seed), *shlex.split(a.make)], check=True, stderr=subprocess.DEVNULL)
        raw, truths = pathlib.Path(a.capture).read_bytes(), [json.loads(l) for l in pathlib.Path(a.capture_truth).read_text("utf-8").split("\n") if l]
    at, entries = 0, []
    for t in truths:
        n = struct.unpack_from(">I", raw, at)[0]
        entries.append((raw[at + 4:at + 4 + n], t))
        at += 4 + n
    if at != len(raw): sys.exit(f"{a.capture}: not *TYPE5 in the stream framing, or not of this truth: byte {at} of {len(raw)}")
    return entries


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True); p.add_argument("--truth")
    p.add_argument("--format", choices=["0100", "0200"], default="0200", type=lambda s: s.removeprefix("RJNE"))
    p.add_argument("--capture"); p.add_argument("--capture-truth")
    p.add_argument("--count", type=int, default=500); p.add_argument("--seed", type=int, default=1)
    p.add_argument("--make", default="", metavar="OPTIONS", help="further options for make_capture.py, in one argument; a single one as --make=--hostile")
    p.add_argument("--entries-per-buffer", type=int, default=25); p.add_argument("--receiver-every", type=int, default=40, help="entries in one receiver")
    p.add_argument("--sparse-receivers", action="store_true"); p.add_argument("--odd-buffers", action="store_true", help="now and then a buffer without entries, or too small for one")
    p.add_argument("--padding", type=int, default=0, metavar="N", help="up to N bytes of rubbish before every entry and part"); p.add_argument("--shuffle-parts", action="store_true")
    p.add_argument("--corrupt", type=int, metavar="SEED")
    a = p.parse_args()
    if bool(a.capture) != bool(a.capture_truth): p.error("--capture and --capture-truth go together")
    entries, w, at = capture(a), Writer(a), 0
    step = a.entries_per_buffer
    truth = open(a.truth, "w", encoding="utf-8") if a.truth else None
    line = lambda o: truth and truth.write(json.dumps(o, ensure_ascii=False) + "\n")
    with open(a.out, "wb") as out:
        groups = [(entries[i:i + step], i, i + step >= len(entries)) for i in range(0, len(entries), step)]
        for group in groups:
            todo = [group]
            if a.odd_buffers and w.r.random() < .3: todo.insert(0, ([], group[1], w.r.random() < .5))  # continuation '1' and no entry: the caller's area was too small
            for entries_here, index, last in todo:
                raw, b, truths = w.buffer(entries_here, index, last)
                out.write(raw)
                line({"buffer": {"offset": at} | b})
                for t in truths: line(t)
                at += len(raw)
    print(f"{len(entries)} entries, {at} bytes -> {a.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
