"""The options by which one-shot commands are given credentials."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pdsno.southbound.credentials import Credentials

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULT_COMMUNITY = "public"


def credential_options(command: _Command) -> _Command:
    """Add `--credentials` and `--snmp-community`."""
    command = click.option(
        "--snmp-community",
        "communities",
        metavar="C",
        multiple=True,
        help="SNMP v2c community to try; may be repeated. It shows in the process list: "
        "prefer --credentials.",
    )(command)
    return click.option(
        "--credentials",
        "credentials_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="YAML file with the lists 'snmp' and 'ssh', tried in order (mode 0600).",
    )(command)


def state_directory() -> Path:
    """Return where one-shot commands keep what they learned ($XDG_STATE_HOME/pdsno)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "pdsno"


def known_hosts_file() -> Path:
    """Return the file in which one-shot commands keep host keys."""
    return state_directory() / "known_hosts"


def gather_credentials(credentials_file: Path | None, communities: Sequence[str]) -> "Credentials":
    """Return what the options name; if they name nothing, the community `public` alone."""
    from pdsno.southbound.credentials import Credentials, SnmpV2cCredential, load_credentials

    named = load_credentials(credentials_file) if credentials_file else Credentials()
    if not named and not communities:
        communities = (DEFAULT_COMMUNITY,)
    extra = tuple(
        SnmpV2cCredential(name=f"community {number}", community=community)
        for number, community in enumerate(communities, start=1)
    )
    return replace(named, snmp=(*extra, *named.snmp))


def with_ports(
    credentials: "Credentials", *, snmp_port: int | None, ssh_port: int | None
) -> "Credentials":
    """Return the credentials with other ports."""
    snmp, ssh = credentials.snmp, credentials.ssh
    if snmp_port is not None:
        snmp = tuple(replace(item, port=snmp_port) for item in snmp)
    if ssh_port is not None:
        ssh = tuple(replace(item, port=ssh_port) for item in ssh)
    return replace(credentials, snmp=snmp, ssh=ssh)
