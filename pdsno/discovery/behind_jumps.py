"""Whom a sweep cannot hear because only a jump host reaches them: they are asked by SSH alone."""

from collections.abc import Collection, Sequence

from pdsno.discovery.query_round import Candidate
from pdsno.discovery.scope import ProbeScope
from pdsno.discovery.targets import Target, hosts_of
from pdsno.southbound.access import DeviceAccess

MAX_SILENT = 1024
"""Of one look: each costs a connection through its jump host, and a silent one its time-out."""


def silent_behind_jumps(
    targets: Sequence[Target], heard: Collection[str], access: DeviceAccess, scope: ProbeScope
) -> tuple[list[Candidate], str | None]:
    """Return the addresses of the targets that nobody heard and the ssh_config leads to.

    In the order of the targets, and at most `MAX_SILENT`; the second value says so then.
    """
    if not access.has_jumps or not access.credentials.ssh:
        return [], None
    found: list[Candidate] = []
    for target in targets:
        for address in hosts_of([target.network], target.network):
            if address in heard or not access.is_behind_jump(address):
                continue
            if scope.verdict(address) is not None:
                continue
            if len(found) == MAX_SILENT:
                return found, (
                    f"more than {MAX_SILENT:,} silent addresses lie behind jump hosts; the others "
                    "were not asked: name smaller subnets, or those hosts alone in the ssh_config"
                )
            found.append(Candidate(address=address, is_silent=True))
    return found, None
