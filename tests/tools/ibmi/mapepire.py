#!/usr/bin/env python3
"""A stand-in of a Mapepire server with a simulated IBM i behind it.

    mapepire.py --cert cert.pem --key key.pem --port 8076 --control /tmp/control.sock --entries 10000
    mapepire.py --single --entries 100            # the same protocol on standard input and output, a line each

When it listens it prints one line of JSON: {"port":...,"control":...}. See README.md beside this file.
"""
import argparse
import asyncio
import base64
import binascii
import http
import json
import os
import random
import ssl
import sys

import control
import scenario
from session import Dropped, Session

MESSAGE_LIMIT = 50 * 1024 * 1024


class Client:
    """A WebSocket connection: requests run side by side, as the genuine server's threads do; answers are matched by their ids."""

    def __init__(self, server, connection, user, password):
        self.server, self.connection = server, connection
        self.session = Session(server, user, password)
        self.tasks = set()

    async def run(self):
        import websockets
        self.server.sessions.add(self)
        self.server.stats.connections += 1
        try:
            async for message in self.connection:
                task = asyncio.create_task(self.answer(message))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.server.sessions.discard(self)
            for task in self.tasks:
                task.cancel()

    async def answer(self, message):
        import websockets
        try:
            answer = await self.session.answer(message if isinstance(message, str) else message.decode("utf-8", "replace"))
        except Dropped:
            return self.kill()
        if self.server.reorder:
            await asyncio.sleep(random.uniform(0, self.server.reorder))
        try:
            await self.connection.send(answer + "\n\n")
        except websockets.ConnectionClosed:
            pass

    def kill(self):
        """End the connection as a dying network would: without a close frame."""
        self.connection.transport.abort()


def credentials(header):
    """(user, password), or None where the genuine server answers 403: no Basic, or not two parts at the colons.

    Java's split leaves out empty parts at the end, so a password that ends in a colon goes on without it, and is wrong.
    """
    if not header or not header.startswith("Basic "):
        return None
    try:
        parts = base64.b64decode(header[6:].strip(), validate=True).decode().rstrip(":").split(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return tuple(parts) if len(parts) == 2 and all(parts) else None


def upgrade(server):
    """Looks at the HTTP request before the upgrade: /version is answered, a request without a login is refused."""
    def look(connection, request):
        path = request.path.split("?")[0]
        if path == "/version":
            response = connection.respond(http.HTTPStatus.OK, json.dumps({"version": server.version}, separators=(",", ":")))
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json;charset=utf-8"
            return response
        if not path.startswith("/db/"):
            return connection.respond(http.HTTPStatus.NOT_FOUND, "Not Found\n")
        header = request.headers.get("Authorization")
        connection.login = credentials(header)
        if connection.login is None:
            server.stats.upgrades_refused += 1
            return connection.respond(http.HTTPStatus.FORBIDDEN, "Invalid Authorization header\n" if header else "Authorization header missing\n")
        return None
    return look


async def serve(server, options):
    from websockets.asyncio.server import serve as listen
    tls = None
    if not options.plain:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)
    run = lambda connection: Client(server, connection, *connection.login).run()
    async with listen(run, options.host, options.port, ssl=tls, process_request=upgrade(server), compression=None, max_size=MESSAGE_LIMIT,
                      ping_interval=None, write_limit=MESSAGE_LIMIT) as listener:
        where = {"port": listener.sockets[0].getsockname()[1]}
        if options.control:
            where["control"] = await control.listen(server, options.control)
        print(json.dumps(where), flush=True)
        await scenario.live(server, options.rate)


async def single(server, options):
    """One session on standard input and output. It ends with the input, or with the request exit."""
    session, tasks, loop = Session(server, options.user.upper()), set(), asyncio.get_running_loop()
    growth = asyncio.create_task(scenario.live(server, options.rate))
    if options.control:
        await control.listen(server, options.control)

    async def reply(line):
        try:
            print(await session.answer(line), flush=True)
        except Dropped:
            os._exit(1)  # as an ssh session that breaks: the thread that reads must not hold it up

    while not session.ended:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        line = line.rstrip("\r\n")
        if not line or line.startswith("//"):
            continue
        task = asyncio.create_task(reply(line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(0)
    if tasks:
        await asyncio.wait(tasks)
    growth.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, told in the first line of output")
    parser.add_argument("--cert"), parser.add_argument("--key")
    parser.add_argument("--plain", action="store_true", help="no TLS: for tests of the stand-in itself")
    parser.add_argument("--single", action="store_true", help="one session on standard input and output, without login")
    parser.add_argument("--control", help="where commands are taken: the path of a Unix socket, or a TCP port")
    parser.add_argument("--user", default="AUDITOR"), parser.add_argument("--password", default="secret")
    parser.add_argument("--reorder", type=float, default=0, metavar="SECONDS", help="hold answers back up to so long, so that they overtake each other")
    scenario.arguments(parser)
    options = parser.parse_args()
    if not (options.single or options.plain or (options.cert and options.key)):
        parser.error("--cert and --key are needed, or --plain, or --single")
    server = scenario.build(options)
    try:
        asyncio.run((single if options.single else serve)(server, options))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
