"""Finds out where there is an SSH port at all, before anybody logs in."""

import ipaddress
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pdsno.discovery.query_round import Candidate, Round
from pdsno.discovery.sweep.tcp import sweep_tcp
from pdsno.domain.observations import Method, Outcome, Probe
from pdsno.southbound.ssh_errors import SshError

_IPV4 = 4


def with_open_port(candidates: Sequence[Candidate], round_: Round) -> list[Candidate]:
    """Return the candidates where some SSH port answers; the ledger notes of the others why not.

    Only a log-in can tell where a jump host stands between, and of IPv6: those are all returned.
    """
    ports = {c.address: _ports(c.address, round_) for c in candidates}
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for address, wanted in ports.items():
        if wanted:
            groups[wanted].append(address)
    outcomes: dict[str, dict[int, Outcome]] = defaultdict(dict)
    for wanted, addresses in groups.items():
        found = sweep_tcp(
            addresses,
            pacer=round_.pacer,
            stop=round_.stop,
            ports=wanted,
            timeout_s=round_.limits.ssh_port_timeout_s,
        )
        for (address, port), outcome in found.ports.items():
            outcomes[address][port] = outcome
        for sighting in found.sightings:
            if not round_.ledger.is_seen(sighting.address):
                # No sweep saw this host, and it answers here: that is as good.
                round_.ledger.see(sighting)
                round_.ledger.probe(
                    sighting.address, _knock(outcomes[sighting.address], sighting.rtt_ms)
                )
    return [c for c in candidates if not ports[c.address] or _is_open(c, outcomes, round_)]


def can_be_entered(address: str, round_: Round) -> bool:
    """Tell whether there is a credential for an address, and a way that a log-in may find."""
    try:
        return bool(round_.access.ssh_ports(address))
    except SshError:
        # The way there is wrong in the ssh_config: the log-in puts on record how.
        return True


def _ports(address: str, round_: Round) -> tuple[int, ...]:
    if ipaddress.ip_address(address).version != _IPV4:
        return ()
    try:
        is_direct = not round_.access.is_behind_jump(address)
        return round_.access.ssh_ports(address) if is_direct else ()
    except SshError:
        return ()


def _knock(outcomes: Mapping[int, Outcome], rtt_ms: float | None) -> Probe:
    ports = [
        f"port {p} {'open' if outcomes[p] is Outcome.ANSWERED else 'closed'}" for p in outcomes
    ]
    return Probe(
        method=Method.TCP, outcome=Outcome.ANSWERED, detail=", ".join(ports), rtt_ms=rtt_ms
    )


def _is_open(
    candidate: Candidate, outcomes: Mapping[str, Mapping[int, Outcome]], round_: Round
) -> bool:
    found = list(outcomes.get(candidate.address, {}).values())
    if Outcome.ANSWERED in found:
        return True
    if found:
        worst = Outcome.REFUSED if Outcome.REFUSED in found else found[0]
        round_.ledger.probe(candidate.address, Probe(method=Method.SSH, outcome=worst))
    else:
        # By TCP, not SSH: nobody knows whether there is anything to log in to.
        reason = f"SSH port: {round_.why_stopped()}"
        round_.ledger.not_tried([candidate.address], Method.TCP, reason)
    return False
