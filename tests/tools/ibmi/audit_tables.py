"""SYSTOOLS.AUDIT_JOURNAL_xx: audit entries as columns, for `qaudjrn doctor --layouts`.

The values are the truth that make_capture.py wrote beside the capture: no decoder is involved. What IBM makes of them differs from
the bytes, and so it does here: TABLE below. Sources: IBM's pages "AUDIT_JOURNAL_AD", "_CA", "_CD", "_CP" table function (rzajq, 7.3 to 7.6),
of which the first columns can be read, and for the names of the others docs/config/format.md of ThePrez/Manzan.
"""
import re

from errors import SqlError, cpf
from journal_query import Selection

FUNCTIONS = ("SELECT R.ROUTINE_NAME AS \"NAME\" FROM QSYS2.SYSROUTINES R WHERE R.ROUTINE_SCHEMA = 'SYSTOOLS' AND R.ROUTINE_NAME LIKE "
             "'AUDIT_JOURNAL___' ORDER BY R.ROUTINE_NAME")
COLUMNS = ("SELECT P.PARAMETER_NAME AS \"NAME\", P.DATA_TYPE AS \"TYPE\", CAST(P.CCSID AS VARCHAR(11)) AS \"CCSID\" FROM QSYS2.SYSPARMS P "
           "WHERE P.SPECIFIC_SCHEMA = 'SYSTOOLS' AND P.SPECIFIC_NAME IN (SELECT R.SPECIFIC_NAME FROM QSYS2.SYSROUTINES R WHERE "
           "R.ROUTINE_SCHEMA = 'SYSTOOLS' AND R.ROUTINE_NAME = ?) ORDER BY P.ORDINAL_POSITION")
ROWS = re.compile(
    r'SELECT CAST\("SEQUENCE_NUMBER" AS VARCHAR\(21\)\) AS "SEQUENCE_NUMBER"(?P<items>(, .+?)?) FROM TABLE\(SYSTOOLS\.AUDIT_JOURNAL_(?P<type>[A-Z0-9]{2})\('
    r"STARTING_RECEIVER_NAME => CAST\(\? AS VARCHAR\(10\)\), ENDING_RECEIVER_NAME => CAST\(\? AS VARCHAR\(10\)\), "
    r"STARTING_SEQUENCE => CAST\(\? AS DECIMAL\(21,0\)\), ENDING_SEQUENCE => CAST\(\? AS DECIMAL\(21,0\)\), "
    r"STARTING_RECEIVER_LIBRARY => CAST\(\? AS VARCHAR\(10\)\), ENDING_RECEIVER_LIBRARY => CAST\(\? AS VARCHAR\(10\)\)\)\) AS A", re.ASCII)
NAME = '"(?P<name>[A-Z][A-Z0-9_#@$]*)"'
ITEM = {  # how a column of a kind is asked for
    "text": re.compile(f'{NAME} AS "(?P=name)"'),
    "wide": re.compile(f'CAST\\({NAME} AS VARCHAR\\(8000\\) CCSID 1208\\) AS "(?P=name)"'),
    "number": re.compile(f'CAST\\({NAME} AS VARCHAR\\(40\\)\\) AS "(?P=name)"'),
    "bytes": re.compile(f'HEX\\({NAME}\\) AS "(?P=name)"'),
}
TYPES = {"text": ("CHARACTER VARYING", "37"), "wide": ("GRAPHIC VARYING", "1200"), "number": ("INTEGER", None), "bytes": ("BINARY", None)}

PARAMETERS = ["STARTING_RECEIVER_NAME", "ENDING_RECEIVER_NAME", "STARTING_TIMESTAMP", "ENDING_TIMESTAMP", "USER_NAME", "JOB", "PROGRAM",
              "STARTING_SEQUENCE", "ENDING_SEQUENCE", "STARTING_RECEIVER_LIBRARY", "ENDING_RECEIVER_LIBRARY"]
COMMON = ["ENTRY_TIMESTAMP", "SEQUENCE_NUMBER", "USER_NAME", "QUALIFIED_JOB_NAME", "JOB_NAME", "JOB_USER", "JOB_NUMBER", "THREAD", "PROGRAM_LIBRARY",
          "PROGRAM_NAME", "PROGRAM_LIBRARY_ASP_DEVICE", "PROGRAM_LIBRARY_ASP_NUMBER", "REMOTE_PORT", "REMOTE_ADDRESS", "SYSTEM_NAME",
          "SYSTEM_SEQUENCE_NUMBER", "RECEIVER_LIBRARY", "RECEIVER_NAME", "RECEIVER_ASP_DEVICE", "RECEIVER_ASP_NUMBER", "ARM_NUMBER"]

# What IBM makes of the bytes. Names: fields whose column is called otherwise. Words: what is written for a code. Flags: fields whose Y and N
# become YES and NO, by the beginning of their names.
NO_COLUMN = re.compile(r"^reserved|^(.*_)?(name|path|value|string)_(length|ccsid|country_id|language_id)$|_indicator$|^cp_unused$")
AUTHORITIES = "allobj jobctl savsys secadm splctl service audit iosyscfg".split()
NAMES = {
    "CP": {f"special_authority_{a}": a.upper() for a in AUTHORITIES} | {f"prev_special_authority_{a}": f"PREVIOUS_{a.upper()}" for a in AUTHORITIES}
          | {"group_profile": "GROUP_PROFILE_NAME", "owner": "GROUP_OWNER", "current_library": "CURRENT_LIBRARY_NAME", "user_class": "USER_CLASS_NAME"},
    "CA": {"authorization_list_name": "AUTHORIZATION_LIST", "exclude": "OBJECT_EXCLUDE", "personal_status": "PERSONAL_STATUS_CHANGED",
           "access_code_action": "ACCESS_CODE_CHANGED"},
    "ZC": {"object_library": "LIBRARY_NAME"},
}
WORDS = {("CA", "command_type"): {"GRT": "GRANT", "RPL": "REPLACE", "RVK": "REVOKE", "USR": "GRTUSRAUT"}}
FLAGS = {"CP": ("special_authority_", "prev_special_authority_", "password_", "no_password"), "CA": ("object_e", "object_m", "object_o", "data_", "exclude"),
         "AD": ("audit_",)}
