"""`/tokens`: operators' API tokens, never the tokens themselves. For administrators."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter

from pdsno.api.answers import Listing, json_response, sparse
from pdsno.api.conditional import unless_same
from pdsno.api.queries import ListQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.tokens import TokenState, state_of, token_id
from pdsno.api.view import View, ViewOf
from pdsno.domain.entities import ApiTokenRecord, OperatorRole
from pdsno.domain.ordering import Keyset, ordering
from pdsno.domain.ports import NIB


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenItem:
    """What is known of a token. `token_id` is the beginning of its SHA-256."""

    token_id: str
    name: str
    role: OperatorRole
    region: str | None
    state: TokenState
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenQuery(ListQuery):
    """The filters of `/tokens`."""

    state: TokenState | None = None
    role: OperatorRole | None = None
    region: Text | None = None

    sorts = ("token_id", "name", "role", "region", "created_at")
    item = TokenItem


_LISTING = TypeAdapter(Listing[TokenItem])
_ANSWER: Any = Listing[TokenItem] | sparse(Listing, TokenItem)


def router(nib: NIB, admin: ViewOf) -> APIRouter:
    """Return the routes of `/tokens`; `admin` is the view of administrators."""
    routes = APIRouter(prefix="/tokens", tags=["tokens"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_tokens(
        request: Request,
        query: Annotated[TokenQuery, Query()],
        view: Annotated[View, Depends(admin)],
    ) -> Response:
        """API tokens of this controller, by their IDs. They are made by `pdsno api-token`."""
        view.check_whole()
        now = datetime.now(UTC)
        items = (_item(record, now) for record in nib.api_tokens())
        wanted = (
            item
            for item in items
            if query.state in (None, item.state)
            and query.role in (None, item.role)
            and query.region in (None, item.region)
        )
        keyset = Keyset(ordering(query.sort, query.sorts), "token_id", query.place())
        page = keyset.page(wanted, query.limit)
        listing = Listing(items=page.items, next_cursor=query.cursor_to(page.next_after))
        return unless_same(request, json_response(_LISTING, listing, shown=query.shown))

    return routes


def _item(record: ApiTokenRecord, now: datetime) -> TokenItem:
    return TokenItem(
        token_id=token_id(record),
        name=record.name,
        role=record.role,
        region=record.region,
        state=state_of(record, now),
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
    )
