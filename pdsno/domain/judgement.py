"""Are two accounts of one device? The one set of rules, for every tier and every stage.

Evidence adds up to a score. What a copied machine image carries (names, SSH host keys, SNMP
engine IDs, virtual MACs) never joins alone. What rules out that two are one: two interface tables
without a MAC in common, two serials of one kind, two accounts of the same time each reached at an
address which the other does not have. A false split is a nuisance, a false merge is a lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pdsno.domain.evidence import Evidence, EvidenceKind, Verdict
from pdsno.domain.identifiers import MacKind, lan_of, mac_kind, same_name
from pdsno.domain.profiles import Disputed, Profile, Serial, is_mac_text

_HALF = 0.5
_FULL = 100
_SAME_QUERY = 130
"""Two sources asked at one address in one cycle: outweighs that each has its own name for it."""
_STACK_MACS = 2

NOTHING_DISPUTED = Disputed()


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two accounts side by side, and what they have in common."""

    a: Profile
    b: Profile
    disputed: Disputed
    left: frozenset[str]
    right: frozenset[str]
    """MACs to compare: burnt-in ones where both have such, else all."""

    @property
    def macs(self) -> frozenset[str]:
        return self.left & self.right

    @property
    def mac_share(self) -> float:
        """Share of the smaller set of MACs that is common; 0 where a side has none."""
        smaller = min(len(self.left), len(self.right))
        return len(self.macs) / smaller if smaller else 0.0

    @property
    def is_mac_disjoint(self) -> bool:
        return bool(self.left and self.right) and not self.macs

    @property
    def burnt(self) -> frozenset[str]:
        return frozenset(m for m in self.macs if mac_kind(m) is MacKind.BURNT_IN)

    @property
    def is_local(self) -> bool:
        return self.a.namespace == self.b.namespace

    @property
    def is_now(self) -> bool:
        """Whether both accounts are of one time, so that nothing can have changed between."""
        return not self.a.is_past and not self.b.is_past

    @property
    def serials(self) -> list[Serial]:
        """Serials of `a` that `b` tells too."""
        return [x for x in self.a.serials if any(_is_same_serial(x, y) for y in self.b.serials)]

    @property
    def is_refitted(self) -> bool:
        """Whether it may be one chassis that got new cards between two times."""
        return not self.is_now and bool(self.serials)


def judge(a: Profile, b: Profile, disputed: Disputed = NOTHING_DISPUTED) -> Verdict:
    """Return whether two accounts are of one device, with all arguments; symmetric."""
    pair = _pair(a, b, disputed)
    contradictions = tuple(_contradictions(pair))
    evidence = tuple(
        sorted(
            [
                *_serial_evidence(pair),
                *_mac_evidence(pair),
                *_address_evidence(pair),
                *_chassis_evidence(pair),
                *_copied_evidence(pair),
            ]
        )
    )
    return Verdict(evidence=evidence, contradictions=contradictions)


def contradicts(a: Profile, b: Profile) -> bool:
    """Tell whether two accounts cannot be of one device, whatever else they share; symmetric."""
    return any(True for _ in _contradictions(_pair(a, b, NOTHING_DISPUTED)))


def _pair(a: Profile, b: Profile, disputed: Disputed) -> _Pair:
    left, right = a.macs, b.macs
    burnt_left, burnt_right = _burnt(left), _burnt(right)
    if burnt_left and burnt_right:
        left, right = burnt_left, burnt_right
    return _Pair(a, b, disputed, left, right)


def _burnt(macs: frozenset[str]) -> frozenset[str]:
    return frozenset(mac for mac in macs if mac_kind(mac) is MacKind.BURNT_IN)


def _is_same_serial(x: Serial, y: Serial) -> bool:
    return x.text == y.text and (x.vendor == y.vendor or not x.vendor or not y.vendor)


# --- what rules it out -----------------------------------------------------------------------


def _contradictions(pair: _Pair) -> Iterator[str]:
    has_table = pair.a.told_macs or pair.b.told_macs
    if pair.is_mac_disjoint and has_table and not pair.is_refitted:
        yield "no MAC in common"
    if _are_serials_different(pair) and not _is_stack(pair):
        yield "different serials"
    if not pair.macs and not pair.is_refitted:
        yield from _different_ids(pair)
    if pair.is_now:
        yield from _different_places(pair)


