"""Metrics of one controller for Prometheus: what there is, and a scrape of it.

A scrape reads the NIB, and what the parts of the controller have counted since it started.
`METRICS` is the whole list, from which docs/reference/metrics.md is made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from pdsno.domain.entities import DeviceStatus, LinkStatus
from pdsno.domain.event_place import end_of
from pdsno.domain.measure import BUCKETS_S, Durations, Spread
from pdsno.domain.observations import CycleRecord
from pdsno.domain.ports import NIB

CONTENT_TYPE = CONTENT_TYPE_LATEST
Family: TypeAlias = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
Samples: TypeAlias = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric: `kind` is gauge, counter or histogram; `about` is a sentence."""

    name: str
    kind: str = "gauge"
    labels: tuple[str, ...] = ()
    about: str


METRICS = (
    Metric(name="pdsno_build_info", labels=("version", "role"), about="1; who answers."),
    Metric(
        name="pdsno_devices",
        labels=("status",),
        about="Devices in the NIB; every status is there, also with 0.",
    ),
    Metric(name="pdsno_endpoints", about="Endpoints in the NIB."),
    Metric(
        name="pdsno_links",
        labels=("status",),
        about="Links in the NIB; every status is there, also with 0.",
    ),
    Metric(name="pdsno_events_total", kind="counter", about="Events written to the log, ever."),
    Metric(name="pdsno_nib_size_bytes", about="Size of the NIB's files; not for every store."),
    Metric(
        name="pdsno_outbox_waiting_messages",
        about="Durable messages that the parent has not confirmed: it grows while that is away.",
    ),
    Metric(
        name="pdsno_outbox_oldest_age_seconds",
        about="Age of the oldest of them; 0 if there is none.",
    ),
    Metric(
        name="pdsno_probe_outcomes",
        labels=("outcome",),
        about="Addresses of the newest discovery cycle by what came of them.",
    ),
    Metric(name="pdsno_cycle_duration_seconds", about="How long the newest discovery cycle took."),
    Metric(
        name="pdsno_cycle_finished_timestamp_seconds",
        about="When the newest discovery cycle ended, in Unix time; the age of what is known.",
    ),
    Metric(
        name="pdsno_refused_messages_total",
        kind="counter",
        labels=("reason",),
        about="Messages of other controllers that were refused.",
    ),
    Metric(
        name="pdsno_stream_sent_messages_total",
        kind="counter",
        labels=("kind",),
        about="Durable messages sent to the parent: sent, sent_again.",
    ),
    Metric(
        name="pdsno_stream_received_messages_total",
        kind="counter",
        labels=("result",),
        about="Durable messages of those below: applied, pulled (of these), duplicate, gap.",
    ),
    Metric(
        name="pdsno_certificate_expiry_timestamp_seconds",
        about="When the controller's own certificate ends, in Unix time.",
    ),
    Metric(name="pdsno_mqtt_connected", about="Whether the broker is connected, 0 or 1."),
    Metric(
        name="pdsno_mqtt_publish_duration_seconds",
        kind="histogram",
        labels=("outcome",),
        about="From publishing until the broker's acknowledgement: ok, failed.",
    ),
    Metric(
        name="pdsno_mqtt_events_published_total",
        kind="counter",
        about="Events that the broker has taken for readers; those sent again count again.",
    ),
    Metric(
        name="pdsno_mqtt_events_waiting",
        about="Events that are still to be published: it grows while the broker is away.",
    ),
    Metric(
        name="pdsno_rest_request_duration_seconds",
        kind="histogram",
        labels=("outcome",),
        about="Messages to other controllers over REST, one try each: ok, failed.",
    ),
    Metric(
        name="pdsno_api_request_duration_seconds",
        kind="histogram",
        labels=("method", "route", "status"),
        about="Requests of operators by route and class of status; streams count when they end.",
    ),
    Metric(name="pdsno_api_streams", about="Event streams that are open."),
    Metric(
        name="pdsno_api_streams_ended_total",
        kind="counter",
        labels=("reason",),
        about="Event streams that ended, by why.",
    ),
    Metric(name="pdsno_webhooks", labels=("state",), about="Webhooks: ok, failing, disabled."),
    Metric(
        name="pdsno_webhook_deliveries_total",
        kind="counter",
        labels=("outcome",),
        about="Tries to tell a webhook: delivered, refused, unreachable, forbidden.",
    ),
)
_BY_NAME = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What a controller has counted since its start; what it does not have is left out."""

    version: str = ""
    role: str = ""
    nib_bytes: int | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    certificate_until: datetime | None = None
    is_mqtt_connected: bool | None = None
    mqtt: Durations | None = None
    mqtt_events: int | None = None
    mqtt_events_waiting: int | None = None
    rest: Durations | None = None
    api: Durations | None = None
    streams: int | None = None
    streams_ended: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """The metrics of one controller, in a registry of their own. Safe to use from threads."""

    def __init__(self, nib: NIB, measures: Callable[[], Measures] = Measures) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(nib, measures))

    def text(self) -> bytes:
        """Return a scrape in Prometheus's text format. Raises OperationError if the NIB fails."""
        return generate_latest(self._registry)


