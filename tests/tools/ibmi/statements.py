"""The statements the agent may send, word for word, and what answers them. Anything else is refused and counted.

Db2's own checks are made where the agent depends on them: a column that the catalog does not list is an error (SQL0206).
"""
import time

import audit_tables
import security
from entries import gson
from errors import SqlError, cpf
from journal_query import Page, Selection, number
from system import stamp, parse_stamp

CALL = ("FROM TABLE(QSYS2.DISPLAY_JOURNAL(JOURNAL_LIBRARY => CAST(? AS VARCHAR(10)), JOURNAL_NAME => CAST(? AS VARCHAR(10)), "
        "STARTING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), STARTING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), "
        "{start}, JOURNAL_CODES => CAST(? AS VARCHAR(48)), "
        "ENDING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), ENDING_RECEIVER_NAME => CAST(? AS VARCHAR(10)){end})) AS E")
NUMBERED = CALL.format(start="STARTING_SEQUENCE => CAST(? AS DECIMAL(21,0))", end=", ENDING_SEQUENCE => CAST(? AS DECIMAL(21,0))")
SINCE = CALL.format(start="STARTING_TIMESTAMP => CAST(? AS TIMESTAMP)", end="")
REMOTE = 'REMOTE_ADDRESS AS "REMOTE_ADDRESS", CAST(REMOTE_PORT AS VARCHAR(11)) AS "REMOTE_PORT", '
PAGE = ('SELECT CAST(SEQUENCE_NUMBER AS VARCHAR(21)) AS "SEQUENCE_NUMBER", CAST(ENTRY_TIMESTAMP AS VARCHAR(32)) AS "ENTRY_TIMESTAMP", '
        'JOURNAL_CODE AS "JOURNAL_CODE", JOURNAL_ENTRY_TYPE AS "JOURNAL_ENTRY_TYPE", JOB_NAME AS "JOB_NAME", JOB_USER AS "JOB_USER", '
        'JOB_NUMBER AS "JOB_NUMBER", PROGRAM_NAME AS "PROGRAM_NAME", PROGRAM_LIBRARY AS "PROGRAM_LIBRARY", OBJECT AS "OBJECT", '
        'OBJECT_TYPE AS "OBJECT_TYPE", {user} AS "USER_NAME", {remote}RECEIVER_LIBRARY AS "RECEIVER_LIBRARY", '
        'RECEIVER_NAME AS "RECEIVER_NAME", LENGTH(ENTRY_DATA) AS "LENGTH", HEX(VARBINARY(ENTRY_DATA, 16000)) AS "ENTRY_DATA" ' + NUMBERED)
TYPED = PAGE.replace("JOURNAL_CODES => CAST(? AS VARCHAR(48))", "JOURNAL_CODES => CAST(? AS VARCHAR(48)), JOURNAL_ENTRY_TYPES => CAST(? AS VARCHAR(2))")
REST = 'SELECT HEX(VARBINARY(SUBSTRING(ENTRY_DATA, CAST(? AS INTEGER), 16000), 16000)) AS "ENTRY_DATA" ' + NUMBERED
AT_TIME = f'SELECT CAST(SEQUENCE_NUMBER AS VARCHAR(21)) AS "SEQUENCE_NUMBER" {SINCE} FETCH FIRST 1 ROW ONLY'
COLUMNS = ("""SELECT P.PARAMETER_NAME AS "NAME" FROM QSYS2.SYSPARMS P WHERE P.SPECIFIC_SCHEMA = 'QSYS2' AND P.SPECIFIC_NAME IN """
           """(SELECT R.SPECIFIC_NAME FROM QSYS2.SYSROUTINES R WHERE R.ROUTINE_SCHEMA = 'QSYS2' AND R.ROUTINE_NAME = ?) ORDER BY P.ORDINAL_POSITION""")
SYSTEM = ('SELECT CAST(CURRENT_TIMESTAMP AS VARCHAR(32)) AS "NOW", CAST(CURRENT_TIMEZONE AS VARCHAR(9)) AS "OFFSET", '
          'CURRENT_SERVER AS "SERVER", SESSION_USER AS "USER" FROM SYSIBM.SYSDUMMY1')
