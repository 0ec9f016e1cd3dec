"""A server that shows another SSH host key than the one we know: told once, when it begins."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pdsno.domain.entities import NewEvent
from pdsno.domain.observations import AddressOutcome, Outcome, Probe


def host_key_events(
    before: Iterable[AddressOutcome],
    after: Iterable[AddressOutcome],
    *,
    owners: Mapping[tuple[str, str], str],
    actor: str,
    region: str,
    now: datetime,
) -> tuple[NewEvent, ...]:
    """Return SSH_HOST_KEY_CHANGED for each address where that is so now, and was not before.

    `before` is the ledger's newest cycle, `after` this one. `owners` gives the device at an
    address of a namespace; the subject is its ID, or the address where nobody is known.
    """
    old = {(record.namespace, record.address) for record in before if _changed(record) is not None}
    events = []
    for record in sorted(after, key=lambda r: (r.namespace, r.address)):
        place, probe = (record.namespace, record.address), _changed(record)
        if probe is None or place in old:
            continue
        device_id = owners.get(place)
        events.append(
            NewEvent(
                event_type="SSH_HOST_KEY_CHANGED",
                subject=device_id or record.address,
                actor=actor,
                at=now,
                region=region,
                data={
                    "namespace": record.namespace,
                    "address": record.address,
                    "device_id": device_id,
                    "detail": probe.detail,
                },
            )
        )
    return tuple(events)


def _changed(record: AddressOutcome) -> Probe | None:
    return next((p for p in record.probes if p.outcome is Outcome.HOST_KEY_CHANGED), None)
