#!/usr/bin/env python3
"""Make a synthetic IBM i audit-journal capture (EBCDIC, as DSPJRN writes it) and the truth beside it.

An encoder that shares no code with the product: it reads the layout tables and the EBCDIC codecs of Python, of libc's iconv and, for CCSID 838, of a JDK. Standard library only.

    make_capture.py --out day.type5 --truth day.jsonl --count 5000 --seed 7
    make_capture.py --out all.type5 --truth all.jsonl --mix all --count 860      # every entry type in turn
    make_capture.py --out af.j5 --mix AF --framing model --count 100             # a QASYAFJ5 file
    make_capture.py --out hard.type5 --hostile --ccsid 273 --count 2000          # text made to break escaping
    make_capture.py --out jp.type5 --ccsid 1399 --count 2000                     # half-width names, double-byte texts between shift-out and shift-in
    make_capture.py --out parts.type5 --access-data --mix ZC,ZR --count 500      # the access data of image catalogs, members and commands

Framings of the output file (all are runs of binary records, no line ends):
  outfile  fixed-length records of header + --entdtalen bytes (DSPJRN OUTFILE, ENTDTALEN(n)); blank-padded, or cut when longer. entry_length in the header counts
           the whole entry, the bytes cut off included; entry_data_length (*TYPE3 to *TYPE5) counts the bytes of entry data that are there.
  model    records of one QASYxxJE/J4/J5 model outfile: header + the whole layout of the one type named by --mix.
  stream   each record preceded by its 4-byte big-endian length (how a receiver program would write a pipe).

Texts whose layout names a ccsid_field are in that CCSID (1200 and 13488 are UTF-16BE, 1208 UTF-8, else EBCDIC); a length_field holds the bytes used.
In a mixed CCSID a text that is longer than its field ends with a whole character and, where one is open, the shift-in. X'15' is U+0085 and X'25' U+000A in every CCSID.

Truth: one JSON object a line, in file order: "header" and "fields" hold what a right decoder must return: text right-trimmed, numbers as integers, opaque bytes as
lower-case hex, coded values as their codes, numbers that are blank or not digits null, reserved areas left out. Where the record's end cuts the entry, "complete" is false
and: a plain text is given as far as it goes and named in "cut"; a length-prefixed text whose stated bytes are all there is whole; everything else that is cut is left out.
Where the record's end cuts a mixed text, "as far as it goes" is the whole characters that are there, half a double-byte character left out.
A foreign entry (--foreign) has "data", its entry data in hex, instead of "fields". With --access-data, "parts" holds what stands in access_specific_data of a ZC or ZR entry.
"""
import argparse, codecs, ctypes, datetime as dt, itertools, json, pathlib, random, shutil, struct, subprocess, sys, tempfile, tomllib

HERE = pathlib.Path(__file__).resolve().parent
LAYOUTS = next((d for d in (HERE.parents[1] / "formats/journal", HERE.parent / "layouts") if d.is_dir()), HERE.parent / "layouts")
PYTHON = {37: "cp037", 273: "cp273", 424: "cp424", 500: "cp500", 875: "cp875", 1026: "cp1026", 1140: "cp1140"}
SINGLE = [277, 278, 280, 284, 285, 297, 420, 838, 870, 871, 880, 905, 1025, 1047, 1112, 1122, 1123, *range(1141, 1150), *range(1153, 1159), 1160, 1164]
MIXED = [930, 933, 935, 937, 939, 1364, 1388, 1399]
CODEC = PYTHON | {n: f"ebcdic{n}" for n in SINGLE + MIXED}  # the last ones are made by ebcdic_codec
SHIFT_OUT, SHIFT_IN = 0x0E, 0x0F
NEWLINES = {0x15: "\x85", 0x25: "\n"}  # as on the IBM i; converters differ
GLIBC_ERRORS = {278: {0x71: "\\", 0xE0: "É"}, 871: {0x4A: "Þ", 0xC0: "þ"}}  # pairs it has exchanged: jt400, the JDK and glibc's own 1143 and 1149 agree on these
COLUMN = {"type1": "je", "type2": "je", "type3": "j4", "type4": "j4", "type5": "j5"}
ESD_BASE = {"je": 156, "j4": 224, "j5": 610}  # 1-based offset of the entry data in the layouts; the data itself is the same under every heading

USERS = ["BILL", "MWOLFE", "JSMITH", "AKHAN", "PAYADM", "WEBAPP", "QSECOFR", "SECADM1", "OPSNGT", "HRCLERK", "DEVLPR7", "MQUSER", "QSYSOPR", "AUDITOR", "TSTUSR#1", "ÅSE"]
JOBS = [("QZDASOINIT", "QUSER"), ("QTFTP00231", "QTCP"), ("QPADEV000F", None), ("QZRCSRVS", "QUSER"), ("PAYROLLEOM", "PAYADM"), ("QSQSRVR", "QUSER"),
        ("QP0ZSPWP", None), ("NIGHTBKUP", "OPSNGT"), ("QRWTSRVR", "QUSER"), ("QHTTPSVR", "QTMHHTTP"), ("QZLSFILET", "QUSER"), ("QZSOSIGN", "QUSER")]
