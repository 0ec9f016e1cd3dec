"""What `pdsno discover` prints: one row per subnet with its hosts, or one line per host."""

import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from ipaddress import IPv4Network, ip_address

import click

from pdsno.cli.output import OutputFormat, render, told_keys
from pdsno.discovery.observe import Observations
from pdsno.discovery.oui import vendor_of
from pdsno.discovery.targets import hosts_of
from pdsno.domain.observations import Facts, Sighting, SweepResult
from pdsno.domain.resolve import facts_ips

_NAMES_WITHIN_S = 3.0
_LOOKUPS = 32
_NESTED = (OutputFormat.JSON, OutputFormat.YAML)


def sweep_rows(
    seen: Observations, names: Mapping[str, str], *, with_facts: bool
) -> list[dict[str, object]]:
    """Return one row per subnet; `names` are used where no device told its own."""
    told = _facts_by_address(seen.facts)
    records = {item.address: item.summary for item in seen.outcomes}
    rows: list[dict[str, object]] = []
    for sweep in seen.sweeps:
        hosts = hosts_seen(sweep.sightings)
        for host in hosts:
            address = str(host["ip"])
            facts = told.get(address)
            host["name"] = (facts.name if facts else None) or names.get(address)
            if with_facts:
                host["device_type"] = facts.device_type.value if facts else None
                host["platform"] = facts.platform if facts else None
                host["outcome"] = records.get(address)
        rows.append(
            {
                "subnet": sweep.subnet,
                "probed": probed_count(sweep),
                "answered": len({host["ip"] for host in hosts}),
                "duration_s": sweep.duration_s,
                "complete": sweep.is_complete,
                "notes": list(sweep.notes),
                "hosts": hosts,
            }
        )
    return rows


def probed_count(sweep: SweepResult) -> int:
    """Return how many addresses were really asked."""
    probed = [IPv4Network(prefix) for prefix in sweep.probed]
    return len(hosts_of(probed, IPv4Network(sweep.subnet)))


def hosts_seen(sightings: Sequence[Sighting]) -> list[dict[str, object]]:
    """Return who answered, by address; two machines that claim one address are two rows."""
    macs: dict[str, list[str | None]] = {}
    for sighting in sightings:
        known = macs.setdefault(sighting.address, [])
        if sighting.mac and sighting.mac not in known:
            known.append(sighting.mac)
    return [
        _host(address, mac, [s for s in sightings if s.address == address and s.mac in (None, mac)])
        for address in sorted(macs, key=ip_address)
        for mac in (macs[address] or [None])
    ]


def _host(address: str, mac: str | None, sightings: Sequence[Sighting]) -> dict[str, object]:
    times = {s.method: s.rtt_ms for s in sightings if s.rtt_ms is not None}
    return {
        "ip": address,
        "mac": mac,
        "vendor": vendor_of(mac) if mac else None,
        "rtt_ms": min(times.values(), default=None),
        "methods": sorted({s.method.value for s in sightings}),
    }


def _facts_by_address(facts: Sequence[Facts]) -> dict[str, Facts]:
    """Return who told at, or claims, each address; SSH's word before SNMP's."""
    found: dict[str, Facts] = {}
    for item in sorted(facts, key=lambda f: f.source):
        for address in facts_ips(item):
            found[address] = item
    return found | {item.address: item for item in sorted(facts, key=lambda f: f.source)}


def resolver_names(seen: Observations) -> dict[str, str]:
    """Return what the local resolver calls the addresses; it gets three seconds for all."""
    addresses = sorted({s.address for s in seen.sightings})
    pool = ThreadPoolExecutor(max_workers=_LOOKUPS, thread_name_prefix="names")
    lookups = {pool.submit(_name_of, address): address for address in addresses}
    done, _ = wait(lookups, timeout=_NAMES_WITHIN_S)
    # A resolver that hangs keeps its threads for a while; nobody waits for them.
    pool.shutdown(wait=False, cancel_futures=True)
    return {lookups[item]: name for item in done if (name := item.result())}


def _name_of(address: str) -> str | None:
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError:
        return None


def show_sweeps(rows: Sequence[Mapping[str, object]], output: OutputFormat) -> None:
    """Print the rows; in a table and in CSV, hosts with their subnet and a line per subnet."""
    if output in _NESTED:
        render(rows, fmt=output)
        return
    hosts = [
        {"subnet": row["subnet"], **host}
        for row in rows
        for host in row["hosts"]  # type: ignore[attr-defined]
    ]
    columns = list(hosts[0]) if hosts else ["subnet", "ip", "mac", "vendor", "rtt_ms", "methods"]
    if hosts and output is OutputFormat.TABLE:
        # Without root, or without a query, whole columns would stand empty.
        columns = told_keys(hosts)
        if len(rows) == 1:
            columns.remove("subnet")
    if hosts or output is OutputFormat.CSV:
        render(hosts, fmt=output, columns=columns)
    for row in rows:
        state = "" if row["complete"] else " (incomplete)"
        if row["complete"] and not row["probed"] and not row["answered"]:
            state = ": nothing to ask, all of it is excluded or this machine's own"
        click.echo(
            f"{row['subnet']}: {row['answered']} of {row['probed']} addresses answered "
            f"in {row['duration_s']} s{state}",
            err=True,
        )
