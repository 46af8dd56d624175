#!/usr/bin/env python3
"""Receives datagrams and says when they came, by the kernel's own clock: what a limit a second is judged by.

    udp_times.py SECONDS [QUIET]

Prints its port, then listens until nothing came for QUIET seconds (default 3) or SECONDS are over. Prints a JSON object:
count, seconds between the first and the last, and the most that came within any second, however it begins. The kernel stamps
a datagram on the loopback device when it is sent, so a receiver that is late changes nothing."""
import json
import socket
import struct
import sys
import time

SO_TIMESTAMPNS = 35

limit = float(sys.argv[1])
quiet = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
times = []
end = time.monotonic() + limit
s.settimeout(limit)
while time.monotonic() < end:
    try:
        _, control, _, _ = s.recvmsg(65536, 64)
    except TimeoutError:
        break
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanos = struct.unpack("qq", data[:16])
            times.append(seconds * 1_000_000_000 + nanos)
    s.settimeout(quiet)
most = first = 0
for last, t in enumerate(times):
    while t - times[first] >= 1_000_000_000:
        first += 1
    most = max(most, last - first + 1)
print(json.dumps({"count": len(times), "seconds": (times[-1] - times[0]) / 1e9 if times else 0, "most": most}))
