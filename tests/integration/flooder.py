"""A flood of validation requests as a program: `flooder.py PORT NAME ROOTS EACH SOURCE...`.

Sends a request, read from standard input, so often from each source, over connections that stay
open; prints how often each status came, as JSON.
"""

import http.client
import json
import ssl
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.integration.trust_rig import secured

_PATH = "/messages/validation_request"


def flood(port: int, name: str, roots: str, each: int, source: str, raw: bytes) -> Counter[int]:
    context = ssl.create_default_context(cafile=roots)
    statuses: Counter[int] = Counter()
    while statuses.total() < each:
        try:
            with secured(context, port, name=name, source=source) as sock:
                line = http.client.HTTPConnection("127.0.0.1")
                line.sock = sock
                while statuses.total() < each:
                    line.request("POST", _PATH, body=raw)
                    answer = line.getresponse()
                    answer.read()
                    statuses[answer.status] += 1
                    if answer.will_close:
                        break
        except (OSError, http.client.HTTPException):
            statuses[0] += 1
    return statuses


def main() -> None:
    port, name, roots, each, *sources = sys.argv[1:]
    raw = sys.stdin.buffer.read()
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(
            lambda source: flood(int(port), name, roots, int(each), source, raw), sources
        )
        print(json.dumps(sum(counts, Counter[int]())))  # noqa: T201 - what it is asked for


if __name__ == "__main__":
    main()
