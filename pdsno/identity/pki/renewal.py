"""When to renew a certificate: early enough that a long outage of the issuer does no harm."""

from datetime import datetime
from enum import StrEnum

LEAF_FRACTION = 0.5
AUTHORITY_FRACTION = 2 / 3
"""Of 90 days, 30 are left in which to reach the issuer. As a fraction it also holds for lifetimes
of a minute; and later than half-life, since what a CA issues never outlives it."""
_JITTER = 0.1


def renewal_due_at(
    not_before: datetime, not_after: datetime, *, jitter: float, fraction: float = LEAF_FRACTION
) -> datetime:
    """Return when to ask for the next certificate.

    `jitter`, from -1 to 1, moves it by up to a tenth of the lifetime, so that those who joined
    together do not come together for ever. It should stay the same for one certificate.
    """
    share = fraction + _JITTER * max(-1.0, min(1.0, jitter))
    return not_before + share * (not_after - not_before)


class Standing(StrEnum):
    """How a certificate stands at a time."""

    NOT_YET_VALID = "not yet valid"
    IN_FORCE = "in force"
    RENEWAL_DUE = "renewal due"
    EXPIRED = "expired"


def standing(
    not_before: datetime, not_after: datetime, *, now: datetime, fraction: float
) -> Standing:
    """Return how a certificate stands that is renewed after `fraction` of its life."""
    if now < not_before:
        return Standing.NOT_YET_VALID
    if now >= not_after:
        return Standing.EXPIRED
    # The latest moment that the jitter allows: before it, nobody is late.
    due = renewal_due_at(not_before, not_after, jitter=1.0, fraction=fraction)
    return Standing.RENEWAL_DUE if now >= due else Standing.IN_FORCE
