"""What a journal entry says: templates cut out of a synthetic capture, and the JSON texts they are served as.

A template is everything of an entry but its sequence number, its time and its receiver: a million entries repeat a few
thousand templates. The texts are made once, so that serving a row is one string format. The bytes come from
make_capture.py, run as a program: the stand-in has no encoder or layout of its own but the offsets of the *TYPE5 header
(shared/spec/sources.md, section 2).
"""
import json
import pathlib
import subprocess
import sys
import tempfile

MAKE_CAPTURE = pathlib.Path(__file__).resolve().parents[1] / "make_capture.py"
HEADER = 609        # bytes before the entry data of a *TYPE5 record
HEX_LIMIT = 16000   # HEX(VARBINARY(ENTRY_DATA, 16000)): the statement's own cut
ROOM = 32000        # entry data bytes a capture record has room for: more than any audit entry needs

# Gson, which the genuine server writes its JSON with, escapes what could be HTML or end a line of JavaScript.
GSON = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&='\u2028\u2029"})


def gson(value):
    """The JSON text of a value as the genuine server writes it: no blanks, nulls explicit, HTML characters escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(GSON)


class Template:
    """One kind of entry. `data` is its entry data; the rest are the columns of DISPLAY_JOURNAL."""

    __slots__ = ("code", "type", "job_name", "job_user", "job_number", "program", "program_library", "object", "object_type",
                 "user", "address", "port", "data", "fields", "number", "plain", "remote", "tail")

    def __init__(self, code, type, data, job=("QSYSARB", "QSYS", "000000"), program=("*NONE", ""), user="QSYS",
                 object=None, object_type=None, address=None, port=None):
        self.code, self.type, self.data, self.user = code, type, data, user
        self.job_name, self.job_user, self.job_number = job
        self.program, self.program_library = program
        self.object, self.object_type = object, object_type
        self.address, self.port = address, port
        self.fields = None  # what a right decoder says of its data, where that is known
        self.number = None  # its place among the templates of the system
        cells = self.cells(False)
        self.plain = ",".join(cells)
        self.remote = ",".join(self.cells(True))
        self.tail = ",".join(self.tail_cells())

    def cells(self, remote):
        """The columns from JOURNAL_CODE up to the receiver, as JSON texts."""
        values = [self.code, self.type, self.job_name, self.job_user, self.job_number, self.program, self.program_library,
                  self.object, self.object_type, self.user]
        if remote:
            values += [self.address, None if self.port is None else str(self.port)]
        return [gson(v) for v in values]

    def tail_cells(self):
        return [str(len(self.data)), f'"{self.data[:HEX_LIMIT].hex().upper()}"']


def sized(data, size):
    """Entry data of just `size` bytes, for measurements: cut, or filled with EBCDIC blanks. 0 leaves it as it is."""
    return data[:size].ljust(size, b"\x40") if size else data


def from_capture(count=500, seed=7, size=0, truth=None, extra=()):
    """Templates out of `count` entries made by make_capture.py; `truth` keeps what a right decoder must say of them."""
    with tempfile.TemporaryDirectory() as folder:
        capture = pathlib.Path(folder, "entries.type5")
        truth = truth or pathlib.Path(folder, "truth")
        command = [sys.executable, MAKE_CAPTURE, "--out", capture, "--count", count, "--seed", seed, "--entdtalen", ROOM, "--truth", truth, *extra]
        subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL)
        content, said = capture.read_bytes(), [json.loads(line) for line in pathlib.Path(truth).read_text(encoding="utf-8").splitlines()]
    length = HEADER + ROOM
    templates = [template_of(content[at:at + length], number, size) for number, at in enumerate(range(0, len(content), length))]
    for template, of in zip(templates, said):
        # Data of another size is not what the truth is about.
        fields = of.get("fields")
        template.fields = fields | of.get("parts", {}) if fields and of.get("complete") and not size else None
    return templates


def template_of(record, number, size):
    text = lambda first, length: record[first - 1:first - 1 + length].decode("cp037").rstrip(" ")
    data = record[HEADER:HEADER + int.from_bytes(record[HEADER - 2:HEADER], "big")]
    port = text(306, 5)
    # Audit entries name no object in their heading; every fifth does here, so that the columns are not always null.
    named = f"{'OBJ' + str(number):10}{'OBJLIB':10}{'':10}".rstrip() if number % 5 == 4 else None
    return Template(text(26, 1), text(27, 2), sized(data, size), job=(text(55, 10), text(65, 10), text(75, 6)),
                    program=(text(81, 10), text(91, 10)), user=text(187, 10), object=named, object_type=named and "*FILE",
                    address=text(311, 46) or None, port=int(port) if port.isdigit() else None)


def receiver_change(type, name, library):
    """The entries the system itself writes when receivers change: J PR names the one before, J NR the next one."""
    data = f"{name or '':10}{library or '':10}{'':20}".encode("cp037")
    return Template("J", type, data)
