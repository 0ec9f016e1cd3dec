"""Why two findings are one device, or are not: values that people can read."""

from dataclasses import dataclass
from enum import StrEnum

THRESHOLD = 100
"""Evidence that adds up to this joins, if some of it is of a kind that no copied image carries."""


class EvidenceKind(StrEnum):
    """What an argument is about."""

    SERIAL = "serial"
    CHASSIS_ID = "chassis ID"
    ENGINE_ID = "SNMP engine ID"
    HOST_KEY = "SSH host key"
    MACS = "MACs"
    ADDRESS = "address"
    NAME = "name"
    PROXY = "proxy ARP"
    KEPT_APART = "kept apart"
    WORD = "a person's word"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Evidence:
    """One argument. `weight` is positive for, negative against; `detail` is for people.

    `is_anchor` tells what a copied machine image does not carry: an address that answers, a
    burnt-in MAC, a serial. Without any such argument nothing is joined.
    """

    kind: EvidenceKind
    weight: int
    detail: str
    is_anchor: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The judgement of two accounts: all arguments, and what rules out that they are one."""

    evidence: tuple[Evidence, ...] = ()
    contradictions: tuple[str, ...] = ()

    @property
    def score(self) -> int:
        """Sum of the arguments for and against."""
        return sum(item.weight for item in self.evidence)

    @property
    def is_same(self) -> bool:
        """Whether both accounts are of one device."""
        return (
            not self.contradictions
            and self.score >= THRESHOLD
            and any(item.is_anchor for item in self.evidence)
        )
