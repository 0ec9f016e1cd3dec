"""Webhooks as operators have them: added, listed, removed, enabled, tested; each with its event."""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pdsno.api.webhook_secrets import WebhookSecrets, new_secret
from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.event_place import end_of
from pdsno.domain.identifiers import check_region
from pdsno.domain.ports import NIB, NIBReader, NIBTransaction
from pdsno.domain.webhooks import Webhook, check_patterns, check_secret, check_url

MOST = 50
_SHORTEST_ID = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class NewWebhook:
    """A webhook and its secret, which is told once and never again."""

    webhook: Webhook
    secret: str


class WebhookDesk:
    """Changes webhooks. Thread-safe; `by` names who asks, for the record."""

    def __init__(self, nib: NIB, secrets_of: WebhookSecrets) -> None:
        self._nib = nib
        self._secrets = secrets_of

    def add(
        self,
        *,
        url: str,
        events: tuple[str, ...],
        region: str | None,
        secret: str | None,
        by: str,
    ) -> NewWebhook:
        """Add a receiver of what happens from now on. Raises InputError, OperationError."""
        check_url(url)
        patterns = check_patterns(events)
        if region is not None:
            check_region(region)
        told = check_secret(secret) if secret is not None else new_secret()
        webhook_id = f"wh_{secrets.token_hex(16)}"
        self._secrets.put(webhook_id, told)
        try:
            with self._nib.transaction() as change:
                _check_room(change)
                webhook = Webhook(
                    webhook_id=webhook_id,
                    url=url,
                    events=patterns,
                    region=region,
                    created_at=datetime.now(UTC),
                    created_by=by,
                    cursor=end_of(change).seq,
                )
                change.put_webhook(webhook)
                _note(change, "WEBHOOK_ADDED", webhook, by)
        except BaseException:
            self._secrets.drop(webhook_id)
            raise
        return NewWebhook(webhook=webhook, secret=told)

    def remove(self, named: str, *, by: str) -> Webhook:
        """Remove a webhook with its log and its secret. Raises NotFoundError."""
        with self._nib.transaction() as change:
            webhook = find(change, named)
            change.drop_webhook(webhook.webhook_id)
            _note(change, "WEBHOOK_REMOVED", webhook, by)
        self._secrets.drop(webhook.webhook_id)
        return webhook

    def enable(self, named: str, *, by: str) -> Webhook:
        """Let a disabled webhook be told again, from where it was. Raises NotFoundError."""
        with self._nib.transaction() as change:
            webhook = replace(
                find(change, named), disabled_at=None, failing_since=None, next_try=None, tries=0
            )
            change.put_webhook(webhook)
            _note(change, "WEBHOOK_ENABLED", webhook, by)
        return webhook

    def order_test(self, named: str, *, by: str) -> Webhook:
        """Note who lets a test event be sent, and return to whom. Raises NotFoundError."""
        with self._nib.transaction() as change:
            webhook = find(change, named)
            _note(change, "WEBHOOK_TESTED", webhook, by)
        return webhook


def find(nib: NIBReader, named: str) -> Webhook:
    """Return the webhook of an ID or of its beginning. Raises NotFoundError, InputError."""
    found = [
        webhook
        for webhook in nib.webhooks()
        if webhook.webhook_id == named
        or (len(named) >= _SHORTEST_ID and webhook.webhook_id.startswith(named))
    ]
    if not found:
        raise NotFoundError(f"there is no webhook {named[:50]!r}: see pdsno webhook list")
    if len(found) > 1:
        raise InputError(f"{named!r} is the beginning of several IDs: give more of it")
    return found[0]


def _check_room(nib: NIBReader) -> None:
    if len(nib.webhooks()) >= MOST:
        raise InputError(f"there are {MOST} webhooks already: remove one")


def _note(change: NIBTransaction, event_type: str, webhook: Webhook, by: str) -> None:
    change.append_event(
        NewEvent(
            event_type=event_type,
            subject=webhook.webhook_id,
            actor=by,
            at=datetime.now(UTC),
            region=webhook.region,
            data={"url": webhook.url, "events": list(webhook.events)},
        )
    )