DETAILED = ("entry_type", "violation_type")  # a column NAME_DETAIL with a text stands behind each


def value(type, field, said):
    """What the column holds for what the bytes say."""
    if said is None or said == "":
        return None
    if field.endswith("asp_number"):
        return int(said) if str(said).strip().isdigit() else None
    if said in ("Y", "N") and field.startswith(FLAGS.get(type, ())):
        return "YES" if said == "Y" else "NO"
    return WORDS.get((type, field), {}).get(said, said)


def kind(field, said):
    if field.endswith("asp_number") or isinstance(said, int):
        return "number"
    if field.endswith("file_id"):
        return "bytes"
    return "wide" if "path" in field else "text"


class Column:
    """A column: its name, what it holds, where its values come from, and what is wrong with it."""

    def __init__(self, name, kind, field, how=None):
        self.name, self.kind, self.field, self.how = name, kind, field, how

    def of(self, type, said):
        if self.field is None:
            return f"text for {self.name}"
        found = value(type, self.field, said.get(self.field))
        if self.how == "null":
            return None
        if self.how == "constant":
            return "7" if self.kind == "number" else "SAME"
        if self.how == "shift" and found is not None:  # as if our table were a byte off
            return found + 1 if isinstance(found, int) else found[1:] or None
        return found


class Tables:
    """The functions of a system, as its release has them."""

    def __init__(self, system):
        self.system, self.gone, self.faults, self.lacks, self.backwards = system, set(), {}, 0, False

    def types(self):
        return sorted({t.type for t in self.system.templates if t.fields is not None} - self.gone)

    def columns(self, type):
        """The type's own columns: every field that any entry of it has, in the order of the bytes."""
        if type not in self.types():
            return []
        first = {}
        for template in self.system.templates:
            if template.type == type and template.fields is not None:
                for field, said in template.fields.items():
                    if field not in first or first[field] in (None, ""):
                        first[field] = said
        columns = []
        for field, said in first.items():
            if NO_COLUMN.search(field):
                continue
            name = NAMES.get(type, {}).get(field, field.upper())
            how, to = self.faults.get((type, name), (None, None))
            if how != "missing":
                columns.append(Column(to if how == "rename" else name, kind(field, said), field, how))
            if field in DETAILED:
                columns.append(Column(f"{name}_DETAIL", "text", None))
        return columns

    def catalog(self, function):
        """The parameters, the columns all have, and the type's own, as SYSPARMS lists them."""
        own = self.columns(function.removeprefix("AUDIT_JOURNAL_"))
        if not own:
            return []
        front = [[name, "CHARACTER VARYING", "37"] for name in PARAMETERS + COMMON]
        return front + [[c.name, *TYPES[c.kind]] for c in own]

    def functions(self):
        return [[f"AUDIT_JOURNAL_{type}"] for type in self.types()]

    def prepare(self, text):
        """(type, columns) of the statement that asks for rows, or None if it is none."""
        found = ROWS.fullmatch(text)
        if not found:
            return None
        there = {c.name: c for c in self.columns(found["type"])}
        if not there:
            raise SqlError(f"[SQL0204] AUDIT_JOURNAL_{found['type']} in SYSTOOLS type *N not found.", "42704", -204)
        wanted = []
        for item in re.findall(r", (.+?)(?=, \"|, CAST|, HEX|$)", found["items"]):
            kinds = [(kind, match) for kind, form in ITEM.items() if (match := form.fullmatch(item))]
            if not kinds:
                return None
            (kind, match), = kinds
            column = there.get(match["name"])
            if column is None:
                raise SqlError(f"[SQL0206] Column or global variable {match['name']} not found.", "42703", -206)
            if column.kind != kind:
                return None
            wanted.append(column)
        return found["type"], wanted

    def rows(self, type, columns, name, end_name, start, end, library, end_library):
        """Nothing found is no row here, as a table function that is not DISPLAY_JOURNAL itself may have it."""
        if (name, library) != (end_name, end_library):
            raise cpf("CPF7053", reason=2)
        try:
            chosen = Selection(self.system, "QSYS", "QAUDJRN", library, name, "T", end_library, end_name, start, end, type=type)
        except SqlError as error:
            if "CPF7062" in str(error):
                return []
            raise
        rows = []
        for receiver, indexes in chosen.places():
            for i in indexes:
                fields = self.system.templates[receiver.templates[i]].fields
                values = [column.of(type, fields) for column in columns]
                texts = [v.upper() if v is not None and c.kind == "bytes" else v if v is None else str(v) for c, v in zip(columns, values)]
                rows.append([str(receiver.sequences[i]), *texts])
        rows = rows[self.lacks:]
        return rows[::-1] if self.backwards else rows
