"""Are two accounts of one device? The one set of rules, for every tier and every stage.

Evidence adds up to a score. What a copied machine image carries (names, SSH host keys, SNMP
engine IDs, virtual MACs) never joins alone. What rules out that two are one: two interface tables
without a MAC in common, two serials of one kind, two SNMP engines at one time, two accounts of the
same time each reached at an address which the other does not have. Between two times hardware may
change: a chassis of the same serial gets other cards, a stack another member. A false split is a
nuisance, a false merge is a lie.
"""

from collections.abc import Iterator

from pdsno.domain.addresses import Place
from pdsno.domain.evidence import Evidence, EvidenceKind, Verdict
from pdsno.domain.identifiers import MacKind, engine_made_of, lan_of, mac_kind
from pdsno.domain.pairs import Pair, pair_of
from pdsno.domain.profiles import Disputed, Profile, is_mac_text

_HALF = 0.5
_FULL = 100
_SAME_QUERY = 130
"""Two sources asked at one address in one cycle: outweighs that each has its own name for it."""
_NEW_CARD = -40
_TWINS = -60
_STACK_MACS = 2
_RESTATED = 10

NOTHING_DISPUTED = Disputed()


def judge(a: Profile, b: Profile, disputed: Disputed = NOTHING_DISPUTED) -> Verdict:
    """Return whether two accounts are of one device, with all arguments; symmetric."""
    pair = pair_of(a, b, disputed)
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


def contradicts(a: Profile, b: Profile, disputed: Disputed = NOTHING_DISPUTED) -> bool:
    """Tell whether two accounts cannot be of one device, whatever else they share; symmetric."""
    return any(True for _ in _contradictions(pair_of(a, b, disputed)))


# --- what rules it out -----------------------------------------------------------------------


def _contradictions(pair: Pair) -> Iterator[str]:
    has_table = pair.a.told_macs or pair.b.told_macs
    if pair.is_mac_disjoint and has_table and not pair.is_refitted:
        yield "no MAC in common"
    if _are_serials_different(pair) and not _is_stack(pair):
        yield "different serials"
    if _are_engines_different(pair) and (pair.is_now or not (pair.macs or pair.is_refitted)):
        yield "different SNMP engine IDs"
    if not pair.macs and not pair.is_refitted and _are_chassis_different(pair):
        yield "different chassis IDs"
    if pair.is_now:
        yield from _different_places(pair)
        yield from _different_faces(pair)


def _are_serials_different(pair: Pair) -> bool:
    """Compare serials of one kind: told by the same source, or by who knows whom."""
    if pair.serials:
        return False
    return any(
        x.source == y.source or not x.source or not y.source
        for x in pair.a.serials
        for y in pair.b.serials
    )


def _is_stack(pair: Pair) -> bool:
    """Tell whether most MACs stay, and every address: then a member was swapped between two times.

    The serial is another's then. Firewalls of one cluster show the same MACs with two serials as
    well, but each of them has an address of its own.
    """
    if pair.is_now or len(pair.burnt) < _STACK_MACS or pair.mac_share <= _HALF:
        return False
    return pair.a.ips <= pair.b.ips or pair.b.ips <= pair.a.ips


def _are_engines_different(pair: Pair) -> bool:
    """Tell whether two SNMP agents spoke; at one time a device has one."""
    a, b = pair.a.engines, pair.b.engines
    return bool(a and b) and not a & b


def _are_chassis_different(pair: Pair) -> bool:
    a, b = pair.a.chassis, pair.b.chassis
    comparable = {is_mac_text(x) for x in a} & {is_mac_text(x) for x in b}
    return bool(comparable) and not a & b


def _different_places(pair: Pair) -> Iterator[str]:
    """Two accounts of one time: a complete table has every address at which it was reached."""
    a, b = pair.a, pair.b
    if a.own_ips and b.own_ips and a.own_ips.isdisjoint(b.own_ips):
        yield "no address in common"
        return
    knows_itself = a.reached & a.own_ips and b.reached & b.own_ips
    if knows_itself and not a.reached & b.own_ips and not b.reached & a.own_ips:
        yield "each was reached at an address that the other does not have"


