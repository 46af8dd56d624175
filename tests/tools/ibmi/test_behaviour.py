"""Tests of the stand-in's connections, clock and control: logins, stalls, lost connections, order of answers, single mode, speed.

Run by test_stand_in.py; a module of its own only to keep both short.
"""
import json
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from websockets.exceptions import ConnectionClosed, InvalidStatus

import statements
from harness import HERE, JOURNAL, PAGE, StandIn


class Logins(unittest.TestCase):
    def setUp(self):
        self.box = StandIn("--entries", "10")  # with TLS
        self.addCleanup(self.box.close)

    def connect(self, password="secret"):
        with self.box.client(password=password, connected=False) as client:
            return client.ask("connect")

    def test_the_upgrade_is_refused_without_a_usable_login(self):
        for user, password, scheme in ((None, None, ""), ("AUDITOR", "with:colon", "Basic"), ("AUDITOR", "", "Basic"), ("AUDITOR", "secret", "Bearer")):
            with self.assertRaises(InvalidStatus) as refused:
                self.box.client(user, password, scheme=scheme)
            self.assertEqual(refused.exception.response.status_code, 403)
        self.assertEqual(self.box.tell("stats")["logins"], 0)

    def test_the_version_needs_no_login(self):
        context = ssl.create_default_context(cafile=self.box.cert)
        with urllib.request.urlopen(f"https://localhost:{self.box.port}/version", context=context) as answer:
            self.assertEqual(json.load(answer), {"version": "2.3.6"})

    def test_a_certificate_that_is_not_trusted_is_not_accepted(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            from websockets.sync.client import connect
            connect(self.box.url(), ssl=ssl.create_default_context())

    def test_three_wrong_passwords_disable_the_profile(self):
        for _ in range(3):
            answer = self.connect("wrong")
            self.assertEqual((answer["success"], answer["sql_state"], answer["sql_rc"]), (False, None, 0))
            self.assertIn("(Password is incorrect.:AUDITOR)", answer["error"])
        self.assertIn("(User ID is disabled.:AUDITOR)", self.connect()["error"])
        self.box.tell("profile", disabled=False)
        self.assertTrue(self.connect()["success"])
        stats = self.box.tell("stats")
        self.assertEqual((stats["logins"], stats["logins_failed"]), (5, 4))

    def test_logins_are_refused_as_told(self):
        self.box.tell("refuse_logins", count=1, reason="Password is expired.")
        self.assertIn("Password is expired.", self.connect()["error"])
        self.assertTrue(self.connect()["success"])

    def test_nothing_is_answered_before_connect_or_after_exit(self):
        with self.box.client(connected=False) as client:
            self.assertEqual(client.ask("sql", sql=statements.SYSTEM)["error"], "Not connected")
            self.assertEqual(client.ask("ping")["error"], "Not connected")
            self.assertTrue(client.ask("getversion")["success"])
            self.assertTrue(client.ask("connect")["success"])
            self.assertTrue(client.ask("exit")["success"])
            self.assertEqual(client.ask("sql", sql=statements.SYSTEM)["error"], "Not connected")


class Connections(unittest.TestCase):
    def setUp(self):
        self.box = StandIn("--entries", "500", plain=True)
        self.addCleanup(self.box.close)

    def test_a_stalled_query_does_not_hold_up_a_ping(self):
        self.box.tell("stall", seconds=0.5, statement="PAGE")
        parameters = [*JOURNAL, "QGPL", "AUDRCV0001", "1", "T,J", "QGPL", "AUDRCV0001", "9"]
        with self.box.client() as client:
            page = client.send("prepare_sql_execute", sql=PAGE, parameters=parameters)
            ping = client.send("ping")
            began = time.monotonic()
            self.assertEqual([client.receive()["id"], client.receive()["id"]], [ping, page])
            self.assertGreater(time.monotonic() - began, 0.4)

    def test_answers_come_out_of_order_when_told(self):
        self.box.tell("reorder", seconds=0.05)
        with self.box.client() as client:
            asked = [client.send("ping") for _ in range(40)]
            answered = [client.receive()["id"] for _ in range(40)]
        self.assertNotEqual(answered, asked)
        self.assertEqual(sorted(answered), sorted(asked))

    def test_connections_are_killed_without_a_farewell(self):
        with self.box.client() as client:
            self.assertEqual(self.box.tell("kill")["killed"], 1)
            with self.assertRaises(ConnectionClosed) as lost:
                client.ask("ping")
            self.assertIsNone(lost.exception.rcvd)
        with self.box.client() as client:
            self.assertTrue(client.ask("ping")["alive"])

    def test_a_connection_is_dropped_in_the_middle_of_a_result(self):
        self.box.tell("drop", statement="SQLMORE", after=2)
        with self.box.client() as client:
            with self.assertRaises(ConnectionClosed):
                client.page("AUDRCV0001", 1, 400, rows=50)
        with self.box.client() as client:
            self.assertEqual(len(client.page("AUDRCV0001", 1, 400, rows=50)), 400)

    def test_cursors_are_closed_and_unknown_ones_refused(self):
        with self.box.client() as client:
            client.ask("sql", sql=statements.VALUES, rows=5)
            done = client.ask("sqlmore", cont_id=str(client.number))
            self.assertEqual((done["data"], done["is_done"]), ([], True))
            self.assertEqual(client.ask("sqlmore", cont_id="nosuch")["error"], "Bad request: invalid correlation ID")
            self.assertEqual(client.ask("sqlmore")["error"], "Bad request: Correlation ID not specified")
            exactly = client.ask("sql", sql=statements.VALUES, rows=1)
            self.assertFalse(exactly["is_done"], "the end is only known when a row more is asked for")

    def test_the_clock_can_jump(self):
        with self.box.client() as client:
            self.box.tell("offset", seconds=3600)
            self.assertEqual(client.run(statements.SYSTEM)[0][1], "10000")
            self.box.tell("offset", seconds=-19800, in_seconds=0.3)
            self.assertEqual(client.run(statements.SYSTEM)[0][1], "10000")
            before = self.box.tell("append")
            time.sleep(0.35)
            after = self.box.tell("append")
            self.assertEqual(client.run(statements.SYSTEM)[0][1], "-53000")
            first, second = client.page("AUDRCV0001", before["first"], after["last"])
            self.assertLess(second[1], first[1], "local time went back")
            self.box.tell("roll")
            self.box.tell("offset", seconds=-23400)
            self.box.tell("roll")
            self.assertEqual([row[1] for row in client.chain()], ["AUDRCV0003", "AUDRCV0002", "AUDRCV0001"], "by the time of attaching, as asked")

    def test_statistics_tell_how_often_was_asked(self):
        with self.box.client() as client:
            for _ in range(2):
                client.page("AUDRCV0001", 1, 9)
                time.sleep(0.2)
            client.chain()
        stats = self.box.tell("stats", reset=True)
        self.assertEqual(stats["statements"], {"PAGE": 2, "CHAIN": 1})
        self.assertTrue(0.2 <= stats["min_page_interval"] < 1)
        self.assertEqual((stats["rows"], stats["logins"], stats["connections"]), (19, 1, 1))
        self.assertEqual(self.box.tell("stats")["statements"], {})

    def test_times_are_in_order_however_often_entries_are_added(self):
        for count in (1, 300, 2, 5):
            self.box.tell("append", count=count)
        last = self.box.tell("roll") and self.box.tell("append", count=100)["last"]
        with self.box.client() as client:
            times = [row[1] for row in client.page("AUDRCV0001", 1, last, to="AUDRCV0002")]
        self.assertEqual(times, sorted(times))

    def test_values_change_and_mistakes_are_told(self):
        self.box.tell("values", values={"QAUDCTL": "*NONE", "QCCSID": 273, "QAUDLVL2": None})
        with self.box.client() as client:
            values = {name: number or text for name, number, text in client.run(statements.SYSTEM_VALUES)}
        self.assertEqual((values["QAUDCTL"], values["QCCSID"], "QAUDLVL2" in values), ("*NONE", "273", False))
        with self.assertRaisesRegex(AssertionError, "no such command"):
            self.box.tell("nonsense")


class Running(unittest.TestCase):
    def test_single_mode_speaks_the_same_over_standard_input(self):
        requests = [{"id": 1, "type": "connect"}, {"id": 2, "type": "sql", "sql": statements.JOURNAL.replace("?", "'X'")},
                    {"id": 3, "type": "prepare_sql_execute", "sql": statements.CHAIN, "parameters": JOURNAL, "terse": True}, {"id": 4, "type": "exit"}]
        run = subprocess.run([sys.executable, HERE / "mapepire.py", "--single", "--entries", "20", "--templates", "5"], text=True,
                             input="// a comment\n\n" + "".join(json.dumps(request) + "\n" for request in requests), capture_output=True, timeout=30)
        answers = [json.loads(line) for line in run.stdout.split("\n") if line]
        self.assertEqual([answer["id"] for answer in answers], ["1", "2", "3", "4"])
        self.assertEqual([answer["success"] for answer in answers], [True, False, True, True])
        self.assertEqual(answers[2]["data"][0][:4], ["QGPL", "AUDRCV0001", "1", "21"])

    def test_a_scenario_file_says_what_is_there(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"entries": 30, "catalog": "old", "steps": [{"cmd": "roll", "reset": True}, {"cmd": "append", "count": 4}]}, file)
            file.flush()
            box = StandIn("--scenario", file.name, plain=True)
        self.addCleanup(box.close)
        self.assertEqual([(r["first"], r["last"]) for r in box.tell("chain")["receivers"]], [(1, 32), (1, 5)])

    def test_entries_are_added_at_the_rate_asked_for(self):
        box = StandIn("--entries", "10", "--rate", "200", plain=True)
        self.addCleanup(box.close)
        before, began = box.tell("chain")["receivers"][0]["last"], time.monotonic()
        time.sleep(1)
        rate = (box.tell("chain")["receivers"][0]["last"] - before) / (time.monotonic() - began)
        self.assertTrue(120 < rate < 280, rate)

    def test_it_serves_every_entry_in_many_answers_and_says_how_fast(self):
        box = StandIn("--entries", "60000", "--entry-bytes", "600")
        self.addCleanup(box.close)
        with box.client() as client:
            parameters = [*JOURNAL, "QGPL", "AUDRCV0001", "1", "T,J", "QGPL", "AUDRCV0001", "60001"]
            began, rows = time.monotonic(), 0
            answer = client.ask("prepare_sql_execute", sql=PAGE, parameters=parameters, terse=True, rows=2000)
            query = str(client.number)
            while True:
                rows += len(answer["data"])
                if answer["is_done"]:
                    break
                answer = client.ask("sqlmore", cont_id=query, rows=2000)
            rate = rows / (time.monotonic() - began)
        self.assertEqual(rows, 60001)
        print(f"\n  speed: {rows} entries of 600 bytes over TLS, {rate:,.0f} a second, with this client's parsing")
