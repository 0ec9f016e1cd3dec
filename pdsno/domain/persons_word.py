"""A person merges two devices, or splits one: what would happen, and doing it.

One rule for every tier. Where a device is made of reporters' claims, only the map from their IDs to
ours changes; where it is made of what was observed, its marks are divided. Both leave a word that
stands above all evidence from then on (see `constraints`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pdsno.domain.constraints import (
    Marks,
    Verb,
    Word,
    Words,
    as_profile,
    marks,
    marks_of,
    re_pointed,
    side_of,
    tell_apart,
)
from pdsno.domain.entities import Claim, Device
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.identifiers import uuid7
from pdsno.domain.life_cycle import event_of
from pdsno.domain.makings import Joined, Making, united
from pdsno.domain.merge import merge_claims
from pdsno.domain.messages import Absorbed
from pdsno.domain.ownership import adopt, beneath
from pdsno.domain.ports import NIBReader, NIBTransaction
from pdsno.domain.profiles import of_device


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who says it, through which controller, when, and why."""

    name: str
    controller_id: str
    at: datetime
    note: str = ""

    @property
    def reason(self) -> str:
        """The line that is kept as evidence."""
        return f"{self.name} said so" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a merge or split did, or would do: the devices as they are then, and lifted words."""

    devices: tuple[Device, ...]
    absorbed: tuple[Absorbed, ...] = ()
    word: Word
    lifted: tuple[Word, ...] = ()


def words_of(reader: NIBReader) -> Words:
    """Return people's words under the IDs that their devices have now."""
    stored = reader.words()
    if not stored:
        return Words()

    def called_now(device_id: str) -> str | None:
        device = reader.device(device_id)
        return device.device_id if device else None

    return Words(re_pointed(stored, called_now))


def find(reader: NIBReader, device_id: str) -> Device:
    """Return a device by its own ID or an alias. Raises NotFoundError."""
    device = reader.device(device_id)
    if device is None:
        raise NotFoundError(f"there is no device {device_id}")
    return device


# --- merge -----------------------------------------------------------------------------------


def plan_merge(reader: NIBReader, keeper: Device, other: Device, person: Person) -> Outcome:
    """Return what merging `other` into `keeper` gives. Raises InputError if they are one."""
    if keeper.device_id == other.device_id:
        raise InputError(
            f"{keeper.device_id} and what it should be merged with are one device already"
        )
    a, b = tell_apart(marks_of(keeper), marks_of(other))
    word = Word(
        word_id=f"word_{uuid7()}",
        verb=Verb.TOGETHER,
        a_id=keeper.device_id,
        b_id=other.device_id,
        a=a,
        b=b,
        by=person.name,
        at=person.at,
        note=person.note,
    )
    return Outcome(
        devices=(_merged(reader, keeper, other),),
        absorbed=(Absorbed(device_id=other.device_id, into_id=keeper.device_id),),
        word=word,
        lifted=_lifted_by_merge(words_of(reader), keeper, other),
    )


def _merged(reader: NIBReader, keeper: Device, other: Device) -> Device:
    claims = [c for d in (keeper, other) for c in reader.claims(device_id=d.device_id)]
    if not claims:
        told = ((beneath(keeper), "1"), (beneath(other), "2"))
        claims = [Claim(reporter=n, device_id=keeper.device_id, device=d) for d, n in told]
    pins = adopt(keeper, [other]).pins
    merged = merge_claims(keeper.device_id, claims, version=keeper.version, pins=pins)
    seen = max(keeper.last_seen, other.last_seen, merged.last_seen)
    return replace(merged, last_seen=seen)


def _lifted_by_merge(words: Words, keeper: Device, other: Device) -> tuple[Word, ...]:
    """Return the words that keep the two apart: the later word of a person counts."""
    one, two = (of_device(d, is_past=False) for d in (keeper, other))
    ids = (keeper.device_id, other.device_id)
    return tuple(w for w in words.apart if Words((w,)).keeps_apart(one, two, ids=ids))


def do_merge(tx: NIBTransaction, plan: Outcome, person: Person) -> Outcome:
    """Carry a plan out in the transaction in which it was made; returns it as stored."""
    (merged,) = plan.devices
    (absorbed,) = plan.absorbed
    other = find(tx, absorbed.device_id)
    held = tx.makings()
    tx.absorb_device(absorbed.device_id, merged.device_id)
    stored = tx.put_device(merged, expected_version=merged.version, actor=person.name)
    _put_words(tx, plan)
    part = Joined(at=person.at, other=absorbed.device_id, because=(person.reason,), by=person.name)
    keeping = held.get(merged.device_id, Making(device_id=merged.device_id))
    gone = [held[absorbed.device_id]] if absorbed.device_id in held else []
    tx.put_makings([united(keeping, gone, part)])
    data = {"into": merged.device_id, "by": person.name, "because": [person.reason]}
    tx.append_event(event_of("DEVICES_MERGED", other, actor=person.name, now=person.at, data=data))
    return replace(plan, devices=(stored,))


def _put_words(tx: NIBTransaction, plan: Outcome) -> None:
    for word in plan.lifted:
        tx.drop_word(word.word_id)
    tx.put_word(plan.word)


# --- the words that a split lifts ------------------------------------------------------------


def lifted_by_split(words: Words, device_id: str, parted: Iterable[Marks]) -> tuple[Word, ...]:
    """Return the merges that a split takes back: those by which what is parted became part."""
    profiles = [as_profile(side) for side in parted]
    return tuple(
        word
        for word in words.together
        if word.a_id == device_id and any(side_of(p, word) == "b" for p in profiles)
    )


def summed(namespace: str, sides: Sequence[Marks]) -> Marks:
    """Return the marks of several parts together."""
    return marks(
        namespace,
        (mac for side in sides for mac in side.macs),
        (text for side in sides for text in side.serials),
        (ip for side in sides for ip in side.ips),
    )