def _different_faces(pair: Pair) -> Iterator[str]:
    """Two accounts of one time, told at addresses of which neither knows the other's.

    Clones have one serial and all keys, yet each answers with its own MAC, or has a name of its
    own. The contexts of one chassis have one serial and the same MACs, and each its own name.
    """
    a, b = pair.a, pair.b
    if a.reached & b.reached:
        return
    left, right = a.told_macs or a.answering, b.told_macs or b.answering
    if left and right and left.isdisjoint(right):
        yield "other MACs answer for each"
    if a.names and b.names and not pair.names and a.ips.isdisjoint(b.ips):
        yield "each has a name of its own"


# --- what speaks for it, and against ---------------------------------------------------------


def _serial_evidence(pair: Pair) -> Iterator[Evidence]:
    if pair.serials:
        own = pair.own_serials
        text = min(own or pair.serials, key=lambda s: s.text).text
        others = "" if own else ", as others have"
        yield Evidence(
            kind=EvidenceKind.SERIAL,
            weight=80 if own else 20,
            detail=f"same serial {text} by {_labels(pair)}{others}",
            is_anchor=bool(own),
        )
    elif _are_serials_different(pair):
        # By two sources it may be the chassis and its board.
        yield Evidence(kind=EvidenceKind.SERIAL, weight=-40, detail="different serials")


def _labels(pair: Pair) -> str:
    return " and ".join(sorted({pair.a.label, pair.b.label}))


def _mac_evidence(pair: Pair) -> Iterator[Evidence]:
    if pair.is_mac_disjoint:
        weight = _NEW_CARD if pair.has_new_card else -70
        yield Evidence(kind=EvidenceKind.MACS, weight=weight, detail="no MAC in common")
    if not pair.macs:
        return
    if _are_twins(pair):
        detail = "each has addresses that the other does not have, as of a cluster or a fabric"
        yield Evidence(kind=EvidenceKind.MACS, weight=_TWINS, detail=detail)
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


def _are_twins(pair: Pair) -> bool:
    """Tell whether it may be the other one of a cluster or fabric, seen at another time.

    Firewalls share MACs and addresses of the service; the own port of each differs in both.
    Leaves of a fabric share those of its gateways; the loopback of each is its own.
    """
    a, b = pair.a, pair.b
    if pair.is_now or a.reached & b.reached:
        return False
    if _each_has_more(a.loopbacks, b.loopbacks):
        return True
    return _each_has_more(a.told_macs, b.told_macs) and _each_has_more(a.own_ips, b.own_ips)


