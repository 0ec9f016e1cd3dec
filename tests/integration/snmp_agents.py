"""SNMP agents that misbehave: one UDP socket, one thread, a dict of rows."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]
from pysnmp.proto import api  # type: ignore[import-untyped]

GET_BULK = "GetBulkRequestPDU"
READS = {GET_BULK, "GetNextRequestPDU", "GetRequestPDU"}
NO_SUCH_NAME, TOO_BIG, GEN_ERR = 2, 1, 5

Oid = tuple[int, ...]
Fault = Callable[[str, int], int]
"""Error status for (kind of request, max-repetitions); 0 for a proper answer."""


def oid(text: str) -> Oid:
    return tuple(int(arc) for arc in text.split("."))


def system(name: str = "odd", object_id: str = "1.3.6.1.4.1.9999.1") -> dict[Oid, object]:
    """Return a system group and two interfaces."""
    root = "1.3.6.1.2.1"
    return {
        oid(f"{root}.1.1.0"): b"An odd agent",
        oid(f"{root}.1.2.0"): oid(object_id),
        oid(f"{root}.1.5.0"): name.encode(),
        **{oid(f"{root}.2.2.1.2.{n}"): f"port{n}".encode() for n in (1, 2)},
        **{oid(f"{root}.2.2.1.3.{n}"): 6 for n in (1, 2)},
    }


class OddAgent:
    """Answers as a real one but for what it is told to do wrong.

    `versions` are 0 (SNMPv1) and 1 (SNMPv2c). `endless` makes up a row after every row beneath
    that OID. `asked` has the time of each request, `kinds` what kinds they were; `overlaps` counts
    requests that came before the answer to the one before had gone.
    """

    def __init__(
        self,
        rows: Mapping[Oid, object] | None = None,
        *,
        versions: tuple[int, ...] = (1,),
        delay_s: float = 0.0,
        fault: Fault = lambda _kind, _most: 0,
        endless: Oid | None = None,
        mute_beneath: Oid | None = None,
    ) -> None:
        self._rows = dict(sorted((system() if rows is None else rows).items()))
        self._versions, self._delay_s, self._fault = versions, delay_s, fault
        self._endless, self._mute_beneath = endless, mute_beneath
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port = int(self._socket.getsockname()[1])
        self.asked: list[float] = []
        self.kinds: set[str] = set()
        self.overlaps = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                request, client = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            self.asked.append(time.monotonic())
            self._stop.wait(self._delay_s)
            self._socket.setblocking(False)
            try:
                self._socket.recv(1, socket.MSG_PEEK)
                self.overlaps += 1
            except BlockingIOError:
                pass
            self._socket.settimeout(0.05)
            if answer := self._answer(request):
                self._socket.sendto(answer, client)

    def _answer(self, request: bytes) -> bytes | None:
        version = int(api.decodeMessageVersion(request))
        if version not in self._versions:
            return None
        module = api.PROTOCOL_MODULES[version]
        message, _ = decoder.decode(request, asn1Spec=module.Message())
        pdu = module.apiMessage.get_pdu(message)
        response = module.apiMessage.get_response(message)
        told = module.apiMessage.get_pdu(response)
        kind = type(pdu).__name__
        self.kinds.add(kind)
        is_bulk = kind == GET_BULK
        most = int(api.v2c.apiBulkPDU.get_max_repetitions(pdu)) if is_bulk else 1
        names = [tuple(name) for name, _ in module.apiPDU.get_varbinds(pdu)]
        if self._mute_beneath and names[0][: len(self._mute_beneath)] == self._mute_beneath:
            return None
        if status := self._fault(kind, most):
            module.apiPDU.set_error_status(told, status)
            module.apiPDU.set_error_index(told, 1)
            return bytes(encoder.encode(response))
        if kind == "GetRequestPDU":
            rows = [(name, self._rows.get(name)) for name in names]
        else:
            rows = list(itertools.islice(self._after(names[0]), most))
        module.apiPDU.set_varbinds(
            told, [(module.ObjectIdentifier(name), _typed(value)) for name, value in rows]
        )
        return bytes(encoder.encode(response))

    def _after(self, name: Oid) -> Any:  # noqa: ANN401 - an iterator of rows
        endless = self._endless
        if endless and name[: len(endless)] == endless:
            start = name[len(endless)] if len(name) > len(endless) else 0
            for number in itertools.count(start + 1):
                yield (*endless, number), b"more"
        yield from ((key, value) for key, value in self._rows.items() if key > name)
        yield (1, 3, 7), None


def _typed(value: object) -> Any:  # noqa: ANN401 - pyasn1 is untyped
    if value is None:
        return api.v2c.NoSuchInstance("")
    if isinstance(value, bytes):
        return api.v2c.OctetString(value)
    if isinstance(value, tuple):
        return api.v2c.ObjectIdentifier(value)
    return api.v2c.Integer(value)