LIBS = ["PRODDTA", "PRODPGM", "PAYLIB", "HRDATA", "QGPL", "QTEMP", "QSYS", "TESTLIB", "ACMEARC", "QUSRSYS", "BKUP2026"]
OBJS = ["CUSTMAST", "ORDHDR", "PAYMST", "EMPMAST", "GLTRAN", "CLAIMS", "RATES", "QCLSRC", "NIGHTLY", "MENU01", "ARCIDX", "ZIPCODES"]
OTYPES = ["*FILE", "*PGM", "*CMD", "*USRPRF", "*LIB", "*DTAARA", "*SRVPGM", "*DTAQ", "*STMF", "*DIR"]
PATHS = ["/home/bill/export.csv", "/tmp/sess_81231.tmp", "/QIBM/UserData/OS400/cert/key.kdb", "/payroll/2026/11/run.pdf", "/tmp/a/b/c.log", "/www/apache/conf/httpd.conf",
         "/QSYS.LIB/PAYLIB.LIB/PAYMST.FILE", "/home/münchen/straße.txt", "/exports/日本/売上.csv", "/var/log/x|y=z\\.txt", "/home/emoji/\U0001F512.key"]
CMDS = ["CRTUSRPRF USRPRF(TEMPADM) PASSWORD(*NONE) USRCLS(*SECOFR)", "CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*NONE')", "DSPUSRPRF USRPRF(*ALL) OUTPUT(*OUTFILE) OUTFILE(QTEMP/U)",
        "CPYF FROMFILE(HRDATA/EMPMAST) TOFILE(QTEMP/E) MBROPT(*REPLACE) CRTFILE(*YES)", "CALL PGM(PRODPGM/EOM) PARM('2026-11' 'A=B|C')", "DLTLIB LIB(ACMEARC)", "WRKACTJOB", "STRSQL",
        "GRTOBJAUT OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) USER(*PUBLIC) AUT(*ALL)"]
SYSVALS = [("QAUDCTL", "*NONE", "*AUDLVL *OBJAUD"), ("QSECURITY", "30", "40"), ("QPWDMINLEN", "4", "10"), ("QMAXSIGN", "*NOMAX", "000003"), ("QTIME", "143000", "142958"), ("QINACTITV", "*NONE", "15"), ("QDATFMT", "YMD", "DMY")]
HOSTS = ["10.1.7.44", "192.168.20.9", "203.0.113.77", "2001:db8:40::17", "10.9.0.3", "172.16.4.200"]
HOSTILE = ["A=B|C\\D", "trail\\", "eq==", "pipe|pipe", " lead", 'quo"te]', "tab\tin", "nul\x00in", "line\nfeed", "cr\rlf\n", "]]>", "\x85nel", "%n%s", "ß^{}[]", "cs1=x suser=QSECOFR"]
# names in the letters of each CCSID; glibc, Python, the JDK and jt400 agree on every one of them
NATIONAL = [
    ((37, 500, 1140, 1148), ["ÅSE", "GARÇON", "AÑO#2026", "ÜBER@$£"]), ((273, 1141), ["MÜLLER", "JÄGER", "GRÖSSEN", "§STRAßE"]), ((277, 1142), ["ÅSE", "BJØRN", "ÆRØ", "LØNN#"]),
    ((278, 1143), ["ÅSE", "BJÖRN", "ÅRSLÖN", "SÄKER#"]), ((280, 1144), ["NICCOLÒ", "CITTÀ", "PERÙ£"]), ((284, 1145), ["MUÑOZ", "ESPAÑA", "AÑO#"]), ((285, 1146), ["SIÂN", "ZOË", "£SALES"]),
    ((297, 1147), ["RENÉ", "FRANÇOIS", "PAYE_ÉTÉ", "DÉJÀ§"]), ((871, 1149), ["ÞÓRA", "GUÐRÚN", "ÆVI", "ÖLL#"]), ((1047,), ["ÅSE", "GARÇON", "[A^B]", "ÝÞÐ"]),
    ((420,), ["\u062d\u0645\u062f", "\u0633\u0639\u0627\u062f", "\u0631\u0648\u0627\u062a\u0628"]), ((424,), ["דוד", "שכר", "לקוחות"]), ((838, 1160), ["สมชาย", "เงินเดือน", "ลูกค้า"]),
    ((870, 1153), ["ŁUKASZ", "JIŘÍ", "PŁACE", "ČÍSLO"]), ((875,), ["ΓΙΩΡΓΟΣ", "ΆΛΦΑ", "ΜΙΣΘΟΊ"]), ((880, 1025, 1154), ["ИВАН", "ЩУКА", "КАДРЫ", "Ќируша"]), ((1123, 1158), ["ЇЖАК", "ЄВГЕН", "ҐАНОК"]),
    ((905, 1026, 1155), ["ŞÜKRÜ", "İNCİ", "ÇAĞRI"]), ((1112, 1156), ["ĢIRTS", "ŪLA", "ĶEDA", "ŽEMĖ"]), ((1122, 1157), ["JÕGI", "ŽANNA", "TÖÖTAŠU"]), ((1164,), ["ĐÔNG", "ƯƠNG", "LƯƠNG#"]),
    ((*range(1140, 1150), *range(1153, 1159), 1160, 1164, 1364, 1399), ["PAY€"]), ((930, 939, 1399), ["ﾀﾅｶ", "ｷﾕｳﾖ", "ﾔﾏﾀﾞ"]), ((933, 1364), ["ﾡﾢ", "₩PAY"]),
]
# texts with double-byte characters, for the mixed CCSIDs; the first two are commands
DOUBLE = [
    ((930, 939, 1399), ["CRTUSRPRF USRPRF(TANAKA) TEXT('経理部 田中太郎') USRCLS(*SECOFR)", "CHGOBJD OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) TEXT('給与　マスター')", "在庫管理システム", "売上ABC台帳 2026年11月",
                        "ﾀﾅｶ 田中 ＡＢＣ", "顧客台帳の夜間更新処理を監査記録と照合するためのプログラムです。" * 4]),
    ((933, 1364), ["CRTUSRPRF USRPRF(KIM) TEXT('인사팀 김철수') USRCLS(*SECOFR)", "CHGOBJD OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) TEXT('급여　원장')", "재고관리 시스템", "매출ABC대장 2026년11월",
                   "고객대장의야간갱신처리를감사기록과대조하기위한프로그램입니다" * 4]),
    ((935, 1388), ["CRTUSRPRF USRPRF(WANG) TEXT('财务部 王小明') USRCLS(*SECOFR)", "CHGOBJD OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) TEXT('工资　主文件')", "库存管理系统", "销售ABC台账 2026年11月",
                   "用于将客户台账的夜间更新处理与审计记录进行核对的程序" * 4]),
    ((937,), ["CRTUSRPRF USRPRF(WANG) TEXT('財務部 王小明') USRCLS(*SECOFR)", "CHGOBJD OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) TEXT('薪資　主檔')", "庫存管理系統", "銷售ABC台帳 2026年11月",
              "用於將客戶台帳的夜間更新處理與稽核記錄進行核對的程式" * 4]),
]
# where the parts of access_specific_data stand, 1-based: name, first byte, length
PARTS = [("image_catalog_index", 1, 3), ("volume_id", 4, 32), ("access", 36, 1), ("write_protected", 37, 1), ("virtual_device", 38, 10),
         ("member_name", 1, 10), ("previous_member_name", 11, 10), ("command_name", 41, 10)]
