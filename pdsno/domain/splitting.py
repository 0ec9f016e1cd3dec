"""A person splits a device: by the map where reporters told of it, by its marks where we did."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pdsno.domain.constraints import Marks, Verb, Word, tell_apart
from pdsno.domain.entities import Claim, Device, DeviceType, Interface
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import identifying_serial, new_device_id, uuid7
from pdsno.domain.life_cycle import event_of
from pdsno.domain.makings import Making
from pdsno.domain.merge import merge_claims
from pdsno.domain.ownership import beneath, overlay
from pdsno.domain.parts import Part, choose, parts_of
from pdsno.domain.persons_word import Outcome, Person, lifted_by_split, summed, words_of
from pdsno.domain.ports import NIBReader, NIBTransaction


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPlan:
    """What a split would do: `outcome.devices` are the kept one and the new one."""

    outcome: Outcome
    kept: tuple[Part, ...]
    parted: tuple[Part, ...]


def plan_split(
    reader: NIBReader, device: Device, person: Person, keep: Sequence[str] = ()
) -> SplitPlan:
    """Return what splitting a device gives; what `keep` names stays. Raises InputError.

    Where it takes a merge by a person back, the other device has its old ID again.
    """
    parts = parts_of(reader, device)
    kept, parted = choose(device, parts, keep)
    space = device.namespace
    a, b = tell_apart(
        summed(space, [p.marks for p in kept]), summed(space, [p.marks for p in parted])
    )
    lifted = lifted_by_split(words_of(reader), device.device_id, [p.marks for p in parted])
    aliases = set(reader.aliases(device.device_id))
    new_id = next((w.b_id for w in lifted if w.b_id in aliases), None) or new_device_id()
    if kept[0].reporter is None:
        if a.is_empty or b.is_empty:
            raise InputError("nothing would tell the two apart: their MACs and addresses are one's")
        devices = _divided(device, new_id, a, b, parted)
    else:
        devices = _by_map(reader, device, new_id, parted)
    word = Word(
        word_id=f"word_{uuid7()}",
        verb=Verb.APART,
        a_id=device.device_id,
        b_id=new_id,
        a=a,
        b=b,
        by=person.name,
        at=person.at,
        note=person.note,
    )
    outcome = Outcome(devices=devices, word=word, lifted=lifted)
    return SplitPlan(outcome=outcome, kept=tuple(kept), parted=tuple(parted))


def _by_map(
    reader: NIBReader, device: Device, new_id: str, parted: Sequence[Part]
) -> tuple[Device, Device]:
    gone = {(part.reporter, part.their_id) for part in parted}
    claims = reader.claims(device_id=device.device_id)
    kept = [c for c in claims if (c.reporter, c.device.device_id) not in gone]
    moved = [c for c in claims if (c.reporter, c.device.device_id) in gone]
    return (
        merge_claims(device.device_id, kept, version=device.version, pins=device.pins),
        merge_claims(new_id, moved),
    )


def _divided(
    device: Device, new_id: str, a: Marks, b: Marks, parted: Sequence[Part]
) -> tuple[Device, Device]:
    """Return both halves; what only a query can tell of the new one comes with the next cycle.

    What people set stays with the one that is kept.
    """
    pins, device = device.pins, beneath(device)
    there = [i for i in device.interfaces if _is_of(i, b)]
    here = [i for i in device.interfaces if i not in there]
    names = [name for part in parted for name in part.names]
    serial = identifying_serial(device.serial)
    is_name_there, is_serial_there = device.name in names, serial in b.serials
    new = replace(
        device,
        device_id=new_id,
        version=0,
        name=names[0] if names else None,
        device_type=DeviceType.UNKNOWN,
        vendor=None,
        model=None,
        platform=None,
        os_version=None,
        serial=next(iter(b.serials), None),
        chassis_id=None,
        engine_id=None,
        ssh_host_key=None,
        neighbors=(),
        provenance={},
        macs=tuple(mac for mac in device.macs if mac in b.macs),
        ips=tuple(ip for ip in device.ips if ip in b.ips),
        interfaces=tuple(there),
        management_ip=_managed(device, b),
    )
    kept = replace(
        device,
        name=None if is_name_there else device.name,
        serial=next(iter(a.serials), None) if is_serial_there else device.serial,
        macs=tuple(mac for mac in device.macs if mac not in b.macs),
        ips=tuple(ip for ip in device.ips if ip not in b.ips),
        interfaces=tuple(here),
        management_ip=_managed(device, a),
    )
    return overlay(kept, pins), new


def _is_of(interface: Interface, side: Marks) -> bool:
    bare = {ip.partition("/")[0] for ip in interface.ips}
    return interface.mac in side.macs or (interface.mac is None and bool(bare & set(side.ips)))


def _managed(device: Device, side: Marks) -> str | None:
    if device.management_ip in side.ips:
        return device.management_ip
    return next((ip for ip in device.ips if ip in side.ips), None)


def do_split(tx: NIBTransaction, plan: SplitPlan, person: Person) -> Outcome:
    """Carry a plan out in the transaction in which it was made; returns it as stored."""
    kept, new = plan.outcome.devices
    tx.drop_alias(new.device_id)
    for part in plan.parted:
        _move_claim(tx, part, new.device_id)
    stored = (
        tx.put_device(kept, expected_version=kept.version, actor=person.name),
        tx.put_device(new, expected_version=None, actor=person.name),
    )
    for word in plan.outcome.lifted:
        tx.drop_word(word.word_id)
    tx.put_word(plan.outcome.word)
    _divide_making(tx, plan)
    data = {
        "new": new.device_id,
        "by": person.name,
        "because": [person.reason],
        "kept": [part.label for part in plan.kept],
        "parted": [part.label for part in plan.parted],
    }
    tx.append_event(event_of("DEVICE_SPLIT", kept, actor=person.name, now=person.at, data=data))
    came = {"split_from": kept.device_id, "by": person.name}
    tx.append_event(event_of("DEVICE_APPEARED", new, actor=person.name, now=person.at, data=came))
    return replace(plan.outcome, devices=stored)


def _move_claim(tx: NIBTransaction, part: Part, device_id: str) -> None:
    for claim in tx.claims(reporter=part.reporter) if part.reporter else ():
        if claim.device.device_id == part.their_id:
            tx.put_claim(Claim(reporter=claim.reporter, device_id=device_id, device=claim.device))


def _divide_making(tx: NIBTransaction, plan: SplitPlan) -> None:
    kept, new = plan.outcome.devices
    making = tx.making(kept.device_id)
    if making is None:
        return
    gone = {account for part in plan.parted for account in part.accounts}
    theirs = {(part.reporter, part.their_id) for part in plan.parted}
    here, there = [], []
    for told in making.told:
        if (told.by, told.device_id) in theirs:
            there.append(told)
            continue
        moved = tuple(a for a in told.accounts if a in gone)
        here.append(replace(told, accounts=tuple(a for a in told.accounts if a not in gone)))
        if moved:
            lines = tuple(f"split off: {account.label}" for account in moved)
            there.append(replace(told, device_id=new.device_id, accounts=moved, lines=lines))
    tx.put_makings(
        [
            replace(making, told=tuple(here)),
            Making(device_id=new.device_id, told=tuple(there)),
        ]
    )