SYSTEM_VALUES = ('SELECT SYSTEM_VALUE_NAME AS "NAME", CAST(CURRENT_NUMERIC_VALUE AS VARCHAR(21)) AS "NUMBER", CURRENT_CHARACTER_VALUE AS "TEXT" '
                 "FROM QSYS2.SYSTEM_VALUE_INFO WHERE SYSTEM_VALUE_NAME IN ('QAUDCTL', 'QAUDLVL', 'QAUDLVL2', 'QAUDENDACN', 'QCRTOBJAUD', "
                 "'QCCSID', 'QTIMZON', 'QUTCOFFSET')")
JOURNAL = ('SELECT ATTACHED_JOURNAL_RECEIVER_LIBRARY AS "RECEIVER_LIBRARY", ATTACHED_JOURNAL_RECEIVER_NAME AS "RECEIVER_NAME", '
           'NUMBER_JOURNAL_RECEIVERS AS "RECEIVERS", DELETE_RECEIVER_OPTION AS "DELETE_RECEIVERS" FROM QSYS2.JOURNAL_INFO '
           'WHERE JOURNAL_LIBRARY = ? AND JOURNAL_NAME = ?')
CHAIN = ('SELECT JOURNAL_RECEIVER_LIBRARY AS "RECEIVER_LIBRARY", JOURNAL_RECEIVER_NAME AS "RECEIVER_NAME", '
         'CAST(FIRST_SEQUENCE_NUMBER AS VARCHAR(21)) AS "FIRST", CAST(LAST_SEQUENCE_NUMBER AS VARCHAR(21)) AS "LAST", '
         'CAST(ATTACH_TIMESTAMP AS VARCHAR(32)) AS "ATTACHED", STATUS AS "STATUS" FROM QSYS2.JOURNAL_RECEIVER_INFO '
         'WHERE JOURNAL_LIBRARY = ? AND JOURNAL_NAME = ? ORDER BY ATTACH_TIMESTAMP')
PREVIOUS = ('SELECT PREVIOUS_JOURNAL_RECEIVER_LIBRARY AS "RECEIVER_LIBRARY", PREVIOUS_JOURNAL_RECEIVER AS "RECEIVER_NAME" '
            'FROM QSYS2.JOURNAL_RECEIVER_INFO WHERE JOURNAL_RECEIVER_LIBRARY = ? AND JOURNAL_RECEIVER_NAME = ? '
            'AND JOURNAL_LIBRARY = ? AND JOURNAL_NAME = ?')
HISTORY = ('SELECT CAST(MESSAGE_TIMESTAMP AS VARCHAR(32)) AS "MESSAGE_TIMESTAMP", MESSAGE_ID AS "MESSAGE_ID", MESSAGE_TYPE AS "MESSAGE_TYPE", '
           'SEVERITY AS "SEVERITY", FROM_USER AS "FROM_USER", FROM_JOB AS "FROM_JOB", FROM_PROGRAM AS "FROM_PROGRAM", '
           'MESSAGE_LIBRARY AS "MESSAGE_LIBRARY", MESSAGE_FILE AS "MESSAGE_FILE", HEX(MESSAGE_TOKENS) AS "MESSAGE_TOKENS", '
           'MESSAGE_TEXT AS "MESSAGE_TEXT" FROM TABLE(QSYS2.HISTORY_LOG_INFO(START_TIME => CAST(? AS TIMESTAMP), END_TIME => CAST(? AS TIMESTAMP))) AS H '
           'ORDER BY ORDINAL_POSITION')
VALUES = "VALUES 1"

# What a statement is called, the texts it may come in, and its result columns: name, type, size.
TEXT = lambda name, size: (name, "VARCHAR", size)
USER_COLUMNS = {"USER_NAME": "USER_NAME", '"CURRENT_USER"': "CURRENT_USER"}
BEFORE = [TEXT("SEQUENCE_NUMBER", 21), TEXT("ENTRY_TIMESTAMP", 32), ("JOURNAL_CODE", "CHAR", 1), ("JOURNAL_ENTRY_TYPE", "CHAR", 2),
          TEXT("JOB_NAME", 10), TEXT("JOB_USER", 10), TEXT("JOB_NUMBER", 6), TEXT("PROGRAM_NAME", 10), TEXT("PROGRAM_LIBRARY", 10),
          TEXT("OBJECT", 30), TEXT("OBJECT_TYPE", 10), TEXT("USER_NAME", 10)]
