#!/usr/bin/env python3
"""Makes and checks the EBCDIC tables in formats/ccsid/.

    python3 tests/tools/make_ccsid.py [--jt400 JAR]           remake every file
    python3 tests/tools/make_ccsid.py --check [--jt400 JAR]   compare, write nothing; exit 1 on a surprise

The tables come from glibc iconv, which must be present. Three judges are asked as well: Python's own
codecs (always there), the JDK (`java` on PATH, 11 or newer) and jt400 (IBM's own tables; `--jt400` or
$JT400_JAR names its jar, e.g. from Debian's libjt400-java: apt-get download, then dpkg-deb -x). A judge
that is absent is said to be absent and skipped. CCSID 838 is not in iconv: without the JDK or jt400 its
file is left as it is.

Who wins: iconv, unless jt400 and the JDK agree against it, or, for a CCSID the JDK lacks, jt400's table
is the one IBM published. Such cells stand in DECISIONS below, so that the files can be remade where no
judge is installed; a judge that differs anywhere else must be covered by ACCEPTED, or --check fails.

Where the files differ from Python's codecs, which matters to tests that encode with Python:
273 X'BC' (Python U+203E), 424 X'B3' (Python U+00B7) and 424 X'BC' (Python U+00AF), and 875 X'DC' X'E1'
X'EC' X'ED' X'FC' X'FD', which Python calls U+001A and the files call unassigned. Nothing in 37, 500, 1026, 1140.
"""
import argparse
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unicodedata

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "formats" / "ccsid"
NONE = (0xFFFD,)  # an unassigned cell
SUB = (0x1A,)
SHIFTS = (0x0E, 0x0F)

SINGLE = [37, 273, 277, 278, 280, 284, 285, 297, 420, 424, 500, 838, 870, 871, 875, 880, 905, 1025, 1026, 1047, 1112,
          1122, 1123, *range(1140, 1150), *range(1153, 1159), 1160, 1164]
# A mixed CCSID and the double-byte CCSID inside it: some share one. 5026 and 5035 are read with the tables of 930 and 939, and 290
# and 1027 with their single bytes (src/decode/ebcdic/catalogue.rs): iconv's IBM290 is another, older table with full-width kana.
MIXED = {930: 300, 933: 834, 935: 837, 937: 835, 939: 300, 1364: 4930, 1371: 9027, 1388: 4933, 1390: 16684, 1399: 16684}

