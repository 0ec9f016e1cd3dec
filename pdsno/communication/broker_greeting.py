"""The first two packets of MQTT 5, by hand: enough to know whether a broker answers."""

import socket
import ssl

_CONNECT = bytes.fromhex("100d00044d5154540502000a000000")
"""CONNECT: clean start, keepalive 10 s, no properties, no client ID."""
_CONNECT_AS_KNOWN = bytes.fromhex("101200044d5154540500000a0511000151800000")
"""The same without clean start, and with a session that lasts for a day, as our clients ask for."""
_DISCONNECT = bytes.fromhex("e000")
_CONNACK = 0x20
_HEAD = 4
"""Type, length, flags, reason: a length of two bytes is more than any broker sends here."""


def greet(connection: "socket.socket | ssl.SSLSocket", *, is_known: bool = False) -> int | None:
    """Return the reason code of the broker's answer, 0 for a welcome; None if it is no MQTT 5.

    A broker that knows us by our certificate (`is_known`) takes this for the client of that name:
    its session and what waits in it are kept, but a live connection ends. Says goodbye, so that
    the broker logs no error. Raises OSError.
    """
    connection.sendall(_CONNECT_AS_KNOWN if is_known else _CONNECT)
    answer = b""
    while len(answer) < _HEAD:
        more = connection.recv(_HEAD - len(answer))
        if not more:
            break
        answer += more
    if len(answer) < _HEAD or answer[0] != _CONNACK:
        return None
    if answer[3] == 0:
        connection.sendall(_DISCONNECT)
    return answer[3]