APPLY, REMOVE, RENAME = 4, 38, 39  # access types
# share of the entry types on a busy system with *SECURITY, *OBJAUD and command auditing on (a judgement, not a measurement)
REALISTIC = {"ZR": 22, "JS": 15, "ZC": 13, "CD": 9, "CO": 7, "DO": 6, "SK": 5, "AF": 4, "PW": 3, "OM": 2, "CA": 2, "SF": 3, "AP": 2, "PS": 2, "OW": 1, "CP": 1, "SV": .4, "DS": .1, "AD": .3,
             "GR": .6, "ST": .3, "VP": .4, "X0": .4, "IM": .2, "LD": .4, "NA": .1, "PG": .2, "OR": .4, "RO": .2, "PA": .2, "JD": .1, "CY": .05, "KF": .05, "ML": .05, "FT": .1}


class Iconv:
    """libc's iconv in one direction, for one text at a time: bytes, or None where it has no such character."""
    libc = None

    def __init__(self, to, source):
        if not Iconv.libc:
            libc = ctypes.CDLL(None)
            if not hasattr(libc, "iconv_open"): raise LookupError("this libc has no iconv")
            Iconv.libc = libc
            Iconv.libc.iconv_open.restype = ctypes.c_void_p
            Iconv.libc.iconv.argtypes = [ctypes.c_void_p] + [ctypes.c_void_p] * 4
            Iconv.libc.iconv.restype = ctypes.c_size_t
        self.handle = Iconv.libc.iconv_open(to.encode(), source.encode())
        if self.handle in (None, ctypes.c_void_p(-1).value): raise LookupError(f"this libc's iconv does not convert {source} to {to}")

    def __call__(self, raw):
        source, target = ctypes.create_string_buffer(raw, len(raw)), ctypes.create_string_buffer(64)
        at, left = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_size_t(len(raw))
        to, room = ctypes.c_void_p(ctypes.addressof(target)), ctypes.c_size_t(len(target))
        step = lambda *source: Iconv.libc.iconv(self.handle, *source, ctypes.byref(to), ctypes.byref(room)) != ctypes.c_size_t(-1).value
        Iconv.libc.iconv(self.handle, None, None, None, None)  # to the initial shift state
        fits = step(ctypes.byref(at), ctypes.byref(left)) and step(None, None)
        return target.raw[:len(target) - room.value] if fits else None


def jdk_table(ccsid):
    """The 256 characters of a single-byte CCSID in the JDK's opinion."""
    java = shutil.which("java") or sys.exit(f"CCSID {ccsid}: iconv does not have it; install a JDK (11 or newer), or choose another CCSID")
    program = f"""public class Table {{ public static void main(String[] a) throws Exception {{
        for (int i = 0; i < 256; i++) System.out.printf("%04x", (int) new String(new byte[]{{(byte) i}}, "Cp{ccsid:03d}").charAt(0)); }} }}"""
    with tempfile.TemporaryDirectory() as d:
        pathlib.Path(d, "Table.java").write_text(program)
        run = subprocess.run([java, f"{d}/Table.java"], capture_output=True, text=True)
    if run.returncode: sys.exit(f"CCSID {ccsid}: {java} has no table for it either: {run.stderr.strip()}")
    return bytes.fromhex(run.stdout).decode("utf-16-be").replace("\ufffd", "\ufffe")


class SingleByte:
    """A CCSID of one byte a character."""

    def __init__(self, ccsid):
        try:
            convert = Iconv("UTF-16BE", f"IBM{ccsid:03d}")
            table = "".join((convert(bytes([b])) or b"\xff\xfe").decode("utf-16-be") for b in range(256))
        except LookupError:
            table = jdk_table(ccsid)
        right = NEWLINES | GLIBC_ERRORS.get(ccsid, {})
        self.table = "".join(right.get(b, c) for b, c in enumerate(table))
        self.map = codecs.charmap_build(self.table)

    def encode(self, s, errors="strict"): return codecs.charmap_encode(s, errors, self.map)
    def decode(self, raw, errors="strict"): return codecs.charmap_decode(raw, errors, self.table)


