"""What the API says of the controller that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pdsno.domain.identifiers import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerInfo:
    """One moment of a controller. `health` is shown as it is: plain JSON values, no secrets."""

    controller_id: str
    role: Role
    region: str | None
    version: str
    started_at: datetime
    health: Mapping[str, Any] = field(default_factory=dict)
