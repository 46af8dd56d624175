"""Tests of the stand-in itself: does it speak as a genuine server, and does it mean what it says?

    tests/tools/fetch_python.sh && target/venv/bin/python tests/tools/ibmi/test_stand_in.py

Prints what ran; a client that is not there is a failure, not a test left out (STAND_IN_NO_NODE=1 leaves out the one in
Node.js, and says so).
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import security
import statements
from harness import HERE, JOURNAL, OLD_PAGE, PAGE, TARGET, TOOLS, StandIn
from recorded import frames
from system import parse_stamp, stamp

RECORDING = HERE / "recording.jsonl"


class WithStandIn(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.box = StandIn(*self.arguments)
        self.addCleanup(self.box.close)


class Recording(WithStandIn):
    arguments = ("--recorded", RECORDING, "--user", "SECMON", "--password", "right")

    def test_answers_every_recorded_frame_byte_for_byte(self):
        passwords, client, compared = iter(["wrong", "right"]), None, 0
        for direction, text in frames(RECORDING):
            if direction == "meta":
                client = self.box.client("secmon", next(passwords), connected=False)
                self.addCleanup(client.open.close)
            elif direction == "c2s":
                client.socket.send(text)
            else:
                plain = lambda frame: re.sub(r'"execution_time":\d+', '"execution_time":0', frame)
                self.assertEqual(plain(client.socket.recv(timeout=10)), plain(text))
                compared += 1
        self.assertEqual(compared, 22)
        print(f"\n  recording: {compared} frames of the genuine server compared, all equal but for execution_time")


class IndependentClients(WithStandIn):
    arguments = ("--entries", "50")

    def parameters(self):
        return [*JOURNAL, "QGPL", "AUDRCV0001", "1", "T,J", "QGPL", "AUDRCV0001", "51"]

    def test_mapepire_python_pages_through_a_query(self):
        from importlib.metadata import version
        from mapepire_python.client.sql_job import SQLJob
        from mapepire_python.data_types import DaemonServer, QueryOptions
        ca = pathlib.Path(self.box.cert).read_text()
        with SQLJob(DaemonServer(host="localhost", port=self.box.port, user="AUDITOR", password="secret", ca=ca)) as job:
            query = job.query(PAGE, QueryOptions(isTerseResults=False, parameters=self.parameters()))
            answer, rows = query.run(rows_to_fetch=20), []
            rows += answer.data
            while not answer.is_done:
                answer = query.fetch_more(20)
                rows += answer.data
            self.assertEqual([row["SEQUENCE_NUMBER"] for row in rows], [str(n) for n in range(1, 52)])
            with self.assertRaisesRegex(RuntimeError, "CPF9801"):
                job.query(PAGE, QueryOptions(parameters=[*JOURNAL, "QGPL", "NOSUCH", "1", "T", "QGPL", "NOSUCH", "2"])).run()
            self.assertEqual(job.query(statements.SYSTEM).run().data[0]["USER"], "AUDITOR")
        with self.assertRaisesRegex(Exception, "Password is incorrect.:AUDITOR"):
            SQLJob().connect(DaemonServer(host="localhost", port=self.box.port, user="AUDITOR", password="wrong", ca=ca))
        print(f"\n  mapepire-python {version('mapepire-python')}: connected over TLS, paged, saw errors")

    @unittest.skipIf(os.environ.get("STAND_IN_NO_NODE"), "STAND_IN_NO_NODE is set: @ibm/mapepire-js was NOT tried")
    def test_mapepire_js_pages_through_a_query(self):
        done = subprocess.run([TOOLS / "fetch_node.sh"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        script = """
            const {SQLJob} = require('@ibm/mapepire-js'), fs = require('fs');
            (async () => {
                const [port, ca, sql, parameters] = JSON.parse(process.argv[1]), seen = {};
                const server = {host: 'localhost', port, user: 'AUDITOR', password: 'secret', ca: fs.readFileSync(ca), rejectUnauthorized: true};
                const job = new SQLJob();
                seen.job = (await job.connect(server)).job;
                const query = job.query(sql, {parameters, isTerseResults: false});
                let answer = await query.execute(20);
                seen.rows = answer.data.map(row => row.SEQUENCE_NUMBER);
                while (!answer.is_done) { answer = await query.fetchMore(20); seen.rows.push(...answer.data.map(row => row.SEQUENCE_NUMBER)); }
                seen.version = (await job.getVersion()).version;
                try { await job.query('SELECT * FROM NOSUCH').execute(); } catch (e) { seen.error = String(e.message || e); }
                await job.close();
                try { await new SQLJob().connect({...server, password: 'wrong'}); } catch (e) { seen.login = String(e.message || e); }
                console.log(JSON.stringify(seen));
                process.exit(0);
            })().catch(e => { console.error(e); process.exit(1); });"""
        arguments = json.dumps([self.box.port, self.box.cert, PAGE, self.parameters()])
        run = subprocess.run(["node", "-e", script, arguments], cwd=TARGET / "node", capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        seen = json.loads(run.stdout)
        self.assertEqual(seen["rows"], [str(n) for n in range(1, 52)])
        self.assertRegex(seen["job"], r"^\d{6}/QUSER/QZDASOINIT$")
        self.assertEqual(seen["version"], "2.3.6")
        self.assertIn("SQL0104", seen["error"])
        self.assertIn("Password is incorrect.:AUDITOR", seen["login"])
        print(f"\n  {done.stdout.strip().removeprefix('fetch_node: ')}: connected over TLS, paged, saw errors")


class Statements(WithStandIn):
    arguments = ("--entries", "300", "--receivers", "3", "--reset-at", "3", "--messages", "8", "--capture-args=--foreign", "--holes", "7")

    def test_each_statement_is_answered(self):
        with self.box.client() as client:
            columns = [row[0] for row in client.run(statements.COLUMNS, "DISPLAY_JOURNAL")]
            self.assertLessEqual({"USER_NAME", "REMOTE_ADDRESS", "REMOTE_PORT", "ENTRY_DATA"}, set(columns))
            self.assertEqual(client.run(statements.COLUMNS, "NOSUCH"), [])
            [(now, offset, server, user)] = client.run(statements.SYSTEM)
            self.assertRegex(now, r"^\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d{6}$")
            self.assertEqual((offset, server, user), ("20000", "PROD01", "AUDITOR"))
            values = {name: (number, text) for name, number, text in client.run(statements.SYSTEM_VALUES)}
            self.assertEqual((values["QCCSID"], values["QAUDCTL"], values["QUTCOFFSET"]), (("37", None), (None, "*AUDLVL *OBJAUD"), (None, "+0200")))
            self.assertEqual(client.run(statements.JOURNAL, *JOURNAL), [["QGPL", "AUDRCV0003", 3, "NO"]])
            self.assertEqual(client.run(statements.JOURNAL, "QSYS", "NOSUCH"), [])
            chain = client.chain()
            self.assertEqual([(row[0], row[1], row[5]) for row in chain],
                             [("QGPL", "AUDRCV0001", "ONLINE"), ("QGPL", "AUDRCV0002", "ONLINE"), ("QGPL", "AUDRCV0003", "ATTACHED")])
            self.assertEqual(int(chain[1][2]), int(chain[0][3]) + 1)
            self.assertEqual(chain[2][2], "1")
            self.assertEqual(client.run(statements.VALUES), [[1]])

    def test_pages_are_the_truth_whatever_their_size(self):
        truth = self.box.tell("truth")
        with self.box.client() as client:
            for rows in (1, 7, 1000):
                seen = [f"{row[-3]}:{row[0]}" for receiver in client.chain()
                        for row in client.page(receiver[1], receiver[2], receiver[3], rows=rows)]
                self.assertEqual(seen, truth["ids"])
            both = client.page("AUDRCV0001", client.chain()[0][2], client.chain()[1][3], to="AUDRCV0002")
            self.assertEqual([f"{row[-3]}:{row[0]}" for row in both], [i for i in truth["ids"] if not i.startswith("AUDRCV0003")])
            audit = [row for receiver in client.chain() for row in client.page(receiver[1], receiver[2], receiver[3], codes="T")]
            self.assertEqual(len(audit), sum(n for kind, n in truth["by_kind"].items() if kind.startswith("T/")))
            self.assertEqual({row[2] for row in audit}, {"T"})
        self.assertEqual({kind[0] for kind in truth["by_kind"]}, {"T", "J", "U"})
        numbers = [int(i.split(":")[1]) for i in truth["ids"] if i.startswith("AUDRCV0001")]
        self.assertGreater(numbers[-1] - numbers[0] + 1, len(numbers), "there are holes")

    def test_a_row_has_the_columns_asked_for(self):
        with self.box.client() as client:
            answer = client.ask("prepare_sql_execute", sql=PAGE, rows=60, parameters=[*JOURNAL, "QGPL", "AUDRCV0001", "1", "T,J", "QGPL", "AUDRCV0001", "60"])
            self.assertEqual([column["name"] for column in answer["metadata"]["columns"]], list(answer["data"][0]))
            self.assertEqual((answer["parameter_count"], answer["metadata"]["column_count"]), (9, 18))
            first, named = answer["data"][0], [row for row in answer["data"] if row["OBJECT"]]
            self.assertEqual((first["JOURNAL_CODE"], first["JOURNAL_ENTRY_TYPE"], first["SEQUENCE_NUMBER"]), ("J", "PR", "1"))
            self.assertRegex(named[0]["OBJECT"], r"^OBJ\d+ +OBJLIB$")
            for row in answer["data"]:
                self.assertEqual(len(row["ENTRY_DATA"]), 2 * min(row["LENGTH"], 16000))
                self.assertRegex(row["ENTRY_DATA"], r"^[0-9A-F]*$")
            self.assertTrue(any(re.fullmatch(r"\d+", row["REMOTE_PORT"] or "") for row in answer["data"]))

    def test_the_rest_of_long_entry_data_comes_in_parts(self):
        data = os.urandom(40_000)
        made = self.box.tell("append", code="U", type="01", data=data.hex())
        one = [*JOURNAL, "QGPL", made["receiver"], str(made["first"]), "U", "QGPL", made["receiver"], str(made["first"])]
        with self.box.client() as client:
            row = client.run(PAGE, *one)[0]
            self.assertEqual((row[-2], len(row[-1])), (40_000, 32_000))
            rest = [client.run(statements.REST, str(offset), *one)[0][0] for offset in (16_001, 32_001, 48_001)]
        self.assertEqual(bytes.fromhex(row[-1] + "".join(rest)), data)

    def test_an_entry_is_found_by_its_time(self):
        with self.box.client() as client:
            name, first, last = client.chain()[1][1:4]
            rows = client.page(name, first, last)
            find = lambda time: client.run(statements.AT_TIME, *JOURNAL, "QGPL", name, time, "T,J,U", "QGPL", name)
            self.assertEqual(find(rows[20][1]), [[rows[20][0]]])
            self.assertEqual(find(stamp(parse_stamp(rows[20][1]) + 1)), [[rows[21][0]]])
            self.assertEqual(find("1999-01-01-00.00.00.000000"), [[rows[0][0]]])
            self.assertIn("[CPF7062]", find("2099-01-01 00:00:00"))
            self.assertIn("SQL0180", find("yesterday"))

    def test_the_history_log_is_cut_by_time(self):
        self.box.tell("history", messages=[{"message_id": "CPF1393", "text": "it's <gone>", "tokens": "C1C2", "at": "2026-01-01-00.00.00.000001"}])
        with self.box.client() as client:
            rows = client.run(statements.HISTORY, "2020-01-01-00.00.00.000000", "9999-12-30-00.00.00.000000")
            self.assertEqual(len(rows), 9)
            self.assertEqual((rows[0][1], rows[2][1], rows[2][3]), ("CPF1124", "CPF2234", 40))
            found = client.run(statements.HISTORY, "2026-01-01-00.00.00.000001", "2026-01-01-00.00.00.000001")
            self.assertEqual([(row[1], row[9], row[10]) for row in found], [("CPF1393", "C1C2", "it's <gone>")])
            self.assertEqual(client.run(statements.HISTORY, "2026-01-01-00.00.00.000002", "2026-01-02-00.00.00.000000"), [])

    def test_any_other_statement_is_refused_and_counted(self):
        with self.box.client() as client:
            for sql in ("SELECT 1 FROM SYSIBM.SYSDUMMY1", "DELETE FROM QSYS2.JOURNAL_INFO", "CALL QCMDEXC('DSPJRN')", statements.SYSTEM.lower()):
                answer = client.ask("sql", sql=sql)
                self.assertEqual((answer["success"], answer["sql_state"], answer["sql_rc"]), (False, "42601", -104))
            self.assertEqual(len(client.run("\n " + statements.SYSTEM.replace(" ", "\n\t "))), 1, "white space does not matter")
        stats = self.box.tell("stats")
        self.assertEqual((stats["refused"], stats["violations"]), (4, 2))

    def test_an_old_release_lacks_columns(self):
        self.box.tell("catalog", catalog="old")
        with self.box.client() as client:
            self.assertNotIn("REMOTE_ADDRESS", [row[0] for row in client.run(statements.COLUMNS, "DISPLAY_JOURNAL")])
            self.assertIn("SQL0206", client.page("AUDRCV0001", 1, 5))
            self.assertEqual(len(client.page("AUDRCV0001", 1, 5, sql=OLD_PAGE)[0]), 16)


class Authorities(WithStandIn):
    """What the doctor asks, and who sees it."""
    arguments = ("--entries", "20")
    journal = ["QSYS", "QAUDJRN", "*JRN"]

    def test_auditing_is_seen_with_audit_special_authority_only(self):
        self.box.tell("object", library="PAYLIB", name="PAYMST", type="*FILE", audit="*CHANGE")
        self.box.tell("object", library="PAYLIB", name="RATES", type="*FILE")
        self.box.tell("path", path="/home/pay", type="*DIR")
        self.box.tell("path", path="/home/pay/a'b", audit="*ALL")
        self.box.tell("path", path="/home/pay/sub/c")
        with self.box.client() as client:
            values = lambda: {name: text for name, _, text in client.run(statements.SYSTEM_VALUES)}
            self.assertEqual(values()["QAUDCTL"], "*AUDLVL *OBJAUD")
            self.assertEqual(client.run(security.OBJECT, "PAYLIB", "*FILE", "PAYMST"), [["PAYMST", "QSYS", "*CHANGE"]])
            self.assertEqual(client.run(security.OBJECT, "PAYLIB", "*PGM", "PAYMST"), [])
            self.assertEqual(client.run(security.CONTENTS, "PAYLIB"), [["*CHANGE", "1", "PAYMST"], ["*NONE", "1", "RATES"]])
            self.assertEqual(client.run(security.PATH, "/home/pay"), [["/home/pay", "*DIR", "*NONE"], ["/home/pay/a'b", "*STMF", "*ALL"]])
            rows = {row[0]: row[1:] for row in client.run(security.PROFILES)}
            self.assertEqual(rows["BILL"], ["*ENABLED", "*USER", None, "*NONE", None, None])
            self.assertEqual(rows["AUDITOR"][-1], "*CMD *SECURITY")
            self.box.tell("user", name="AUDITOR")
            self.assertEqual((values()["QAUDLVL"], values()["QTIMZON"]), ("*NOTAVL", "QP0100CET2"))
            self.assertEqual(client.run(security.OBJECT, "PAYLIB", "*FILE", "PAYMST"), [["PAYMST", "QSYS", None]])
            self.assertEqual({row[-1] for row in client.run(security.PROFILES)}, {"*NOTAVL"})
            self.box.tell("user", name="AUDITOR", group="GRPAUD")
            self.box.tell("user", name="GRPAUD", special="*AUDIT", public=False)
            self.assertEqual(values()["QAUDLVL"], "*SECURITY *AUTFAIL *CREATE *DELETE", "by its group")
            self.assertNotIn("GRPAUD", [row[0] for row in client.run(security.PROFILES)])

    def test_the_rights_of_others_are_seen_with_object_management_only(self):
        with self.box.client() as client:
            rights = lambda: {row[0]: (row[1], [name for name, has in zip(security.SINGLE, row[3:]) if has == "YES"]) for row in client.run(security.RIGHTS, *self.journal)}
            self.assertEqual(rights(), {"AUDITOR": ("USER DEFINED", ["OBJOPR", "OBJEXIST", "READ", "EXECUTE"])})
            self.box.tell("right", library="QSYS", name="QAUDJRN", type="*JRN", user="AUDITOR", authority="*ALL")
            self.assertEqual((rights()["*PUBLIC"], len(rights()["AUDITOR"][1])), (("*EXCLUDE", []), 10))
            self.box.tell("right", library="QSYS", name="QAUDJRN", type="*JRN", user="AUDITOR")
            self.assertEqual(rights(), {})
            self.assertEqual([row[0] for row in client.run(security.RIGHTS, "QGPL", "AUDRCV0001", "*JRNRCV")], ["AUDITOR"])
            self.assertEqual(client.run(security.RIGHTS, "QGPL", "NOSUCH", "*JRNRCV"), [])

    def test_the_journal_may_be_gone_or_without_a_receiver(self):
        with self.box.client() as client:
            self.box.tell("journal", deletes_receivers=True)
            self.assertEqual(client.run(statements.JOURNAL, *JOURNAL), [["QGPL", "AUDRCV0001", 1, "YES"]])
            self.box.tell("journal", detached=True)
            self.assertEqual(client.run(statements.JOURNAL, *JOURNAL)[0][:2], [None, None])
            self.box.tell("journal", there=False)
            self.assertEqual((client.run(statements.JOURNAL, *JOURNAL), client.chain()), ([], []))
            self.assertEqual(client.run(security.OBJECT, "QSYS", "*JRN", "QAUDJRN"), [])
            self.assertIn("[CPF9801]", client.page("AUDRCV0001", 1, 2))
            self.assertEqual(self.box.tell("stats")["refused"], 0)


class Errors(WithStandIn):
    arguments = ("--entries", "100", "--receivers", "2")

    def test_each_cpf_error(self):
        with self.box.client() as client:
            (_, one, first, last, *_), (_, two, first2, last2, *_) = client.chain()
            last, last2 = int(last), int(last2)
            for expected, error in {
                "CPF7062 nothing of the codes": client.page(one, 10, 20, codes="U"),
                "CPF7054 end before start": client.page(one, 20, 19),
                "CPF7054 at the head": client.page(two, last2 + 1, last2),
                "CPF7053 beyond the last": client.page(two, last2 + 1, last2 + 1),
                "CPF7053 in another receiver": client.page(two, 5, last2),
                "CPF9801 no such receiver": client.page("NOSUCH", 1, 2),
                "CPF9801 no such end": client.page(one, 1, 2, to="NOSUCH"),
                "CPF7074 receivers the wrong way round": client.page(two, last2, last2, to=one),
                "CPF9801 no such journal": client.run(PAGE, "QSYS", "NOSUCH", "QGPL", one, "1", "T", "QGPL", one, "2"),
            }.items():
                self.assertIn(f"[{expected[:7]}]", str(error), expected)
            answer = client.ask("prepare_sql_execute", sql=PAGE, terse=True, parameters=[*JOURNAL, "QGPL", one, "2", "T", "QGPL", one, "1"])
            self.assertEqual((answer["success"], answer["sql_rc"], answer["sql_state"]), (False, -443, "38501"))
            self.assertEqual(list(answer), ["id", "parameter_count", "metadata", "error", "success", "sql_state", "sql_rc", "execution_time"])

    def test_authority_and_failures_as_told(self):
        with self.box.client() as client:
            self.box.tell("authority", missing=["PAGE", "CHAIN"])
            self.assertIn("[CPF9802]", client.page("AUDRCV0001", 1, 2))
            self.assertEqual(client.chain(), [])
            self.box.tell("authority")
            self.box.tell("fail", error="CPF7025", statement="PAGE", count=2)
            for _ in range(2):
                self.assertIn("[CPF7025]", client.page("AUDRCV0001", 1, 2))
            self.assertEqual(len(client.page("AUDRCV0001", 1, 2)), 2)

    def test_a_reset_breaks_a_range_and_a_deleted_receiver_is_gone(self):
        with self.box.client() as client:
            self.assertEqual(self.box.tell("reset")["receiver"], "AUDRCV0003")
            self.box.tell("append", count=10)
            self.assertEqual([row[2:4] for row in client.chain()][2], ["1", "11"])
            self.assertIn("[CPF7053]", client.page("AUDRCV0002", client.chain()[1][2], 11, to="AUDRCV0003"))
            self.box.tell("delete")
            self.assertIn("[CPF9801]", client.page("AUDRCV0001", 1, 2))
            self.assertEqual([row[1] for row in client.chain()], ["AUDRCV0002", "AUDRCV0003"])
            self.assertNotIn("AUDRCV0001:1", self.box.tell("truth")["ids"])
            self.assertIn("AUDRCV0001:1", self.box.tell("truth", deleted=True)["ids"])

    def test_a_chain_can_be_stale_after_a_roll(self):
        with self.box.client() as client:
            before = client.chain()
            self.box.tell("roll", stale=2)
            self.box.tell("append", count=5)
            self.assertEqual([client.chain(), client.chain()], [before, before])
            self.assertEqual([row[1] for row in client.chain()], ["AUDRCV0001", "AUDRCV0002", "AUDRCV0003"])
            self.assertEqual(int(client.chain()[1][3]), int(before[1][3]) + 1, "the entry that ended the receiver")
            self.box.tell("roll", stale=1, kind="last", hidden=3)
            self.assertEqual([row[1] for row in client.chain()][-1], "AUDRCV0004")
            last = int(client.chain()[2][3])
            self.assertIn("[CPF7062]", client.page("AUDRCV0003", last - 2, last), "hidden entries end the receiver")


from test_audit import AuditTables, CutData  # noqa: E402  run with the others
from test_behaviour import Connections, Logins, Running  # noqa: E402  run with the others

if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="mapepire_python|dataclasses_json")
    run = unittest.main(verbosity=2, exit=False, warnings="").result
    failed, skipped = len(run.failures) + len(run.errors), len(run.skipped)
    print(f"{run.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(not run.wasSuccessful())
