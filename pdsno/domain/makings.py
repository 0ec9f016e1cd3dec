"""Why a device is one: the latest evidence of its making, kept to be shown and to be undone.

At a local controller a device is made of accounts: what SNMP told at one address, what SSH told at
another, MACs that answered. At the tiers above it is made of what reporters say; there `told`
repeats each reporter's own reasons, and `joined` ours for taking two of their devices for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

MOST_JOINED = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What one source told at one address, or one MAC that answered: never in two devices."""

    label: str
    macs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    serial: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """The reasons of one controller for one device, which it calls `device_id`."""

    by: str
    device_id: str
    lines: tuple[str, ...]
    accounts: tuple[Account, ...] = ()
    has_facts: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """Something became part of the device: `other`, by the word of a controller or an operator."""

    at: datetime
    other: str
    because: tuple[str, ...]
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """The latest evidence of a device's making, the newest of `joined` first."""

    device_id: str
    told: tuple[Told, ...] = ()
    joined: tuple[Joined, ...] = ()


def with_told(making: Making, told: Told) -> Making:
    """Return a making with a controller's newer word on its device in place of its older one."""
    others = [t for t in making.told if (t.by, t.device_id) != (told.by, told.device_id)]
    ordered = sorted([*others, told], key=lambda t: (t.by, t.device_id))
    return replace(making, told=tuple(ordered))


def without_accounts(making: Making) -> Making:
    """Return a making as it travels upwards: its reasons, without what they were made of."""
    return replace(making, told=tuple(replace(t, accounts=()) for t in making.told))


def with_joined(making: Making, *joined: Joined) -> Making:
    """Return a making that tells what became part of the device just now."""
    return replace(making, joined=(*joined, *making.joined)[:MOST_JOINED])


def united(keeper: Making, absorbed: Sequence[Making], *joined: Joined) -> Making:
    """Return the making of a device that absorbed others."""
    for other in absorbed:
        for told in other.told:
            keeper = with_told(keeper, told)
    earlier = [item for other in absorbed for item in other.joined]
    newest = sorted([*keeper.joined, *earlier], key=lambda j: j.at, reverse=True)
    return with_joined(replace(keeper, joined=tuple(newest)), *joined)
