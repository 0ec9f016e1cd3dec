"""What a report changed at this tier, in our own terms: the report for the tier above."""

from dataclasses import dataclass, field, replace

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.entities import Device, Endpoint
from pdsno.domain.makings import Making, without_accounts
from pdsno.domain.messages import Absorbed, DiscoveryReport
from pdsno.domain.relink import Touched


@dataclass(slots=True)
class Applied:
    """What a report changed here, under our own IDs."""

    changed: dict[str, Device] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    absorbed: list[Absorbed] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    endpoints_seen: list[str] = field(default_factory=list)
    makings: dict[str, Making] = field(default_factory=dict)
    anomalies: dict[str, Anomaly] = field(default_factory=dict)
    touched: Touched = field(default_factory=Touched)
    """What may have other links now."""
    moves: list[tuple[Device, Device]] = field(default_factory=list)
    """Devices that were known, before and after."""

    @property
    def has_new_links(self) -> bool:
        """Whether links may have come or gone."""
        return bool(self.changed or self.absorbed or self.retired)

    def summary(self, report: DiscoveryReport) -> DiscoveryReport:
        """Return the report for the tier above."""
        return replace(
            report,
            devices=tuple(self.changed[key] for key in sorted(self.changed)),
            seen=tuple(sorted(set(self.seen) - self.changed.keys())),
            absorbed=tuple(self.absorbed),
            retired=tuple(self.retired),
            endpoints=tuple(self.endpoints[key] for key in sorted(self.endpoints)),
            endpoints_seen=tuple(sorted(set(self.endpoints_seen) - self.endpoints.keys())),
            is_full=False,
            makings=tuple(without_accounts(self.makings[key]) for key in sorted(self.makings)),
            anomalies=tuple(self.anomalies[key] for key in sorted(self.anomalies)),
        )
