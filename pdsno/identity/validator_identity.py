"""Who validates whom: the global controller regional ones and brokers, a regional one its LCs."""

from dataclasses import dataclass

from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.identifiers import Role, check_region

_ADMITS = {Role.GLOBAL: (Role.REGIONAL, Role.BROKER), Role.REGIONAL: (Role.LOCAL,)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidatorIdentity:
    """A validator by its assigned ID; `region` is None for the global controller."""

    controller_id: str
    role: Role
    region: str | None = None

    def __post_init__(self) -> None:
        if self.role not in _ADMITS:
            raise LocalProtocolError(f"a {self.role.value} controller admits nobody")
        if self.role is Role.REGIONAL:
            check_region(self.region or "")

    @property
    def admits(self) -> tuple[Role, ...]:
        """The roles that this validator admits."""
        return _ADMITS[self.role]

    @property
    def admits_text(self) -> str:
        """Say which roles it admits, for people."""
        return " and ".join(role.value for role in self.admits)
