"""What the API says of the controller that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pdsno.domain.identifiers import Role
from pdsno.domain.persons_report import Tier


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """Whether one thing is as it should be, and what to do about it if not.

    Without what `is_required` the controller is not ready; without the rest it works all the same.
    """

    is_ok: bool
    is_required: bool = True
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerInfo:
    """One moment of a controller. `health` is shown as it is: plain JSON values, no secrets."""

    controller_id: str
    role: Role
    region: str | None
    version: str
    started_at: datetime
    health: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        """Whose NIB this is, for what goes to the tier above."""
        return Tier(controller_id=self.controller_id, role=self.role, region=self.region)
