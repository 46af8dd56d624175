"""SYSTOOLS.AUDIT_JOURNAL_xx: audit entries as columns, for `qaudjrn doctor --layouts`.

The values are the truth that make_capture.py wrote beside the capture: no decoder is involved. What IBM makes of them differs from
the bytes, and so it does here (audit_names.py).
"""
import re

from audit_names import CHARACTER, COMMON, DETAILED, PARAMETERS, TABLE, TYPES, is_shown, placed, word
from errors import SqlError, cpf
from journal_query import Selection
from system import stamp

FUNCTIONS = ("SELECT R.ROUTINE_NAME AS \"NAME\" FROM QSYS2.SYSROUTINES R WHERE R.ROUTINE_SCHEMA = 'SYSTOOLS' AND R.ROUTINE_NAME LIKE "
             "'AUDIT_JOURNAL___' ORDER BY R.ROUTINE_NAME")
COLUMNS = ("SELECT P.PARAMETER_NAME AS \"NAME\", P.DATA_TYPE AS \"TYPE\", CAST(P.CCSID AS VARCHAR(11)) AS \"CCSID\" FROM QSYS2.SYSPARMS P "
           "WHERE P.SPECIFIC_SCHEMA = 'SYSTOOLS' AND P.SPECIFIC_NAME IN (SELECT R.SPECIFIC_NAME FROM QSYS2.SYSROUTINES R WHERE "
           "R.ROUTINE_SCHEMA = 'SYSTOOLS' AND R.ROUTINE_NAME = ?) ORDER BY P.ORDINAL_POSITION")
ROWS = re.compile(
    r'SELECT CAST\("SEQUENCE_NUMBER" AS VARCHAR\(21\)\) AS "SEQUENCE_NUMBER"(?P<items>(, .+)?) FROM TABLE\(SYSTOOLS\.AUDIT_JOURNAL_(?P<type>[A-Z0-9]{2})\('
    r"STARTING_RECEIVER_NAME => CAST\(\? AS VARCHAR\(10\)\), ENDING_RECEIVER_NAME => CAST\(\? AS VARCHAR\(10\)\), "
    r"STARTING_SEQUENCE => CAST\(\? AS DECIMAL\(21,0\)\), ENDING_SEQUENCE => CAST\(\? AS DECIMAL\(21,0\)\), "
    r"STARTING_RECEIVER_LIBRARY => CAST\(\? AS VARCHAR\(10\)\), ENDING_RECEIVER_LIBRARY => CAST\(\? AS VARCHAR\(10\)\)\)\) AS A", re.ASCII)
ITEM = re.compile(  # how a column is asked for tells what the product takes it for
    r', (?:(?P<wide>CAST\({0} AS VARCHAR\(8000\) CCSID 1208\))|(?P<number>CAST\({0} AS VARCHAR\(40\)\))|(?P<bytes>HEX\({0}\))|(?P<text>{0})) AS {0}'
    .format('"[A-Z][A-Z0-9_#@$]*"'), re.ASCII)
QUOTED = re.compile('"([^"]+)"')
# DATA_TYPE of SYSPARMS: the CCSID beside it, and the form it must be asked for in.
FORMS = {"CHARACTER": ("37", "text"), "CHARACTER VARYING": ("37", "text"), "GRAPHIC VARYING": ("1200", "wide"), "DBCLOB": ("1200", "wide"),
         "INTEGER": (None, "number"), "BIGINT": (None, "number"), "DECIMAL": (None, "number"), "TIMESTAMP": ("37", "number"),
         "BINARY": (None, "bytes"), "BINARY VARYING": (None, "bytes"), "FOR BIT DATA": ("65535", "bytes")}
UNICODE = re.compile(r"(.*_)?path_name|ifs_.*name")
FAULTS = ("missing", "null", "constant", "shift", "rename")


