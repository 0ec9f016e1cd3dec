"""Reads a controller's REST API, and says in one line why it could not."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from pdsno.cli.api_access import ApiTarget
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    OperationError,
    TransientError,
)
from pdsno.integrations.nib_rest import CA_VARIABLE, TOKEN_VARIABLE

if TYPE_CHECKING:
    import requests

_CONNECT_S = 5.0
_READ_S = 60.0
_PAGE = 1000
_SILENT_S = 45.0
"""A stream tells every 15 s that it is there: three are missing then."""
_OK, _CREATED, _BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND = 200, 201, 400, 401, 404
_UNPROCESSABLE = 422
_GONE, _STALE, _TOO_MANY, _SERVER_ERROR = 410, 412, 429, 500
_DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class GoneError(OperationError):
    """What was asked for was there once: a place in the event log that is no longer kept."""


class NIBClient:
    """One controller's API. A context manager; not to be shared between threads.

    Methods raise InputError if the API refused what was asked, NotFoundError, TransientError if
    it cannot be reached, and OperationError for any other failure.
    """

    def __init__(self, target: ApiTarget) -> None:
        from pdsno.http_session import own_session

        self.url = target.url
        self.has_more = False
        self._target = target
        self._session = own_session()
        self._session.verify = str(target.ca) if target.ca else True
        if target.token is not None:
            self._session.headers["Authorization"] = f"Bearer {target.token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def items(
        self, resource: str, filters: Mapping[str, str], *, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield a list's items, page by page: all, or `limit` and then set `has_more`."""
        self.has_more = False
        cursor: str | None = None
        left = limit
        while True:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self._page(resource, {**filters, "limit": str(size)}, cursor)
            yield from page["items"]
            following = page["next_cursor"]
            if left is not None:
                left -= len(page["items"])
                if left <= 0:
                    self.has_more = following is not None
                    return
            if following is None:
                return
            if following == cursor:
                raise OperationError(f"{self.url} gives the same page again and again")
            cursor = following

    def endpoint(self, named: str) -> dict[str, Any]:
        """Return one endpoint whole, named by its ID, or by a MAC or address it alone has."""
        if _DEVICE_ID.fullmatch(named):
            with suppress(NotFoundError):
                return self._whole("endpoints", named, "endpoint_id")
        kind = _kind(named)
        found = [] if kind == "name" else list(self.items("endpoints", {kind: named}, limit=10))
        if not found:
            raise NotFoundError(
                f"there is no endpoint {named!r} in the NIB at {self.url} (looked for an ID, a "
                "MAC, an address); pdsno nib endpoints lists all"
            )
        if len(found) > 1:
            choices = ", ".join(f"{e['endpoint_id']} ({e['namespace']})" for e in found)
            raise InputError(f"{named!r} is more than one endpoint, give an ID: {choices}")
        return self._whole("endpoints", found[0]["endpoint_id"], "endpoint_id")

    def device(self, named: str, *, as_of: str | None = None) -> dict[str, Any]:
        """Return one device whole, named by its ID, or by a name, MAC or address it alone has.

        With `as_of` as it was at that time, and by what it was called then.
        """
        at = {} if as_of is None else {"as_of": as_of}
        if _DEVICE_ID.fullmatch(named):
            with suppress(NotFoundError):
                return self._whole("devices", named, "device_id", at)
        found = list(self.items("devices", {_kind(named): named, **at}, limit=10))
        if not found:
            raise NotFoundError(
                f"there is no device {named!r} in the NIB at {self.url} (looked for an ID, "
                "a name, a MAC, an address); pdsno nib devices lists all"
            )
        if len(found) > 1:
            choices = ", ".join(f"{d['device_id']} ({d['region']})" for d in found)
            raise InputError(f"{named!r} is more than one device, give an ID: {choices}")
        return self._whole("devices", found[0]["device_id"], "device_id", at)

    def history_path(self, named: str) -> str:
        """Return the resource with a device's history; also of an ID that is there no more."""
        if _DEVICE_ID.fullmatch(named):
            path = f"devices/{quote(named, safe='')}/history"
            try:
                self._get(path, {"limit": "1"})
            except NotFoundError:
                pass
            else:
                return path
        return f"devices/{quote(self.device(named)['device_id'], safe='')}/history"

    def history_from(self) -> datetime:
        """Return since when the history there is whole."""
        answer = self._get("history", {"limit": "1"})
        try:
            return datetime.fromisoformat(answer["kept_from"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._stranger() from error

    def edit_device(self, found: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a device as it was read, and return it; ConflictError if it has moved on."""
        path = f"devices/{quote(found['device_id'], safe='')}"
        answer = self.call("PATCH", path, changes, {"If-Match": f'"{found["version"]}"'})
        if "device_id" not in answer:
            raise self._stranger()
        return answer

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return one resource."""
        return self._get(path, query or {})

    def post(
        self, path: str, body: Mapping[str, Any], *, version: int | None = None
    ) -> dict[str, Any]:
        """Send an order and return its answer; `version` is that of what was looked at."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        with self._translated():
            response = self._session.post(
                f"{self.url}/api/v1/{path}",
                json=dict(body),
                headers=headers,
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,
            )
        return self._answer(response)

    def health(self) -> dict[str, Any]:
        """Return who answers here, and how it is."""
        answer = self._get("health", {})
        if "role" not in answer:
            raise self._stranger()
        return answer

    def chunks(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield an answer piece by piece as it comes, until it ends.

        Yields an empty piece first, as soon as the API has agreed. Raises as the other methods,
        GoneError as well, and TransientError if nothing comes for longer than the API is silent.
        """
        with self._asked(path, query, is_stream=True) as response:
            if response.status_code != _OK:
                raise self._refusal(response.status_code, _object(response))
            yield b""
            with self._translated():
                yield from response.iter_content(None)

    def _whole(
        self, resource: str, named: str, key: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return one item by its ID, which stands under `key`."""
        answer = self._get(f"{resource}/{quote(named, safe='')}", query or {})
        if key not in answer:
            raise self._stranger()
        return answer

    def _page(self, resource: str, query: dict[str, str], cursor: str | None) -> dict[str, Any]:
        page = self._get(resource, query if cursor is None else {**query, "cursor": cursor})
        following = page.get("next_cursor")
        if not isinstance(page.get("items"), list) or not isinstance(following, str | None):
            raise self._stranger()
        return {"items": page["items"], "next_cursor": following}

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Change something: return what the API says of it."""
        with self._translated():
            response = self._session.request(
                method,
                f"{self.url}/api/v1/{path}",
                json=body,
                headers=headers,
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,
            )
        return self._answer(response)

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        return self._answer(self._asked(path, query))

    def _answer(self, response: "requests.Response") -> dict[str, Any]:
        body = _object(response)
        if response.status_code in {_OK, _CREATED} and body is not None:
            return body
        raise self._refusal(response.status_code, body)

    def _asked(
        self, path: str, query: Mapping[str, str], *, is_stream: bool = False
    ) -> "requests.Response":
        with self._translated():
            return self._session.get(
                f"{self.url}/api/v1/{path}",
                params=query,
                timeout=(_CONNECT_S, _SILENT_S if is_stream else _READ_S),
                allow_redirects=False,
                stream=is_stream,
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn a library's errors into ours, which say why and what helps."""
        import requests

        try:
            yield
        except requests.Timeout as error:
            raise TransientError(
                f"the API at {self.url} gave no answer in time; is the controller overloaded, "
                "or a firewall in between?"
            ) from error
        except requests.exceptions.SSLError as error:
            raise OperationError(self._untrusted(error)) from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise TransientError(f"the API at {self.url} broke off its answer") from error
        except requests.RequestException as error:
            raise TransientError(
                f"cannot reach the API at {self.url}: {_cause(error)}; start a controller "
                "(pdsno demo, pdsno up) or name another API with --api URL or PDSNO_API"
            ) from error

    def _refusal(self, status: int, body: Mapping[str, Any] | None) -> Exception:
        detail = body.get("detail") if body else None
        if status < _BAD_REQUEST or not isinstance(detail, str):
            return self._stranger()
        if status == _UNAUTHORIZED:
            return InputError(self._unauthorized(detail))
        if status == _NOT_FOUND:
            return NotFoundError(f"{self.url}: {detail}")
        if status in {_BAD_REQUEST, _UNPROCESSABLE}:
            return InputError(detail)
        if status == _STALE:
            return ConflictError(detail)
        text = f"the API at {self.url} answered {status}: {detail}"
        if status == _GONE:
            return GoneError(text)
        is_passing = status == _TOO_MANY or status >= _SERVER_ERROR
        return TransientError(text) if is_passing else OperationError(text)

    def _unauthorized(self, detail: str) -> str:
        if self._target.token is None:
            return (
                f"the API at {self.url} needs a token: on the controller's machine `pdsno "
                f"api-token create --name NAME --role viewer --save {self.url}` makes and keeps "
                f"one; elsewhere name it by --token-file or {TOKEN_VARIABLE}"
            )
        return f"the API at {self.url} refused the token {self._target.origin}: {detail}"

    def _untrusted(self, error: Exception) -> str:
        if "WRONG_VERSION_NUMBER" in str(error):
            return f"what listens at {self.url} speaks no TLS: use http://"
        reason = re.search(r"certificate verify failed: ([^(]*)", str(error))
        why = f" ({reason[1].strip()})" if reason else ""
        return (
            f"the certificate of {self.url} cannot be verified{why}: name its CA with --ca FILE "
            f"or {CA_VARIABLE}"
        )

    def _stranger(self) -> OperationError:
        return OperationError(
            f"what listens at {self.url} is not a PDSNO API; name one with --api URL or PDSNO_API"
        )


def _object(response: "requests.Response") -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _cause(error: Exception) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    name = type(reason or error).__name__
    return {
        "NewConnectionError": "nobody listens there",
        "NameResolutionError": "the name is not known",
        "ConnectTimeoutError": "no answer",
        "ConnectionError": "the connection broke (does it speak TLS? then use https://)",
    }.get(name, name)


def _kind(named: str) -> str:
    """Return the filter that finds what people call a device."""
    from ipaddress import ip_address

    from pdsno.domain.identifiers import normalise_mac

    try:
        ip_address(named)
    except ValueError:
        pass
    else:
        return "ip"
    try:
        normalise_mac(named)
    except InputError:
        return "name"
    return "mac"
