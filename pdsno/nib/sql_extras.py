"""What operators' tools keep in a NIB: tokens, webhooks, readers; and whether a table changed."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Delete, TextClause, bindparam, delete, select, text

from pdsno.domain.entities import ApiTokenRecord, JoinTokenRecord
from pdsno.domain.operator_ports import REVISED, next_revision
from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, Webhook
from pdsno.nib import codec
from pdsno.nib.criteria import PAGE, check_limit
from pdsno.nib.schema import api_tokens, join_tokens
from pdsno.nib.schema_operators import readers, revisions, webhook_deliveries, webhooks
from pdsno.nib.sql_session import TABLE, Session
from pdsno.nib.sql_writes import delete_of, put

_REVISIONS = select(revisions)
_WEBHOOKS = select(webhooks).order_by(webhooks.c.created_at, webhooks.c.webhook_id)
_READERS = select(readers).order_by(readers.c.name)
_DELIVERIES = (
    select(webhook_deliveries)
    .where(webhook_deliveries.c.webhook_id == bindparam("webhook_id"))
    .order_by(webhook_deliveries.c.seq.desc())
    .limit(bindparam("limit"))
)


@cache
def _raise() -> TextClause:
    statement = text(
        "INSERT INTO revisions (name, number) VALUES (:name, :number) "
        "ON CONFLICT (name) DO UPDATE SET number = CASE WHEN excluded.number > revisions.number "
        "THEN excluded.number ELSE revisions.number + 1 END"
    )
    return statement.execution_options(**{TABLE: "revisions"})


def count_changes(session: Session) -> None:
    """Let the revisions of the tables rise that were written; the last thing before a commit."""
    number = next_revision(0)
    changed = [{"name": n, "number": number} for n in sorted(session.changed & set(REVISED))]
    session.run(_raise(), changed)


@cache
def _forget() -> Delete:
    return delete(webhook_deliveries).where(
        webhook_deliveries.c.webhook_id == bindparam("of_id"),
        webhook_deliveries.c.seq <= bindparam("up_to"),
    )


class OperatorReads:
    """The part of a reader that is here."""

    _session: Session

    def webhooks(self) -> tuple[Webhook, ...]:
        rows = self._session.rows(_WEBHOOKS)
        return tuple(codec.loads(Webhook, row["document"]) for row in rows)

    def webhook_deliveries(self, webhook_id: str, *, limit: int = PAGE) -> tuple[Delivery, ...]:
        params = {"webhook_id": webhook_id, "limit": check_limit(limit)}
        rows = self._session.rows(_DELIVERIES, params)
        return tuple(codec.loads(Delivery, row["document"]) for row in rows)

    def readers(self) -> tuple[Reader, ...]:
        return tuple(codec.loads(Reader, row["document"]) for row in self._session.rows(_READERS))

    def revisions(self) -> Mapping[str, int]:
        return {row["name"]: int(row["number"]) for row in self._session.rows(_REVISIONS)}


class OperatorWrites:
    """The part of a transaction that is here."""

    _session: Session

    def put_token(self, record: JoinTokenRecord) -> None:
        put(self._session, join_tokens, codec.token_row(record))

    def put_api_token(self, record: ApiTokenRecord) -> None:
        put(self._session, api_tokens, codec.api_token_row(record))

    def put_webhook(self, record: Webhook) -> None:
        row = {
            "webhook_id": record.webhook_id,
            "created_at": codec.utc(record.created_at),
            "document": codec.dumps(record),
        }
        put(self._session, webhooks, row)

    def drop_webhook(self, webhook_id: str) -> None:
        self._session.run(delete_of(webhooks), {"key_webhook_id": webhook_id})

    def note_delivery(self, delivery: Delivery, *, keep: int) -> None:
        row = {
            "webhook_id": delivery.webhook_id,
            "seq": delivery.seq,
            "at": codec.utc(delivery.at),
            "document": codec.dumps(delivery),
        }
        put(self._session, webhook_deliveries, row)
        gone = {"of_id": delivery.webhook_id, "up_to": delivery.seq - keep}
        self._session.run(_forget(), gone)

    def put_reader(self, record: Reader) -> None:
        put(self._session, readers, {"name": record.name, "document": codec.dumps(record)})

    def drop_reader(self, name: str) -> None:
        self._session.run(delete_of(readers), {"key_name": name})
