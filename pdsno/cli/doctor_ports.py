"""Who listens on the ports that a controller wants, by /proc."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pdsno.cli.doctor_report import Finding, failed, ok, warning

_LISTEN = "0A"
_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A port, what it is for, and which address it is wanted on."""

    number: int
    purpose: str
    address: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A listening TCP socket; `program` is empty if we may not know whose it is."""

    address: str
    port: int
    program: str = ""

    def takes(self, wanted: Wanted) -> bool:
        """Tell whether nobody else can listen there."""
        every = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        is_same = self.address == wanted.address
        return self.port == wanted.number and (
            is_same or self.address in every or wanted.address in every
        )


def judge_ports(
    wanted: Sequence[Wanted], listeners: Sequence[Listener], *, is_running: bool
) -> list[Finding]:
    """Tell, port by port: in use by the running controller as it should be, or by another."""
    return [_judge(port, listeners, is_running=is_running) for port in wanted]


def _judge(wanted: Wanted, listeners: Sequence[Listener], *, is_running: bool) -> Finding:
    check = f"port {wanted.number}"
    taken = next((item for item in listeners if item.takes(wanted)), None)
    whose = (taken.program or "somebody (run this as root to see who)") if taken else ""
    if is_running:
        if taken is None:
            return warning(
                check,
                f"nobody listens ({wanted.purpose}), though the controller runs",
                "a controller that has no certificate yet does not; else its log says why",
            )
        return ok(check, f"{wanted.purpose}: {whose} listens")
    if taken is None:
        return ok(check, f"{wanted.purpose}: free")
    return failed(
        check,
        f"wanted for {wanted.purpose}, and {whose} listens on {taken.address}",
        "stop that, or choose another port in the settings",
    )


def listeners(proc: Path = _PROC) -> list[Listener]:
    """Return who listens by TCP in our network namespace."""
    found = []
    owners: Mapping[str, str] | None = None
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "self/net" / table).read_text().splitlines()[1:]
        except OSError:
            continue  # no IPv6 here
        for address, port, inode in parse_table(lines):
            owners = _owners(proc) if owners is None else owners
            program = owners.get(inode, "")
            found.append(Listener(address=address, port=port, program=program))
    return found


def parse_table(lines: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Yield address, port and inode of each listening socket of a table of proc(5)."""
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:  # noqa: PLR2004 - where the inode stands
            address, _, port = fields[1].partition(":")
            yield _address(address), int(port, 16), fields[9]


def _address(text: str) -> str:
    """Return an address that the kernel wrote in words of 32 bits of its own byte order."""
    raw = bytes.fromhex(text)
    words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
    return str(ipaddress.ip_address(b"".join(words)))


def _owners(proc: Path) -> dict[str, str]:
    """Return programs by the inodes of their sockets, as far as we may see."""
    found: dict[str, str] = {}
    for process in proc.glob("[0-9]*"):
        try:
            name = (process / "comm").read_text(errors="replace").strip()
            links = list((process / "fd").iterdir())
        except OSError:
            continue  # another user's, or it has ended
        for inode in filter(None, map(_inode, links)):
            found[inode] = f"{name} (pid {process.name})"
    return found


def _inode(link: Path) -> str | None:
    """Return the inode of an open socket; None for other files, and one that was closed since."""
    try:
        target = link.readlink().name
    except OSError:
        return None
    return target[8:-1] if target.startswith("socket:[") else None
