"""Reads NetBox's REST API: GET only, and says in one line why it could not.

NetBox 3.7 to 4.x. The token goes to the host that was named and to no other: redirects are not
followed, and of a page's `next` only the query is taken.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import requests

from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.http_session import own_session

PAGE = 500
MOST_ITEMS = 1_000_000
_MOST_BYTES = 64 << 20
_CONNECT_S, _READ_S, _PAGE_S = 5.0, 60.0, 180.0
_PORTS = {"http": 80, "https": 443}
_PASSING = frozenset({429, 502, 503, 504})
_WAITS_S = (1.0, 3.0)
_LONGEST_WAIT_S = 30.0
_CHUNK = 1 << 16
_OK, _REDIRECT, _ERROR = 200, 300, 400
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


class NetBoxClient:
    """One NetBox, read only. A context manager; not to be shared between threads.

    `items` raises InputError for what the operator gave wrongly (URL, token), TransientError if
    NetBox cannot be reached or is busy, OperationError for an answer that is none of NetBox's.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        ca: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/api")
        self.version = ""
        self._sleep = sleep
        self._session = own_session()
        self._session.verify = str(ca) if ca else True
        self._session.headers["Authorization"] = authorization(token)
        self._session.headers["Accept"] = "application/json"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def items(self, resource: str, query: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Yield all items of a list (`dcim/devices`), page by page, ordered by ID."""
        asked = {"limit": str(PAGE), "ordering": "id", **(query or {})}
        seen: set[frozenset[tuple[str, str]]] = set()
        count = 0
        while True:
            key = frozenset(asked.items())
            if key in seen:
                raise OperationError(f"{self.url} gives the same page of {resource} again")
            seen.add(key)
            page = self._get(resource, asked)
            items, following = page.get("results"), page.get("next")
            if not isinstance(items, list) or not isinstance(following, str | None):
                raise self._stranger(resource)
            yield from self._checked(items, resource)
            count += len(items)
            if following is None:
                return
            if not items or count > MOST_ITEMS:
                why = "an empty page that is not the last" if not items else "no end"
                raise OperationError(f"{self.url} gives {why} of {resource}")
            asked = self._following(following, resource)

    def _checked(self, items: list[Any], resource: str) -> Iterator[Any]:
        for item in items:
            if not isinstance(item, dict) or not isinstance(item.get("id"), int):
                raise self._stranger(resource)
            yield item

    def _following(self, following: str, resource: str) -> dict[str, str]:
        """Return the query of the next page, asked of the same host."""
        own, other = urlsplit(self.url), urlsplit(following)
        if _place(own) != _place(other) and not _is_only_less_secure(own, other):
            raise OperationError(
                f"{self.url} names {other.scheme}://{other.netloc} for the next page of "
                f"{resource}: refused, since the token would go there (is the Host header passed "
                "on by the proxy before NetBox?)"
            )
        return dict(parse_qsl(other.query, keep_blank_values=True))

    # --- one request -----------------------------------------------------------------------

    def _get(self, resource: str, query: Mapping[str, str]) -> dict[str, Any]:
        for wait_s in (*_WAITS_S, None):
            try:
                response, body = self._ask(resource, query)
            except TransientError:
                if wait_s is None:
                    raise
                self._sleep(wait_s)
                continue
            if response.status_code not in _PASSING or wait_s is None:
                return self._understood(resource, response, body)
            self._sleep(_retry_after(response, wait_s))
        raise AssertionError  # the last turn returns or raises

    def _ask(self, resource: str, query: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        try:
            with self._session.get(
                f"{self.url}/api/{resource}/",
                params=query,
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, self._body(resource, response)
        except requests.exceptions.SSLError as error:
            raise InputError(
                f"the certificate of {self.url} cannot be verified: name its CA with "
                "--netbox-ca FILE"
            ) from error
        except requests.Timeout as error:
            raise TransientError(f"NetBox at {self.url} gave no answer in time") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            raise InputError(f"cannot ask {self.url}: {error}") from error
        except requests.RequestException as error:
            raise TransientError(f"cannot reach NetBox at {self.url}: {_cause(error)}") from error

    def _body(self, resource: str, response: requests.Response) -> bytes:
        """Read an answer, neither larger nor slower than a page can be."""
        found = bytearray()
        until = time.monotonic() + _PAGE_S
        for chunk in response.iter_content(_CHUNK):
            found += chunk
            if len(found) > _MOST_BYTES:
                raise OperationError(
                    f"{self.url} answers more than {_MOST_BYTES >> 20} MiB for a page of {resource}"
                )
            if time.monotonic() > until:
                raise TransientError(f"NetBox at {self.url} took too long over {resource}")
        return bytes(found)

    def _understood(
        self, resource: str, response: requests.Response, body: bytes
    ) -> dict[str, Any]:
        status = response.status_code
        if status == _OK:
            self.version = response.headers.get("API-Version", self.version)
            return self._object(resource, response, body)
        if _REDIRECT <= status < _ERROR:
            place = urlsplit(response.headers.get("Location", ""))
            to = f"{place.scheme}://{place.netloc}" if place.netloc else place.path
            raise InputError(f"{self.url} redirects to {to or 'nowhere'}: name that URL instead")
        detail = _detail(body)
        if status == _UNAUTHORIZED or (status == _FORBIDDEN and "token" in detail.lower()):
            raise InputError(f"{self.url} refused the token: {detail or 'HTTP status 401'}")
        if status == _FORBIDDEN:
            raise OperationError(
                f"{self.url} does not let this token read {resource}: give it the permission to "
                f"view them ({detail or 'HTTP status 403'})"
            )
        if status == _NOT_FOUND:
            raise InputError(f"{self.url} has no {resource}: is it the URL of NetBox itself?")
        if status in _PASSING:
            raise TransientError(f"NetBox at {self.url} is busy (HTTP status {status}): try later")
        said = f": {detail}" if detail else ""
        raise OperationError(f"NetBox at {self.url} failed with status {status}{said}")

    def _object(self, resource: str, response: requests.Response, body: bytes) -> dict[str, Any]:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "text/html":
            raise InputError(
                f"{self.url} answers {resource} with a web page, not with the REST API: is it the "
                "URL of NetBox itself, and not of a login page before it?"
            )
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self._stranger(resource) from error
        if not isinstance(found, dict):
            raise self._stranger(resource)
        return found

    def _stranger(self, resource: str) -> OperationError:
        return OperationError(f"what {self.url} answers for {resource} is not NetBox's REST API")


def authorization(token: str) -> str:
    """Return the header for a token: version 2 (NetBox 4.5) is a bearer token, `nbt_KEY.SECRET`."""
    return f"Bearer {token}" if token.startswith("nbt_") else f"Token {token}"


def _place(parts: Any) -> tuple[str, str, int | None]:  # noqa: ANN401 - a urlsplit result
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)


def _is_only_less_secure(own: Any, other: Any) -> bool:  # noqa: ANN401 - urlsplit results
    """Tell whether a proxy that ends TLS made NetBox believe it is asked without: same host."""
    same_host = own.hostname == other.hostname
    return same_host and own.scheme == "https" and other.scheme == "http" and other.port is None


def _retry_after(response: requests.Response, default_s: float) -> float:
    told = response.headers.get("Retry-After", "")
    return min(float(told), _LONGEST_WAIT_S) if told.isdigit() else default_s


def _detail(body: bytes) -> str:
    """Return what NetBox says of a refusal, in a line."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    text = found.get("detail") or found.get("error") if isinstance(found, dict) else None
    return " ".join(text.split())[:200] if isinstance(text, str) else ""


def _cause(error: Exception) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    name = type(reason or error).__name__
    return {
        "NewConnectionError": "nobody listens there",
        "NameResolutionError": "the name is not known",
        "ConnectTimeoutError": "no answer",
        "ConnectionError": "the connection broke (does it speak TLS? then use https://)",
    }.get(name, name)