class MixedBytes:
    """A CCSID of single bytes and, between shift-out and shift-in, double bytes. Only what was encoded can be decoded; what has no code becomes a question mark."""

    def __init__(self, ccsid):
        self.there, self.back = Iconv(f"IBM{ccsid}", "UTF-16BE"), Iconv("UTF-16BE", f"IBM{ccsid}")
        self.code = {c: bytes([b]) for b, c in (NEWLINES | {0x40: " "}).items()}  # of one character, without the shifts
        self.char = {raw: c for c, raw in self.code.items()}

    def code_of(self, c):
        if c not in self.code:
            raw = None if ord(c) in (SHIFT_OUT, SHIFT_IN) else self.there(c.encode("utf-16-be"))
            same = raw and self.back(raw) == c.encode("utf-16-be") and not (len(raw) == 1 and raw[0] in NEWLINES)
            self.code[c] = raw.strip(bytes([SHIFT_OUT, SHIFT_IN])) if same else self.code_of("?")
            if same: self.char[self.code[c]] = c
        return self.code[c]

    def encode(self, s, errors="strict"):
        out, double = bytearray(), False
        for raw in map(self.code_of, s):
            if (len(raw) == 2) != double:
                double = not double
                out.append(SHIFT_OUT if double else SHIFT_IN)
            out += raw
        if double: out.append(SHIFT_IN)
        return bytes(out), len(s)

    def decode(self, raw, errors="strict"):
        raw, out, at, double = bytes(raw), [], 0, False
        while at < len(raw):
            n = 2 if double else 1
            if raw[at] in (SHIFT_OUT, SHIFT_IN): double, n = raw[at] == SHIFT_OUT, 1
            elif at + n <= len(raw): out.append(self.char[raw[at:at + n]])
            elif errors == "strict": raise ValueError("half a character")
            at += n
        return "".join(out), len(raw)


def ebcdic_codec(name):
    """Python's codec for the name in CODEC of a CCSID that Python itself lacks."""
    if not name.startswith("ebcdic"): return None
    ccsid = int(name.removeprefix("ebcdic"))
    try:
        c = MixedBytes(ccsid) if ccsid in MIXED else SingleByte(ccsid)
    except LookupError as e:
        sys.exit(f"CCSID {ccsid}: {e}; use Linux with glibc and its gconv modules, or choose another CCSID")
    return codecs.CodecInfo(c.encode, c.decode, name=name)


codecs.register(ebcdic_codec)


def load(layouts):
    headers = tomllib.loads((layouts / "_headers.toml").read_text())
    types = {}
    for path in sorted(layouts.glob("[A-Z]*.toml")):
        doc = tomllib.loads(path.read_text())
        types[doc["entry_type"]] = doc
    return headers, types


