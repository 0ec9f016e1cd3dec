"""Tells webhooks of events: each from its own durable cursor, in order, until it is taken.

At least once: the cursor moves after the receiver answered, so a crash in between sends an event
again, with the same `webhook-id`. Webhooks do not wait for one another.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from pydantic import TypeAdapter

from pdsno.api.webhook_post import Tried, post
from pdsno.api.webhook_secrets import WebhookSecrets
from pdsno.domain.entities import Event, NewEvent
from pdsno.domain.errors import OperationError
from pdsno.domain.event_place import end_of
from pdsno.domain.ports import NIB
from pdsno.domain.webhooks import (
    GIVE_UP_AFTER,
    KEPT_DELIVERIES,
    Delivery,
    DeliveryOutcome,
    Webhook,
    retry_after,
    signature,
)

log = structlog.get_logger()

Post = Callable[[str, bytes, dict[str, str]], Tried]
_EVENT = TypeAdapter(Event)
_POLL_S = 0.5
_MOST_AT_ONCE = 8
_LOOKED_AT = 500


class WebhookSender:
    """Sends in threads of its own, from `start()` to `close()`."""

    def __init__(
        self,
        nib: NIB,
        secrets: WebhookSecrets,
        *,
        controller_id: Callable[[], str],
        send: Post = post,
        poll_s: float = _POLL_S,
    ) -> None:
        self._poll_s = poll_s
        self._nib = nib
        self.secrets = secrets
        self._controller_id = controller_id
        self._post = send
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="webhook")
        self._busy: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        """Tries since the start, by outcome."""

    def start(self) -> None:
        """Begin where each webhook's cursor is."""
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let what is under way end, within the limits of one POST; idempotent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._pool.shutdown(cancel_futures=True)

    def test(self, webhook: Webhook) -> Delivery:
        """Send a test event now, once, and return what came of it. Raises OperationError."""
        number = int(time.time() * 1000)
        event = Event(
            seq=0,
            event_type="WEBHOOK_TEST",
            subject=webhook.webhook_id,
            actor=self._controller_id(),
            at=datetime.now(UTC),
            region=webhook.region,
            data={"url": webhook.url},
            previous_hash="",
            hash="",
        )
        return self._try(webhook, event, f"msg_test_{webhook.webhook_id}_{number}")

    # --- the loop ----------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            try:
                self._round()
            except OperationError as error:
                log.warning("webhooks_unreadable", error=str(error))
            except Exception:
                log.exception("webhooks_crashed")

    def _round(self) -> None:
        now = datetime.now(UTC)
        hooks = [h for h in self._nib.webhooks() if h.disabled_at is None]
        if not hooks:
            return
        end = end_of(self._nib).seq
        for hook in hooks:
            is_due = hook.next_try is None or hook.next_try <= now
            if is_due and hook.cursor < end and hook.webhook_id not in self._busy:
                self._busy.add(hook.webhook_id)
                self._pool.submit(self._serve, hook)

    def _serve(self, hook: Webhook) -> None:
        """Tell one webhook what it has not heard, until it fails or there is no more."""
        try:
            while not self._stop.is_set():
                events = self._nib.events(
                    after_seq=hook.cursor, limit=_LOOKED_AT, region=hook.region
                )
                if not events:
                    return
                served = self._told(hook, events)
                if served is None:
                    return
                hook = served
        except OperationError as error:
            log.warning("webhook_failed", webhook=hook.webhook_id, error=str(error))
        except Exception:
            log.exception("webhook_crashed", webhook=hook.webhook_id)
        finally:
            self._busy.discard(hook.webhook_id)

    def _told(self, hook: Webhook, events: Sequence[Event]) -> Webhook | None:
        """Tell a webhook of those events that it wants; None if it has to wait."""
        for event in events:
            if self._stop.is_set():
                return None
            if hook.wants(event):
                served = self._deliver(hook, event)
                if served is None:
                    return None
                hook = served
        if hook.cursor < events[-1].seq:
            return self._changed(hook, cursor=events[-1].seq)
        return hook

    def _deliver(self, hook: Webhook, event: Event) -> Webhook | None:
        """Send one event; return the webhook to go on with, None if it has to wait."""
        message_id = f"msg_{event.seq}_{event.hash[:16]}_{hook.webhook_id[3:11]}"
        delivery = self._try(hook, event, message_id)
        now = datetime.now(UTC)
        if delivery.outcome is DeliveryOutcome.DELIVERED:
            return self._changed(
                hook,
                cursor=event.seq,
                tries=0,
                failing_since=None,
                next_try=None,
                delivered=hook.delivered + 1,
            )
        since = hook.failing_since or now
        is_over = now - since >= GIVE_UP_AFTER
        self._changed(
            hook,
            tries=hook.tries + 1,
            failing_since=since,
            next_try=now + retry_after(hook.tries + 1),
            disabled_at=now if is_over else None,
        )
        return None

    def _try(self, hook: Webhook, event: Event, message_id: str) -> Delivery:
        body = _EVENT.dump_json(event)
        at = datetime.now(UTC)
        sent_at = int(at.timestamp())
        secret = self.secrets.get(hook.webhook_id)
        tried = self._post(
            hook.url,
            body,
            {
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(sent_at),
                "webhook-signature": signature(secret, message_id, sent_at, body),
            },
        )
        self.outcomes[tried.outcome.value] += 1
        with self._nib.transaction() as change:
            last = change.webhook_deliveries(hook.webhook_id, limit=1)
            delivery = Delivery(
                webhook_id=hook.webhook_id,
                seq=last[0].seq + 1 if last else 1,
                message_id=message_id,
                event_seq=event.seq,
                event_type=event.event_type,
                at=at,
                try_number=hook.tries + 1 if event.seq else 1,
                outcome=tried.outcome,
                status=tried.status,
                error=tried.error,
                latency_ms=tried.latency_ms,
            )
            if any(known.webhook_id == hook.webhook_id for known in change.webhooks()):
                change.note_delivery(delivery, keep=KEPT_DELIVERIES)
        return delivery

    def _changed(self, hook: Webhook, **values: object) -> Webhook | None:
        """Change a webhook as it is now; None if it was removed or disabled meanwhile."""
        with self._nib.transaction() as change:
            held = {known.webhook_id: known for known in change.webhooks()}.get(hook.webhook_id)
            if held is None or held.disabled_at is not None:
                return None
            changed = replace(held, **values)  # type: ignore[arg-type]
            change.put_webhook(changed)
            if changed.disabled_at is not None:
                change.append_event(self._given_up(changed))
        if changed.disabled_at is not None:
            log.error("webhook_disabled", webhook=hook.webhook_id, url=hook.url)
        return changed

    def _given_up(self, hook: Webhook) -> NewEvent:
        return NewEvent(
            event_type="WEBHOOK_DISABLED",
            subject=hook.webhook_id,
            actor=self._controller_id(),
            at=datetime.now(UTC),
            region=hook.region,
            data={"url": hook.url, "failing_since": hook.failing_since, "tries": hook.tries},
        )
