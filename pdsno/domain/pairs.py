"""Two accounts side by side: what they have in common, and when they were given."""

from dataclasses import dataclass

from pdsno.domain.identifiers import MacKind, mac_kind, same_name
from pdsno.domain.profiles import Disputed, Profile, Serial

_NO_MAC: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pair:
    """Two accounts side by side, and what they have in common."""

    a: Profile
    b: Profile
    disputed: Disputed
    left: frozenset[str]
    right: frozenset[str]
    """MACs to compare: burnt-in ones where both have such, else all."""

    @property
    def macs(self) -> frozenset[str]:
        """Those of the MACs to compare that both have."""
        return self.left & self.right

    @property
    def mac_share(self) -> float:
        """Share of the smaller set of MACs that is common; 0 where a side has none."""
        smaller = min(len(self.left), len(self.right))
        return len(self.macs) / smaller if smaller else 0.0

    @property
    def is_mac_disjoint(self) -> bool:
        """Whether both have MACs, and none in common."""
        return bool(self.left and self.right) and not self.macs

    @property
    def burnt(self) -> frozenset[str]:
        """Burnt-in MACs that both have."""
        return frozenset(m for m in self.macs if mac_kind(m) is MacKind.BURNT_IN)

    @property
    def is_local(self) -> bool:
        """Whether both are of one address space."""
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
    def own_serials(self) -> list[Serial]:
        """Those of the common serials that no third one tells: a cloned serial is nobody's."""
        return [x for x in self.serials if x.text not in self.disputed.serials]

    @property
    def names(self) -> list[str]:
        """Names of `a` that `b` has too, as far as each tells its domain."""
        return [x for x in self.a.names if any(same_name(x, y) for y in self.b.names)]

    @property
    def is_refitted(self) -> bool:
        """Whether it may be one chassis that got new cards between two times."""
        return not self.is_now and (bool(self.own_serials) or self.has_new_card)

    @property
    def has_new_card(self) -> bool:
        """Whether all but the MACs stayed, between two times, and nobody has the old ones now.

        Where no serial is told: the name, the address, and a host key that nobody else has.
        """
        if self.is_now or not self.is_local or not self.names:
            return False
        a, b = self.a, self.b
        past = (a.macs if a.is_past else _NO_MAC) | (b.macs if b.is_past else _NO_MAC)
        return bool(
            (a.host_keys & b.host_keys) - self.disputed.host_keys
            and self.undisputed(a.reached & b.reached)
            and past.isdisjoint(self.disputed.present)
        )

    def undisputed(self, ips: frozenset[str]) -> frozenset[str]:
        """Return those of these addresses that one device alone has."""
        return frozenset(ip for ip in ips if (self.a.namespace, ip) not in self.disputed.ips)


def pair_of(a: Profile, b: Profile, disputed: Disputed) -> Pair:
    """Put two accounts side by side."""
    left, right = a.macs, b.macs
    burnt_left, burnt_right = _burnt(left), _burnt(right)
    if burnt_left and burnt_right:
        left, right = burnt_left, burnt_right
    return Pair(a, b, disputed, left, right)


def _burnt(macs: frozenset[str]) -> frozenset[str]:
    return frozenset(mac for mac in macs if mac_kind(mac) is MacKind.BURNT_IN)


def _is_same_serial(x: Serial, y: Serial) -> bool:
    return x.text == y.text and (x.vendor == y.vendor or not x.vendor or not y.vendor)
