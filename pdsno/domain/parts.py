"""What a device is made of that could be two: the parts that a person may divide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pdsno.domain.clusters import Clusters
from pdsno.domain.constraints import Marks, marks, marks_of
from pdsno.domain.entities import Device
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import identifying_serial, normalise_mac
from pdsno.domain.makings import Account, Making
from pdsno.domain.ports import NIBReader


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What cannot be divided: one reporter's device, or accounts that share a MAC.

    `names` are what a person may call it by, besides its marks.
    """

    label: str
    marks: Marks
    names: tuple[str, ...] = ()
    reporter: str | None = None
    their_id: str | None = None
    accounts: tuple[Account, ...] = ()


def parts_of(reader: NIBReader, device: Device) -> tuple[Part, ...]:
    """Return the parts of a device: its claims, or at a local controller what was observed."""
    claims = reader.claims(device_id=device.device_id)
    if claims:
        return tuple(
            Part(
                label=f"{c.device.device_id} of {c.reporter}",
                marks=marks_of(c.device),
                names=(c.reporter, c.device.device_id),
                reporter=c.reporter,
                their_id=c.device.device_id,
            )
            for c in claims
        )
    making = reader.making(device.device_id)
    return _observed_parts(device, making) if making else ()


def _observed_parts(device: Device, making: Making) -> tuple[Part, ...]:
    accounts = [account for told in making.told for account in told.accounts]
    groups: Clusters[int] = Clusters()
    for number, account in enumerate(accounts):
        groups.add(number)
        for earlier in range(number):
            if _is_one(accounts[earlier], account):
                groups.join(earlier, number)
    return tuple(_part(device, [accounts[n] for n in numbers]) for numbers in groups.sets())


def _is_one(one: Account, other: Account) -> bool:
    """Tell whether two accounts belong together whatever a person says: they share a MAC.

    Who showed no MAC is whoever has the address.
    """
    if one.macs and other.macs:
        return not set(one.macs).isdisjoint(other.macs)
    return not set(one.ips).isdisjoint(other.ips)


def _part(device: Device, accounts: Sequence[Account]) -> Part:
    names = {account.name for account in accounts if account.name}
    return Part(
        label=", ".join(account.label for account in accounts),
        marks=marks(
            device.namespace,
            (mac for account in accounts for mac in account.macs),
            (account.serial for account in accounts),
            (ip for account in accounts for ip in account.ips),
        ),
        names=tuple(sorted(names)),
        accounts=tuple(accounts),
    )


def choose(
    device: Device, parts: Sequence[Part], keep: Iterable[str]
) -> tuple[list[Part], list[Part]]:
    """Return the parts that the device keeps, and those that become another one.

    Raises InputError, with the remedy, where nothing or everything would be kept.
    """
    _check_divisible(device, parts)
    wanted = tuple(keep)
    unknown = [text for text in wanted if not any(_is_called(part, text) for part in parts)]
    choices = "; ".join(part.label for part in parts)
    if unknown:
        raise InputError(
            f"{unknown[0]!r} is no part of {device.device_id}; it is made of: {choices}"
        )
    if not wanted:
        if len(parts) > 2:  # noqa: PLR2004 - two parts: one stays, one goes
            raise InputError(f"say with --keep what {device.device_id} keeps, of: {choices}")
        first = next((p for p in parts if device.management_ip in p.marks.ips), parts[0])
        return [first], [part for part in parts if part is not first]
    kept = [part for part in parts if any(_is_called(part, text) for text in wanted)]
    parted = [part for part in parts if part not in kept]
    if not parted:
        raise InputError(f"nothing would be left to split off: these are all parts: {choices}")
    return kept, parted


def _check_divisible(device: Device, parts: Sequence[Part]) -> None:
    if len(parts) > 1:
        return
    if not parts:
        raise InputError(
            f"it is not on record what {device.device_id} is made of: run a discovery cycle first"
        )
    (only,) = parts
    if only.reporter is None:
        raise InputError(
            f"everything that was told of {device.device_id} shares a MAC ({only.label}): nothing "
            "would tell its two halves apart in the next cycle"
        )
    raise InputError(
        f"{device.device_id} is one record of {only.reporter} ({only.their_id}): split it there, "
        f"pdsno nib split {only.their_id} --api URL of {only.reporter}"
    )


def _is_called(part: Part, text: str) -> bool:
    try:
        mac = normalise_mac(text)
    except InputError:
        mac = ""
    sought = part.marks
    return (
        text in part.names
        or text in sought.ips
        or mac in sought.macs
        or identifying_serial(text) in sought.serials
    )
