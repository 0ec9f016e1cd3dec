"""Records every frame that arrives at an interface: a line each, until standard input ends.

A line is JSON: `at` (seconds), `kind` (`arp` or `ip`), `to` (the address asked or sent to).
"""

import json
import select
import socket
import struct
import sys
import time

_ALL = 3
_ARP, _IP = 0x0806, 0x0800


def main(interface: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as sock:
        sock.bind((interface, _ALL))
        say("listening")
        while True:
            ready, _, _ = select.select([sock, sys.stdin], [], [])
            if sock in ready:
                frame, where = sock.recvfrom(2048)
                if where[2] != socket.PACKET_OUTGOING:
                    tell(frame)
            elif sys.stdin in ready and not sys.stdin.readline():
                return


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(frame: bytes) -> None:
    (kind,) = struct.unpack_from("!H", frame, 12)
    found = {_ARP: ("arp", frame[38:42]), _IP: ("ip", frame[30:34])}.get(kind)
    if found is not None and len(found[1]) == 4:
        line = {"at": time.monotonic(), "kind": found[0], "to": socket.inet_ntoa(found[1])}
        say(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1])
