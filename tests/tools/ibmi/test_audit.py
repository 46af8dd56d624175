"""Tests of the stand-in's table functions over audit entries: the four statements, what the columns hold, each fault.

Run by test_stand_in.py; a module of its own only to keep both short.
"""
import json
import pathlib
import re
import tempfile
import unittest

import audit_names
import audit_tables
import statements
from harness import JOURNAL, PAGE, StandIn

ITEMS = {"text": '"{0}" AS "{0}"', "wide": 'CAST("{0}" AS VARCHAR(8000) CCSID 1208) AS "{0}"', "number": 'CAST("{0}" AS VARCHAR(40)) AS "{0}"',
         "bytes": 'HEX("{0}") AS "{0}"'}
ROWS = ('SELECT {} FROM TABLE(SYSTOOLS.AUDIT_JOURNAL_{}(STARTING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), '
        "ENDING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), STARTING_SEQUENCE => CAST(? AS DECIMAL(21,0)), ENDING_SEQUENCE => CAST(? AS DECIMAL(21,0)), "
        "STARTING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), ENDING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)))) AS A")
SEQUENCE = 'CAST("SEQUENCE_NUMBER" AS VARCHAR(21)) AS "SEQUENCE_NUMBER"'
ONE = "AUDRCV0001"


def form(type, ccsid):
    """How the product asks for a column, by what SYSPARMS says of it."""
    if ccsid == "65535" or type.startswith("BINARY"):
        return "bytes"
    if type in ("GRAPHIC VARYING", "DBCLOB"):
        return "wide"
    return "text" if type.startswith("CHARACTER") else "number"


def ask(type, *items):
    return ROWS.format(", ".join([SEQUENCE, *items]), type)


