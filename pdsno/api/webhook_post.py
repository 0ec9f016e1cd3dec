"""One POST to a receiver of events: where it may go, how long it may take, what may come back."""

import ipaddress
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

import pdsno
from pdsno.domain.webhooks import DeliveryOutcome, check_url

_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_GOOD = range(200, 300)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What came of one POST; `error` is one line without anything that the receiver said."""

    outcome: DeliveryOutcome
    status: int | None = None
    error: str | None = None
    latency_ms: float


def post(url: str, body: bytes, headers: dict[str, str]) -> Tried:
    """POST to a receiver, once.

    The name is resolved here, every address is checked, and the connection goes to the address
    that was checked: a name that changes its mind in between leads nowhere else. No redirect is
    followed, no proxy of the environment is used, and of the answer only the status counts.
    """
    began = time.monotonic()

    def tried(
        outcome: DeliveryOutcome, error: str | None = None, status: int | None = None
    ) -> Tried:
        latency = round((time.monotonic() - began) * 1000, 1)
        return Tried(outcome=outcome, status=status, error=error, latency_ms=latency)

    check_url(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = _addresses(host, port)
    except OSError as error:
        return tried(DeliveryOutcome.UNREACHABLE, f"the name cannot be resolved: {error.strerror}")
    if why := _forbidden(addresses, is_plain=parts.scheme == "http"):
        return tried(DeliveryOutcome.FORBIDDEN, why)
    target = parts.path or "/"
    target += f"?{parts.query}" if parts.query else ""
    agent = {"User-Agent": f"pdsno/{pdsno.__version__}", "Host": parts.netloc, **headers}
    try:
        with _pool(parts.scheme, host, addresses[0], port) as pool:
            answer = pool.urlopen(
                "POST",
                target,
                body=body,
                headers=agent,
                timeout=_TIMEOUT,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return tried(DeliveryOutcome.UNREACHABLE, _why(error))
    if answer.status in _GOOD:
        return tried(DeliveryOutcome.DELIVERED, status=answer.status)
    return tried(DeliveryOutcome.REFUSED, f"it answered {answer.status}", answer.status)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def _forbidden(addresses: list[str], *, is_plain: bool) -> str | None:
    """Return why one of these must not be spoken to: a name may not mix good and bad ones."""
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return f"{text} is no address of a receiver (link-local, multicast or none)"
        if is_plain and not address.is_loopback:
            return f"{text} is not loopback: use https"
    return None


def _pool(scheme: str, host: str, address: str, port: int) -> urllib3.HTTPConnectionPool:
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, maxsize=1)
    return urllib3.HTTPSConnectionPool(
        address,
        port,
        maxsize=1,
        cert_reqs="CERT_REQUIRED",
        assert_hostname=host,
        server_hostname=host,
    )


def _why(error: BaseException) -> str:
    if isinstance(error, urllib3.exceptions.SSLError):
        return "its certificate cannot be verified by this machine's roots"
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a kind of time-out, for urllib3
        return "nobody listens there, or nothing leads there"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "it did not answer in time"
    return f"no connection: {type(error).__name__}"
