"""Asks what answered: by SNMP, then by SSH; a device that has ten addresses once, not ten times."""

import threading
from collections.abc import Callable, Sequence

from pdsno.discovery.ledger import Ledger
from pdsno.discovery.query_round import Candidate, QueryLimits, QueryStep, Round
from pdsno.discovery.query_snmp import ask_by_snmp
from pdsno.discovery.query_ssh import ask_by_ssh
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.southbound.access import DeviceAccess

__all__ = ["Candidate", "QueryLimits", "QueryStep", "query_all"]


def query_all(
    candidates: Sequence[Candidate],
    access: DeviceAccess,
    *,
    stop: threading.Event,
    pacer: Pacer,
    limits: QueryLimits | None = None,
    on_step: Callable[[QueryStep], None] = lambda _: None,
    ledger: Ledger | None = None,
    why_stopped: Callable[[], str] = lambda: "stopped",
) -> Ledger:
    """Ask every candidate, each device once; all that came of it is in the ledger.

    An address that an answer claims as the device's own is not asked again, and its probe says
    where the device was queried; unless another MAC than the device's was seen there: then
    somebody else has the address. The order of the candidates decides which address is asked.
    With the `ledger` of an earlier round, whom that one asked is not asked again. What a set
    `stop` left out is on record as not tried, and why (`why_stopped`).
    """
    round_ = Round(
        access=access,
        ledger=ledger or Ledger(),
        limits=limits or QueryLimits(),
        pacer=pacer,
        stop=stop,
        on_step=on_step,
        why_stopped=why_stopped,
    )
    ask_by_snmp(candidates, round_)
    ask_by_ssh(candidates, round_)
    return round_.ledger