def _each_has_more(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool(a - b and b - a)


def _mac_weight(pair: Pair) -> int:
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


def _is_near(pair: Pair) -> bool:
    """Tell whether both have an address in one LAN, as far as addresses tell.

    A virtual MAC that turns up far from where it was may be another guest of the same image.
    """
    return not {lan_of(ip) for ip in pair.a.ips}.isdisjoint(lan_of(ip) for ip in pair.b.ips)


def _far_mac_weight(pair: Pair) -> int:
    several = len(pair.macs) > 1
    if pair.burnt:
        return _FULL if len(pair.burnt) > 1 else 70
    return 60 if several else 30


def _address_evidence(pair: Pair) -> Iterator[Evidence]:
    if not pair.is_local:
        yield from _far_address_evidence(pair)
        return
    if pair.is_mac_disjoint and not pair.is_refitted:
        return
    a, b = pair.a, pair.b
    both = a.reached & b.reached
    if pair.is_now or pair.mac_share <= _HALF:
        # Else the same MAC is still at the same address, whoever else has one or the other.
        both = pair.undisputed(both)
    told = pair.undisputed((a.reached & b.told_ips) | (b.reached & a.told_ips))
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


def _are_both_without_macs(pair: Pair) -> bool:
    """Tell whether nothing but the address could ever recognise it, now and before."""
    is_alike = pair.a.has_facts == pair.b.has_facts
    return is_alike and not pair.is_now and not pair.left and not pair.right


def _reached_weight(pair: Pair) -> int:
    if pair.is_now and pair.a.has_facts and pair.b.has_facts:
        return _SAME_QUERY
    return 60 if pair.left and pair.right else _FULL


def _far_address_evidence(pair: Pair) -> Iterator[Evidence]:
    """A router between two address spaces tells in each the address that it has in the other."""
    if inside := _reached_in_vrf(pair.a, pair.b) | _reached_in_vrf(pair.b, pair.a):
        namespace, ip = min(inside)
        if (namespace, ip) not in pair.disputed.ips and not pair.is_mac_disjoint:
            weight = 60 if pair.left and pair.right else _FULL
            yield _address(weight, f"{ip} is its own in {namespace}, and answered there")
        return
    here = (pair.a.reached & pair.b.told_ips) - pair.b.reached
    there = (pair.b.reached & pair.a.told_ips) - pair.a.reached
    if here and there and pair.macs:
        yield _address(60, f"tells {min(there)} here, {min(here)} there, and was reached at both")


def _reached_in_vrf(reached: Profile, told: Profile) -> frozenset[Place]:
    """Return addresses at which one answered to who is inside of a VRF that the other tells."""
    return told.vrf_ips & {(reached.namespace, ip) for ip in reached.reached}


def _address(weight: int, detail: str) -> Evidence:
    return Evidence(kind=EvidenceKind.ADDRESS, weight=weight, detail=detail, is_anchor=True)


def _chassis_evidence(pair: Pair) -> Iterator[Evidence]:
    common = pair.a.chassis & pair.b.chassis
    if not common:
        if _are_chassis_different(pair) and not pair.is_refitted:
            yield Evidence(kind=EvidenceKind.CHASSIS_ID, weight=-10, detail="different chassis IDs")
        return
    chassis = min(common)
    burnt = is_mac_text(chassis) and mac_kind(chassis) is MacKind.BURNT_IN
    # One of the shared MACs once more says little; peers of an MLAG announce one that is neither's.
    weight = 20 if chassis in pair.macs else 50 if burnt else 40
    yield Evidence(
        kind=EvidenceKind.CHASSIS_ID,
        weight=weight,
        detail=f"same chassis ID {chassis} by {_labels(pair)}",
        is_anchor=burnt and pair.is_local and chassis not in pair.macs,
    )


def _copied_evidence(pair: Pair) -> Iterator[Evidence]:
    """What a copied image carries, and what an operator types."""
    a, b = pair.a, pair.b
    if not pair.is_refitted or not _are_made_of_macs(pair):
        worth = _RESTATED if all(_is_restated(x, pair) for x in a.engines & b.engines) else 50
        yield from _weigh(EvidenceKind.ENGINE_ID, a.engines, b.engines, (worth, -20))
    if _is_key_comparable(pair):
        yield from _weigh(EvidenceKind.HOST_KEY, a.host_keys, b.host_keys, (50, -30))
    if a.names and b.names:
        same = pair.names
        yield Evidence(
            kind=EvidenceKind.NAME,
            weight=30 if same else -30,
            detail=f"same name {min(same)}" if same else f"{min(a.names)} is not {min(b.names)}",
        )


def _is_restated(engine: str, pair: Pair) -> bool:
    """Tell whether an engine ID is made of what both have anyway, or of a mere address."""
    made_of = engine_made_of(engine)
    if made_of is None:
        return False
    a, b = pair.a, pair.b
    return not is_mac_text(made_of) or made_of in (a.macs & b.macs) | (a.chassis & b.chassis)


def _are_made_of_macs(pair: Pair) -> bool:
    """Tell whether engine IDs follow from the MACs, so that they change with a card."""
    return all(
        engine_made_of(engine) in side.macs for side in (pair.a, pair.b) for engine in side.engines
    )


def _is_key_comparable(pair: Pair) -> bool:
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
