"""One client's conversation in the Mapepire protocol: a request in, its answer out. It knows no socket.

The shapes follow the recording of a genuine server (recording.jsonl) and, where it is silent, the genuine server's source:
the order of the fields, which of them an error has, what a cursor says after its end, the numbers of unreadable requests.
"""
import asyncio
import itertools
import json
import time
import traceback

from entries import gson
from errors import SqlError, not_connected

NO_JOB = "??????/??????/??????"
JOBS = itertools.count(100001)


class BadRequest(Exception):
    """An error of the protocol itself: it has no sql_state."""


class Dropped(Exception):
    """The connection is to end here, without an answer: a test asked for it."""


class Query:
    """What a cont_id stands for: a statement, its cursor while there is one, and how rows are written."""

    def __init__(self, statement=None, terse=False, prepared=False):
        self.statement, self.terse, self.prepared = statement, terse, prepared
        self.cursor, self.done, self.closed = None, False, False

    def fetch(self, rows):
        if self.done:
            return []
        if self.cursor is None:
            raise SqlError("Result set was null", None, 0)
        if self.closed:
            self.done = True
            return []
        lines, self.done = self.cursor.fetch(rows, self.terse)
        return lines


class Server:
    """What all sessions share."""

    def __init__(self, system, database, stats, version="2.3.6", build_date="2026-06-02 20:11:04 (GMT)"):
        self.system, self.database, self.stats = system, database, stats
        self.version, self.build_date = version, build_date
        self.stalls = []           # [statement name or None for any, seconds, how often]
        self.drops = []            # [statement name or None for any, how many of them are still answered]
        self.reorder = 0           # answers are held back up to so many seconds, so that they overtake each other
        self.incomplete, self.unparseable = itertools.count(1), itertools.count(1)
        self.sessions = set()

    async def disturb(self, name):
        """What a test has asked to happen before a statement runs, or before its next rows are fetched (SQLMORE)."""
        for stall in [s for s in self.stalls if s[0] in (None, name)][:1]:
            stall[2] -= 1
            if stall[2] <= 0:
                self.stalls.remove(stall)
            await asyncio.sleep(stall[1])
        for drop in [d for d in self.drops if d[0] in (None, name)][:1]:
            if drop[1] <= 0:
                self.drops.remove(drop)
                raise Dropped
            drop[1] -= 1


