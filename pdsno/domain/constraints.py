"""The word of a person on who is one device and who is not: it stands above all evidence.

A split leaves an `apart` word: nothing joins its two sides again, at any stage of the tier where it
was said. A merge leaves a `together` word: whatever is of either side is the survivor, and never a
second device. Each side is known by the ID of its device and by marks: MACs, serials, addresses
that only this side has. The strongest kind that an account and the word have both is compared, so
that an address which another host got says nothing of a host that shows its MAC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from pdsno.domain.entities import Device
from pdsno.domain.identifiers import identifying_serial, is_identifying_mac
from pdsno.domain.profiles import Profile, Serial, of_device


class Verb(StrEnum):
    """What a word says of its two sides."""

    TOGETHER = "together"
    APART = "apart"


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """By what a side is known; `ips` are of `namespace`. Sorted, and none is of both sides."""

    namespace: str
    macs: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing marks this side."""
        return not (self.macs or self.serials or self.ips)

    def without(self, other: "Marks") -> "Marks":
        """Return what this side has and the other has not."""
        ips = self.ips
        if self.namespace == other.namespace:
            ips = tuple(ip for ip in self.ips if ip not in other.ips)
        return replace(
            self,
            macs=tuple(mac for mac in self.macs if mac not in other.macs),
            serials=tuple(text for text in self.serials if text not in other.serials),
            ips=ips,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word. `a_id` and `b_id` are devices of this tier; of a `together` word `a_id` survived.

    `b_id` of a `together` word is an alias of `a_id`.
    """

    word_id: str
    verb: Verb
    a_id: str
    b_id: str
    a: Marks
    b: Marks
    by: str
    at: datetime
    note: str = ""


def marks_of(device: Device) -> Marks:
    """Return everything by which a device is known."""
    profile = of_device(device, is_past=False)
    return Marks(
        namespace=device.namespace,
        macs=tuple(sorted(profile.macs)),
        serials=tuple(sorted(profile.serial_texts)),
        ips=tuple(sorted(profile.ips)),
    )


def marks(
    namespace: str, macs: Iterable[str], serials: Iterable[str | None], ips: Iterable[str]
) -> Marks:
    """Return marks of raw values; what identifies nobody is left out."""
    told = (identifying_serial(text) for text in serials)
    return Marks(
        namespace=namespace,
        macs=tuple(sorted({mac for mac in macs if is_identifying_mac(mac)})),
        serials=tuple(sorted({text for text in told if text})),
        ips=tuple(sorted(set(ips))),
    )


def tell_apart(a: Marks, b: Marks) -> tuple[Marks, Marks]:
    """Return both without what they have in common, which says nothing of either."""
    return a.without(b), b.without(a)


_A, _B = "a", "b"


def _likeness(profile: Profile, side: Marks) -> tuple[int, int]:
    """Return by which kind of marks an account is like a side (0: it is not), and by how many."""
    ips = profile.ips if profile.namespace == side.namespace else frozenset[str]()
    told = ((profile.macs, side.macs), (profile.serial_texts, side.serials), (ips, side.ips))
    for kind, (shown, known) in zip((3, 2, 1), told, strict=True):
        if shown and known:
            hits = len(shown.intersection(known))
            return (kind, hits) if hits else (0, 0)
    return (0, 0)


def side_of(profile: Profile, word: Word) -> str | None:
    """Return "a" or "b" where an account is of that side by its marks, else None.

    Of an account that has marks of both, the side with more of them.
    """
    a, b = _likeness(profile, word.a), _likeness(profile, word.b)
    if not any(a) and not any(b):
        return None
    return _A if a >= b else _B


@dataclass(frozen=True, slots=True)
class Words:
    """All words of a NIB, for the rules of matching; empty where nobody said anything."""

    words: tuple[Word, ...] = ()
    apart: tuple[Word, ...] = field(init=False)
    together: tuple[Word, ...] = field(init=False)

    def __post_init__(self) -> None:
        for verb, name in ((Verb.APART, "apart"), (Verb.TOGETHER, "together")):
            object.__setattr__(self, name, tuple(w for w in self.words if w.verb is verb))

    def keeps_apart(
        self, one: Profile, other: Profile, *, ids: tuple[str | None, str | None] = (None, None)
    ) -> Word | None:
        """Return the word that forbids to join two accounts, of which `ids` are known devices."""
        for word in self.apart:
            sides = (_placed(one, ids[0], word), _placed(other, ids[1], word))
            if sides in ((_A, _B), (_B, _A)):
                return word
        return None

    def keeps_ids_apart(self, one: str, other: str) -> Word | None:
        """Return the word that forbids to join two devices of this NIB."""
        return next((w for w in self.apart if {w.a_id, w.b_id} == {one, other}), None)

    def survivor(self, profile: Profile) -> Word | None:
        """Return the `together` word of which an account is one side; the latest, if several."""
        found = [
            word
            for word in self.together
            if side_of(profile, word) is not None and not self._is_kept_from(word.a_id, profile)
        ]
        return max(found, key=lambda word: (word.at, word.word_id), default=None)

    def _is_kept_from(self, device_id: str, profile: Profile) -> bool:
        """Tell whether a later word says that an account is no part of a device."""
        return any(
            (word.a_id == device_id and side_of(profile, word) == _B)
            or (word.b_id == device_id and side_of(profile, word) == _A)
            for word in self.apart
        )

    def about(self, device_ids: Iterable[str]) -> tuple[Word, ...]:
        """Return the words in which one of these devices has a part."""
        wanted = set(device_ids)
        return tuple(w for w in self.words if wanted & {w.a_id, w.b_id})


def as_profile(side: Marks) -> Profile:
    """Return an account that shows these marks and nothing else."""
    serials = frozenset(Serial(source="", vendor="", text=text) for text in side.serials)
    return Profile(
        label="",
        namespace=side.namespace,
        reached=frozenset(side.ips),
        told_macs=frozenset(side.macs),
        serials=serials,
    )


def _placed(profile: Profile, device_id: str | None, word: Word) -> str | None:
    if device_id == word.a_id:
        return _A
    if device_id == word.b_id:
        return _B
    return side_of(profile, word)


NO_WORDS = Words()


def re_pointed(words: Sequence[Word], called_now: Callable[[str], str | None]) -> tuple[Word, ...]:
    """Return words under the IDs that their devices have since they were merged further.

    `called_now` resolves an alias; it returns None for what is no longer here. The absorbed side of
    a `together` word keeps its ID: it is the alias by which people know it.
    """
    found: Mapping[str, str] = {
        key: called_now(key) or key for word in words for key in (word.a_id, word.b_id)
    }
    return tuple(
        replace(
            word,
            a_id=found[word.a_id],
            b_id=found[word.b_id] if word.verb is Verb.APART else word.b_id,
        )
        for word in words
    )
