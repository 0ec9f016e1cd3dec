"""`PATCH /devices/{id}`: what a person sets on a device, and releases again."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from pdsno.api.actions import Actions
from pdsno.api.answers import DeviceDetail, device_detail, json_response
from pdsno.api.etags import device_etag, versions_in
from pdsno.api.history_view import HistoryView, HistoryViewOf
from pdsno.api.info import ControllerInfo
from pdsno.api.queries import Id, IfMatch, no_parameters
from pdsno.controllers.device_edits import DeviceEdit, edit_device
from pdsno.domain.entities import DeviceType
from pdsno.domain.ownership import Value
from pdsno.domain.ports import NIB

_DETAIL = TypeAdapter(DeviceDetail)
_MOST_TAGS = 64


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line without control characters or spaces around it")
    return text


def _lines(text: str) -> str:
    if not all(char.isprintable() or char in "\n\t" for char in text) or not text.strip():
        raise ValueError("must be text without control characters")
    return text


def _tags(tags: list[str]) -> list[str]:
    return sorted(set(tags))


_Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_one_line)]
_Tag: TypeAlias = Annotated[str, Field(pattern=r"^[\w.:/@+-]{1,64}$")]


class DeviceChanges(BaseModel):
    """Fields to set; null releases one to what the device's sources tell."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"minProperties": 1, "examples": [{"notes": "rack 4"}]},
    )

    name: _Line | None = None
    device_type: DeviceType | None = None
    notes: Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_lines)] | None = (
        None
    )
    tags: Annotated[list[_Tag], Field(max_length=_MOST_TAGS), AfterValidator(_tags)] | None = Field(
        default=None, description="All of them; an empty list releases like null."
    )
    site: _Line | None = None
    location: _Line | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "DeviceChanges":
        if not self.model_fields_set:
            raise ValueError(f"nothing to change: give one of {', '.join(type(self).model_fields)}")
        return self

    def changes(self) -> dict[str, Value | None]:
        """Return the value of each field that was given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            name: (tuple(value) or None) if isinstance(value, list) else value and str(value)
            for name, value in given.items()
        }


def router(
    nib: NIB,
    view_of: HistoryViewOf,
    controller: Callable[[], ControllerInfo],
    actions: Actions,
) -> APIRouter:
    """Return the routes that change devices; `view_of` asks for the role."""
    routes = APIRouter(prefix="/devices", tags=["devices"])

    @routes.patch(
        "/{device_id}", response_model=DeviceDetail, dependencies=[Depends(no_parameters)]
    )
    def edit_one_device(
        device_id: Id,
        changes: DeviceChanges,
        view: Annotated[HistoryView, Depends(view_of)],
        if_match: IfMatch = None,
    ) -> Response:
        """Set fields of a device; they hold, whatever the device tells, until they are released.

        Needs the role operator. With `If-Match` it is done only if the device has that version
        still (412). Sets what is given, leaves the rest; an event names who did it.
        """
        wanted = DeviceEdit(
            device_id=device_id,
            changes=changes.changes(),
            by=view.operator.name,
            versions=versions_in(if_match),
            may_see=view.may_see,
        )
        device = edit_device(nib, wanted, controller().tier)
        actions.tell_above()
        answer = json_response(_DETAIL, device_detail(device))
        answer.headers["ETag"] = device_etag(device)
        return answer

    return routes