BOTH = "jt400 and the JDK agree"
IBM_880 = "jt400, and IBM's published table 880 (ICU ibm-880_P100-1995)"
LATIN_3 = "jt400; 905 holds the repertoire of ISO 8859-3"
SUB_MARK = "U+001A away from X'3F' is IBM's mark for a cell without a character"
# Table, cell: the code point in the file, and why it is not iconv's. Checked against the judges present.
DECISIONS = {
    "278": {0x71: (0x5C, BOTH), 0xE0: (0xC9, BOTH)},
    "285": {0xA1: (0xAF, BOTH)},
    "420": {0x45: (0x200B, BOTH)},
    "424": {0x78: (0x2017, BOTH), 0x8F: (0xB1, BOTH), 0xB3: (0x2022, BOTH), 0xBC: (0x203E, BOTH)},
    "870": {0xB0: (0x02D9, BOTH)},
    "871": {0x4A: (0xDE, BOTH), 0xC0: (0xFE, BOTH)},
    "875": {0x6A: (0x7C, BOTH), 0x74: (0xA0, BOTH), 0xDD: (0x0387, BOTH)},
    "880": {cell: (point, IBM_880) for cell, point in {
        0x41: 0xA0, 0x45: 0x0454, 0x55: 0x045E, 0x64: 0x0404, 0x6A: 0x7C, 0x73: 0xAD, 0x74: 0x040E, 0x79: 0x60,
        0xA1: 0x7E, 0xC0: 0x7B, 0xD0: 0x7D}.items()},
    "905": {cell: (point, LATIN_3) for cell, point in {0x41: 0xA0, 0x9D: 0xB8, 0xB0: 0x02D9, 0xB7: 0xB7}.items()},
    "1026": {0x9D: (0xB8, BOTH), 0xBC: (0xAF, BOTH)},
    "1399": {cell: (0xFFFD, SUB_MARK) for cell in bytes.fromhex(
        "416A8090CACBCCCDCECFDADBDCDDDEDFEAEBECEDEEEFFAFBFCFDFE")},
    "1390": {cell: (0xFFFD, SUB_MARK) for cell in bytes.fromhex("57596A9CCACBCCCDCECFDADBDCDDDEDFEAEBECEDEEEFFAFBFCFDFE")},
    "dbcs-300": {0x4260: (0xFF0D, BOTH + " in 939; the JDK's 930 keeps U+2212, but 930 and 939 share CCSID 300"),
                 0x426A: (0xFFE4, BOTH), 0x43A1: (0xFF5E, BOTH), 0x444A: (0x2015, BOTH), 0x447C: (0x2225, BOTH)},
}
# Thai tone marks have two bytes each: those that are read but not written, by iconv (1160), jt400 and the JDK (838).
READ_ONLY = {"838": bytes.fromhex("51CAE1FDFE"), "1160": bytes.fromhex("51CAE1FD")}
EXTRA = "extra"  # the judge has a character where the file has none
NEWER = "jt400 carries a later, grown version of the table; iconv and the JDK agree that the cell is unassigned"
# Judge, tables (None: all), cells or EXTRA, reason.
ACCEPTED = [
    ("jdk", None, {0x15}, "the JDK reads X'15' as a line feed; IBM's tables say U+0085"),
    ("jdk", ["1047"], {0x25}, "the JDK swaps X'15' and X'25' in 1047"),
    ("jdk", ["1122"], {0xBC}, "the JDK alone says U+203E; iconv and jt400 say U+00AF"),
    ("jdk", ["dbcs-300"], {0x4260}, "the JDK's 930 has U+2212, its 939 has U+FF0D; one table serves both"),
    ("jt400", ["dbcs-837"], {0x4345}, "iconv and the JDK say U+30FB"),
    ("jt400", ["420", "424", "939", "dbcs-300", "dbcs-834", "dbcs-837"], EXTRA, NEWER),
    ("jt400", ["937"], EXTRA, "jt400 decodes 937's single bytes with CCSID 37; 28709 has no accented letters"),
    ("python", ["273"], {0xBC}, "iconv, the JDK and jt400 all say U+00AF"),
    ("python", ["424"], {0xB3, 0xBC}, "Python and iconv follow Unicode's CP424.TXT; " + BOTH + ", so does IBM's published table"),
]

JAVA = r"""
import java.nio.ByteBuffer; import java.nio.charset.*;
public class Judges {
  interface Decoder { String decode(byte[] bytes) throws Exception; }
  static String cell(Decoder d, int... bytes) {
    byte[] b = new byte[bytes.length]; for (int i = 0; i < b.length; i++) b[i] = (byte) bytes[i];
    try { StringBuilder s = new StringBuilder();
      d.decode(b).codePoints().forEach(c -> s.append(s.length() > 0 ? "+" : "").append(Integer.toHexString(c)));
      return s.length() == 0 ? "fffd" : s.toString();
    } catch (Exception e) { return "fffd"; }
  }
  static void print(String who, String ccsid, boolean mixed, Decoder d) {
    StringBuilder s = new StringBuilder(who + " " + ccsid);
    for (int i = 0; i < 256; i++) s.append(' ').append(mixed && (i == 14 || i == 15) ? Integer.toHexString(i) : cell(d, i));
    if (mixed) for (int i = 0x40; i < 256; i++) for (int j = 0x40; j < 256; j++) s.append(' ').append(cell(d, 14, i, j, 15));
    System.out.println(s);
  }
  static Decoder jdk(String ccsid) {
    for (String name : new String[] {"IBM" + ccsid, "IBM0" + ccsid, "x-IBM" + ccsid, "Cp" + ccsid, "IBM00" + ccsid}) try {
      Charset c = Charset.forName(name);
      return b -> c.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT).decode(ByteBuffer.wrap(b)).toString();
    } catch (IllegalArgumentException e) { }
    return null;
  }
  // jt400's public converter reorders and reshapes Arabic and Hebrew: the array behind it does not.
  static Decoder jt400(String ccsid) {
    try {
      Class<?> tables = Class.forName("com.ibm.as400.access.ConvTable");
      for (var m : tables.getDeclaredMethods()) if (m.getName().equals("getTable") && m.getParameterCount() == 2) {
        m.setAccessible(true);
        Object table = m.invoke(null, Integer.parseInt(ccsid), null);
        try {
          var f = table.getClass().getSuperclass().getDeclaredField("toUnicode_"); f.setAccessible(true);
          char[] points = (char[]) f.get(table);
          if (points.length == 256) return b -> String.valueOf(points[b[0] & 255]);
        } catch (NoSuchFieldException e) { }
      }
      Class<?> k = Class.forName("com.ibm.as400.access.CharConverter");
      Object converter = k.getConstructor(int.class).newInstance(Integer.parseInt(ccsid));
      var decode = k.getMethod("byteArrayToString", byte[].class);
      return b -> (String) decode.invoke(converter, b);
    } catch (Exception e) { return null; }
  }
  public static void main(String[] ccsids) {
    for (String a : ccsids) {
      boolean mixed = a.endsWith("m"); String ccsid = mixed ? a.substring(0, a.length() - 1) : a;
      Decoder d = jdk(ccsid); if (d != null) print("jdk", ccsid, mixed, d);
      d = jt400(ccsid); if (d != null) print("jt400", ccsid, mixed, d);
    }
  }
}
"""


