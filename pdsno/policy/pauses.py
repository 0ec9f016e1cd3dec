"""Who is told to stop probing, as a part of policy. Pure.

Only `pause` and `resume` decide that a region goes on: a policy file may pause a region, but one
that does not mention it leaves the pause as it is.
"""

from collections.abc import Iterable
from dataclasses import replace

from pdsno.domain.errors import InputError
from pdsno.domain.policy import Pause, Policy, RegionPolicy


def named_regions(policy: Policy | None, region: str | None) -> tuple[str, ...]:
    """Return the regions meant: the one named, else all. Raises InputError if there is none."""
    known = tuple(entry.region for entry in (policy.regions if policy else ()))
    if region is None and known:
        return known
    if region not in known:
        there = ", ".join(known) or "none: apply a policy first"
        msg = (
            f"policy serves no region {region!r} (there are: {there})"
            if region
            else ("policy serves no region yet: apply one first")
        )
        raise InputError(msg)
    return (region,)


def paused(policy: Policy, regions: Iterable[str], pause: Pause) -> Policy:
    """Return `policy` with these regions paused; one that is paused already keeps its pause."""
    wanted = set(regions)
    return replace(
        policy,
        regions=tuple(
            replace(entry, is_paused=True, pause=pause)
            if entry.region in wanted and not entry.is_paused
            else entry
            for entry in policy.regions
        ),
    )


def resumed(policy: Policy, regions: Iterable[str]) -> Policy:
    """Return `policy` with these regions going on."""
    wanted = set(regions)
    return replace(
        policy,
        regions=tuple(
            replace(entry, is_paused=False, pause=None) if entry.region in wanted else entry
            for entry in policy.regions
        ),
    )


def with_pauses_kept(old: Policy | None, new: Policy, pause: Pause) -> Policy:
    """Return `new` with the pauses of `old`; `pause` is the word of who applies a file.

    What a file says of `pause` and `overlay` counts for nothing: those are ours to write.
    """
    return replace(new, regions=tuple(_with_pause_kept(old, entry, pause) for entry in new.regions))


def _with_pause_kept(old: Policy | None, entry: RegionPolicy, pause: Pause) -> RegionPolicy:
    known = old.region(entry.region) if old else None
    if known is not None and known.is_paused:
        return replace(entry, is_paused=True, pause=known.pause, overlay=0)
    return replace(entry, pause=pause if entry.is_paused else None, overlay=0)


def overlaid(region: RegionPolicy, pause: Pause | None, overlay: int) -> RegionPolicy:
    """Return a region's policy with what its regional controller says; it can only add a pause."""
    if region.is_paused or pause is None:
        return replace(region, overlay=overlay)
    return replace(region, is_paused=True, pause=pause, overlay=overlay)