def _are_serials_different(pair: _Pair) -> bool:
    """Compare serials of one kind: told by the same source, or by who knows whom."""
    if pair.serials:
        return False
    return any(
        x.source == y.source or not x.source or not y.source
        for x in pair.a.serials
        for y in pair.b.serials
    )


def _is_stack(pair: _Pair) -> bool:
    """Tell whether most MACs stay: then a member was swapped, and another's serial is told."""
    return len(pair.burnt) >= _STACK_MACS and pair.mac_share > _HALF


def _different_ids(pair: _Pair) -> Iterator[str]:
    if pair.a.engines and pair.b.engines and not pair.a.engines & pair.b.engines:
        yield "different SNMP engine IDs"
    if _are_chassis_different(pair):
        yield "different chassis IDs"


def _are_chassis_different(pair: _Pair) -> bool:
    a, b = pair.a.chassis, pair.b.chassis
    comparable = {is_mac_text(x) for x in a} & {is_mac_text(x) for x in b}
    return bool(comparable) and not a & b


def _different_places(pair: _Pair) -> Iterator[str]:
    """Two accounts of one time: a complete table has every address at which it was reached."""
    a, b = pair.a, pair.b
    if a.told_ips and b.told_ips and a.told_ips.isdisjoint(b.told_ips):
        yield "no address in common"
        return
    knows_itself = a.reached & a.told_ips and b.reached & b.told_ips
    if knows_itself and not a.reached & b.told_ips and not b.reached & a.told_ips:
        yield "each was reached at an address that the other does not have"


# --- what speaks for it, and against ---------------------------------------------------------


def _serial_evidence(pair: _Pair) -> Iterator[Evidence]:
    if pair.serials:
        text = min(pair.serials, key=lambda s: s.text).text
        yield Evidence(
            kind=EvidenceKind.SERIAL,
            weight=80,
            detail=f"same serial {text} by {_labels(pair)}",
            is_anchor=True,
        )
    elif pair.a.serials and pair.b.serials:
        yield Evidence(kind=EvidenceKind.SERIAL, weight=-40, detail="different serials")


def _labels(pair: _Pair) -> str:
    return " and ".join(sorted({pair.a.label, pair.b.label}))


def _mac_evidence(pair: _Pair) -> Iterator[Evidence]:
    if pair.is_mac_disjoint:
        yield Evidence(kind=EvidenceKind.MACS, weight=-70, detail="no MAC in common")
    if not pair.macs:
        return
    few = ", ".join(sorted(pair.macs)[:3])
    more = f" and {len(pair.macs) - 3} more" if len(pair.macs) > 3 else ""  # noqa: PLR2004
    plural = "s" if len(pair.macs) > 1 else ""
    weight = _mac_weight(pair)
    yield Evidence(
        kind=EvidenceKind.MACS,
        weight=weight,
        detail=f"{len(pair.macs)} shared MAC{plural} ({few}{more})",
        is_anchor=weight >= _FULL,
    )


def _mac_weight(pair: _Pair) -> int:
    """Say what the common MACs are worth.

    In one address space a MAC is one port's, unless several devices have it; between address
    spaces clones live undisturbed, and only several burnt-in MACs prove.
    """
    if pair.mac_share <= _HALF:
        return 40 if pair.burnt else 20
    if pair.macs <= pair.disputed.macs:
        return 50
    if not pair.is_local:
        return _far_mac_weight(pair)
    both_tell = bool(pair.a.told_macs and pair.b.told_macs)
    if pair.burnt or (not both_tell and pair.is_now):
        return _FULL
    if not pair.is_now:
        return _FULL if len(pair.macs) > 1 or _is_near(pair) else 70
    return 80 if len(pair.macs) > 1 else 60


def _is_near(pair: _Pair) -> bool:
    """Tell whether both have an address in one LAN, as far as addresses tell.

    A virtual MAC that turns up far from where it was may be another guest of the same image.
    """
    return not {lan_of(ip) for ip in pair.a.ips}.isdisjoint(lan_of(ip) for ip in pair.b.ips)


def _far_mac_weight(pair: _Pair) -> int:
    several = len(pair.macs) > 1
    if pair.burnt:
        return _FULL if len(pair.burnt) > 1 else 70
    return 60 if several else 30


