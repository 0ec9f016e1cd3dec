"""Calls a server of this process from another one, so that the server has its interpreter alone."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CALLER = """
import json, socket, ssl, sys, threading, time
plan = json.loads(sys.stdin.read())
context = None
if plan["tls"]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(plan["tls"]["roots"])
    context.load_cert_chain(plan["tls"]["certificate"])
requests = [request.encode() for request in plan["requests"]]
def connect():
    sock = socket.create_connection(("127.0.0.1", plan["port"]), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname=plan["tls"]["name"]) if context else sock
def answer(sock):
    data = sock.recv(262144)
    while b"\\r\\n\\r\\n" not in data:
        data += sock.recv(262144)
    head, _, body = data.partition(b"\\r\\n\\r\\n")
    missing = int(head.lower().partition(b"content-length: ")[2].split(b"\\r\\n")[0]) - len(body)
    while missing:
        missing -= len(sock.recv(262144))
    return head
def work(mine):
    sock = connect()
    for request in mine:
        started = time.perf_counter()
        sock.sendall(request)
        head = answer(sock)
        times.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200"):
            failures.append(head.decode())
            return
    sock.close()
failures, times = [], []
count = plan["connections"]
threads = [threading.Thread(target=work, args=(requests[n::count],)) for n in range(count)]
started = time.perf_counter()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"failures": failures, "took_s": time.perf_counter() - started, "times": times}))
"""


@dataclass(frozen=True, kw_only=True)
class CallerTLS:
    """Who calls, whom they trust, and what the server is called."""

    certificate: Path
    roots: Path
    name: str


@dataclass(frozen=True)
class Speed:
    """Requests a second by the clock, what one costs the server's process in CPU, and how long."""

    per_s: float
    cpu_us: float
    times_ms: tuple[float, ...]

    @property
    def percentiles(self) -> str:
        """The median and the 99th percentile of how long an answer took."""
        slow = self.times_ms[int(len(self.times_ms) * 0.99)]
        return f"p50 {statistics.median(self.times_ms):.2f} ms, p99 {slow:.2f} ms"


def speed(
    port: int, requests: Sequence[bytes], *, connections: int, tls: CallerTLS | None = None
) -> Speed:
    """Return how fast a server of this process answers requests, each of which must succeed."""
    plan = {
        "port": port,
        "tls": tls and {name: str(value) for name, value in vars(tls).items()},
        "requests": [request.decode() for request in requests],
        "connections": connections,
    }
    started = time.process_time()
    done = subprocess.run(
        [sys.executable, "-c", CALLER],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    cpu_s = time.process_time() - started
    told = json.loads(done.stdout)
    assert told["failures"] == []
    assert len(told["times"]) == len(requests)
    return Speed(
        per_s=len(requests) / told["took_s"],
        cpu_us=cpu_s / len(requests) * 1e6,
        times_ms=tuple(sorted(one * 1000 for one in told["times"])),
    )


def cpu_of(speeds: Sequence[Speed]) -> float:
    """Return the least CPU of several rounds: what others do on the machine only adds to it."""
    return min(speed.cpu_us for speed in speeds)
