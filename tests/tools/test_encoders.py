#!/usr/bin/env python3
"""Checks make_qhst.py and make_rjne.py: bytes worked out by hand, and readers of their own that go by IBM's positions. Run: python3 tests/tools/test_encoders.py"""
import ipaddress, json, pathlib, re, struct, subprocess, sys, tempfile, types, unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import make_qhst, make_rjne
from qhst_layouts import LAYOUTS, TEXTS

hexed = lambda *lines: bytes.fromhex("".join(lines).replace(" ", ""))
blanks = lambda n: b"\x40" * n


def run(tool, *options):
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([sys.executable, HERE / tool, "--out", f"{d}/o", "--truth", f"{d}/t", *map(str, options)], check=True, stderr=subprocess.DEVNULL)
        return pathlib.Path(f"{d}/o").read_bytes(), [json.loads(l) for l in pathlib.Path(f"{d}/t").read_text("utf-8").split("\n") if l]


class HistoryLog(unittest.TestCase):
    def test_one_message_byte_for_byte(self):
        a = types.SimpleNamespace(seed=1, ccsid=37, start="2000-01-01T00:00:00.000001", hostile=False, language="en", datfmt="mdy", data_at="record")
        m = make_qhst.Maker(a)
        raw, _ = m.compose("CPF0927", ("QSYSARB4", "QSYS", "080211"), "QSYS", "01", "00", "QWTMMTSB", 37, m.clock, "Subsystem QBATCH ended.", m.text("QBATCH", 10)[0])
        stamp = "8000000000001000"  # one microsecond after 2000-01-01: 1 shifted by 12
        expected = [
            hexed(stamp, "0001", "D8E2E8E2C1D9C2F4 4040", "D8E2E8E2 404040404040", "F0F8F0F2F1F1", "F1 F0F0F0F1F0F1 F0F0F0F0F0F0", "C3D7C6F0F9F2F7", "D8C3D7C6D4E2C7 404040",
                  "D8E2E8E2 404040404040", "F0F1", "F0F0", "D8E6E3D4D4E3E2C2 40404040", "F0F0F0F0", "40404040404040404040", "40404040", "0017", "000A", "00000025", "D8E2E8E2 404040404040") + blanks(14),
            hexed(stamp, "0002", "E2A482A2A8A2A38594 40 D8C2C1E3C3C8 40 8595848584 4B") + blanks(109),
            hexed(stamp, "0003", "D8C2C1E3C3C8 40404040") + blanks(122)]
        self.assertEqual([len(e) for e in expected], [142] * 3)
        self.assertEqual(raw, b"".join(expected))

    def read(self, raw, t, data_at, codec="cp037"):
        """One message by IBM's 1-based positions."""
        records = [raw[(t["record"] + i) * 142:(t["record"] + i + 1) * 142] for i in range(t["records"])]
        first, rest = records[0], b"".join(r[10:] for r in records[1:])
        at = lambda a, b: first[a - 1:b]
        text, data = struct.unpack(">HH", at(111, 114))
        where = 132 if at(50, 56).decode(codec) in ("CPF1124", "CPF1164") else text if data_at == "text" else -(-text // 132) * 132
        self.assertEqual([r[:8] for r in records], [first[:8]] * len(records))
        self.assertEqual([r[8:10] for r in records], [struct.pack(">H", i + 1) for i in range(len(records))])
        say = lambda a, b: at(a, b).decode(codec).rstrip(" ")
        return {"job_name": say(11, 20), "job_user": say(21, 30), "job_number": say(31, 36), "id": say(50, 56), "type": say(77, 78), "program": say(81, 92), "user": say(119, 128),
                "ccsid": struct.unpack(">i", at(115, 118))[0], "text": rest[:text].decode(codec).rstrip(" "), "data": rest[where:where + data].hex()}

    def test_records_say_what_the_truth_says(self):
        for data_at in ("record", "text"):
            for hostile in ([], ["--hostile"]):
                raw, truth = run("make_qhst.py", "--count", 300, "--seed", 5, "--data-at", data_at, *hostile)
                self.assertEqual(sum(t["records"] for t in truth) * 142, len(raw))
                for t in truth:
                    said = self.read(raw, t, data_at)
                    self.assertEqual(said, {k: t[k] for k in said})

    def test_every_known_id_is_there(self):
        self.assertEqual({t["id"] for t in run("make_qhst.py", "--count", len(LAYOUTS))[1]}, set(LAYOUTS))

    def test_the_language_changes_the_text_only(self):
        en, de, fr = (run("make_qhst.py", "--count", 80, "--language", l)[1] for l in ("en", "de", "fr"))
        for a, b, c in zip(en, de, fr):
            self.assertEqual((a["data"], a["fields"]), (b["data"], b["fields"]))
            self.assertEqual((a["data"], a["fields"]), (c["data"], c["fields"]))
        self.assertEqual(*({tuple(TEXTS[l]) for l in pair} for pair in (("en", "de"), ("en", "fr"))))

    def test_a_cut_file_has_whole_messages_before_the_cut(self):
        raw, truth = run("make_qhst.py", "--count", 50, "--truncate-at", 3000)
        self.assertEqual(len(raw), 3000)
        self.assertEqual([t["complete"] for t in truth], [True] * (len(truth) - 1) + [False])

    def test_the_tables_are_the_layouts(self):
        """qhst_messages.md, from which the decoder is written, says what is written here."""
        tables, ids = {}, []
        for line in (HERE / "qhst_messages.md").read_text().splitlines():
            cells = [c.strip() for c in line.strip("|").split("|")]
            if line.startswith("## "):
                head, span = line, re.search(r"(CPF11\d\d) to CPF1123", line)
                ids = re.findall(r"[A-Z]{3}[0-9A-F]{4}", line.split(";")[0]) if not span else ["CPF1121", "CPF1122", "CPF1123", "CPF1125", "CPF1126", "CPF1127"]
            elif ids and line.startswith("| &1 of CPF1120"): tables["CPF1120"] = [(int(cells[1]), int(cells[2]), cells[3], cells[4])]
            elif ids and len(cells) == 7 and cells[1].isdigit():
                for i in ids: tables.setdefault(i, []).append((int(cells[1]), int(cells[2]), cells[3], cells[4]))
                self.assertIn(cells[5].split(" ")[0], ("verified", "expected", "guess"), line)
        kinds = {"char": "*CHAR", "hex": "*CHAR", "bin": "*BIN", "dts": "*DTS"}
        for i, layout in LAYOUTS.items():
            at, rows = 0, tables.get(i, [])
            self.assertEqual(len(layout), len(rows), i)
            for (name, length, kind), row in zip(layout, rows):
                self.assertEqual((at, length, kinds[kind]), row[:3], i)
                self.assertEqual(re.match(r"\w+", row[3]).group(), name, i)
                at += length


class First:
    """A random number generator that always takes the first."""
    choice = staticmethod(lambda s: s[0])
    random = staticmethod(lambda: .5)
    randint = staticmethod(lambda low, high: low)


class JournalEntries(unittest.TestCase):
    RECORD = [(1, "00612"), (6, "00000000000000000007"), (26, "T"), (27, "PW"), (29, "2000-01-01-00.00.00.000002"), (55, "QZSOSIGN"), (65, "QUSER"), (75, "000123"), (81, "QZSOSIGN"), (91, "QSYS"),
              (101, "*SYSBAS"), (111, "00001"), (116, "OBJ"), (126, "LIB"), (136, "MBR"), (146, "3"), (166, "0"), (167, "4"), (187, "QUSER"), (197, "PROD01"), (215, "00001"), (220, "0"), (221, "9"),
              (241, "AUDRCV0001"), (251, "QGPL"), (261, "*SYSBAS"), (271, "00001"), (276, "00002"), (289, "0000000000000000"), (305, "4"), (306, "08476"), (311, "10.1.7.44"), (610, "PQS")]

    def record(self):
        rec = bytearray(blanks(612))
        for at, value in self.RECORD: rec[at - 1:at - 1 + len(value)] = value.encode("cp037")
        rec[204:214] = bytes(range(10))
        rec[280:288] = bytes.fromhex("0102030405060708")
        names = {n: (o, l) for n, (o, l) in make_rjne.type5_layout().items()}
        return bytes(rec), {"header": {n: rec[o:o + l].decode("cp037").rstrip() for n, (o, l) in names.items()}, "fields": {}, "complete": True, "cut": []}

    def writer(self, form):
        w = make_rjne.Writer(types.SimpleNamespace(format=form, seed=1, corrupt=None, padding=0, shuffle_parts=False, sparse_receivers=False, receiver_every=40))
        w.r = First()
        return w

    def test_one_rjne0200_buffer_byte_for_byte(self):
        raw, b, _ = self.writer("0200").buffer([self.record()], 0, True)
        stamp = "8000000000002000"
        expected = hexed(  # header, 64
            "00000160", "00000040", "00000001", "F0") + blanks(20) + blanks(20) + blanks(11) + hexed(
            # entry header at 64: last entry, no NVI, ESD at 236, no XID, no LUW, receiver at 256
            "00000000", "00000000", "000000EC", "00000000", "00000000", "00000100", "0000000000000007", stamp, "0102030405060708", "0000000000000009", "0000000000000003", "0000000000000004", "00000000",
            "211C", "0002", "0001", "0A01072C 000000000000000000000000", "E3", "D7E6", "D8E9E2D6E2C9C7D5 4040", "D8E4E2C5D9 4040404040", "F0F0F0F1F2F3", "D8E9E2D6E2C9C7D5 4040", "D8E2E8E2 404040404040",
            "5CE2E8E2C2C1E2 404040", "D6C2D1 40404040404040", "D3C9C2 40404040404040", "D4C2D9 40404040404040", "D8E4E2C5D9 4040404040", "00010203040506070809", "F4", "D7D9D6C4F0F1 4040", "F0", "F0",
            "08", "40404040404040404040", "000000", "00000000") + hexed(
            # entry data: 3 bytes, in a section of 19, and one byte up to the receiver
            "F0F0F0F0F3") + blanks(11) + hexed("D7D8E2", "00",
            "C1E4C4D9C3E5F0F0F0F1", "D8C7D7D3 404040404040", "5CE2E8E2C2C1E2 404040", "0001")
        expected += bytes(-len(expected) % 16)
        self.assertEqual(len(raw), 0x160)
        self.assertEqual(bytes(raw), expected)
        self.assertEqual(b, {"bytes": 0x160, "count": 1, "continuation": "0", "next_receiver": "", "next_library": "", "next_sequence": None})

    def test_one_rjne0100_entry_byte_for_byte(self):
        raw, _, _ = self.writer("0100").buffer([self.record()], 0, True)
        self.assertEqual(raw[:28], hexed("000000F0", "00000010", "00000001", "F0000000", "00000000", "00000000", "000000C4"))
        body = "00000000000000000007TPW2000-01-01-00.00.00.000002QZSOSIGN  QUSER     000123QZSOSIGN  OBJ       LIB       MBR       00000000030" + "00000000000000000004QUSER     PROD01  "
        self.assertEqual(raw[32:196], body.encode("cp037"))
        self.assertEqual(raw[196:212], bytes(range(10)) + "000001".encode("cp037"))
        self.assertEqual(raw[212:231], "00003           PQS".encode("cp037"))

    def walk(self, raw, start, form):
        """A buffer by its offsets and displacements alone: (entry's first byte, entry data) of each."""
        size, first, count = struct.unpack_from(">iii", raw, start)
        found, at = [], start + first
        while count:
            following, _, esd = struct.unpack_from(">III", raw, at)
            length = int(raw[at + esd:at + esd + 5].decode("cp037"))
            found.append((at - start, raw[at + esd + 16:at + esd + 16 + length]))
            if not following: break
            at += following
        self.assertEqual(len(found), count)
        return size, found

    def test_displacements_lead_to_every_entry(self):
        for form in ("RJNE0100", "RJNE0200"):
            for gaps in ([], ["--padding", 40, "--shuffle-parts", "--odd-buffers"]):
                raw, truth = run("make_rjne.py", "--format", form, "--count", 120, "--seed", 3, "--make", "--mix PW,AF,SV,JS", *gaps)
                at = 0
                for i, b in [(i, t["buffer"]) for i, t in enumerate(truth) if "buffer" in t]:
                    self.assertEqual((b["offset"], b["bytes"] % 16), (at, 0))
                    size, found = self.walk(raw, at, form)
                    entries = truth[i + 1:i + 1 + b["count"]]
                    self.assertEqual([o for o, _ in found], [e["offset"] for e in entries])
                    for (_, esd), e in zip(found, entries):
                        first = esd[:1].decode("cp037")  # every one of these types begins with its one-character kind
                        self.assertEqual(first.rstrip(" "), e["fields"].get("entry_type", e["fields"].get("violation_type", first)))
                    at += size
                self.assertEqual(at, len(raw))

    def test_headers_say_what_the_truth_says(self):
        """RJNE0200 by its positions, with receivers given only where they change and names made to break things."""
        raw, truth = run("make_rjne.py", "--count", 120, "--seed", 9, "--make=--hostile", "--padding", 9, "--shuffle-parts", "--sparse-receivers", "--receiver-every", 7)
        base, receiver, forms = 0, None, set()
        for t in truth:
            if "buffer" in t:
                base = t["buffer"]["offset"]
                continue
            at = lambda a, n: raw[base + t["offset"] + a:base + t["offset"] + a + n]
            say = lambda a, n: at(a, n).decode("cp037").rstrip(" ")
            displacement, = struct.unpack(">I", at(20, 4))
            if displacement: receiver = say(displacement, 10), say(displacement + 10, 10)
            said = {"sequence_number": int.from_bytes(at(24, 8), "big"), "thread": at(40, 8).hex().upper(), "remote_port": int.from_bytes(at(76, 2), "big"), "journal_entry_type": say(99, 2),
                    "job_name": say(101, 10), "job_user": say(111, 10), "program_name": say(127, 10), "user_name": say(187, 10), "address_family": say(207, 1), "system_name": say(208, 8),
                    "receiver_name": receiver[0], "receiver_library": receiver[1]}
            self.assertEqual(said, {k: t["header"][k] for k in said})
            form, plain = t["header"]["remote_address_form"], t["header"].get("remote_address")
            forms.add(form)
            shown = {"binary4": lambda b: str(ipaddress.ip_address(b[:4])), "binary6": lambda b: str(ipaddress.ip_address(b)), "mapped6": lambda b: str(ipaddress.ip_address(b).ipv4_mapped)}
            self.assertEqual(shown.get(form, lambda b: plain)(at(82, 16)), plain)
        self.assertLessEqual({"binary4", "binary6", "mapped6", "text"}, forms)

    def test_spoilt_buffers_are_told(self):
        sound, _ = run("make_rjne.py", "--count", 60, "--seed", 3)
        spoilt, truth = run("make_rjne.py", "--count", 60, "--seed", 3, "--corrupt", 1)
        self.assertEqual(len(sound), len(spoilt))
        differ = [i for i in range(0, len(sound), 4) if sound[i:i + 4] != spoilt[i:i + 4]]
        told = [t["corrupt"] for t in truth if "corrupt" in t] + [t["buffer"]["corrupt"] for t in truth if "corrupt" in t.get("buffer", {})]
        self.assertTrue(0 < len(differ) <= len(told))


if __name__ == "__main__":
    unittest.main()
