"""What will go: told in the OpenAPI document and in each answer that it is used in."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from fastapi import Response

IN_SCHEMA: dict[str, Any] = {"deprecated": True}
"""For a parameter or a route that will go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deprecation:
    """Since when something is not to be used, when it goes at the earliest, and what is instead.

    Times are aware; `sunset` is at least six months after `since`.
    """

    since: datetime
    sunset: datetime
    instead: str

    def mark(self, response: Response) -> Response:
        """Return the answer with the headers of RFC 9745 and RFC 8594."""
        response.headers["Deprecation"] = f"@{int(self.since.timestamp())}"
        response.headers["Sunset"] = format_datetime(self.sunset, usegmt=True)
        response.headers["Link"] = f'<{self.instead}>; rel="successor-version"'
        return response
