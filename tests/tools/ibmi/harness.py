"""For the tests of the stand-in: starts it, speaks the protocol to it with a client of a few lines, hands it commands."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

from websockets.sync.client import connect

import statements

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parent
TARGET = HERE.parents[2] / "target"
JOURNAL = ["QSYS", "QAUDJRN"]
PAGE = statements.PAGE.format(user="USER_NAME", remote=statements.REMOTE)
OLD_PAGE = statements.PAGE.format(user='"CURRENT_USER"', remote="")


class StandIn:
    """The stand-in as a process of its own, with a certificate and a control socket."""

    def __init__(self, *arguments, plain=False):
        self.folder = tempfile.mkdtemp(prefix="stand-in-")
        self.cert = os.path.join(self.folder, "cert.pem")
        command = [sys.executable, HERE / "mapepire.py", "--control", os.path.join(self.folder, "control"), "--templates", "40", *arguments]
        if plain:
            command.append("--plain")
        else:
            subprocess.run([HERE / "make_cert.sh", self.folder], check=True)
            command += ["--cert", self.cert, "--key", os.path.join(self.folder, "key.pem")]
        self.plain = plain
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the stand-in did not start, see its message above"
        where = json.loads(line)
        self.port = where["port"]
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(where["control"])
        self.lines = self.control.makefile("r", encoding="utf-8")

    def close(self):
        self.control.close()
        self.lines.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder)

    def tell(self, cmd, **more):
        """One control command; its answer, which must be a good one."""
        self.control.sendall(json.dumps({"cmd": cmd, **more}).encode() + b"\n")
        answer = json.loads(self.lines.readline())
        assert answer["ok"], answer
        return answer

    def client(self, user="AUDITOR", password="secret", connected=True, scheme="Basic"):
        return Client(self, user, password, connected, scheme)

    def url(self):
        return f"{'ws' if self.plain else 'wss'}://localhost:{self.port}/db/"

    def tls(self):
        """Not TLS 1.3: there this client's receiving thread reads session tickets while the other thread writes the upgrade, on one SSL object, and
        one handshake in some hundreds hung for 10 s (Python 3.11; of 7,500 with TLS 1.2 none). The product and mapepire-python use TLS 1.3."""
        if self.plain:
            return None
        context = ssl.create_default_context(cafile=self.cert)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


class Client:
    def __init__(self, stand_in, user, password, connected, scheme):
        headers = {} if user is None else {"Authorization": f"{scheme} " + base64.b64encode(f"{user}:{password}".encode()).decode()}
        self.open = contextlib.ExitStack()
        self.socket = self.open.enter_context(connect(stand_in.url(), ssl=stand_in.tls(), additional_headers=headers, max_size=None))
        self.number = 0
        if connected:
            answer = self.ask("connect", technique="tcp", application="test")
            assert answer["success"], answer

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.open.close()

    def send(self, kind, **fields):
        self.number += 1
        self.socket.send(json.dumps({"id": str(self.number), "type": kind, **fields}))
        return str(self.number)

    def receive(self):
        frame = self.socket.recv(timeout=20)
        assert frame.endswith("}\n\n"), frame[-20:]
        return json.loads(frame)

    def ask(self, kind, **fields):
        asked = self.send(kind, **fields)
        answer = self.receive()
        assert answer["id"] == asked, (asked, answer)
        return answer

    def run(self, sql, *parameters, rows=1000):
        """All rows of a statement, page by page, or the text of its error."""
        if parameters:
            answer = self.ask("prepare_sql_execute", sql=sql, parameters=list(parameters), terse=True, rows=rows)
        else:
            answer = self.ask("sql", sql=sql, terse=True, rows=rows)
        if not answer["success"]:
            return answer["error"]
        query, data = str(self.number), answer["data"]
        while not answer["is_done"]:
            answer = self.ask("sqlmore", cont_id=query, rows=rows)
            data += answer["data"]
        self.ask("sqlclose", cont_id=query)
        return data

    def chain(self):
        return self.run(statements.CHAIN, *JOURNAL)

    def page(self, receiver, start, end, codes="T,J,U", to=None, sql=PAGE, rows=1000):
        return self.run(sql, *JOURNAL, "QGPL", receiver, str(start), codes, "QGPL", to or receiver, str(end), rows=rows)