AFTER = [TEXT("RECEIVER_LIBRARY", 10), TEXT("RECEIVER_NAME", 10), ("LENGTH", "INTEGER", 11), TEXT("ENTRY_DATA", 32000)]
RESULTS = {
    "COLUMNS": [TEXT("NAME", 128)],
    "SYSTEM": [TEXT("NOW", 32), TEXT("OFFSET", 9), TEXT("SERVER", 18), TEXT("USER", 128)],
    "SYSTEM_VALUES": [TEXT("NAME", 10), TEXT("NUMBER", 21), TEXT("TEXT", 1280)],
    "JOURNAL": [TEXT("RECEIVER_LIBRARY", 10), TEXT("RECEIVER_NAME", 10), ("RECEIVERS", "INTEGER", 11), TEXT("DELETE_RECEIVERS", 4)],
    "CHAIN": [TEXT("RECEIVER_LIBRARY", 10), TEXT("RECEIVER_NAME", 10), TEXT("FIRST", 21), TEXT("LAST", 21), TEXT("ATTACHED", 32), TEXT("STATUS", 8)],
    "PREVIOUS": [TEXT("RECEIVER_LIBRARY", 10), TEXT("RECEIVER_NAME", 10)],
    "PAGE": BEFORE + AFTER,
    "PAGE_REMOTE": BEFORE + [TEXT("REMOTE_ADDRESS", 46), TEXT("REMOTE_PORT", 11)] + AFTER,
    "REST": [TEXT("ENTRY_DATA", 32000)],
    "AT_TIME": [TEXT("SEQUENCE_NUMBER", 21)],
    "HISTORY": [TEXT("MESSAGE_TIMESTAMP", 32), TEXT("MESSAGE_ID", 7), TEXT("MESSAGE_TYPE", 13), ("SEVERITY", "SMALLINT", 6), TEXT("FROM_USER", 10),
                TEXT("FROM_JOB", 28), TEXT("FROM_PROGRAM", 10), TEXT("MESSAGE_LIBRARY", 10), TEXT("MESSAGE_FILE", 10), TEXT("MESSAGE_TOKENS", 8192),
                TEXT("MESSAGE_TEXT", 1024)],
    "VALUES": [("00001", "INTEGER", 11)],
    "AUDIT_FUNCTIONS": [TEXT("NAME", 128)],
    "AUDIT_COLUMNS": [TEXT("NAME", 128), TEXT("TYPE", 128), TEXT("CCSID", 11)],
    **security.RESULTS,
}
CATALOG = {  # DISPLAY_JOURNAL's columns that differ between releases, after those all have
    "new": ["USER_NAME", "CURRENT_USER", "REMOTE_PORT", "REMOTE_ADDRESS"],
    "middle": ["USER_NAME", "CURRENT_USER"],
    "old": ["CURRENT_USER"],
}
COMMON = ["JOURNAL_LIBRARY", "JOURNAL_NAME", "STARTING_RECEIVER_NAME", "STARTING_SEQUENCE", "ENTRY_TIMESTAMP", "SEQUENCE_NUMBER", "JOURNAL_CODE",
          "JOURNAL_ENTRY_TYPE", "OBJECT", "OBJECT_TYPE", "JOB_NAME", "JOB_USER", "JOB_NUMBER", "PROGRAM_NAME", "PROGRAM_LIBRARY",
          "RECEIVER_NAME", "RECEIVER_LIBRARY", "ENTRY_DATA"]


def known():
    """Each text that is answered: its statement and which columns it wants beyond the common ones."""
    plain = {COLUMNS: "COLUMNS", SYSTEM: "SYSTEM", SYSTEM_VALUES: "SYSTEM_VALUES", JOURNAL: "JOURNAL", CHAIN: "CHAIN", PREVIOUS: "PREVIOUS", REST: "REST",
             AT_TIME: "AT_TIME", HISTORY: "HISTORY", VALUES: "VALUES", audit_tables.FUNCTIONS: "AUDIT_FUNCTIONS",
             audit_tables.COLUMNS: "AUDIT_COLUMNS", **security.TEXTS}
    texts = {text: (name, name, set()) for text, name in plain.items()}
    for user, column in USER_COLUMNS.items():
        for form, name in ((PAGE, "PAGE"), (TYPED, "TYPED")):
            texts[form.format(user=user, remote="")] = (name, "PAGE", {column})
            texts[form.format(user=user, remote=REMOTE)] = (name, "PAGE_REMOTE", {column, "REMOTE_ADDRESS", "REMOTE_PORT"})
    return texts


