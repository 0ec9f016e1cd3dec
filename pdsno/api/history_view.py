"""What one operator may see of the history, and set on devices; see `view`."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from fastapi import Request

from pdsno.api.auth import Operator, may_see, region_for
from pdsno.api.view import operators
from pdsno.domain.entities import Device, OperatorRole
from pdsno.domain.errors import NotFoundError
from pdsno.domain.history import HistoryEntry, HistoryKind
from pdsno.domain.history_ports import HistoryFilter
from pdsno.domain.ports import NIB


class HistoryView:
    """The history as far as one operator may see it: that of their region."""

    def __init__(self, nib: NIB, operator: Operator) -> None:
        self._nib = nib
        self.operator = operator

    def may_see(self, device: Device) -> bool:
        """Tell whether a device may be seen, and with the role for it be changed."""
        return may_see(self.operator, device.region)

    def history(
        self, where: HistoryFilter, *, limit: int, below: int | None
    ) -> tuple[HistoryEntry, ...]:
        """Return entries, the newest first."""
        where = replace(where, region=region_for(self.operator, where.region))
        return self._nib.history(where, limit=limit, below=below)

    def of_device(
        self, where: HistoryFilter, *, limit: int, below: int | None
    ) -> tuple[HistoryEntry, ...]:
        """Return entries of the one device that the filter names, also of one that went.

        Raises NotFoundError if there is none, and was none, that may be seen.
        """
        where = replace(where, kind=HistoryKind.DEVICE)
        entries = self.history(where, limit=limit, below=below)
        if entries:
            return entries
        device = self._nib.device(where.entity_id or "")
        ever = HistoryFilter(kind=HistoryKind.DEVICE, entity_id=where.entity_id)
        if not (device and self.may_see(device)) and not self.history(ever, limit=1, below=None):
            raise NotFoundError(f"there is no device {where.entity_id}")
        return ()

    def kept_from(self) -> datetime:
        """Return since when the history is whole."""
        return self._nib.history_from()


HistoryViewOf: TypeAlias = Callable[[Request], Awaitable[HistoryView]]
"""A dependency of handlers."""


def history_views(nib: NIB, needed: OperatorRole = OperatorRole.VIEWER) -> HistoryViewOf:
    """Return the dependency that gives a handler the view of whoever asks, with a role at least."""
    operator = operators(needed)

    async def view(request: Request) -> HistoryView:
        return HistoryView(nib, await operator(request))

    return view
