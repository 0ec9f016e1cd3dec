"""What taking in a report asks of a NIB, many devices at once; a part of `ports.NIBTransaction`.

So the work follows the report and not the network.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from pdsno.domain.entities import Device, Link
from pdsno.domain.makings import Making


class IntakeTransaction(Protocol):
    """Of `ports.NIBTransaction`; there may be any number of IDs, marks and links."""

    def look_ahead(
        self,
        reporter: str,
        devices: Sequence[Device],
        *,
        named: Iterable[str] = ...,
        fresh: Iterable[str] = ...,
    ) -> None:
        """Say what a reporter's devices will be asked for: a store may ask for all of it at once.

        By their MACs, serials and addresses, by own IDs, and by claims. `named` are more IDs of the
        reporter, `fresh` are IDs that the caller is about to give out. No answer changes by it.
        """

    def devices_by_id(self, device_ids: Iterable[str]) -> Mapping[str, Device]:
        """Return those of these devices that are here, by ID; for any number of IDs."""

    def devices_marked(self, marks: Iterable[str]) -> Mapping[str, Device]:
        """Return all devices, by ID, that have any of these among their `link_marks.own_marks`."""

    def devices_hearing(self, marks: Iterable[str]) -> Collection[str]:
        """Return the IDs of devices that have any of these among their `link_marks.heard_marks`."""

    def makings_by_id(self, device_ids: Iterable[str]) -> Mapping[str, Making]:
        """Return why these devices are one, by ID, of those of which that is known."""

    def links_of(self, device_ids: Iterable[str]) -> tuple[Link, ...]:
        """Return the links that have one of these at an end, each once."""

    def change_links(self, gone: Iterable[str], links: Iterable[Link]) -> None:
        """Remove links by ID, then insert or replace some."""
