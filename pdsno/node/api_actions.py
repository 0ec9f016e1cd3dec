"""What the operators' API may let a controller do."""

from pdsno.api import NO_ACTIONS, Actions
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.member_controller import MemberController
from pdsno.node.prober import may_probe


def api_actions(controller: BaseController) -> Actions:
    """Return the calls into a controller; those that it cannot carry out say so."""
    prober: object = controller
    if not may_probe(prober):
        return NO_ACTIONS

    def tell_above() -> None:
        if isinstance(controller, MemberController):
            controller.wake_reports()

    return Actions(request_discovery=prober.request_discovery, tell_above=tell_above)