def _address_evidence(pair: _Pair) -> Iterator[Evidence]:
    if not pair.is_local:
        yield from _far_address_evidence(pair)
        return
    if pair.is_mac_disjoint and not pair.is_refitted:
        return
    a, b = pair.a, pair.b
    both = a.reached & b.reached
    if pair.is_now or pair.mac_share <= _HALF:
        # Else the same MAC is still at the same address, whoever else has one or the other.
        both = _undisputed(both, pair)
    told = _undisputed((a.reached & b.told_ips) | (b.reached & a.told_ips), pair)
    if both:
        yield _address(_reached_weight(pair), f"both at {min(both)}")
    elif told:
        # Without MACs on both sides to say more, the address says all there is.
        weight = 60 if pair.left and pair.right else _FULL
        yield _address(weight, f"{min(told)} is its own by one account, and answered by the other")
    elif a.reached & b.reached and _are_both_without_macs(pair):
        yield _address(_FULL, f"still at {min(a.reached & b.reached)}, without a MAC")
    elif a.reached & b.reached:
        yield Evidence(
            kind=EvidenceKind.ADDRESS, weight=20, detail="an address that several answer for"
        )


def _are_both_without_macs(pair: _Pair) -> bool:
    """Tell whether nothing but the address could ever recognise it, now and before."""
    is_alike = pair.a.has_facts == pair.b.has_facts
    return is_alike and not pair.is_now and not pair.left and not pair.right


def _undisputed(ips: frozenset[str], pair: _Pair) -> frozenset[str]:
    return frozenset(ip for ip in ips if (pair.a.namespace, ip) not in pair.disputed.ips)


def _reached_weight(pair: _Pair) -> int:
    if pair.is_now and pair.a.has_facts and pair.b.has_facts:
        return _SAME_QUERY
    return 60 if pair.left and pair.right else _FULL


def _far_address_evidence(pair: _Pair) -> Iterator[Evidence]:
    """A router between two address spaces tells in each the address that it has in the other."""
    here = (pair.a.reached & pair.b.told_ips) - pair.b.reached
    there = (pair.b.reached & pair.a.told_ips) - pair.a.reached
    if here and there and pair.macs:
        yield _address(60, f"tells {min(there)} here, {min(here)} there, and was reached at both")


def _address(weight: int, detail: str) -> Evidence:
    return Evidence(kind=EvidenceKind.ADDRESS, weight=weight, detail=detail, is_anchor=True)


def _chassis_evidence(pair: _Pair) -> Iterator[Evidence]:
    common = pair.a.chassis & pair.b.chassis
    if not common:
        if _are_chassis_different(pair) and not pair.is_refitted:
            yield Evidence(kind=EvidenceKind.CHASSIS_ID, weight=-10, detail="different chassis IDs")
        return
    chassis = min(common)
    burnt = is_mac_text(chassis) and mac_kind(chassis) is MacKind.BURNT_IN
    # One of the shared MACs once more says little.
    weight = 20 if chassis in pair.macs else 70 if burnt else 40
    yield Evidence(
        kind=EvidenceKind.CHASSIS_ID,
        weight=weight,
        detail=f"same chassis ID {chassis} by {_labels(pair)}",
        is_anchor=burnt and pair.is_local,
    )


def _copied_evidence(pair: _Pair) -> Iterator[Evidence]:
    """What a copied image carries, and what an operator types."""
    a, b = pair.a, pair.b
    yield from _weigh(EvidenceKind.ENGINE_ID, a.engines, b.engines, (50, -20))
    if _is_key_comparable(pair):
        yield from _weigh(EvidenceKind.HOST_KEY, a.host_keys, b.host_keys, (50, -30))
    if a.names and b.names:
        same = [x for x in a.names if any(same_name(x, y) for y in b.names)]
        yield Evidence(
            kind=EvidenceKind.NAME,
            weight=30 if same else -30,
            detail=f"same name {min(same)}" if same else f"{min(a.names)} is not {min(b.names)}",
        )


def _is_key_comparable(pair: _Pair) -> bool:
    """A device has a key of each type; which one is seen depends on who asks."""
    types = [{key.partition(" ")[0] for key in side.host_keys} for side in (pair.a, pair.b)]
    return bool(types[0] & types[1])


def _weigh(
    kind: EvidenceKind, a: frozenset[str], b: frozenset[str], weights: tuple[int, int]
) -> Iterator[Evidence]:
    if not a or not b:
        return
    common = a & b
    yield Evidence(
        kind=kind,
        weight=weights[0] if common else weights[1],
        detail=f"same {kind} {min(common)}" if common else f"different {kind}s",
    )