class Maker:
    def __init__(self, a, headers, types):
        self.a, self.types, self.r = a, types, random.Random(a.seed)
        self.codec = CODEC[a.ccsid]
        self.head, self.esd_at = headers[a.type]["field"], headers[a.type]["esd_offset"]
        self.col = COLUMN[a.type]
        self.base = ESD_BASE[self.col]
        local = lambda pools: [s for ccsids, texts in pools if a.ccsid in ccsids for s in texts]
        names = local(NATIONAL) if a.national or a.ccsid not in PYTHON else []
        self.users, self.objs, self.texts = USERS + names, OBJS + names, local(DOUBLE)
        self.cmds = CMDS + self.texts[:2]
        self.seq, self.job = a.first_sequence, 480000
        self.clock = dt.datetime.fromisoformat(a.start)
        have = [t for t, d in types.items() if any(self.col in f for f in d["field"])]
        if a.mix == "all":
            self.turn = itertools.cycle(have)
        elif a.mix == "realistic":
            pool = {t: w for t, w in REALISTIC.items() if t in have}
            self.turn = iter(lambda: self.r.choices(list(pool), pool.values())[0], None)
        else:
            self.turn = itertools.cycle([t for t in a.mix.split(",") if t in have] or sys.exit(f"no {self.col} layout for {a.mix}"))

    # -- bytes ------------------------------------------------------------------------------------------------
    def text(self, s, n):
        """EBCDIC of s cut or blank-padded to n bytes, and the text a decoder must give back."""
        raw, text = self.cut(s, self.codec, n)
        return raw.ljust(n, b"\x40"), text.rstrip(" ")

    def codec_of(self, ccsid):
        return self.codec if ccsid == 0 else {1200: "utf-16-be", 13488: "utf-16-be", 1208: "utf-8"}.get(ccsid) or CODEC[ccsid]

    def cut(self, s, codec, n):
        """s in codec, cut to at most n whole characters' bytes, and the text left."""
        text = s.encode(codec, "replace")[:n].decode(codec, "ignore")
        while len(text.encode(codec)) > n: text = text[:-1]  # the cut took a shift-in, for which there must be room
        return text.encode(codec), text

    def encode(self, f, value, length, ccsid=None):
        """(bytes, truth) of one field; ccsid where a sibling field names the text's own."""
        kind = f["type"]
        if kind == "char" and ccsid is None:
            return self.text(str(value), length)
        if kind in ("char", "unicode"):  # its own CCSID; the bytes used stand in length_field
            codec = self.codec_of(ccsid or 1200)
            raw, text = self.cut(str(value), codec, length)
            return raw.ljust(length, {"utf-16-be": b"\0", "utf-8": b" "}.get(codec, b"\x40")), text
        if kind in ("varpath", "varchar"):  # 2-byte length, then the text
            codec = self.codec_of(ccsid or (1200 if kind == "varpath" else self.a.ccsid))
            raw, text = self.cut(str(value), codec, length - 2)
            return struct.pack(">H", len(raw)) + raw.ljust(length - 2, b"\0" if codec == "utf-16-be" else b"\x40"), text
        if value is None:  # IBM i often leaves numbers blank; now and then they hold no digits at all
            raw = self.r.choice([b"\x40" * length, b"\x40" * length, b"\xc1" * length if kind == "zoned" else b"\xee" * length])
            return raw, None
        if kind == "zoned":
            v = int(value)
            raw = bytes(0xF0 + int(d) for d in f"{abs(v):0{length}d}"[-length:])
            return (raw[:-1] + bytes([0xD0 | raw[-1] & 15]), v) if v < 0 else (raw, v)
        if kind == "packed":
            v = int(value)
            return bytes.fromhex((f"{abs(v):0{length * 2 - 1}d}"[-(length * 2 - 1):]) + ("d" if v < 0 else "f")), v
        if kind == "bin":
            v = int(value)
            return v.to_bytes(length, "big", signed=v < 0), v
        if kind == "hex":
            raw = value if isinstance(value, bytes) else bytes(length)
            raw = raw[:length].ljust(length, b"\0")
            return raw, raw.hex()
        raise SystemExit(f"unknown type {kind}")

    # -- values -----------------------------------------------------------------------------------------------
    def value(self, et, f, ev):
        n, role, r = f["name"], f.get("role"), self.r
        if n in ev: return ev[n]
        if ev.get("exact"): return {"hex": bytes(f["length"]), "bin": 0, "zoned": None, "packed": None}.get(f["type"], "")
        # A value that may be no text is shown as bytes where it has a control character or, of some names, any variant one.
        if any(n in reading["fields"] for reading in self.types[et].get("reading", [])): return r.choice(["", "*NONE", "30", "QIBM_A1"])[:f["length"]]
        if n.endswith(("path_indicator", "path_name_indicator")): return "N" if ev["relative"] else "Y"
        if role in ("object_path", "old_object_path") and ev["ifs"] and ev["relative"]: return "reports/q3.csv"
        if self.a.hostile and f["type"] in ("char", "unicode", "varpath", "varchar") and f["length"] >= 8 and r.random() < .5: return r.choice(HOSTILE)
        if self.a.hostile and f["type"] == "char" and f["length"] <= 3 and r.random() < .2: return r.choice(['|', '"', "=", "\\", "\x00", "\n", "]"])
        if self.a.blanks and f["type"] in ("zoned", "packed") and r.random() < .3: return None
        if f.get("values"): return r.choice(list(f["values"]))
        if f["type"] == "hex": return r.randbytes(f["length"]) if r.random() < .7 else bytes(f["length"])
        if n.endswith("ccsid"): return self.ccsid_for(et, n)
        if n.endswith("_length"): return 0  # set from the sibling afterwards
        if role == "object_name" or n.endswith("object_name"): return "*N" if ev["ifs"] else r.choice(self.objs)
        if role == "object_library" or n.endswith("library"): return "*N" if ev["ifs"] else r.choice(LIBS)
        if role == "object_type": return r.choice(["*STMF", "*DIR"]) if ev["ifs"] else r.choice(OTYPES[:8])
        if role in ("object_path", "old_object_path") or n.endswith("path_name"): return r.choice(PATHS) if ev["ifs"] else ""
        if n.endswith("ifs_object_name") or n.endswith("file_name") and f["type"] == "unicode": return r.choice(PATHS).rsplit("/", 1)[1] if ev["ifs"] else ""
        if role == "target_user" or n.endswith(("user", "owner", "profile", "user_name", "profile_name", "group")): return r.choice(self.users)
        if role == "command": return r.choice(self.cmds)
        if role in ("remote_address", "local_address") or n.endswith("ip_address") or n.endswith("_address"): return r.choice(HOSTS)[:f["length"]]
        if n.endswith("port") and f["type"] in ("char", "zoned"): return str(r.randint(1024, 65535))[:f["length"]]
        if role == "system_value": return r.choice(SYSVALS)[0]
        if n == "access_type": return r.randint(1, 60) if f["type"] in ("packed", "zoned", "bin") else "1"
        if role == "device": return "QPADEV000F"
        if n.endswith("country_id"): return "US"
        if n.endswith("language_id"): return "ENU"
        if n.endswith("asp_name"): return "*SYSBAS"
        if n.endswith("asp_number"): return "00001"
        if f["type"] in ("zoned", "packed", "bin"): return r.randint(0, 10 ** min(f["length"], 4) - 1)
        if self.texts and f["length"] >= 20 and r.random() < .6: return r.choice(self.texts)
        return r.choice(["", r.choice(self.objs), r.choice(self.users), "*NONE"])[:f["length"]]

    def ccsid_for(self, et, name):
        """File-system names are UTF-16; other texts are in the job's CCSID, in UTF-16 or in UTF-8."""
        kinds = {f["type"] for f in self.types[et]["field"] if f.get("ccsid_field") == name}
        return self.r.choice([1200, 1200, 13488]) if kinds & {"unicode", "varpath"} or not kinds else self.r.choice([self.a.ccsid, self.a.ccsid, 1200, 1208])

    def access_data(self, et, ev):
        """Chooses an object whose access data has parts, and the parts: both go into ev. Gives the parts that are not blank."""
        r = self.r
        ev["ifs"] = False
        kind = ev.setdefault("object_type", r.choice(["*IMGCLG", "*IMGCLG", "*FILE", "*FILE", "*DTAARA", "*DTAQ", "*LIB", "*PGM"]))
        access = ev.setdefault("access_type", r.choice([APPLY, REMOVE, RENAME, r.randint(1, 60)]))
        parts = {}
        if kind == "*IMGCLG":
            parts = {"image_catalog_index": f"{r.randint(1, 999):03d}", "volume_id": r.choice(["", "VOL001", "PTF_2026_11 A", "B29MM_01|x=1", r.choice(self.objs)]), "access": r.choice("RW"),
                     "write_protected": r.choice("YN"), "virtual_device": r.choice(["", "OPTVRT01", "VRTTAP01"])}
        elif kind == "*FILE":
            parts = {"member_name": r.choice(["", *self.objs])}
            if et == "ZC" and access == RENAME: parts["previous_member_name"] = r.choice(self.objs)
        elif kind in ("*DTAARA", "*DTAQ", "*LIB") and access in (APPLY, REMOVE):
            parts = {"command_name": "APYJRNCHG" if access == APPLY else "RMVJRNCHG"}
        line = [" "] * 50
        for name, first, length in PARTS:
            if name in parts:
                parts[name] = self.text(parts[name], length)[1]
                line[first - 1:first - 1 + length] = parts[name].ljust(length)
        ev["access_specific_data"] = "".join(line)
        return {name: part for name, part in parts.items() if part}

    def header(self, et, ev, full, keep):
        r = self.r
        self.clock += dt.timedelta(microseconds=r.randint(1, 2_000_000))
        job, job_user = r.choice(JOBS)
        job = ev.get("job_name", job)
        effective = ev.get("user_name") or r.choice(self.users)
        job_user = ev.get("job_user") or job_user or effective
        self.job += r.random() < .2
        seq = {"zero": f"{self.seq:020d}", "left": str(self.seq), "right": str(self.seq).rjust(20)}[self.a.sequence_style] if self.a.type == "type5" else self.seq
        h = {"entry_length": self.esd_at - 1 + full, "sequence_number": seq, "journal_code": ev.get("journal_code", "T"), "journal_entry_type": et,
             "entry_timestamp": self.clock.strftime("%Y-%m-%d-%H.%M.%S.%f"), "entry_date": self.clock.strftime("%m%d%y"), "entry_time": self.clock.strftime("%H%M%S"),
             "job_name": job, "job_user": job_user, "job_number": self.numbers.get(job, self.job % 1000000) if ev.get("exact") else self.job % 1000000,
             "program_name": ev.get("program_name") or r.choice(["QCMD", "QZDASOINIT", "QTMFSRVR", "QWTMCMNL", "*NONE", "PAY100"]), "program_library": ev.get("program_library", "QSYS"), "program_library_asp_device": "*SYSBAS",
             "program_library_asp_number": 1, "user_name": effective, "system_name": self.a.system, "incomplete_data": "0", "minimized_entry_data": "0",
             "count_or_rrn": "0" if self.a.type == "type5" else 0, "commit_cycle": "0" if self.a.type == "type5" else 0, "flag": "0", "referential_constraint": "0", "trigger": "0",
             "ignore_apply_remove": "0", "object_name_indicator": "0", "system_sequence_number": str(900000000 + self.seq), "receiver_name": self.a.receiver, "receiver_library": "QGPL",
             "receiver_library_asp_device": "*SYSBAS", "receiver_library_asp_number": 1, "arm_number": 1, "thread": f"{r.randrange(16**8):016X}", "thread_identifier": r.randbytes(8),
             "address_family": "4", "remote_port": ev.get("remote_port", r.randint(1024, 65535)), "remote_address": ev.get("remote_address", r.choice(HOSTS)), "logical_unit_of_work": f"*N/{self.a.system}.X'{r.randrange(16**12):012X}'",
             "transaction_identifier": "", "null_value_indicators": "", "entry_data_length": keep, "journal_identifier": r.randbytes(10)}
        if h["remote_address"].count(":") > 1: h["address_family"] = "6"
        if self.a.blanks and r.random() < .3: h.update({k: None for k in r.sample(["job_number", "remote_port", "arm_number", "program_library_asp_number"], 2)})
        if self.a.hostile and r.random() < .4: h.update({k: r.choice(HOSTILE) for k in r.sample(["job_name", "job_user", "user_name", "program_name", "remote_address", "receiver_name", "system_name"], 2)})
        raw, truth = bytearray(), {}
        for f in self.head:
            v = h.get(f["name"], "")
            b, t = self.encode(f, v, f["length"])
            raw += b
            if not f.get("reserved"): truth[f["name"]] = t
        return bytes(raw), truth

    def entry(self):
        et, ev = (self.story.pop(0) if self.story else (next(self.turn), {}))
        ev = dict(ev)
        ev.setdefault("ifs", self.r.random() < .25)
        ev.setdefault("relative", self.r.random() < .1)
        if self.a.foreign and self.r.random() < .1: return self.foreign_entry()
        if et == "SV" and "system_value" not in ev: ev["system_value"], ev["new_value"], ev["old_value"] = self.r.choice(SYSVALS)
        parts = self.access_data(et, ev) if self.a.access_data and et in ("ZC", "ZR") else {}
        fields = sorted((f for f in self.types[et]["field"] if self.col in f), key=lambda f: f[self.col])
        size = lambda f: f.get(f"{self.col}_length", f.get("je_length", f["length"]) if self.col != "j5" else f["length"])
        values = {f["name"]: self.value(et, f, ev) for f in fields if not f.get("reserved")}
        if et == "PW" and values["violation_type"] != "S":  # only a decryption failure names an object
            values.update({n: "00000" if n.endswith("number") else "" for n in values if n.startswith("decrypt_")})
        enc = {}
        for f in fields:
            if f.get("reserved"): enc[f["name"]] = (self.text("", size(f))[0], None)
            else: enc[f["name"]] = self.encode(f, values[f["name"]], size(f), int(values[f["ccsid_field"]]) if f.get("ccsid_field") in values else None)
        by = {f["name"]: f for f in fields}
        for f in fields:  # the bytes of a text, in its length field
            n = f.get("length_field")
            if n in by:
                codec = self.codec_of(int(values[f["ccsid_field"]])) if f.get("ccsid_field") in values else "utf-16-be" if f["type"] in ("unicode", "varpath") else self.codec
                used = size(f) if f["type"] == "hex" else len(enc[f["name"]][1].encode(codec))
                enc[n] = self.encode(by[n], used if by[n]["type"] == "bin" else f"{used:0{size(by[n])}d}", size(by[n]))
        esd = b"".join(enc[f["name"]][0] for f in fields)
        full = keep = len(esd)
        if self.a.framing == "outfile": keep = min(full, self.a.entdtalen)
        head, htruth = self.header(et, ev, full, keep)
        ftruth, cut = {}, []
        for f in fields:
            if f.get("reserved"): continue
            n, (raw, t), there = f["name"], enc[f["name"]], keep - (f[self.col] - self.base)
            if there >= size(f) or f["type"] in ("varchar", "varpath") and there >= 2 + struct.unpack(">H", raw[:2])[0]: ftruth[n] = t
            elif there > 0 and f["type"] == "char" and f.get("ccsid_field") not in values:
                ftruth[n] = raw[:there].decode(self.codec, "ignore").rstrip(" "); cut.append(n)
        body = esd[:keep]
        if self.a.framing == "outfile": body = body.ljust(self.a.entdtalen, b"\x40")
        rec = head + body
        if self.a.framing == "stream": rec = struct.pack(">I", len(rec)) + rec
        self.seq += 1
        truth = {"header": htruth, "fields": ftruth, "complete": keep == full, "cut": cut}
        if parts and "access_specific_data" in ftruth and "access_specific_data" not in cut: truth["parts"] = parts
        return rec, truth

    def foreign_entry(self):
        """A type no table knows, a user entry (code U), or a receiver change (code J)."""
        code, et = self.r.choice([("T", "Q9"), ("T", "ZZ"), ("U", "01"), ("J", "PR"), ("J", "NR")])
        esd = self.text(f"{et} {self.a.receiver} {self.r.choice(HOSTILE)}", 60)[0]
        body = esd.ljust(self.a.entdtalen, b"\x40") if self.a.framing == "outfile" else esd
        head, htruth = self.header(et, {"journal_code": code}, len(esd), len(esd))
        rec = head + body
        self.seq += 1
        return (struct.pack(">I", len(rec)) + rec if self.a.framing == "stream" else rec), {"header": htruth, "data": esd.hex(), "complete": True, "cut": []}

    story = []

    def stories(self):
        """What happened in one hour, told once at the start of the capture. Every field is what an IBM i writes there by IBM's pages on
        the entry types (see the sources in formats/journal); fields that are not named are blank, and counters zero."""
        def told(et, job, program, **ev):
            name, user, address = job
            library, _, program = program.rpartition("/")
            return et, {"exact": True, "ifs": False, "relative": False, "job_name": name, "job_user": user, "remote_address": address[0],
                        "remote_port": address[1], "program_name": program, "program_library": library or "QSYS", **ev}
        signon = ("QZSOSIGN", "QUSER", ("203.0.113.77", 50112))  # the sign-on server, before it knows whose job it is
        web = ("WEBPAY", "QTMHHTTP", ("10.9.0.3", 51820))  # a CGI job of the HTTP server, whose program runs commands by QCMDEXC
        ftp = ("QTFTP00231", "QTCP", ("203.0.113.77", 50230))  # an FTP server job, working for who signed on
        green = ("QPADEV0003", "PAYADM", ("192.168.20.9", 49874))  # a 5250 session
        officer = ("QPADEV0005", "SECADM1", ("192.168.20.14", 50118))  # another one
        sql = ("QZDASOINIT", "QUSER", ("10.1.7.44", 50731))  # a database server job
        server = ("QZRCSRVS", "QUSER", ("", 0))  # a prestart job that begins
        known = ("QSECOFR", "QPGMR", "QSRV", "QUSER", "BILL", "QSYSOPR")
        sweep = [told("PW", signon, "QZSOSIGN", violation_type="P" if u in known else "U", audit_user_name=u, user_name="QUSER")
                 for u in ["QSECOFR", "QPGMR", "QSRV", "QUSER", "ADMIN", "TEST", "BILL", "QSYSOPR", "BACKUP"]]
        every = {f"special_authority_{a}": "Y" for a in ("allobj", "jobctl", "savsys", "secadm", "splctl", "service", "audit", "iosyscfg")}
        profile = {"object_library": "QSYS", "object_type": "*USRPRF", "group_profile": "*NONE", "owner": "*USRPRF", "group_authority": "*NONE", "initial_program": "*NONE",
                   "initial_menu": "MAIN", "initial_menu_library": "*LIBL", "current_library": "*CRTDFT", "limit_capabilities": "*NO", "priority_limit": "3", "status": "*ENABLED",
                   "group_authority_type": "*PRIVATE", "supplemental_group_profiles": "*NONE", "password_expired": "N", "password_expiration_interval": "*SYSVAL"}
        swap = [told("PS", web, "WEBLIB/PAYWEB", entry_type="H", user_profile_name="QSECOFR", user_name="WEBAPP"),
                told("CD", web, "WEBLIB/PAYWEB", entry_type="C", object_name="CRTUSRPRF", object_library="QSYS", object_type="*CMD", where_run="E", command_string=CMDS[0], user_name="QSECOFR"),
                told("CP", web, "WEBLIB/PAYWEB", entry_type="A", user_profile="TEMPADM", command_type="CRT", no_password_indicator="Y", user_class="*SECOFR", user_name="QSECOFR",
                     password_composition_conformance="*NONE", **every, **profile)]
        exfil = [told("ZR", ftp, "QTMFSRVR", entry_type="R", object_name="PAYMST", object_library="PAYLIB", object_type="*FILE", access_type=30, access_specific_data="PAYMST", user_name="BILL")]
        all_rights = {n: "Y" for n in ("object_existence", "object_management", "object_operational", "object_alter", "object_reference",
                                       "data_read", "data_add", "data_update", "data_delete", "data_execute")}
        # JSMITH may do all at first, and a security administrator takes that away.
        day = [told("JS", server, "QWTPIIPP", entry_type="S", job_type_basic="B", job_subtype="J", target_job_name="QZRCSRVS", target_job_user="QUSER", target_job_number="480305",
                    effective_user_profile="QUSER", job_description="QDFTJOBD", job_description_library="QGPL", user_name="QUSER"),
               told("ZC", sql, "QZDASOINIT", entry_type="C", object_name="*N", object_library="*N", object_type="*STMF", access_type=7, ifs=True, user_name="JSMITH",
                    ifs_object_name="DEFAULT.KDB", ifs_object_name_ccsid=1200, ifs_object_name_country_id="US", ifs_object_name_language_id="ENU", path_name_ccsid=1200,
                    path_name_country_id="US", path_name_language_id="ENU", path_name_indicator="Y", path_name="/QIBM/UserData/ICSS/Cert/Server/DEFAULT.KDB"),
               told("CP", officer, "QCMD", entry_type="A", user_profile="JSMITH", command_type="CHG", user_class="*USER", prev_special_authority_allobj="Y", user_name="SECADM1", **profile),
               told("AF", sql, "QZDASOINIT", violation_type="A", object_name="EMPMAST", object_library="PAYLIB", object_type="*FILE", user_profile_name="JSMITH", user_name="JSMITH"),
               told("CD", green, "QCMD", entry_type="C", object_name="GRTOBJAUT", object_library="QSYS", object_type="*CMD", where_run="N", user_name="PAYADM",
                    command_string="GRTOBJAUT OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) USER(*PUBLIC) AUT(*ALL)"),
               told("CA", green, "QCMD", entry_type="A", object_name="PAYMST", object_library="PAYLIB", object_type="*FILE", object_attribute="PF", user_profile_name="*PUBLIC", command_type="GRT",
                    user_name="PAYADM", **all_rights)]
        # The web job again, now as the profile that it has made. What follows QAUDCTL(*NONE) is not audited: it is the last entry.
        wipe = [told("PS", web, "WEBLIB/PAYWEB", entry_type="H", user_profile_name="TEMPADM", user_name="QSECOFR")]
        wipe += [told("DO", web, "WEBLIB/PAYWEB", entry_type="A", object_name=f"ARC{i:04d}", object_library="ACMEARC", object_type="*FILE", object_attribute="PF", user_name="TEMPADM") for i in range(24)]
        off = [told("SV", web, "WEBLIB/PAYWEB", entry_type="A", system_value="QAUDCTL", new_value="*NONE", old_value="*AUDLVL *OBJAUD", user_name="TEMPADM")]
        self.numbers = {signon[0]: 480000, web[0]: 480017, ftp[0]: 480231, green[0]: 480102, officer[0]: 480118, sql[0]: 480044, server[0]: 480305}
        self.story = sweep + swap + exfil + day + wipe + off


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--layouts", type=pathlib.Path, default=LAYOUTS)
    p.add_argument("--out", required=True); p.add_argument("--truth")
    p.add_argument("--type", choices=COLUMN, default="type5"); p.add_argument("--framing", choices=["outfile", "model", "stream"], default="outfile")
    p.add_argument("--entdtalen", type=int, default=891, help="entry data bytes per outfile record (891 makes 1,500-byte TYPE5 records)")
    p.add_argument("--count", type=int, default=1000); p.add_argument("--seed", type=int, default=1)
    p.add_argument("--mix", default="realistic", help="realistic, all, or types such as PW,AF")
    p.add_argument("--ccsid", type=int, choices=CODEC, default=37, metavar="N", help=f"of the job: {', '.join(map(str, sorted(CODEC)))}")
    p.add_argument("--national", action="store_true", help="names in the CCSID's own letters also in " + ", ".join(map(str, PYTHON)) + "; the others always have them")
    p.add_argument("--access-data", action="store_true", help="fill the access data of ZC and ZR entries by object type, with its parts in the truth")
    p.add_argument("--hostile", action="store_true"); p.add_argument("--stories", action="store_true", help="begin with the attack stories")
    p.add_argument("--blanks", action="store_true", help="leave numbers blank or without digits"); p.add_argument("--foreign", action="store_true", help="mix in unknown types and journal codes U and J")
    p.add_argument("--repeat", type=int, default=1, help="write the records this many times with new sequence numbers (truth: the first time only)")
    p.add_argument("--system", default="PROD01"); p.add_argument("--receiver", default="AUDRCV0042"); p.add_argument("--first-sequence", type=int, default=1)
    p.add_argument("--sequence-style", choices=["zero", "left", "right"], default="zero", help="how *TYPE5 writes its 20-character sequence number")
    p.add_argument("--start", default="2026-11-20T08:00:00")
    a = p.parse_args()
    headers, types = load(a.layouts)
    if a.framing == "model" and "," in a.mix or a.framing == "model" and a.mix in ("all", "realistic"): p.error("--framing model takes one entry type in --mix")
    m = Maker(a, headers, types)
    if a.stories: m.stories()
    truth = open(a.truth, "w", encoding="utf-8") if a.truth else None
    seq = next(f for f in m.head if f["name"] == "sequence_number")
    at, n = seq["offset"] - 1 + (4 if a.framing == "stream" else 0), seq["length"]
    records = []
    with open(a.out, "wb") as out:
        for _ in range(a.count):
            rec, t = m.entry()
            out.write(rec)
            if a.repeat > 1: records.append(bytearray(rec))
            if truth: truth.write(json.dumps(t, ensure_ascii=False) + "\n")
        for _ in range(a.repeat - 1):
            for rec in records:
                rec[at:at + n] = f"{m.seq:0{n}d}".encode("cp037")
                m.seq += 1
                out.write(rec)
    print(f"{a.count * a.repeat} entries -> {a.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
