"""Reads devices, endpoints and links from a controller's REST API."""

from pathlib import Path
from typing import Any

import requests

from pdsno.domain.errors import OperationError
from pdsno.lab.verify import SeenDevice, SeenLink

_TIMEOUT_S = 10.0
_PAGE = 500
_UNAUTHORIZED = 401


def _pages(session: requests.Session, api: str, resource: str) -> list[dict[str, Any]]:
    """Read a whole list, page by page."""
    url = f"{api.rstrip('/')}/api/v1/{resource}"
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
        try:
            response = session.get(url, params=query, timeout=_TIMEOUT_S)
            response.raise_for_status()
            answer = response.json()
        except (requests.RequestException, ValueError) as error:
            raise OperationError(f"cannot read {url}: {_cause(error)}") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
            raise OperationError(f"{url} does not answer as a PDSNO controller")
        found += answer["items"]
        cursor = answer.get("next_cursor")
        if not cursor:
            return found


def _cause(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified (--ca FILE names its CA)"
    if isinstance(error, requests.ConnectionError):
        return "nobody answers there"
    if isinstance(error, requests.Timeout):
        return f"no answer in {_TIMEOUT_S:.0f} s"
    if isinstance(error, requests.HTTPError):
        if error.response.status_code == _UNAUTHORIZED:
            return "it needs a good token (pdsno api-token create --save URL)"
        return f"HTTP status {error.response.status_code}"
    return "the answer is not JSON"


def read_nib(
    api: str, *, token: str | None = None, ca: Path | None = None
) -> tuple[list[SeenDevice], list[SeenLink]]:
    """Read a NIB over REST; endpoints come after the devices.

    `ca` is of the API's certificate. Raises OperationError if it cannot be read or understood.
    """
    with requests.Session() as session:
        session.trust_env = False  # a lab is never behind a proxy
        session.verify = str(ca) if ca else True
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        devices = [SeenDevice.from_json(item) for item in _pages(session, api, "devices")]
        hosts = [SeenDevice.from_endpoint(item) for item in _pages(session, api, "endpoints")]
        links = [SeenLink.from_json(item) for item in _pages(session, api, "links")]
    return [*devices, *hosts], links
