"""Query parameters: strictly read, the same habits in every list."""

import ipaddress
import json
from typing import Annotated, Any, TypeAlias

from fastapi import HTTPException, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from pdsno.api.cursor import cursor_of, place_of
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_LONGEST_TEXT = 200
_LONGEST_CURSOR = 4096


def _mac(text: str) -> str:
    try:
        return normalise_mac(text)
    except InputError as error:
        raise ValueError(str(error)) from error


def _ip(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither an address nor a prefix") from error
    return text


Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]
Mac: TypeAlias = Annotated[Text, AfterValidator(_mac)]
IpOrPrefix: TypeAlias = Annotated[Text, AfterValidator(_ip)]
AsOf: TypeAlias = Annotated[
    AwareDatetime,
    Field(description="As it was here at this time, with its zone; see `/history` for how far."),
]


class StrictQuery(BaseModel):
    """Query parameters, of which none is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
        if isinstance(given, dict):
            for name in given:
                if name not in cls.model_fields:
                    raise ValueError(
                        f"there is no parameter {name!r} here, only {', '.join(cls.model_fields)}"
                    )
        return given


class ListQuery(StrictQuery):
    """What every list takes; the subclass adds its filters."""

    limit: int = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items of a page, at most."
    )
    cursor: str | None = Field(
        default=None,
        min_length=1,
        max_length=_LONGEST_CURSOR,
        description="`next_cursor` of the page before, with the same filters.",
    )

    def place(self) -> str | None:
        """Return the place where the page starts. Raises InputError for a foreign cursor."""
        return None if self.cursor is None else place_of(self.cursor, self._text())

    def cursor_to(self, place: str | None) -> str | None:
        """Return the cursor of the page that starts behind a place; None if there is none."""
        return None if place is None else cursor_of(place, self._text())

    def _text(self) -> str:
        filters = self.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)
        return f"{type(self).__name__} {json.dumps(filters, sort_keys=True)}"


async def no_parameters(request: Request) -> None:
    """Refuse any query parameter; a dependency of what takes none.

    Answers 422. A coroutine so that it costs no thread.
    """
    if request.query_params:
        name = next(iter(request.query_params))
        raise HTTPException(422, f"there is no parameter {name!r} here: this resource takes none")
