"""The controllers that can be told to probe, known by their role.

Not by their classes: a global controller must not load what a local one probes with.
"""

from collections.abc import Mapping
from typing import Protocol, TypeGuard

from pdsno.controllers.base_controller import BaseController
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import DiscoveryRequest


class Prober(Protocol):
    """One of the three tiers."""

    @property
    def probing(self) -> Mapping[str, object]:
        """Whether probes may be sent, and by whose word not."""

    def request_discovery(self, request: DiscoveryRequest) -> tuple[str, ...] | None:
        """Have a cycle run soon; returns who was asked, None for itself."""

    def pause(self, *, by: str, reason: str = "", region: str | None = None) -> tuple[str, ...]:
        """Send no more probes; returns which regions."""

    def resume(self, *, by: str, region: str | None = None) -> tuple[str, ...]:
        """Lift the pause; returns of which regions."""


def may_probe(controller: object) -> TypeGuard[Prober]:
    """Tell whether this controller is of one of the three tiers."""
    return isinstance(controller, BaseController) and controller.role is not Role.BROKER
