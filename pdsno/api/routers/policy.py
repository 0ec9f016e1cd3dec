"""`/policy`: what the controllers are told to do, as this one has it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from pdsno.api.answers import json_response
from pdsno.api.conditional import unless_known
from pdsno.api.queries import no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.errors import NotFoundError
from pdsno.domain.policy import Policy

_POLICY = TypeAdapter(Policy)


def router(view_of: ViewOf) -> APIRouter:
    """Return the route of `/policy`."""
    routes = APIRouter(prefix="/policy", tags=["policy"], route_class=ReadRoute)

    @routes.get("", response_model=Policy, dependencies=[Depends(no_parameters)])
    def get_policy(request: Request, view: Annotated[WholeView, Depends(view_of)]) -> Response:
        """The newest policy here, 404 before the first. `pdsno policy apply` sets it.

        It is of all regions, so the token must be for all of them.
        """
        view.check_whole()

        def answer(view: View) -> Response:
            policy = view.policy()
            if policy is None:
                raise NotFoundError("there is no policy yet: pdsno policy apply sets one")
            return json_response(_POLICY, policy)

        return unless_known(request, view, ("policies",), answer)

    return routes
