"""Follows what devices tell to addresses that no sweep heard.

Neighbours of LLDP and CDP are followed wherever policy lets us ask; entries of ARP tables inside
the targets only, where a host may be silent to a ping and still answer a query.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pdsno.discovery.ledger import Ledger, address_order
from pdsno.discovery.query_round import Candidate
from pdsno.discovery.scope import ProbeScope
from pdsno.domain.observations import Facts, Method, Outcome, Probe
from pdsno.domain.profiles import facts_ips

MAX_WAVES = 8
"""Neighbours of neighbours of …: an access layer is rarely deeper."""

WAVE = 1024
"""So many addresses are asked in one wave at most; the others in the next."""

_REASONS = {
    Outcome.EXCLUDED: "excluded by policy",
    Outcome.PASSIVE_ONLY: "passive only by policy",
    Outcome.NOT_TRIED: "outside of what policy allows",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    """An address that somebody named: a neighbour (`named_by`), or a line of an ARP table."""

    address: str
    macs: frozenset[str] = frozenset()
    named_by: str | None = None


class Crawl:
    """Which addresses to ask next; each is given out once."""

    def __init__(self, scope: ProbeScope, asked: Iterable[str]) -> None:
        self._scope = scope
        self._asked = set(asked)
        self._waves = 0

    def next_wave(self, facts: Sequence[Facts], ledger: Ledger) -> list[Candidate]:
        """Return whom to ask after all these facts, ordered by address; empty at the end.

        Neighbours that may not be asked are put on record, with who named them.
        """
        leads = self._open_leads(facts)
        allowed = [lead for lead in leads if self._is_allowed(lead, ledger)]
        if self._waves >= MAX_WAVES:
            reason = f"more was named than {MAX_WAVES} rounds can ask"
            ledger.not_tried((lead.address for lead in allowed), Method.SNMP, reason)
            return []
        self._waves += 1
        wave = allowed[:WAVE]
        self._asked.update(lead.address for lead in wave)
        return [Candidate(address=lead.address, macs=lead.macs) for lead in wave]

    def _open_leads(self, facts: Sequence[Facts]) -> list[Lead]:
        found: dict[str, Lead] = {}
        for lead in (*_neighbours(facts), *self._arp_entries(facts)):
            known = found.get(lead.address)
            found[lead.address] = lead if known is None else _both(known, lead)
        own = {ip for item in facts for ip in facts_ips(item)}
        left = found.keys() - own - self._asked
        return [found[address] for address in sorted(left, key=address_order)]

    def _arp_entries(self, facts: Sequence[Facts]) -> list[Lead]:
        targets = replace(self._scope, crawl=())
        addresses = {e.ip: e.mac for f in facts for e in f.arp if e.vrf is None}
        return [
            Lead(address=address, macs=frozenset({mac} if mac else ()))
            for address, mac in addresses.items()
            if address not in self._asked
            and _can_be_asked(address)
            and targets.verdict(address) is None
        ]

    def _is_allowed(self, lead: Lead, ledger: Ledger) -> bool:
        verdict = self._scope.verdict(lead.address)
        if verdict is None:
            return True
        self._asked.add(lead.address)
        if not ledger.is_known(lead.address):
            detail = f"named as neighbour by {lead.named_by}; {_REASONS[verdict]}"
            probe = Probe(method=Method.SNMP, outcome=verdict, detail=detail)
            ledger.probe(lead.address, probe)
        return False


def _neighbours(facts: Sequence[Facts]) -> list[Lead]:
    return [
        Lead(address=neighbor.remote_management_ip, named_by=item.name or item.address)
        for item in facts
        for neighbor in item.neighbors or ()
        if neighbor.remote_management_ip and _can_be_asked(neighbor.remote_management_ip)
    ]


def _both(one: Lead, other: Lead) -> Lead:
    return replace(one, macs=one.macs | other.macs, named_by=one.named_by or other.named_by)


def _can_be_asked(text: str) -> bool:
    """Tell whether this is the address of one host, and means the same from here as from there."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local)
