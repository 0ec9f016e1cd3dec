"""The ledger of discovery cycles as `pdsno nib probes` shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pdsno.cli.nib_client import NIBClient

Row = Mapping[str, Any]

CYCLE_COLUMNS = (
    "finished_at", "duration_s", "allowed_by", "requested_by", "subnets", "rate_pps", "credentials",
    "exclude", "passive_only", "counts", "cut_short", "cycle_id",
)  # fmt: skip

CYCLE_DEEP = frozenset({"authority", "started_at", "finished_at", "counts", "interruptions"})
"""What `cycle_row` makes others of."""


def cycle_row(cycle: Row) -> Row:
    """Return a cycle as one flat row."""
    authority = cycle["authority"]
    own = {name: value for name, value in cycle.items() if name != "authority"}
    return {
        **own,
        **{name: value for name, value in authority.items() if name != "source"},
        "allowed_by": authority["source"],
        "duration_s": _seconds(cycle["started_at"], cycle["finished_at"]),
        "counts": counts_text(cycle["counts"]),
        "cut_short": [_interruption(told) for told in own.pop("interruptions")],
    }


def counts_text(counts: Mapping[str, int]) -> str:
    """Return how many addresses had which outcome, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {outcome}" for outcome, number in ordered)


def summary(cycle: Row) -> str:
    """Return one line on a whole cycle."""
    counts = counts_text(cycle["counts"]) or "no address was asked"
    cut = "; ".join(_interruption(told) for told in cycle["interruptions"])
    return f"cycle {cycle['cycle_id']}: {counts}" + (f"; cut short: {cut}" if cut else "")


def chosen(cycles: Sequence[Row], cycle_id: str | None) -> Row | None:
    """Return the cycle that is asked for, by default the newest; None if it is not kept."""
    wanted = (cycle for cycle in cycles if cycle_id in (None, cycle["cycle_id"]))
    return next(wanted, None)


def why_empty(client: NIBClient) -> str:
    """Return one line that says why there is no cycle here, and whom to ask instead."""
    role = client.health()["role"]
    if role == "local":
        return "no cycles found: this controller has finished none yet"
    locals_ = [item["controller_id"] for item in client.items("controllers", {"role": "local"})]
    names = f" ({', '.join(locals_)})" if locals_ else ""
    return (
        f"no cycles here: the ledger is kept where the probes are sent, and this is a {role} "
        f"controller; ask a local one{names} with --api URL"
    )


def _interruption(told: Row) -> str:
    details = ", ".join(text for text in (told["where"], told["detail"]) if text)
    return f"{told['reason']} ({details})" if details else str(told["reason"])


def _seconds(started_at: str, finished_at: str) -> float:
    from datetime import datetime

    took = datetime.fromisoformat(finished_at) - datetime.fromisoformat(started_at)
    return round(took.total_seconds(), 1)
