"""Policy files: read strictly into `pdsno.domain.policy.Policy`, and compared for people."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pdsno.domain.errors import InputError
from pdsno.domain.policy import Policy, RegionPolicy, check_policy
from pdsno.policy.strict_reader import Document, from_plain, parse, typed

T = TypeVar("T")

_NOT_TOLD = frozenset({"local_controllers", "pause", "overlay"})

_POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)


def load_policy(path: Path) -> Policy:
    """Return the sound policy in a YAML or JSON file.

    Without `epoch` and `version` in it, the global controller numbers it. Raises InputError: one
    line with file, line, field, and what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the policy {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the policy {path} is not UTF-8 text") from error
    try:
        return parse_policy(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_policy(text: str) -> Policy:
    """Return the sound policy of a YAML or JSON text. Raises InputError."""
    return _sound(parse(text))


def policy_from(document: Mapping[str, Any]) -> Policy:
    """Return the sound policy of values that came as JSON (the admin socket). Raises InputError."""
    return _sound(from_plain(document))


def _sound(document: Document) -> Policy:
    if not isinstance(document.value, Mapping):
        raise InputError("a policy is a mapping: begin with `regions:`")
    return check_policy(typed(document, _POLICY, Policy))


def describe_changes(old: Policy | None, new: Policy) -> tuple[str, ...]:
    """Return what differs, a line each, for people; empty if only the number does."""
    return tuple(
        _compare(
            "region",
            (old or Policy()).regions,
            new.regions,
            key=lambda region: region.region,
            inside=_region_changes,
        )
    )


def _compare(
    kind: str,
    old: Sequence[T],
    new: Sequence[T],
    *,
    key: Callable[[T], str],
    inside: Callable[[T, T], Iterator[str]],
) -> Iterator[str]:
    before, after = {key(item): item for item in old}, {key(item): item for item in new}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{kind} {name}: removed"
        elif name not in before:
            yield f"{kind} {name}: added ({_summary(after[name])})"
        else:
            for line in inside(before[name], after[name]):
                yield f"{kind} {name}: {line}"


def _region_changes(old: RegionPolicy, new: RegionPolicy) -> Iterator[str]:
    yield from _field_changes(old, new)
    yield from _compare(
        "local controller",
        old.local_controllers,
        new.local_controllers,
        key=lambda local: local.controller_id,
        inside=_field_changes,
    )


def _field_changes(old: object, new: object) -> Iterator[str]:
    for name in _plain_fields(new):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"{name} {_text(before)} -> {_text(after)}"


def _plain_fields(item: object) -> Iterator[str]:
    """Yield the fields that are values of their own, not lists of other things."""
    assert dataclasses.is_dataclass(item)  # noqa: S101 - only ours come here
    for field in dataclasses.fields(item):
        if field.name not in _NOT_TOLD:
            yield field.name


def _summary(item: object) -> str:
    subnets = getattr(item, "subnets", None)
    if subnets is not None:
        return _text(subnets)
    count = len(getattr(item, "local_controllers", ()))
    return f"{count} local controller{'' if count == 1 else 's'} named"


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"
