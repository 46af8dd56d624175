#!/usr/bin/env python3
"""Sends the records of a length-prefixed capture to a stream source, as a program on the IBM i would (docs/STREAM.md): keeps each
until it is acknowledged, and begins again behind what was when the connection breaks. Shares no code with the product.

    stream_sender.py CAPTURE tcp://HOST:PORT | unix:PATH | tls://HOST:PORT [--ca F --cert F --key F] [--pause SECONDS] [--break-after N]
        [--allow N]

Prints the greeting of every connection; ends when everything is acknowledged. --pause waits after every hundred records, --break-after
closes the first connection after so many records, in the middle of the next one; --allow sends so many, and so many more for each line that
comes on standard input."""
import argparse, os, select, socket, ssl, struct, sys, time

p = argparse.ArgumentParser()
p.add_argument("capture")
p.add_argument("to")
p.add_argument("--ca")
p.add_argument("--cert")
p.add_argument("--key")
p.add_argument("--pause", type=float, default=0)
p.add_argument("--break-after", type=int)
p.add_argument("--allow", type=int)
a = p.parse_args()
data = open(a.capture, "rb").read()
records, at = [], 0
while at < len(data):
    end = at + 4 + struct.unpack(">I", data[at:at + 4])[0]
    records.append(data[at:end])
    at = end


def connect():
    kind, _, rest = a.to.partition(":")
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(rest)
        return s
    host, port = rest.removeprefix("//").rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=20)
    if kind == "tls":
        context = ssl.create_default_context(cafile=a.ca)
        if a.cert:
            context.load_cert_chain(a.cert, a.key)
        s = context.wrap_socket(s, server_hostname=host)
    return s


def exactly(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more:
            raise OSError("closed")
        got += more
    return got


done, deadline, allowed = 0, time.monotonic() + 300, a.allow or len(records)
while done < len(records):
    if time.monotonic() > deadline:
        sys.exit(f"{done} of {len(records)} acknowledged")
    try:
        s = connect()
        print(exactly(s, 64).decode(), flush=True)
        base, sent = done, done
        while done < len(records):
            pending = isinstance(s, ssl.SSLSocket) and s.pending()
            room = sent < min(len(records), allowed) and sent - done < 5000
            asked = [s] + [0] * (allowed < len(records))
            readable, writable, _ = ([s], [], []) if pending else select.select(asked, [s] if room else [], [], 60)
            if not readable and not writable:
                raise OSError("nothing for 60 s")
            if 0 in readable:
                lines = os.read(0, 4096)
                allowed = allowed + lines.count(b"\n") * a.allow if lines else len(records)
            if s in readable:
                done = base + struct.unpack(">Q", exactly(s, 8))[0]
            if writable:
                if a.break_after and sent >= a.break_after:
                    s.sendall(records[sent][:100])
                    a.break_after = None
                    raise OSError("broken on purpose")
                s.sendall(records[sent])
                sent += 1
                if a.pause and sent % 100 == 0:
                    time.sleep(a.pause)
        s.close()
    except OSError as e:
        print(f"again: {e}", file=sys.stderr, flush=True)
        time.sleep(0.2)