class Iconv:
    """iconv(3) of this system's C library: one call per cell, far quicker than one process per cell."""

    def __init__(self, ccsid):
        self.libc = ctypes.CDLL(None)
        self.libc.iconv_open.restype = ctypes.c_void_p
        self.libc.iconv_open.argtypes = [ctypes.c_char_p] * 2
        self.libc.iconv.restype = ctypes.c_size_t
        self.libc.iconv.argtypes = [ctypes.c_void_p] * 5
        self.failed = ctypes.c_size_t(-1).value
        self.handle = self.libc.iconv_open(b"UTF-32BE", b"IBM%03d" % ccsid)
        self.known = self.handle not in (None, self.failed)

    def cell(self, *data):
        source, target = ctypes.create_string_buffer(bytes(data), len(data)), ctypes.create_string_buffer(64)
        left, room = ctypes.c_size_t(len(data)), ctypes.c_size_t(64)
        at, to = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_void_p(ctypes.addressof(target))
        self.libc.iconv(self.handle, None, None, None, None)
        r = self.libc.iconv(self.handle, *map(ctypes.byref, (at, left, to, room)))
        # Half a combining sequence is held back until the flush.
        self.libc.iconv(self.handle, None, None, ctypes.byref(to), ctypes.byref(room))
        out = target.raw[:64 - room.value]
        points = tuple(int.from_bytes(out[i:i + 4], "big") for i in range(0, len(out), 4))
        return NONE if r == self.failed or not points else points