class Rows:
    """The open result of a statement with few rows: a cursor."""

    def __init__(self, names, rows):
        self.names, self.rows = names, list(rows)

    def fetch(self, count, terse):
        taken, self.rows = self.rows[:count], self.rows[count:]
        lines = [gson(row) if terse else gson(dict(zip(self.names, row))) for row in taken]
        return lines, len(lines) < count


class Statement:
    """A statement the database has understood: prepared, not yet run."""

    def __init__(self, name, columns, parameter_count):
        self.name, self.columns, self.parameter_count = name, columns, parameter_count
        self.names = [column[0] for column in columns]
        self.asked = time.monotonic()


class Database:
    """Prepares and runs statements on a system, and counts what was asked."""

    # How jt400 describes results and parameters; the recording's PostgreSQL says otherwise (recorded.py).
    nullable, read_only = 1, True
    parameter_type, parameter_precision, parameter_name = "VARCHAR", 10, "?"

    def __init__(self, system, stats):
        self.system, self.stats, self.texts = system, stats, known()
        self.failures = []  # [statement name or None, CPF id, how often]: what comes next fails so

    def sign_on_error(self, refusal, user):
        return f"java.sql.SQLNonTransientConnectionException: The application server rejected the connection. ({refusal}:{user})"

    def job_name(self, number):
        return f"{number % 1000000:06d}/QUSER/QZDASOINIT"

    def prepare(self, sql):
        text = " ".join(sql.split())
        if not text.upper().startswith("SELECT ") and text != VALUES:
            self.stats.violation(text)
        if text not in self.texts and (audit := self.system.audit.prepare(text)):
            type, columns = audit
            statement = Statement("AUDIT_ROWS", [TEXT("SEQUENCE_NUMBER", 21), *(TEXT(c.name, 40 if c.form == "number" else 8000) for c in columns)], text.count("?"))
            statement.audit = (type, columns)
            return statement
        if text not in self.texts:
            self.stats.refused(text)
            raise SqlError(f"[SQL0104] The stand-in does not know this statement: {text[:200]}", "42601", -104)
        name, result, needed = self.texts[text]
        for column in sorted(needed - set(CATALOG[self.system.catalog])):
            raise SqlError(f"[SQL0206] Column or global variable {column} not found.", "42703", -206)
        return Statement(name, RESULTS[result], text.count("?"))

    def run(self, statement, parameters, user):
        """The cursor of a statement's result."""
        if len(parameters) != statement.parameter_count:
            raise SqlError("[SQL0313] Number of host variables not valid.", "07001", -313)
        self.stats.ran(statement.name, statement.asked)
        self.fail_if_told(statement.name)
        if statement.name == "PAGE":
            return self.page(statement, parameters)
        if statement.name == "TYPED":
            *before, type, library, name, end = parameters
            return self.page(statement, [*before, library, name, end], type)
        if statement.name == "AUDIT_ROWS":
            return Rows(statement.names, self.system.audit.rows(*statement.audit, *parameters))
        if statement.name == "AUDIT_FUNCTIONS":
            return Rows(statement.names, self.system.audit.functions())
        if statement.name == "AUDIT_COLUMNS":
            return Rows(statement.names, self.system.audit.catalog(*parameters))
        if statement.name == "SYSTEM":
            return Rows(statement.names, [[*self.clock_row(), self.system.name, user.upper()]])
        if statement.name == "SYSTEM_VALUES":
            return Rows(statement.names, self.system_values(user.upper()))
        if statement.name in security.RESULTS:
            return Rows(statement.names, self.system.security.answer(statement.name, user.upper(), parameters))
        return Rows(statement.names, getattr(self, statement.name.lower())(*parameters))

    def fail_if_told(self, name):
        if name in self.system.not_authorized and name in ("PAGE", "TYPED", "AUDIT_ROWS", "REST", "AT_TIME"):
            raise cpf("CPF9802")
        for failure in self.failures:
            if failure[0] in (None, name):
                failure[2] -= 1
                if failure[2] <= 0:
                    self.failures.remove(failure)
                raise cpf(failure[1])

    def page(self, statement, parameters, type=None):
        journal_library, journal, library, name, start, codes, end_library, end_name, end = parameters
        chosen = Selection(self.system, journal_library, journal, library, name, codes, end_library, end_name, start, end, type=type)
        return Page(chosen, statement.names, "REMOTE_ADDRESS" in statement.names)

    def rest(self, offset, journal_library, journal, library, name, start, codes, end_library, end_name, end):
        chosen = Selection(self.system, journal_library, journal, library, name, codes, end_library, end_name, start, end)
        begin = number(offset) - 1
        for receiver, indexes in chosen.places():
            for i in indexes:
                yield [self.system.templates[receiver.templates[i]].data[begin:begin + 16000].hex().upper()]

    def at_time(self, journal_library, journal, library, name, since, codes, end_library, end_name):
        receiver, i = Selection(self.system, journal_library, journal, library, name, codes, end_library, end_name, since=since).first()
        return [[str(receiver.sequences[i])]]

    def columns(self, function):
        return [[name] for name in COMMON + CATALOG[self.system.catalog]] if function == "DISPLAY_JOURNAL" else []

    def values(self):
        return [[1]]

    def clock(self, us):
        return stamp(us, self.system.stamp_style)

    def clock_row(self):
        now = self.system.now()  # first: it may change the offset
        hours, seconds = divmod(abs(self.system.offset), 3600)
        offset = hours * 10000 + seconds // 60 * 100 + seconds % 60
        return self.clock(now), str(-offset if self.system.offset < 0 else offset)

    def system_values(self, user):
        values = dict(self.system.values)
        if not self.system.security.sees_auditing(user):
            values.update({name: (None, "*NOTAVL") for name in security.VALUES_TO_HIDE})
        return [[name, None if value is None else str(value), text] for name, (value, text) in sorted(values.items())]

    def seen(self, name, journal_library, journal):
        """Whether the catalog views show the journal: to a user without authority to it they do not."""
        ours = self.system.journal
        return ours.there and (journal_library, journal) == (ours.library, ours.name) and name not in self.system.not_authorized

    def journal(self, library, name):
        journal = self.system.journal
        if not self.seen("JOURNAL", library, name):
            return []
        attached = [None, None] if journal.detached else [journal.attached.library, journal.attached.name]
        return [[*attached, len(journal.receivers), "YES" if journal.deletes_receivers else "NO"]]

    def chain(self, library, name):
        """By local time of attaching, as the statement says: when the clock was set back, not the order of the chain."""
        rows = self.system.journal.chain_seen() if self.seen("CHAIN", library, name) else []
        return [[receiver_library, receiver, str(first), str(last), self.clock(attached), status]
                for receiver_library, receiver, first, last, attached, status in sorted(rows, key=lambda row: row[4])]

    def previous(self, library, name, journal_library, journal):
        """What was attached before a receiver: that it was deleted meanwhile changes nothing. An old release has no such columns."""
        if self.system.catalog == "old":
            raise SqlError("[SQL0206] Column or global variable PREVIOUS_JOURNAL_RECEIVER not found.", "42703", -206)
        receiver = self.system.journal.find(library, name) if self.seen("CHAIN", journal_library, journal) else None
        if receiver is None:
            return []
        return [[receiver.previous.library, receiver.previous.name] if receiver.previous else [None, None]]

    def history(self, start, end):
        try:
            start, end = parse_stamp(start), parse_stamp(end)
        except ValueError:
            raise SqlError("[SQL0180] Syntax for a date, time, or timestamp value not valid.", "22007", -180) from None
        for at, message_id, kind, severity, user, job, program, library, file, tokens, text in self.system.history:
            if start <= at <= end:
                yield [self.clock(at), message_id, kind, severity, user, job, program, library, file,
                       tokens.hex().upper() if tokens else None, text]
