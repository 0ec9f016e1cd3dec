"""What the operators' API may let a controller do."""

from pdsno.api import NO_ACTIONS, Actions
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.local_controller import LocalController
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.regional_controller import RegionalController


def api_actions(controller: BaseController) -> Actions:
    """Return the calls into a controller; those that it cannot carry out say so."""
    if not isinstance(controller, GlobalController | RegionalController | LocalController):
        return NO_ACTIONS

    def tell_above() -> None:
        if isinstance(controller, MemberController):
            controller.wake_reports()

    return Actions(request_discovery=controller.request_discovery, tell_above=tell_above)
