"""`pdsno query`: everything that one device tells."""

import socket
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pdsno.cli.credential_options import (
    credential_options,
    gather_credentials,
    known_hosts_file,
    with_ports,
)
from pdsno.cli.output import OutputFormat, output_option, render, render_one, told_keys
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.observations import Facts, QueryResult
from pdsno.domain.ownership import rank
from pdsno.domain.table_ownership import merge_interfaces

if TYPE_CHECKING:
    from pdsno.southbound.credentials import Credentials

EPILOG = """\b
Examples:
  pdsno query 192.0.2.1                                SNMP v2c, community 'public'
  pdsno query leaf1 --credentials devices.yml -o json  SNMP and SSH, every table
  pdsno query 127.0.0.1 --snmp-port 1161 --snmp-community lab

\b
Only reads: by SNMP GET and GETBULK, by SSH the commands that the platform lists.
"""

_PORT = click.IntRange(1, (1 << 16) - 1)
_TABLES = ("interfaces", "neighbors", "arp", "mac_table", "vlans", "modules")
_OWN = frozenset({"source", "address", "at"})


@click.command(epilog=EPILOG)
@click.argument("host")
@credential_options
@click.option("--snmp-port", type=_PORT, help="UDP port, for every SNMP credential.")
@click.option("--ssh-port", type=_PORT, help="TCP port, for every SSH credential.")
@output_option
def query(
    host: str,
    *,
    credentials_file: Path | None,
    communities: tuple[str, ...],
    snmp_port: int | None,
    ssh_port: int | None,
    output: OutputFormat,
) -> None:
    """Show everything that HOST (a name or an address) tells by SNMP and SSH."""
    credentials = gather_credentials(credentials_file, communities)
    credentials = with_ports(credentials, snmp_port=snmp_port, ssh_port=ssh_port)
    result = ask(resolve_host(host), credentials)
    if not result.facts:
        raise OperationError(failure_text(host, result))
    item = merged(result)
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        render_one(item, fmt=output)
    else:
        show(item, output)


def resolve_host(host: str) -> str:
    """Return the address of a name (IPv4 before IPv6). Raises InputError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{host!r} is neither an address nor a name that resolves") from error
    found.sort(key=lambda item: item[0] != socket.AF_INET)
    return str(found[0][4][0])


def ask(address: str, credentials: "Credentials") -> QueryResult:
    """Query one address by all means that there are credentials for."""
    from pdsno.discovery.query import Candidate, query_all
    from pdsno.discovery.sweep.pacing import Pacer
    from pdsno.southbound.access import DeviceAccess
    from pdsno.southbound.known_hosts import KnownHosts

    stop = threading.Event()
    with DeviceAccess(credentials, known_hosts=KnownHosts(known_hosts_file())) as access:
        told = query_all([Candidate(address=address)], access, stop=stop, pacer=Pacer(None, stop))
    return QueryResult(
        address=address, facts=tuple(told.facts), probes=tuple(told.probes_of(address))
    )


def failure_text(host: str, result: QueryResult) -> str:
    """Say in one line what came of each attempt, and what to look at."""
    from pdsno.domain.observations import AddressOutcome

    record = AddressOutcome(namespace="", address=result.address, probes=result.probes)
    return (
        f"{host} told nothing: {record.summary}. Check that it is up and allows this machine, "
        "and the credentials (a wrong SNMP v2c community looks like a time-out)"
    )


def merged(result: QueryResult) -> dict[str, object]:
    """Return all sources' facts as one, each field with its source; SSH's word before SNMP's."""
    ordered = sorted(result.facts, key=lambda f: rank(f.source))
    item: dict[str, object] = {"address": result.address}
    provenance: dict[str, str] = {}
    for name in (f.name for f in fields(Facts) if f.name not in _OWN):
        teller = next((f for f in ordered if _tells(f, name)), None)
        item[name] = getattr(teller or ordered[0], name)
        if teller is not None:
            provenance[name] = teller.source
    item["interfaces"] = merge_interfaces(f.interfaces for f in ordered)
    item["sources"] = [f.source for f in ordered]
    item["provenance"] = provenance
    item["probes"] = result.probes
    item["facts"] = ordered
    return item


def _tells(facts: Facts, name: str) -> bool:
    value = getattr(facts, name)
    return value not in (None, (), "unknown")


def show(item: dict[str, object], output: OutputFormat) -> None:
    """Print the plain fields, then each table that has rows; CSV holds the fields alone."""
    plain = {k: v for k, v in item.items() if k not in (*_TABLES, "facts", "probes", "provenance")}
    render_one(plain, fmt=output)
    if output is OutputFormat.CSV:
        return
    for name in (*_TABLES, "probes"):
        rows = jsonable(item[name])
        if isinstance(rows, Sequence) and rows and not isinstance(rows, str):
            click.echo(f"\n{name.replace('_', ' ')}")
            render(rows, fmt=output, columns=told_keys(rows))