def data_type(type, name, field, all_fields, said):
    """What SYSPARMS says of a column that holds a field."""
    if (type, name) in TYPES:
        return TYPES[type, name]
    if name in CHARACTER and type in TABLE:
        return "CHARACTER"
    if field.endswith("file_id"):
        return "BINARY"
    if field.endswith("asp_number") or isinstance(said, int):
        return "INTEGER"
    return "GRAPHIC VARYING" if UNICODE.fullmatch(field) or f"{field}_ccsid" in all_fields else "CHARACTER VARYING"


class Column:
    """A column of a function: its name, its type, where its values come from, and what is wrong with it."""

    def __init__(self, name, type):
        self.name, self.type = name, type
        self.ccsid, self.form = FORMS[type]
        self.sources = []  # (field, code of the detail that it is taken from it for, or None, codes for which the field is elsewhere)
        self.detail_of = self.common = self.how = None

    def right(self, type, fields):
        """The value when nothing is wrong."""
        detail = fields.get("entry_type") or fields.get("violation_type")
        if self.detail_of:
            code = fields.get(self.detail_of)
            return f"Text for {code}" if code else None
        for field, code, elsewhere in self.sources:
            if code == detail or code is None and detail not in elsewhere:
                return self.cast(type, field, fields.get(field) if is_shown(field, fields) else None)
        return None

    def cast(self, type, field, said):
        """The column's own way to write what the bytes say: null for blanks, integers without leading zeros, words for codes."""
        if said is None or said == "":
            return None
        if self.form == "number":
            return str(int(said)) if re.fullmatch(r"-?\d+", str(said), re.ASCII) else None
        if isinstance(said, int):
            return f"{said:06d}"  # the number of a job, which is CHAR(6) elsewhere
        return said.upper() if self.form == "bytes" else word(type, field, said)

    def of(self, type, fields):
        found = self.right(type, fields)
        if self.how == "null":
            return None
        if self.how == "constant":
            return {"number": "7", "bytes": "C1"}.get(self.form, "SAME")
        if self.how == "shift" and found is not None:  # as if our table were a byte off
            return str(int(found) + 1) if self.form == "number" else found[2 if self.form == "bytes" else 1:] or None
        return found


