"""A LAN in namespaces: a sweeper with a bridge, and hosts on it."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


class Lan:
    """Namespaces that belong together; `sweeper` has the bridge `br0` with our addresses."""

    def __init__(self) -> None:
        self._prefix = f"pdt{os.getpid() % 10000}{secrets.token_hex(2)}"
        self._names: list[str] = []
        self.sweeper = self._add("s")
        self.in_sweeper("ip", "link", "add", "br0", "type", "bridge")
        self.in_sweeper("ip", "link", "set", "br0", "up")

    def _add(self, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        ip("netns", "add", namespace)
        self._names.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The names of all namespaces, the sweeper's first."""
        return tuple(self._names)

    def second_lan(self, bridge: str, own: str, host: str, address: str) -> None:
        """Give the sweeper another LAN, with one host."""
        self.in_sweeper("ip", "link", "add", bridge, "type", "bridge")
        self.in_sweeper("ip", "addr", "add", own, "dev", bridge)
        namespace = self.host(host, "02:00:00:00:01:01", address)
        self.in_sweeper("ip", "link", "set", host, "master", bridge)
        self.in_sweeper("ip", "link", "set", bridge, "up")
        self.run(namespace, "ip", "link", "set", "eth0", "up")

    def address(self, *addresses: str) -> None:
        """Give the sweeper addresses on the LAN."""
        for address in addresses:
            ip("-n", self.sweeper, "addr", "add", address, "dev", "br0")

    def host(self, name: str, mac: str, *addresses: str, sysctls: Sequence[str] = ()) -> str:
        """Add a host; returns its namespace."""
        namespace = self._add(name)
        ip(
            *("-n", self.sweeper, "link", "add", name, "type", "veth"),
            *("peer", "name", "eth0", "netns", namespace),
        )
        ip("-n", self.sweeper, "link", "set", name, "master", "br0", "up")
        ip("-n", namespace, "link", "set", "eth0", "address", mac)
        for setting in sysctls:
            self.run(namespace, "sysctl", "-qw", setting)
        for address in addresses:
            ip("-n", namespace, "addr", "add", address, "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        return namespace

    def run(
        self, namespace: str, *command: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", namespace, *command],
            check=check,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def in_sweeper(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(self.sweeper, *command, check=check)

    def close(self) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def lan() -> Iterator[Lan]:
    made = Lan()
    try:
        yield made
    finally:
        made.close()