class Session:
    def __init__(self, server, user, password=None):
        self.server, self.user, self.password = server, user, password
        self.job, self.queries, self.ended = None, {}, False

    async def answer(self, text):
        """The answer to one request, without the line end. Raises Dropped where the connection is to end instead."""
        began = time.monotonic()
        fields = {}
        try:
            request = self.parse(text, fields)
            kind = request["type"] if isinstance(request["type"], str) else gson(request["type"])
            self.server.stats.requests[kind] += 1
            handler = self.HANDLERS.get(kind)
            if handler is None:
                raise BadRequest(f"Unknown request type: {kind}")
            await handler(self, request, fields)
            fields["success"] = "true"
        except BadRequest as error:
            fields.update(error=gson(str(error)), success="false")
        except SqlError as error:
            fields.update(error=gson(error.text), success="false", sql_state=gson(error.state), sql_rc=gson(error.code))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # the stand-in's own mistake must not look like a hang
            traceback.print_exc()
            fields.update(error=gson(f"Internal Error: {type(error).__name__}: {error}"), success="false")
        fields["execution_time"] = str(int((time.monotonic() - began) * 1000))
        answer = "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"
        self.server.stats.bytes += len(answer)
        return answer

    def parse(self, text, fields):
        """The request as an object; puts the answer's id into `fields`, whatever is wrong with it."""
        try:
            request = json.loads(text)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            fields.update(id=gson(f"unparseable_{next(self.server.unparseable)}"), unparseable=gson(text))
            raise BadRequest(f"Non-parseable request: '{text}'")
        if "id" not in request or "type" not in request:
            fields.update(id=gson(f"incomplete_{next(self.server.incomplete)}"), incomplete=gson(text))
            raise BadRequest(f"Request is missing required fields (most likely 'id' or 'type'): '{text}'")
        request["id"] = request["id"] if isinstance(request["id"], str) else gson(request["id"])
        fields["id"] = gson(request["id"])
        return request

    # ---- requests without SQL ------------------------------------------------------------------------------------------

    async def connect(self, request, fields):
        self.job = None
        if self.password is not None:  # none in single mode: the user is the one who started the program
            stats = self.server.stats
            stats.sign_ons += 1
            refusal = self.server.system.sign_on(self.user, self.password)
            if refusal:
                stats.sign_ons_failed += 1
                raise SqlError(self.server.database.sign_on_error(refusal, self.user.upper()), None, 0)
        self.job = self.server.database.job_name(next(JOBS))
        fields["job"] = gson(self.job)

    async def ping(self, request, fields):
        fields["alive"] = "true"
        self.need_connection()
        fields["db_alive"] = "true"

    async def getversion(self, request, fields):
        fields.update(build_date=gson(self.server.build_date), version=gson(self.server.version))

    async def getdbjob(self, request, fields):
        fields["job"] = gson(self.job or NO_JOB)

    async def exit(self, request, fields):
        self.job, self.ended = None, True

    def need_connection(self):
        if self.job is None:
            raise not_connected()

    # ---- statements ----------------------------------------------------------------------------------------------------

    async def sql(self, request, fields):
        query = self.queries[request["id"]] = Query(terse=request.get("terse") is True)
        self.need_connection()
        query.statement = self.server.database.prepare(sql_of(request))
        query.cursor = await self.open(query.statement, [])
        fields.update(has_results="true", update_count="-1", metadata=self.metadata(query.statement))
        self.data(query, request, fields)

    async def prepare_sql(self, request, fields):
        query = self.queries[request["id"]] = Query(terse=request.get("terse") is True, prepared=True)
        self.need_connection()
        query.statement = self.server.database.prepare(sql_of(request))
        fields.update(parameter_count=str(query.statement.parameter_count), metadata=self.prepared_metadata(query.statement))
        return query

    async def prepare_sql_execute(self, request, fields):
        query = await self.prepare_sql(request, fields)
        await self.execute_query(query, request, fields)

    async def execute(self, request, fields):
        """Its rows cannot be paged through: sqlmore finds the prepared statement, which has no result set of its own."""
        prepared = self.query_of(request)
        if not prepared.prepared:
            raise BadRequest("Bad request: invalid correlation ID")
        self.need_connection()
        await self.execute_query(Query(prepared.statement, request.get("terse") is True), request, fields)

    async def execute_query(self, query, request, fields):
        parameters = request.get("parameters")
        if not isinstance(parameters, list):  # the genuine server dereferences null here
            raise BadRequest("Internal Error: NullPointerException: null")
        query.cursor = await self.open(query.statement, [p if p is None or isinstance(p, str) else gson(p) for p in parameters])
        # prepare_sql_execute has metadata already: the fuller one takes its place.
        fields.update(has_results="true", update_count="-1", metadata=self.metadata(query.statement))
        self.data(query, request, fields, output_parms="[]")

    async def sqlmore(self, request, fields):
        query = self.query_of(request)
        await self.server.disturb("SQLMORE")
        lines = query.fetch(rows_of(request))
        self.server.stats.rows += len(lines)
        fields.update(data=f"[{','.join(lines)}]", is_done=gson(query.done))

    async def sqlclose(self, request, fields):
        query = self.query_of(request)
        query.closed = True
        del self.queries[request["cont_id"]]

    async def open(self, statement, parameters):
        statement.asked = time.monotonic()  # what a stall makes of it is not the client's doing
        await self.server.disturb(statement.name)
        return self.server.database.run(statement, parameters, self.user)

    def query_of(self, request):
        if request.get("cont_id") is None:
            raise BadRequest("Bad request: Correlation ID not specified")
        query = self.queries.get(request["cont_id"])
        if query is None:
            raise BadRequest("Bad request: invalid correlation ID")
        return query

    def data(self, query, request, fields, **more):
        lines = query.fetch(rows_of(request))
        self.server.stats.rows += len(lines)
        fields.update(data=f"[{','.join(lines)}]", **more, is_done=gson(query.done))

    def metadata(self, statement):
        columns = [short_column(column) | {"precision": column[2], "scale": column[3] if len(column) > 3 else 0, "autoIncrement": False,
                                           "nullable": self.server.database.nullable, "readOnly": self.server.database.read_only,
                                           "writeable": not self.server.database.read_only} for column in statement.columns]
        return gson({"column_count": len(columns), "job": self.job, "columns": columns})

    def prepared_metadata(self, statement):
        database = self.server.database
        parameters = [{"type": database.parameter_type, "mode": "IN", "precision": database.parameter_precision, "scale": 0, "name": database.parameter_name}
                      for _ in range(statement.parameter_count)]
        return gson({"column_count": len(statement.columns), "job": self.job, "columns": [short_column(c) for c in statement.columns],
                     "parameters": parameters})

    HANDLERS = {"connect": connect, "ping": ping, "getversion": getversion, "getdbjob": getdbjob, "exit": exit, "sql": sql,
                "prepare_sql": prepare_sql, "prepare_sql_execute": prepare_sql_execute, "execute": execute, "sqlmore": sqlmore,
                "sqlclose": sqlclose}


def short_column(column):
    name, kind, size = column[:3]
    return {"name": name, "type": kind, "display_size": size, "label": name}


def sql_of(request):
    if not isinstance(request.get("sql"), str):
        raise BadRequest("Internal Error: NullPointerException: null")
    return request["sql"]


def rows_of(request):
    rows = request.get("rows", 1000)
    try:
        return int(rows)
    except (TypeError, ValueError):
        return 1000
