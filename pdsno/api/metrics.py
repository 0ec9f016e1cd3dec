"""Metrics of one NIB for Prometheus. A scrape reads the NIB; nothing is counted on the side."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from pdsno.domain.entities import DeviceStatus, LinkStatus
from pdsno.domain.observations import CycleRecord
from pdsno.domain.ports import NIB

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The metrics of one NIB, in a registry of their own. Safe to use from several threads."""

    def __init__(self, nib: NIB) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_NIBCollector(nib))

    def text(self) -> bytes:
        """Return a scrape in Prometheus's text format. Raises OperationError if the NIB fails."""
        return generate_latest(self._registry)


class _NIBCollector(Collector):
    def __init__(self, nib: NIB) -> None:
        self._nib = nib

    def collect(self) -> Iterator[GaugeMetricFamily]:
        counts = self._nib.counts()
        yield _by_label(
            "pdsno_devices", "Devices in the NIB.", "status", counts.devices, DeviceStatus
        )
        yield GaugeMetricFamily("pdsno_endpoints", "Endpoints in the NIB.", counts.endpoints)
        yield _by_label("pdsno_links", "Links in the NIB.", "status", counts.links, LinkStatus)
        yield GaugeMetricFamily(
            "pdsno_outbox_waiting_messages",
            "Durable messages that the parent has not confirmed.",
            counts.outbox,
        )
        for cycle in self._nib.cycles(limit=1):
            yield from _of_cycle(cycle)


def _of_cycle(cycle: CycleRecord) -> Iterator[GaugeMetricFamily]:
    yield _by_label(
        "pdsno_probe_outcomes",
        "Addresses of the newest discovery cycle by what came of them.",
        "outcome",
        cycle.counts,
    )
    duration = cycle.finished_at - cycle.started_at
    yield GaugeMetricFamily(
        "pdsno_cycle_duration_seconds",
        "How long the newest discovery cycle took.",
        duration.total_seconds(),
    )
    yield GaugeMetricFamily(
        "pdsno_cycle_finished_timestamp_seconds",
        "When the newest discovery cycle ended, in Unix time.",
        cycle.finished_at.timestamp(),
    )


def _by_label(
    name: str, about: str, label: str, values: Mapping[str, int], always: Iterable[str] = ()
) -> GaugeMetricFamily:
    """Return a gauge with one sample per label; those of `always` are there even with nothing."""
    family = GaugeMetricFamily(name, about, labels=[label])
    for value in dict.fromkeys([*map(str, always), *sorted(values)]):
        family.add_metric([value], values.get(value, 0))
    return family
