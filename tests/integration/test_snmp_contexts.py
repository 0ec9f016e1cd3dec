"""A bridge that keeps a forwarding table per VLAN, as SNMPv3 contexts `vlan-N`: real agents."""

import asyncio
import functools
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gufo.snmp.policer import RPSPolicer

from pdsno.southbound.credentials import SnmpV3Credential
from pdsno.southbound.mibs import bridge
from pdsno.southbound.mibs.varbinds import Value, Varbinds
from pdsno.southbound.snmp_contexts import open_context
from pdsno.southbound.snmp_session import (
    SnmpAuthenticationError,
    SnmpEndlessError,
    SnmpOptions,
    SnmpTimeoutError,
)
from tests.integration.devices import daemon, free_port, wait_for

HOST = "127.0.0.1"
USER, AUTH, PRIV = "ctxuser", "authpass12", "privpass12"
ALL = ".1.3.6.1.2.1.17"
# The MAC 00:50:56:00:00:0V is behind bridge port V in VLAN V0; port V is interface 100+V.
_TABLE = """\
override {all}.1.4.1.2.{n} integer 10{n}
override {all}.4.3.1.2.0.80.86.0.0.{n} integer {n}
override {all}.4.3.1.3.0.80.86.0.0.{n} integer 3
"""


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpV3Credential]:
    """One front agent; each of its two contexts is passed on to an agent of its own."""
    tables = {n: free_port(socket.SOCK_DGRAM) for n in (1, 2)}
    front = free_port(socket.SOCK_DGRAM)
    configurations = [
        f"agentAddress udp:{HOST}:{port}\nrocommunity inner\n" + _TABLE.format(all=ALL, n=n)
        for n, port in tables.items()
    ]
    configurations.append(
        f"agentAddress udp:{HOST}:{front}\n"
        f'createUser {USER} SHA "{AUTH}" AES "{PRIV}"\n'
        "view everything included .1\n"
        f"rouser -s usm {USER} priv -V everything vlan-*\n"
        + "".join(
            f"proxy -Cn vlan-{n}0 -v2c -c inner {HOST}:{port} {ALL}\n" for n, port in tables.items()
        )
    )
    directory = tmp_path_factory.mktemp("contexts")
    with daemons(directory, configurations):
        yield SnmpV3Credential(
            name="v3",
            user=USER,
            auth_protocol="SHA",
            auth_password=AUTH,
            priv_protocol="AES",
            priv_password=PRIV,
            port=front,
        )


class daemons:  # noqa: N801 - a context manager, like `daemon`
    def __init__(self, directory: Path, configurations: list[str]) -> None:
        self._directory, self._configurations = directory, configurations
        self._running: list[object] = []

    def __enter__(self) -> None:
        program = shutil.which("snmpd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert program, "snmpd is not installed"
        for number, text in enumerate(self._configurations):
            path = self._directory / f"{number}.conf"
            path.write_text(text)
            log = self._directory / f"{number}.log"
            running = daemon(
                [program, "-f", "-Lo", "-C", "-c", str(path), "-I", "-smux"],
                log,
                SNMP_PERSISTENT_DIR=str(self._directory / f"var{number}"),
                MIBS="",
                PATH="/usr/bin",
            )
            running.__enter__()
            self._running.append(running)
            wait_for(functools.partial(_is_up, log), f"agent {number}")

    def __exit__(self, *error: object) -> None:
        for running in self._running:
            running.__exit__(None, None, None)  # type: ignore[attr-defined]


def _is_up(log: Path) -> bool:
    return "NET-SNMP version" in log.read_text()


def walked(
    credential: SnmpV3Credential, context: str, root: str, options: SnmpOptions | None = None
) -> Varbinds:
    options = options or SnmpOptions(timeout_s=2.0)

    async def run() -> Varbinds:
        pace = RPSPolicer(options.requests_per_s)
        async with open_context(HOST, credential, context, options, pace) as session:
            return await session.walk(root)

    return asyncio.run(run())


def test_each_context_tells_the_table_of_its_vlan(switch: SnmpV3Credential) -> None:
    contexts: dict[int, dict[str, Value]] = {}
    for vlan in (10, 20):
        contexts[vlan] = {}
        for root in bridge.CONTEXT_COLUMNS:
            contexts[vlan] |= walked(switch, f"vlan-{vlan}", root)
    names = {101: "Gi1/0/1", 102: "Gi1/0/2"}
    told = {(e.mac, e.vlan, e.interface) for e in bridge.parse_fdb({}, names, contexts)}
    assert told == {
        ("00:50:56:00:00:01", 10, "Gi1/0/1"),
        ("00:50:56:00:00:02", 20, "Gi1/0/2"),
    }


def test_a_context_that_the_agent_does_not_know_is_refused_and_not_empty(
    switch: SnmpV3Credential,
) -> None:
    with pytest.raises((SnmpAuthenticationError, SnmpTimeoutError)):
        walked(switch, "port-7", ALL[1:])


def test_a_wrong_password_is_refused(switch: SnmpV3Credential) -> None:
    with pytest.raises((SnmpAuthenticationError, SnmpTimeoutError)):
        walked(replace(switch, auth_password="wrongpass1"), "vlan-10", ALL[1:])


def test_a_walk_in_a_context_is_cut_at_its_bound(switch: SnmpV3Credential) -> None:
    options = SnmpOptions(timeout_s=2.0, max_rows=2, max_repetitions=2)
    with pytest.raises(SnmpEndlessError) as raised:
        walked(switch, "vlan-10", ALL[1:], options)
    assert len(raised.value.rows) == 2