class AuditTables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.truth = pathlib.Path(cls.folder.name, "truth")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.box = StandIn("--entries", "2000", "--receivers", "2", "--templates", "1000", "--truth", self.truth,
                           "--capture-args=--mix=AD,AF,AX,CA,CP,GR,IM,OM,OW,PW,VP,ZC --access-data --seed 3", plain=True)
        self.addCleanup(self.box.close)
        self.client = self.box.client()
        self.addCleanup(self.client.open.close)
        (_, _, self.first, self.last, *_), (_, self.two, self.first2, self.last2, *_) = self.client.chain()

    def own(self, type):
        """Name, type and CCSID of the type's own columns."""
        rows = self.client.run(audit_tables.COLUMNS, f"AUDIT_JOURNAL_{type}")
        return rows[len(audit_names.PARAMETERS) + len(audit_names.COMMON):]

    def rows(self, type, columns=None, start=None, end=None, receiver=ONE, to=None):
        """Rows by sequence number, as the product would ask for them: a dict of the columns each."""
        columns = columns or self.own(type)
        sql = ask(type, *(ITEMS[form(of, ccsid)].format(name) for name, of, ccsid in columns))
        found = self.client.run(sql, receiver, to or receiver, str(start or self.first), str(end or self.last), "QGPL", "QGPL")
        return found if isinstance(found, str) else {row[0]: dict(zip([name for name, *_ in columns], row[1:])) for row in found}

    def said(self, type):
        """What the bytes of the first receiver's entries say, by sequence number."""
        where = self.truth.with_name("where")
        self.box.tell("truth", path=str(where))
        lines, entries = ([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in (self.truth, where))
        return {e["id"].split(":")[1]: lines[e["template"]]["fields"] for e in entries if e["kind"] == f"T/{type}" and e["id"].startswith(ONE)}

    def test_the_catalog_names_the_functions_and_their_columns(self):
        names = [f"AUDIT_JOURNAL_{type}" for type in "AD AF AX CA CP GR IM OM OW PW VP ZC".split()]
        self.assertEqual([row[0] for row in self.client.run(audit_tables.FUNCTIONS)], names)
        rows = self.client.run(audit_tables.COLUMNS, "AUDIT_JOURNAL_PW")
        self.assertEqual([name for name, *_ in rows][:33], [*audit_names.PARAMETERS, *audit_names.COMMON, "VIOLATION_TYPE"])
        self.assertIn(["ENTRY_TIMESTAMP", "TIMESTAMP", "37"], rows)
        self.assertIn(["THREAD", "BIGINT", None], rows)
        own = {type: {name: (of, ccsid) for name, of, ccsid in self.own(type)} for type in "AX CA CP IM VP ZC".split()}
        self.assertEqual(own["CP"]["ENTRY_TYPE"], ("CHARACTER", "37"))
        self.assertEqual(own["CA"]["PATH_NAME"], ("GRAPHIC VARYING", "1200"))
        self.assertEqual(own["CA"]["FOLDER_PATH"], ("CHARACTER VARYING", "37"))
        self.assertEqual(own["CA"]["OBJECT_FILE_ID"], ("BINARY", None))
        self.assertEqual(own["CA"]["OBJECT_ASP_NUMBER"], ("INTEGER", None))
        self.assertEqual(own["IM"]["EVENT_CORRELATOR"], ("CHARACTER VARYING", "65535"))
        self.assertLessEqual({"DBCLOB", "BINARY VARYING", "TIMESTAMP", "INTEGER"}, {of for columns in own.values() for of, _ in columns.values()})
        for type, columns in own.items():
            self.assertEqual([n for n in columns if re.search(r"_(CCSID|LENGTH|COUNTRY_ID|LANGUAGE_ID)$|RESERVED", n)], [], type)
            self.assertEqual(set(columns) & set(audit_names.COMMON), set(), type)
        for nothing in ("AUDIT_JOURNAL_QQ", "DISPLAY_JOURNAL", "PW"):
            self.assertEqual(self.client.run(audit_tables.COLUMNS, nothing), [])

    def test_a_page_of_one_type(self):
        parameters = [*JOURNAL, "QGPL", ONE, self.first, "T", "CP", "QGPL", ONE, self.last]
        whole = [row for row in self.client.page(ONE, self.first, self.last, "T") if row[3] == "CP"]
        typed = lambda user, remote: statements.TYPED.format(user=user, remote=remote)
        self.assertEqual(self.client.run(typed("USER_NAME", statements.REMOTE), *parameters), whole)
        for user in statements.USER_COLUMNS:
            self.assertEqual([row[:12] for row in self.client.run(typed(user, ""), *parameters)], [row[:12] for row in whole])
        self.assertIn("JOURNAL_CODES => CAST(? AS VARCHAR(48)), JOURNAL_ENTRY_TYPES => CAST(? AS VARCHAR(2)), ENDING", typed("USER_NAME", ""))
        self.assertIn("[CPF7062]", self.client.run(typed("USER_NAME", ""), *parameters[:6], "QQ", *parameters[7:]))
        self.assertIn("SQL0313", self.client.run(typed("USER_NAME", ""), *parameters[:9]))
        self.box.tell("catalog", catalog="old")
        self.assertIn("SQL0206", self.client.run(typed("USER_NAME", ""), *parameters))
        self.assertEqual(len(self.client.run(typed('"CURRENT_USER"', ""), *parameters)), len(whole))

    def test_the_columns_say_what_the_bytes_say(self):
        for type in ("AF", "CA", "CP", "OW", "PW", "ZC"):
            said, rows, compared = self.said(type), self.rows(type), 0
            self.assertEqual(list(rows), list(said))
            for number, fields in said.items():
                for field, text in fields.items():
                    if field.upper() in rows[number] and audit_names.placed(type, field) == [(None, field.upper())]:
                        column = rows[number][field.upper()]
                        if audit_names.is_shown(field, fields):
                            self.assertEqual(column is None, text in (None, ""), (type, field))
                        if column and isinstance(text, str) and len(text) > 1 and not field.endswith(("_number", "command_type")):
                            self.assertEqual(column, text.upper() if field.endswith("file_id") else text, (type, field))
                            compared += 1
            self.assertGreater(compared, 200, type)

    def test_what_ibm_writes_otherwise(self):
        pairs = lambda type, field, column: {(fields[field], row[column]) for fields, row in zip(self.said(type).values(), self.rows(type).values())}
        self.assertEqual(pairs("CA", "command_type", "COMMAND_TYPE"), {("GRT", "GRANT"), ("RPL", "REPLACE"), ("RVK", "REVOKE"), ("USR", "GRTUSRAUT")})
        self.assertEqual(pairs("CP", "password_expired", "PASSWORD_EXPIRED") - {("", None)}, {("Y", "*YES"), ("N", "*NO")})
        self.assertEqual(pairs("CP", "special_authority_allobj", "ALLOBJ") - {("", None)}, {("Y", "YES")})
        self.assertEqual(pairs("CP", "status", "STATUS") - {("", None)}, {("*ENABLED", "*ENABLED"), ("*DISABLED", "*DISABLED")})
        self.assertEqual(pairs("OW", "object_asp_number", "OBJECT_ASP_NUMBER"), {("00001", "1")})
        self.assertLessEqual({("Y", "YES"), ("N", "NO"), ("Y", None)}, pairs("OW", "path_name_indicator", "PATH_NAME_INDICATOR"))
        for row in self.rows("OW").values():
            self.assertEqual(row["PATH_NAME"] is None, row["PATH_NAME_INDICATOR"] is None)
            self.assertEqual(row["PATH_NAME_INDICATOR"] == "NO", row["RELATIVE_DIRECTORY_FILE_ID"] is not None)
        for type, field, column in (("AD", "object_library", "LIBRARY_NAME"), ("OM", "parent_file_id", "PREV_PARENT_FILE_ID")):
            for text, shown in pairs(type, field, column):
                self.assertEqual(text.upper(), shown, field)
        for code, text in pairs("PW", "violation_type", "VIOLATION_TYPE_DETAIL"):
            self.assertIn(code, text)
        for row in self.rows("PW").values():
            self.assertEqual(row["DEVICE_NAME" if row["VIOLATION_TYPE"] in "XYZ" else "INTERFACE_NAME"], None)
        for row in self.rows("AX").values():
            self.assertEqual(row["MASK_NAME" if row["ENTRY_TYPE"] != "M" else "PERMISSION_NAME"], None)
        self.assertTrue(any(row["IMGCLGE_INDEX_NUMBER"] for row in self.rows("ZC").values()))
        for known in audit_names.TABLE.values():
            self.assertRegex(known.source, "^https://|Manzan")

    def test_the_heading_is_that_of_the_journal(self):
        columns = [[name, of, "37"] for name, of in audit_names.COMMON.items()]
        page = {row[0]: row for row in self.client.page(ONE, self.first, self.last, "T") if row[3] == "OW"}
        rows = self.rows("OW", columns)
        self.assertEqual(list(rows), list(page))
        for number, row in rows.items():
            self.assertEqual([row[name] for name in ("SEQUENCE_NUMBER", "ENTRY_TIMESTAMP", "JOB_NAME", "USER_NAME", "RECEIVER_NAME")],
                             [page[number][i] for i in (0, 1, 4, 11, 15)])

    def test_only_these_items_are_answered(self):
        good = ITEMS["text"].format("AUDIT_USER_NAME")
        where = [ONE, ONE, self.first, self.last, "QGPL", "QGPL"]
        self.assertEqual(len(self.client.run(ask("PW"), *where)[0]), 1)
        self.assertEqual(len(self.client.run(ask("PW", good, good), *where)[0]), 3)
        self.assertIn("SQL0206", self.client.run(ask("PW", good, ITEMS["text"].format("NOSUCH")), *where))
        self.assertIn("SQL0204", self.client.run(ask("QQ", good), *where))
        self.assertEqual(self.box.tell("stats")["refused"], 0)
        bad = [ITEMS["wide"].format("AUDIT_USER_NAME"), ITEMS["number"].format("AUDIT_USER_NAME"), ITEMS["bytes"].format("AUDIT_USER_NAME"),
               ITEMS["text"].format("DECRYPT_OBJECT_ASP_NUMBER"), '"AUDIT_USER_NAME" AS "OTHER"', "AUDIT_USER_NAME", "'X' AS \"X\"",
               'HEX("AUDIT_USER_NAME" || "NETWORK_ID") AS "AUDIT_USER_NAME"', '"A" AS "A" FROM X, "B" AS "B"', '"audit_user_name" AS "audit_user_name"',
               '"AUDIT_USER_NAME" AS "AUDIT_USER_NAME",  "NETWORK_ID" AS "NETWORK_ID"FROM']
        for item in bad:
            self.assertIn("SQL0104", self.client.run(ask("PW", item), *where), item)
            self.assertIn("SQL0104", self.client.run(ask("PW", good, item, good), *where), item)
        self.assertIn("SQL0104", self.client.run(ask("PW", good).replace("SYSTOOLS.", "QSYS2."), *where))
        self.assertIn("SQL0104", self.client.run(ask("PW", good) + " FETCH FIRST 1 ROW ONLY", *where))
        self.assertIn("SQL0104", self.client.run(ask("PW", good).replace("AUDIT_JOURNAL_PW", "AUDIT_JOURNAL_P"), *where))
        self.assertEqual(self.box.tell("stats")["refused"], 2 * len(bad) + 3)

    def test_a_range_is_checked_as_that_of_the_journal(self):
        columns = self.own("PW")[:1]
        rows = lambda *range, **more: str(self.rows("PW", columns, *range, **more))
        self.assertIn("[CPF7054]", rows(20, 19))
        self.assertIn("[CPF7053]", rows(self.first2, self.last2))
        self.assertIn("[CPF9801]", rows(receiver="NOSUCH"))
        self.assertIn("[CPF7074]", rows(self.first2, self.last2, receiver=self.two, to=ONE))
        both = self.rows("PW", columns, self.first, self.last2, to=self.two)
        self.assertEqual(len(both), len(self.rows("PW", columns)) + len(self.rows("PW", columns, self.first2, self.last2, self.two)))
        self.assertEqual(rows(self.first, self.first), "{}", "the entry that the receiver begins with")
        self.box.tell("audit", empty="CPF7062")
        self.assertIn("[CPF7062]", rows(self.first, self.first))
        self.assertIn("SQL0420", rows("x", "y"))

    def test_a_column_can_be_wrong(self):
        right, name = self.rows("PW"), "AUDIT_USER_NAME"
        values = lambda name=name: [row[name] for row in self.rows("PW").values()]
        told = [row[name] for row in right.values()]
        self.box.tell("audit", type="PW", column=name, how="shift")
        self.assertEqual(values(), [text and (text[1:] or None) for text in told])
        self.box.tell("audit", type="PW", column=name, how="constant")
        self.assertEqual(set(values()), {"SAME"})
        self.box.tell("audit", type="PW", column=name, how="null")
        self.assertEqual(set(values()), {None})
        listed = self.box.tell("audit", type="PW", column=name, how="rename", to="WHO")["columns"]
        self.assertEqual((name in listed, "WHO" in listed, values("WHO")), (False, True, told))
        self.assertIn("SQL0206", self.rows("PW", [[name, "CHARACTER VARYING", "37"]]))
        self.assertNotIn(name, self.box.tell("audit", type="PW", column=name, how="missing")["columns"])
        self.box.tell("audit", type="PW", column="DECRYPT_OBJECT_ASP_NUMBER", how="shift")
        self.assertLessEqual(set(values("DECRYPT_OBJECT_ASP_NUMBER")), {"1", "2"})
        self.box.tell("audit", type="PW", column=name)
        self.box.tell("audit", type="PW", column="DECRYPT_OBJECT_ASP_NUMBER")
        self.assertEqual(self.rows("PW"), right, "all is well again")
        ids = [row["OBJECT_FILE_ID"] for row in self.rows("OW").values()]
        self.box.tell("audit", type="OW", column="OBJECT_FILE_ID", how="shift")
        self.assertEqual([row["OBJECT_FILE_ID"] for row in self.rows("OW").values()], [hex[2:] for hex in ids])
        for mistake in ({"column": "NOSUCH", "how": "null"}, {"column": name, "how": "odd"}, {"column": name, "how": "rename"}):
            with self.assertRaisesRegex(AssertionError, "ValueError"):
                self.box.tell("audit", type="PW", **mistake)
        with self.assertRaisesRegex(AssertionError, "rows or CPF7062"):
            self.box.tell("audit", empty="CPF0001")

    def test_functions_and_rows_can_be_missing(self):
        right, columns = list(self.rows("PW")), self.own("PW")
        self.box.tell("audit", lacks=3, backwards=True)
        self.assertEqual(list(self.rows("PW")), right[3:][::-1])
        self.box.tell("audit", type="PW", there=False)
        self.assertNotIn(["AUDIT_JOURNAL_PW"], self.client.run(audit_tables.FUNCTIONS))
        self.assertEqual(self.client.run(audit_tables.COLUMNS, "AUDIT_JOURNAL_PW"), [])
        self.assertIn("SQL0204", self.rows("PW", columns))
        self.box.tell("audit", type="PW", there=True, lacks=0, backwards=False)
        self.assertEqual(list(self.rows("PW")), right)
        for name, sql, parameters in (("AUDIT_FUNCTIONS", audit_tables.FUNCTIONS, []), ("AUDIT_COLUMNS", audit_tables.COLUMNS, ["AUDIT_JOURNAL_PW"])):
            self.box.tell("fail", statement=name, error="SQL0443")
            self.assertIn("[SQL0443]", self.client.run(sql, *parameters))
        self.box.tell("fail", statement="AUDIT_ROWS", error="CPF0001")
        self.assertIn("[CPF0001]", self.rows("PW"))
        self.box.tell("authority", missing=["AUDIT_ROWS"])
        self.assertIn("[CPF9802]", self.rows("PW"))

    def test_entries_by_command_have_a_row_when_their_fields_are_told(self):
        before = len(self.rows("OW", start=self.first2, end=self.last2, receiver=self.two))
        self.box.tell("append", code="T", type="OW", data="C1")
        made = self.box.tell("append", code="T", type="OW", data="C1", fields={"entry_type": "A", "object_name": "MINE"})
        rows = self.rows("OW", start=self.first2, end=made["last"], receiver=self.two)
        self.assertEqual((len(rows), rows[str(made["last"])]["OBJECT_NAME"]), (before + 1, "MINE"))


class CutData(unittest.TestCase):
    def test_data_that_was_cut_has_no_function(self):
        box = StandIn("--entries", "60", "--entry-bytes", "20", plain=True)
        self.addCleanup(box.close)
        with box.client() as client:
            self.assertEqual(client.run(audit_tables.FUNCTIONS), [])
            self.assertEqual(len(client.run(PAGE, *JOURNAL, "QGPL", ONE, "1", "T", "QGPL", ONE, "50")), 49)
