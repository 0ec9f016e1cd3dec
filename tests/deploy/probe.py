"""Asks a URL again and again and writes `SECONDS 0|1` lines: whether it answered 200.

Run in a host's network namespace, to ask what listens on that host's loopback only.
"""

import ssl
import sys
import time
import urllib.request
from pathlib import Path

_INTERVAL_S = 0.25


def main(url: str, file: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whether it serves, not who it is
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with file.open("w", buffering=1) as out:
        while True:
            try:
                with opener.open(url, timeout=2) as answer:
                    is_up = answer.status == 200
            except OSError:
                is_up = False
            out.write(f"{time.monotonic():.3f} {int(is_up)}\n")
            time.sleep(_INTERVAL_S)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
