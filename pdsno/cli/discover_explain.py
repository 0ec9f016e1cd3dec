"""`pdsno discover --explain`: why an address is what it is, and where it is plugged in."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pdsno.cli.output import cell_text
from pdsno.discovery.cycle import record_cycle
from pdsno.discovery.observe import Observations
from pdsno.domain.entities import Attachment
from pdsno.domain.observations import Authority
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import EndpointFilter
from pdsno.domain.resolve import explain, resolve
from pdsno.nib import NIBStore

_ONE_SHOT = "pdsno-discover"


def explain_address(seen: Observations, address: str) -> list[str]:
    """Return why what answers at an address is the device that it is, and what the ledger says."""
    records = {record.address: record.summary for record in seen.outcomes}
    nowhere = "was not asked: it lies in none of these subnets, and no device named it"
    ledger = f"ledger: {cell_text(records.get(address, nowhere))}"
    place = _place_of(seen, address)
    plugged = [f"  plugged in at {_in_words(place)}"] if place else []
    found = [d for d in resolve("", seen.sightings, seen.facts) if address in d.ips]
    if not found:
        return [f"{address}: nobody answered there", *plugged, f"  {ledger}"]
    lines = []
    for device in found:
        lines.append(f"{address} is of one device with {', '.join(device.ips)}:")
        lines += [f"  {cell_text(line)}" for line in explain(device)]
    return [*lines, *plugged, f"  {ledger}"]


def _place_of(seen: Observations, address: str) -> Attachment | None:
    """Return where the MAC tables of this look have the host, by the rules of a controller.

    A controller's cycle is recorded into a NIB that is forgotten at once.
    """
    if not any(facts.mac_table for facts in seen.facts):
        return None
    subnets: Sequence[str] = [sweep.subnet for sweep in seen.sweeps]
    with NIBStore("memory://") as nib:
        record_cycle(
            nib,
            seen,
            cycle_id=_ONE_SHOT,
            region="",
            local_controller=_ONE_SHOT,
            subnets=tuple(subnets),
            authority=Authority(source=_ONE_SHOT),
            local=LocalPolicy(controller_id=_ONE_SHOT, subnets=tuple(subnets)),
            now=datetime.now(UTC),
        )
        endpoints = nib.endpoints(EndpointFilter(ip=address)).items
    return next((e.attachment for e in endpoints if e.attachment is not None), None)


def _in_words(place: Attachment) -> str:
    vlan = f" (VLAN {place.vlan})" if place.vlan is not None else ""
    return cell_text(f"{place.device or 'a switch'} port {place.interface}{vlan}")
