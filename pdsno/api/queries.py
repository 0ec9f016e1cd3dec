"""Query parameters: strictly read, the same habits in every list."""

import ipaddress
import json
from dataclasses import fields as fields_of
from typing import Annotated, Any, ClassVar, TypeAlias

from fastapi import Header, HTTPException, Path, Request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from pdsno.api.cursor import cursor_of, place_of
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_LONGEST_TEXT = 200
_LONGEST_CURSOR = 4096
_LONGEST_SORT = 50
_LONGEST_FIELDS = 500


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


Id: TypeAlias = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]+$", max_length=128)]
"""Of a device, an endpoint, an anomaly: in a path."""
IfMatch: TypeAlias = Annotated[
    str | None, Header(description="The ETag of the device as it was read, or its version.")
]
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

    sort: str | None = Field(
        default=None,
        min_length=1,
        max_length=_LONGEST_SORT,
        description="The field to sort by, `-field` for descending; see the enumeration.",
    )
    fields: str | None = Field(
        default=None,
        min_length=1,
        max_length=_LONGEST_FIELDS,
        description="Names of the fields to answer, with commas between; without it all.",
    )

    sorts: ClassVar[tuple[str, ...]] = ()
    """The fields by which the list may be sorted, the default first."""
    item: ClassVar[type | None] = None
    """The dataclass whose fields `fields` may name."""

    @field_validator("sort")
    @classmethod
    def _is_sortable(cls, sort: str | None) -> str | None:
        if sort is not None and sort.removeprefix("-") not in cls.sorts:
            raise ValueError(
                f"this list is sorted by one of {', '.join(cls.sorts)}, with - before it descending"
                if cls.sorts
                else "this list has one order"
            )
        return sort

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, names: str | None) -> str | None:
        known = [] if cls.item is None else [field.name for field in fields_of(cls.item)]
        for name in (names or "").split(",") if names is not None else ():
            if name not in known:
                raise ValueError(f"there is no field {name[:50]!r}, only {', '.join(known)}")
        return names

    @property
    def shown(self) -> frozenset[str] | None:
        """The fields to answer, None for all."""
        return None if self.fields is None else frozenset(self.fields.split(","))

    def place(self) -> str | None:
        """Return the place where the page starts. Raises InputError for a foreign cursor."""
        return None if self.cursor is None else place_of(self.cursor, self._text())

    def cursor_to(self, place: str | None) -> str | None:
        """Return the cursor of the page that starts behind a place; None if there is none."""
        return None if place is None else cursor_of(place, self._text())

    def _text(self) -> str:
        others = {"limit", "cursor", "fields"}
        filters = self.model_dump(mode="json", exclude=others, exclude_none=True)
        return f"{type(self).__name__} {json.dumps(filters, sort_keys=True)}"


async def no_parameters(request: Request) -> None:
    """Refuse any query parameter; a dependency of what takes none.

    Answers 422. A coroutine so that it costs no thread.
    """
    if request.query_params:
        name = next(iter(request.query_params))
        raise HTTPException(422, f"there is no parameter {name!r} here: this resource takes none")
