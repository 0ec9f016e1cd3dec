"""What operators may let a controller do, besides changing its NIB."""

from collections.abc import Callable
from dataclasses import dataclass

from pdsno.domain.errors import NotFoundError
from pdsno.domain.messages import DiscoveryRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """Calls into the controller whose NIB the API shows; each returns at once.

    `request_discovery` asks for a cycle here or below, and raises RefusedError or NotFoundError;
    `tell_above` sends what was queued for the parent.
    """

    request_discovery: Callable[[DiscoveryRequest], object]
    tell_above: Callable[[], None]


def _no_controller(_request: DiscoveryRequest) -> None:
    raise NotFoundError("no controller runs behind this API: ask one that does")


NO_ACTIONS = Actions(request_discovery=_no_controller, tell_above=lambda: None)
"""For an API that shows a NIB without a controller."""