class Tables:
    """The functions of a system, as its release has them, and their faults (do_audit of control.py)."""

    def __init__(self, system):
        self.system, self.gone, self.faults, self.lacks, self.backwards = system, set(), {}, 0, False
        self.empty = "rows"  # or CPF7062: what a function answers that finds no entry

    def types(self):
        return sorted({t.type for t in self.system.templates if t.fields is not None} - self.gone)

    def fields(self, type):
        """Each field that an entry of the type has, in the order of the bytes, with the first value that is not blank."""
        first = {}
        for template in self.system.templates:
            if template.type == type and template.fields is not None:
                for field, said in template.fields.items():
                    if first.get(field) in (None, ""):
                        first[field] = said
        return first

    def right_columns(self, type):
        """The type's own columns, without faults."""
        if type not in self.types():
            return []
        columns, fields = {}, self.fields(type)
        for field, said in fields.items():
            places = placed(type, field)
            codes = {code for code, _ in places}
            for code, name in places:
                column = columns.setdefault(name, Column(name, data_type(type, name, field, fields, said)))
                column.sources.append((field, code, codes))
            for name in {name for _, name in places} & DETAILED:
                if type in TABLE:
                    columns[f"{name}_DETAIL"] = Column(f"{name}_DETAIL", "CHARACTER VARYING")
                    columns[f"{name}_DETAIL"].detail_of = field
        for name in TABLE[type].more.split() if type in TABLE else ():
            columns.setdefault(name, Column(name, TYPES.get((type, name), "CHARACTER VARYING")))
        return list(columns.values())

    def columns(self, type):
        """The type's own columns, as they are now."""
        columns = self.right_columns(type)
        for column in columns:
            column.how, to = self.faults.get((type, column.name), (None, None))
            column.name = to if column.how == "rename" else column.name
        return [column for column in columns if column.how != "missing"]

    def fault(self, type, column, how, to):
        """From now on the column is wrong so, or right again where `how` is None."""
        if how not in (None, *FAULTS):
            raise ValueError(f"no such fault: {how}")
        if column not in [c.name for c in self.right_columns(type)]:
            raise ValueError(f"AUDIT_JOURNAL_{type} has no column {column}")
        if (how == "rename") != (to is not None):
            raise ValueError("`to` is the new name with rename")
        self.faults[type, column] = (how, to)

    def all_columns(self, type):
        """With those that every function has in front."""
        own = self.columns(type)
        front = [Column(name, of) for name, of in COMMON.items()] if own else []
        for column in front:
            column.common = column.name
        return front + own

    def catalog(self, function):
        """The parameters and the columns, as SYSPARMS lists them."""
        columns = self.all_columns(function.removeprefix("AUDIT_JOURNAL_")) if function.startswith("AUDIT_JOURNAL_") else []
        shown = lambda name, type: [name, "CHARACTER VARYING" if type == "FOR BIT DATA" else type, FORMS[type][0]]
        return [shown(*parameter) for parameter in PARAMETERS.items() if columns] + [shown(c.name, c.type) for c in columns]

    def functions(self):
        return [[f"AUDIT_JOURNAL_{type}"] for type in self.types()]

    def prepare(self, text):
        """(type, columns) of the statement that asks for rows, or None if it is none."""
        found = ROWS.fullmatch(text)
        wanted = found and items(found["items"])
        if wanted is None:
            return None
        there = {c.name: c for c in self.all_columns(found["type"])}
        if not there:
            raise SqlError(f"[SQL0204] AUDIT_JOURNAL_{found['type']} in SYSTOOLS type *N not found.", "42704", -204)
        for name, _ in wanted:
            if name not in there:
                raise SqlError(f"[SQL0206] Column or global variable {name} not found.", "42703", -206)
        if any(there[name].form != form for name, form in wanted):
            return None
        return found["type"], [there[name] for name, _ in wanted]

    def rows(self, type, columns, name, end_name, start, end, library, end_library):
        """The rows of a range of the journal QSYS/QAUDJRN. An entry of which no truth is known has none."""
        try:
            chosen = Selection(self.system, "QSYS", "QAUDJRN", library, name, "T", end_library, end_name, start, end, type=type)
        except SqlError as error:
            if error.text.startswith("[CPF7062]") and self.empty == "rows":
                return []
            raise
        rows = []
        for receiver, indexes in chosen.places():
            for i in indexes:
                fields = self.system.templates[receiver.templates[i]].fields
                if fields is not None:
                    values = [self.heading(c.common, receiver, i) if c.common else c.of(type, fields) for c in columns]
                    rows.append([str(receiver.sequences[i]), *values])
        if not rows and self.empty != "rows":
            raise cpf("CPF7062")
        rows = rows[self.lacks:]
        return rows[::-1] if self.backwards else rows

    def heading(self, name, receiver, i):
        """A column that every function has: what DISPLAY_JOURNAL says of the entry, null where the stand-in does not know it."""
        t = self.system.templates[receiver.templates[i]]
        job = f"{t.job_number}/{t.job_user}/{t.job_name}"
        known = {"ENTRY_TIMESTAMP": stamp(receiver.times[i], self.system.stamp_style), "SEQUENCE_NUMBER": str(receiver.sequences[i]), "USER_NAME": t.user,
                 "QUALIFIED_JOB_NAME": job, "JOB_NAME": t.job_name, "JOB_USER": t.job_user, "JOB_NUMBER": t.job_number,
                 "PROGRAM_LIBRARY": t.program_library, "PROGRAM_NAME": t.program, "REMOTE_PORT": None if t.port is None else str(t.port),
                 "REMOTE_ADDRESS": t.address, "SYSTEM_NAME": self.system.name, "RECEIVER_LIBRARY": receiver.library, "RECEIVER_NAME": receiver.name}
        return known.get(name) or None


def items(text):
    """[(column, form)] of the items of a statement, or None where one is of another form."""
    wanted, at = [], 0
    while at < len(text):
        item = ITEM.match(text, at)
        names = item and set(QUOTED.findall(item[0]))
        if not item or len(names) != 1:  # both names of an item are the same
            return None
        wanted.append((names.pop(), item.lastgroup))
        at = item.end()
    return wanted