def shaped(cells, mixed):
    """A flat list of cells as {table name part: {cell: points}}: 's' the single bytes, 'd' the double ones."""
    single = dict(enumerate(cells[:256]))
    double = {0x4040 + (i // 192 << 8) + i % 192: points for i, points in enumerate(cells[256:])} if mixed else {}
    return single, double


def from_iconv(ccsid, mixed):
    iconv = Iconv(ccsid)
    if not iconv.known:
        return None
    cells = [(b,) if mixed and b in SHIFTS else iconv.cell(b) for b in range(256)]
    if mixed:
        cells += [iconv.cell(0x0E, lead, trail, 0x0F) for lead in range(0x40, 256) for trail in range(0x40, 256)]
    return shaped(cells, mixed)


def from_python(ccsid):
    try:
        return {b: (ord(bytes([b]).decode(f"cp{ccsid:03}", "replace")),) for b in range(256)}
    except LookupError:
        return None


def from_java(jar):
    """{judge: {ccsid: (single, double)}} of the JDK and, with its jar, jt400."""
    if shutil.which("java") is None:
        print("judge jdk: no java on PATH, skipped\njudge jt400: needs java, skipped")
        return {}
    if jar is None:
        print("judge jt400: no jar given (--jt400 or $JT400_JAR), skipped")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "Judges.java")
        source.write_text(JAVA)
        run = subprocess.run(["java", *(["-cp", jar] if jar else []), str(source), *map(str, SINGLE),
                              *(f"{c}m" for c in MIXED)], capture_output=True, text=True)
    if run.returncode != 0:
        print(f"judges jdk and jt400: java failed, skipped: {run.stderr.strip()[:300]}")
        return {}
    found = {}
    for line in run.stdout.splitlines():
        judge, ccsid, *cells = line.split()
        cells = [tuple(int(p, 16) for p in cell.split("+")) for cell in cells]
        found.setdefault(judge, {})[int(ccsid)] = shaped(cells, int(ccsid) in MIXED)
    return found


def names(ccsid):
    """The file names of the single-byte and the double-byte table of a CCSID."""
    return str(ccsid), f"dbcs-{MIXED[ccsid]}" if ccsid in MIXED else None


def without_sub(table):
    """A judge's SUB for "no character here", away from X'3F', is the file's U+FFFD."""
    return {cell: NONE if points == SUB and cell != 0x3F else points for cell, points in table.items()}


def collect(judges):
    """{table: {cell: points}} as the files should hold it, and the same from iconv alone."""
    plain, tables = {}, {}
    for ccsid in [*SINGLE, *MIXED]:
        single, double = names(ccsid)
        made = from_iconv(ccsid, ccsid in MIXED)
        if made is not None:
            plain[single] = made[0]
            if double and plain.setdefault(double, made[1]) != made[1]:
                sys.exit(f"{double}: iconv gives {ccsid} another double-byte table than its sibling")
        else:
            made = judges.get("jt400", {}).get(ccsid) or judges.get("jdk", {}).get(ccsid)
            print(f"{ccsid}: iconv lacks it, " + ("taken from the judges" if made else "no judge here has it: file kept, not checked"))
            if made is None:
                continue
            made = without_sub(made[0]) | {0x15: (0x85,), 0x25: (0x0A,)}, made[1]
        tables[single] = made[0]
        if double:
            tables[double] = made[1]
    for name, cells in DECISIONS.items():
        tables[name] = tables[name] | {cell: (point,) for cell, (point, _) in cells.items()}
    return plain, tables


def code(points):
    return "unassigned" if points == NONE else "+".join(f"U+{p:04X}" for p in points)


def x(cell):
    return f"X'{cell:02X}'" if cell < 256 else f"X'{cell:04X}'"


def header(name, plain, what):
    lines = [what, f"Made by tests/tools/make_ccsid.py from {'glibc iconv' if name in plain else 'jt400 and the JDK'}; do not edit."]
    for cell, (point, why) in DECISIONS.get(name, {}).items():
        lines.append(f"{x(cell)} {code((point,))}, not iconv's {code(plain[name][cell])}: {why}.")
    return "".join(f"# {line}\n" for line in lines)


def write_single(name, table, plain):
    half = f" (its double bytes are in dbcs-{MIXED[int(name)]}.txt)" if int(name) in MIXED else ""
    what = f"CCSID {name}{half}: the code point of every single byte, one row per high digit; FFFD is unassigned."
    marks = {cell: "*" for cell in READ_ONLY.get(name, [])}
    if marks:
        what += "\n# A cell marked * is read but not written: another byte with the same character is."
    written = [points for cell, points in table.items() if cell not in marks and points != NONE]
    if len(written) != len(set(written)):
        sys.exit(f"{name}: two bytes for one character; say in READ_ONLY which is not written")
    cells = [f"{table[cell][0]:04X}{marks.get(cell, '')}" for cell in range(256)]
    rows = [" ".join(cells[row:row + 16]) for row in range(0, 256, 16)]
    return header(name, plain, what) + "\n".join(rows) + "\n"


def legible(points):
    """Whether a cell may stand in the file as itself: no space, control, combining or private character."""
    return len(points) == 1 and points[0] > 0x7F and unicodedata.category(chr(points[0]))[0] not in "CMZ"


def write_double(name, table, plain):
    what = (f"CCSID {name[5:]}, double-byte: a line is a lead byte and its runs. `tt:abc` gives the characters from trail byte\n"
            "# tt on, `tt=hex+n` n code points counting up from hex (n in hex), `tt~hex+hex` one cell of two code points.")
    lines = []
    for lead in range(0x40, 256):
        runs, trail = [], 0x40
        while trail < 256:
            points = table[lead << 8 | trail]
            last = trail
            if points != NONE and legible(points):
                while last < 255 and legible(table[lead << 8 | last + 1]) and table[lead << 8 | last + 1] != NONE:
                    last += 1
                runs.append(f"{trail:02X}:" + "".join(chr(table[lead << 8 | t][0]) for t in range(trail, last + 1)))
            elif len(points) == 2:
                runs.append(f"{trail:02X}~{points[0]:04X}+{points[1]:04X}")
            elif points != NONE:
                while last < 255 and table[lead << 8 | last + 1] == (points[0] + last + 1 - trail,) and not legible(table[lead << 8 | last + 1]):
                    last += 1
                runs.append(f"{trail:02X}={points[0]:04X}+{last + 1 - trail:X}")
            trail = last + 1
        if runs:
            lines.append(f"{lead:02X} " + " ".join(runs))
    return header(name, plain, what) + "\n".join(lines) + "\n"


def text_of(name, table, plain):
    return (write_double if name.startswith("dbcs-") else write_single)(name, table, plain)


def judged(judge, name, ours, theirs, reasons):
    """Sorts a judge's differences from one file under their reasons; counts those that nothing accepts."""
    surprises = 0
    for cell, points in sorted(without_sub(theirs).items()):
        if points == ours[cell]:
            continue
        for who, tables, cells, reason in ACCEPTED:
            if who == judge and (tables is None or name in tables) and (ours[cell] == NONE if cells is EXTRA else cell in cells):
                reasons.setdefault(reason, {}).setdefault(name, {})[cell] = points
                break
        else:
            print(f"  SURPRISE {name} {x(cell)}: file {code(ours[cell])}, {judge} {code(points)}")
            surprises += 1
    return surprises


def tell(reasons):
    for reason, tables in reasons.items():
        print(f"  {reason}:")
        alike = {}
        for name, cells in tables.items():
            shown = ", ".join(f"{x(cell)} {code(points)}" for cell, points in list(cells.items())[:12])
            alike.setdefault(shown + (f" and {len(cells) - 12} more" if len(cells) > 12 else ""), []).append(name)
        for shown, where in alike.items():
            print(f"    {' '.join(where)}: {shown}")


def check(plain, tables, judges):
    surprises, reasons = 0, {}
    for name, table in tables.items():
        path = FOLDER / f"{name}.txt"
        if not path.exists() or path.read_text(encoding="utf-8") != text_of(name, table, plain):
            print(f"  SURPRISE {path}: not what iconv and DECISIONS give; remake and look at the difference")
            surprises += 1
    for name, cells in DECISIONS.items():
        for cell, (point, why) in cells.items():
            reasons.setdefault(why, {}).setdefault(name, {})[cell] = plain[name][cell]
            if (point,) == plain[name][cell]:
                print(f"  SURPRISE {name} {x(cell)}: iconv now agrees, the decision is not needed")
                surprises += 1
    print(f"iconv: {len(plain)} tables; what it says where the files differ, and who is followed instead:")
    tell(reasons)
    python = {c: (table, {}) for c in SINGLE if (table := from_python(c)) is not None}
    for judge, known in {"python": python, **judges}.items():
        asked = [c for c in [*SINGLE, *MIXED] if c in known and names(c)[0] in tables]
        print(f"judge {judge}: {len(asked)} CCSIDs; what it says where the files differ, and why they do:")
        reasons = {}
        for ccsid in asked:
            for name, theirs in zip(names(ccsid), known[ccsid]):
                surprises += judged(judge, name, tables[name], theirs, reasons) if name else 0
        tell(reasons)
    print(f"{len(tables)} tables checked, {surprises} surprises")
    return surprises


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="compare the files with iconv and the judges, write nothing")
    options.add_argument("--jt400", default=os.environ.get("JT400_JAR"), metavar="JAR", help="jt400's jar, a judge")
    asked = options.parse_args()
    judges = from_java(asked.jt400)
    plain, tables = collect(judges)
    if "37" not in plain:
        sys.exit("this C library's iconv has no IBM037: glibc with its gconv modules (Debian: libc-bin) is needed")
    if asked.check:
        sys.exit(1 if check(plain, tables, judges) else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        (FOLDER / f"{name}.txt").write_text(text_of(name, table, plain), encoding="utf-8")
    print(f"{len(tables)} tables written to {FOLDER}")


if __name__ == "__main__":
    main()