class _Collector(Collector):
    def __init__(self, nib: NIB, measures: Callable[[], Measures]) -> None:
        self._nib = nib
        self._measures = measures

    def collect(self) -> Iterator[Family]:
        yield from _of_nib(self._nib)
        for cycle in self._nib.cycles(limit=1):
            yield from _of_cycle(cycle)
        yield from _of_measures(self._measures())


def _of_nib(nib: NIB) -> Iterator[Family]:
    counts = nib.counts()
    yield _family("pdsno_devices", _each(counts.devices, DeviceStatus))
    yield _family("pdsno_endpoints", {(): counts.endpoints})
    yield _family("pdsno_links", _each(counts.links, LinkStatus))
    yield _family("pdsno_events_total", {(): end_of(nib).seq})
    yield _family("pdsno_outbox_waiting_messages", {(): counts.outbox})
    oldest = nib.outbox(limit=1)
    age = (datetime.now(UTC) - oldest[0].created_at).total_seconds() if oldest else 0.0
    yield _family("pdsno_outbox_oldest_age_seconds", {(): max(age, 0.0)})
    states = {"ok": 0, "failing": 0, "disabled": 0}
    for hook in nib.webhooks():
        is_failing = hook.failing_since is not None
        state = "disabled" if hook.disabled_at else "failing" if is_failing else "ok"
        states[state] += 1
    yield _family("pdsno_webhooks", _each(states))


def _of_cycle(cycle: CycleRecord) -> Iterator[Family]:
    yield _family("pdsno_probe_outcomes", _each(cycle.counts))
    duration = cycle.finished_at - cycle.started_at
    yield _family("pdsno_cycle_duration_seconds", {(): duration.total_seconds()})
    ended = cycle.finished_at.timestamp()
    yield _family("pdsno_cycle_finished_timestamp_seconds", {(): ended})


def _of_measures(told: Measures) -> Iterator[Family]:
    yield _family("pdsno_build_info", {(told.version, told.role): 1})
    single = {
        "pdsno_nib_size_bytes": told.nib_bytes,
        "pdsno_mqtt_connected": told.is_mqtt_connected,
        "pdsno_mqtt_events_published_total": told.mqtt_events,
        "pdsno_mqtt_events_waiting": told.mqtt_events_waiting,
        "pdsno_api_streams": told.streams,
        "pdsno_certificate_expiry_timestamp_seconds": (
            told.certificate_until.timestamp() if told.certificate_until else None
        ),
    }
    for name, value in single.items():
        if value is not None:
            yield _family(name, {(): float(value)})
    for name, counts in (
        ("pdsno_refused_messages_total", told.refused),
        ("pdsno_stream_sent_messages_total", told.sent),
        ("pdsno_stream_received_messages_total", told.received),
        ("pdsno_api_streams_ended_total", told.streams_ended),
        ("pdsno_webhook_deliveries_total", told.deliveries),
    ):
        yield _family(name, _each(counts))
    for name, durations in (
        ("pdsno_mqtt_publish_duration_seconds", told.mqtt),
        ("pdsno_rest_request_duration_seconds", told.rest),
        ("pdsno_api_request_duration_seconds", told.api),
    ):
        if durations is not None:
            yield _histogram(name, durations.read())


def _each(values: Mapping[str, float], always: Iterable[str] = ()) -> Samples:
    """Return one sample a label; those of `always` are there even with nothing."""
    names = dict.fromkeys([*map(str, always), *sorted(values)])
    return {(name,): values.get(name, 0) for name in names}


def _family(name: str, samples: Samples) -> GaugeMetricFamily | CounterMetricFamily:
    metric = _BY_NAME[name]
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(name.removesuffix("_total"), metric.about, labels=metric.labels)
    for labels, value in samples.items():
        family.add_metric(labels, value)
    return family


def _histogram(name: str, spreads: Mapping[tuple[str, ...], Spread]) -> Family:
    metric = _BY_NAME[name]
    family = HistogramMetricFamily(name, metric.about, labels=metric.labels)
    for labels, spread in sorted(spreads.items()):
        buckets = [(str(bound), n) for bound, n in zip(BUCKETS_S, spread.up_to, strict=True)]
        family.add_metric(labels, [*buckets, ("+Inf", spread.count)], spread.total_s)
    return family
