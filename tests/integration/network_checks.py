"""What must hold in a network of controllers once everything has arrived."""

from collections import Counter
from typing import Any

from pdsno.domain.chain import first_fault
from pdsno.domain.entities import Event
from pdsno.domain.ports import NIBReader
from tests.integration.namespaces import until
from tests.integration.network import Network
from tests.integration.network_nodes import Controller

_ALL = 1_000_000


def seen_by(controller: Controller) -> list[tuple[str, str]]:
    """Return (region, address) of each active device, repeats included."""
    return sorted(
        (device["region"], address)
        for device in controller.items("devices?status=active")
        for address in device["ips"]
    )


def expected(net: Network) -> list[tuple[str, str]]:
    return sorted((region, address) for region, hosts in net.hosts.items() for address in hosts)


def await_complete(net: Network, timeout_s: float = 60) -> None:
    """Wait until the global NIB holds every host once, in its region."""
    until(
        lambda: seen_by(net.gc) == expected(net),
        f"all of {expected(net)} at the global controller",
        timeout_s=timeout_s,
    )


def cycle(lc: Controller, timeout_s: float = 40) -> dict[str, Any]:
    """Run a discovery cycle that starts now or later, and return what was logged of its end."""
    before = lc.log_end()
    lc.discover()

    def ended() -> list[dict[str, Any]]:
        begun = {entry["cycle_id"] for entry in lc.logged("discovery_started", before)}
        done = lc.logged("discovery_completed", before)
        return [entry for entry in done if entry["cycle_id"] in begun]

    until(ended, f"a cycle of {lc.name}", timeout_s=timeout_s)
    return ended()[-1]


def check_nobody_crashed(net: Network) -> None:
    """Check that no thread ran into what nobody expected; a failing network is expected."""
    for node in net.controllers:
        for line in node.log.read_text().splitlines():
            assert '_crashed"' not in line, f"{node.name}: {line[:3000]}"
            assert '"level": "error"' not in line, f"{node.name}: {line[:3000]}"


def events(nib: NIBReader, event_type: str | None = None) -> tuple[Event, ...]:
    return nib.events(limit=_ALL, event_type=event_type)


def await_all_applied_once(net: Network, *regions: str, timeout_s: float = 60) -> None:
    """Wait until nothing is under way any more; then nothing is missing and nothing is twice.

    Looks at these regions' reports, by default all.
    """
    regions = regions or tuple(net.rcs)
    for region in regions:
        until(
            lambda region=region: _has_arrived(net, region),  # type: ignore[misc]
            f"every report of {region} at the global controller",
            timeout_s=timeout_s,
        )
    for controller in net.controllers:
        check_own_log(controller)
    for region in regions:
        cycles = _cycles_at(net.gc, "DISCOVERY_SUMMARY_APPLIED", region)
        assert set(cycles.values()) <= {1}, f"applied more than once: {cycles.most_common(3)}"


def check_own_log(controller: Controller) -> None:
    """Check one NIB by itself: the chain of events, and that no device appeared twice."""
    with controller.nib() as nib:
        log = events(nib)
        assert first_fault(log) is None, f"{controller.name}: {first_fault(log)}"
        assert nib.integrity_faults() == ()
        appeared = Counter(e.subject for e in log if e.event_type == "DEVICE_APPEARED")
        assert set(appeared.values()) <= {1}, f"{controller.name}: {appeared.most_common(3)}"
        places = Counter((d.namespace, ip) for d in nib.all_devices() for ip in d.ips)
        assert set(places.values()) <= {1}, f"{controller.name}: {places.most_common(3)}"


def _has_arrived(net: Network, region: str) -> bool:
    rc, lc = net.rcs[region], net.lcs[region]
    if not (_is_applied(lc, rc) and _is_applied(rc, net.gc)):
        return False
    done = set(_cycles_at(lc, "DISCOVERY_COMPLETED", region))
    return done == set(_cycles_at(net.gc, "DISCOVERY_SUMMARY_APPLIED", region))


def _is_applied(sender: Controller, receiver: Controller) -> bool:
    """Tell whether the receiver has all of the sender's stream, and the sender knows it."""
    with sender.nib() as ours, receiver.nib() as theirs:
        tail = ours.outbox_tail()
        applied = theirs.applied_seq(sender.known_id, tail.stream_id)
        return applied == tail.seq and ours.outbox() == ()


def _cycles_at(controller: Controller, event_type: str, region: str) -> Counter[str]:
    """Return how often each discovery cycle of a region is in a log (snapshots are no cycles)."""
    with controller.nib() as nib:
        subjects = [e.subject for e in events(nib, event_type) if e.region == region]
    return Counter(s for s in subjects if s.startswith("cycle_"))
