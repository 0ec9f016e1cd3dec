"""Who validates whom: the global controller regional ones, a regional one its local ones."""

from dataclasses import dataclass

from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.identifiers import Role, check_region

_ADMITS = {Role.GLOBAL: Role.REGIONAL, Role.REGIONAL: Role.LOCAL}


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
    def admits(self) -> Role:
        """The one role that this validator admits."""
        return _ADMITS[self.role]
