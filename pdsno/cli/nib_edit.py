"""`pdsno nib set|release`: what people know of a device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.completion import device_names
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render_one
from pdsno.domain.errors import ConflictError
from pdsno.domain.ownership import PINNABLE

Row = Mapping[str, Any]
_NAMES = {
    "name": "name",
    "type": "device_type",
    "device_type": "device_type",
    "note": "notes",
    "notes": "notes",
    "tag": "tags",
    "tags": "tags",
    "site": "site",
    "location": "location",
}
_SHOWN = ("device_id", *PINNABLE, "pinned", "version")
_ATTEMPTS = 5


@click.command(
    name="set",
    epilog=examples(
        'pdsno nib set spine1 name=core-1 site=Berlin location="room 2, rack 4"',
        'pdsno nib set 10.1.0.7 type=firewall note="swap the fan in May"',
        "pdsno nib set spine1 tag+=edge tag-=lab",
        "pdsno nib set spine1 tags=edge,prod",
    ),
)
@click.argument("device", shell_complete=device_names)
@click.argument("assignments", nargs=-1, required=True, metavar="FIELD=VALUE...")
@output_option
@api_options
def set_(device: str, assignments: Sequence[str], api: ApiTarget, output: OutputFormat) -> None:
    """Set fields of a device: name, type, note, tag, site, location.

    DEVICE is an ID, or a name, MAC or address that it alone has. What is set holds, whatever the
    device tells, until `pdsno nib release`. tag+= and tag-= add one and take one away; = sets all,
    with commas between them. Needs a token with the role operator.
    """
    changes = [_assignment(text) for text in assignments]

    def wanted(found: Row) -> Row:
        body: dict[str, Any] = {}
        for field, sign, value in changes:
            body[field] = _value(body.get(field, found.get(field)), field, sign, value)
        return body

    _write(device, api, output, wanted)


@click.command(
    epilog=examples(
        "pdsno nib release spine1 name",
        "pdsno nib release spine1 notes tags",
    )
)
@click.argument("device", shell_complete=device_names)
@click.argument("names", nargs=-1, required=True, metavar="FIELD...")
@output_option
@api_options
def release(device: str, names: Sequence[str], api: ApiTarget, output: OutputFormat) -> None:
    """Release fields that were set: they show what the device tells again."""
    body = {_field(name): None for name in names}
    _write(device, api, output, lambda _: body)


def _write(device: str, api: ApiTarget, output: OutputFormat, wanted: Callable[[Row], Row]) -> None:
    """Read, decide and write; again if the device was changed between the two."""
    with NIBClient(api) as client:
        for attempt in range(_ATTEMPTS):
            found = client.device(device)
            try:
                edited = client.edit_device(found, wanted(found))
                break
            except ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
    if output is OutputFormat.TABLE:
        edited = {name: edited.get(name) for name in _SHOWN}
    render_one(edited, fmt=output, title=edited.get("name"))


def _assignment(text: str) -> tuple[str, str, str]:
    name, equals, value = text.partition("=")
    sign = name[-1:] if name[-1:] in ("+", "-") else ""
    field = _field(name.removesuffix(sign) if sign else name)
    if not equals:
        raise click.UsageError(f"{text!r} sets nothing: write {name}=VALUE")
    if not value:
        raise click.UsageError(f"{name}= has no value: to take it back, pdsno nib release")
    if sign and field != "tags":
        raise click.UsageError(f"{name}= is for tags only: write {name[:-1]}=VALUE")
    return field, sign, value


def _field(name: str) -> str:
    if name not in _NAMES:
        choices = "name, type, note, tag, site, location"
        raise click.UsageError(f"{name!r} cannot be set on a device: only {choices}")
    return _NAMES[name]


def _value(current: object, field: str, sign: str, value: str) -> object:
    if field != "tags":
        return value
    given = {tag.strip() for tag in value.split(",") if tag.strip()}
    before = set(current) if isinstance(current, list) else set()
    return sorted({"+": before | given, "-": before - given}.get(sign, given))


COMMANDS = (set_, release)
