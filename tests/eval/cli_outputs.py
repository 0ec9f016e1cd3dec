"""Compares the facts that platforms' parsers find with the values in recorded outputs.

Usage: python -m tests.eval.cli_outputs [-v]. PDSNO_CLI_OUTPUTS names a directory that holds
PLATFORM/COMMAND/*.raw and beside each a .yml with its values (`parsed_sample: [row, ...]`); or
DATA names the directory around `cli-outputs`; else it is looked for in `shared/data` beside the
checkout.

For each value that a fact exists for it asks: do the facts say the same? Values are compared
after the least possible change of form (MACs by their digits, interface names by what their
abbreviations share, states as up or down). Exit code 1 if fewer than 95 % agree.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pdsno.domain.entities import Interface
from pdsno.domain.errors import InputError, PDSNOError
from pdsno.domain.observations import Facts
from pdsno.southbound.parsing import ParserPool, facts_of_recording
from pdsno.southbound.platforms import command_named, platform_named

AIM = 0.95
BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
Row = Mapping[str, Any]
Judge = Callable[[Facts, list[Row]], Iterator[tuple[str, bool, str]]]


def words(row: Row, *names: str) -> list[str]:
    """Return what a row says under the first of these names that says anything."""
    for name in names:
        value = row.get(name)
        told = [str(v).strip() for v in (value if isinstance(value, list) else [value]) if v]
        told = [v for v in told if v and v.lower() not in EMPTY]
        if told:
            return told
    return []


EMPTY = {"-", "--", "---", "n/a", "none", "unknown", "unassigned", "null"}
EMPTY |= {"not advertised", "not configured", "unspecified", "not present"}


def port(text: str | None) -> str:
    """Reduce an interface's name to its first two letters and its numbers."""
    if not text:
        return ""
    letters, digits = re.match(r"([A-Za-z-]*)[ ]?(.*)", text.strip("'\" ")).groups()  # type: ignore[union-attr]
    short = {"ten-gigabitethernet": "xg", "xgigabitethernet": "xg", "xge": "xg"}
    short |= {"bundle-ether": "be", "bridge-aggregation": "ba"}
    return short.get(letters.lower(), letters.lower()[:2].replace("ge", "gi")) + digits.lower()


def digits(text: str | None) -> str:
    """Reduce a MAC address to its digits; anything else stays as it is."""
    found = re.sub(r"[\s.:-]", "", text or "").lower()
    return found if re.fullmatch(r"[0-9a-f]{12}", found) else (text or "")


def same(name: str, told: list[str], found: object) -> tuple[str, bool, str]:
    """Judge one plain field."""
    return name, str(found) in told, f"{told} / {found}"


# --- judges: one per kind of output ----------------------------------------------------------


def judge_system(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    row = rows[0]
    columns = {
        "name": ("hostname", "system_name"),
        "os_version": ("version", "os", "software_version", "image_version", "image"),
        "model": (
            "hardware",
            "hardware_model",
            "model",
            "product",
            "sc_model",
            "board_name",
            "platform",
        ),
        "serial": ("serial", "serial_number", "system_serial"),
    }
    for field, names in columns.items():
        told = words(row, *names)
        if told:
            yield same(field, told, getattr(facts, field))
    for product in words(row, "product_version"):
        version = facts.os_version or ""
        yield "os_version", product in version, f"{product} / {version}"
    if words(row, "uptime"):
        yield "uptime_s", bool(facts.uptime_s), f"{row['uptime']} / {facts.uptime_s}"


def judge_name(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    yield same("name", words(rows[0], "hostname", "name"), facts.name)


def judge_interfaces(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    by_name = {port(i.name): i for i in facts.interfaces} | {i.name: i for i in facts.interfaces}
    for row in rows:
        for text in words(row, "interface", "port", "name")[:1]:
            name = text.partition("@")[0] if {"flags", "qdisc"} <= set(row) else text
            found = by_name.get(name) or by_name.get(port(name))
            yield "interface", found is not None, f"{name} / {sorted(by_name)[:5]}"
            if found is not None:
                told = [*layer_2(row, found), *layer_3(row, found), *states(row, found)]
                yield from ((field, is_same, f"{name}: {what}") for field, is_same, what in told)


def layer_2(row: Row, found: Interface) -> Iterator[tuple[str, bool, str]]:
    for mac in words(row, "mac_address", "hw_address")[:1]:
        if re.fullmatch(r"(?!0{12})[0-9a-f]{12}", digits(mac)):
            yield "mac", digits(mac) == digits(found.mac), f"{mac} / {found.mac}"
    for speed in words(row, "speed"):
        match = re.match(r"(?:a-)?([1-9]\d*)\s*(g|m|$)", speed, re.IGNORECASE)
        if match:
            mbps = int(match[1]) * (1000 if match[2].lower() == "g" else 1)
            yield "speed", found.speed_mbps == mbps, f"{speed} / {found.speed_mbps}"


def layer_3(row: Row, found: Interface) -> Iterator[tuple[str, bool, str]]:
    for mtu in words(row, "actual_mtu", "mtu"):
        if mtu.isdigit() and int(mtu):
            yield "mtu", found.mtu == int(mtu), f"{mtu} / {found.mtu}"
    names = ("ip_address", "ip_addresses", "primary_ip_address", "main_ip", "ip", "local")
    ips = {i.partition("/")[0] for i in found.ips}
    for ip in words(row, *names):
        if re.match(r"[\d.]+(/\d+)?$|[0-9a-f:]+:[0-9a-f:]*(/\d+)?$", ip, re.IGNORECASE):
            yield "ips", ip.partition("/")[0] in ips, f"{ip} / {found.ips}"


def states(row: Row, found: Interface) -> Iterator[tuple[str, bool, str]]:
    texts = ("description", "interface_description", "interface_desc")
    for text in words(row, *texts)[:1]:
        is_same = " ".join(text.split()) == found.description
        yield "description", is_same, f"{text} / {found.description}"
    for link in words(row, "link_status", "line_status", "phy", "intf_state", "link")[:1]:
        if re.match(r"(up|down|admin)", link, re.IGNORECASE):
            is_up = link.lower().startswith("up")
            told = f"{link} / {found.oper_status}"
            yield "oper_status", is_up == (found.oper_status == "up"), told


def judge_neighbors(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    for row in rows:
        local = (words(row, "local_interface", "interface") or [""])[0].partition(",")[0]
        mine = [n for n in facts.neighbors or () if port(n.local_interface) == port(local)]
        yield "local_interface", bool(mine), f"{local} / {facts.neighbors}"
        if not mine:
            continue
        for name in words(row, "neighbor_name", "neighbor", "identity"):
            yield "remote_name", any(name == n.remote_name for n in mine), f"{name} / {mine}"
        told = {n.remote_interface for n in mine} | {n.remote_chassis_id for n in mine}
        names = ("neighbor_interface", "neighbor_port_id", "interface_name")
        ids = {port(x) for n in names for x in words(row, n)}
        ids |= {digits(x) for n in names for x in words(row, n)}
        if ids:
            known = {port(x) for x in told} | {digits(x) for x in told}
            yield "remote_interface", bool(ids & known), f"{ids} / {told}"
        for chassis in words(row, "chassis_id")[:1]:
            macs = {digits(n.remote_chassis_id) for n in mine} | {n.remote_name for n in mine}
            is_same = digits(chassis) in macs or chassis.partition("(")[0] in macs
            yield "remote_chassis_id", is_same, f"{chassis} / {macs}"
        for ip in words(row, "mgmt_address", "management_ip", "ip_address")[:1]:
            if re.match(r"[\d.]+$|[0-9a-f:]+$", ip, re.IGNORECASE) and digits(ip) == ip:
                ips = {n.remote_management_ip for n in mine}
                yield "remote_management_ip", ip in ips, f"{ip} / {ips}"


def judge_arp(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    found = {(e.ip.lower(), digits(e.mac), port(e.interface)) for e in facts.arp}
    for row in rows:
        macs = words(row, "mac_address", "hardware_address")
        for ip in words(row, "ip_address", "address", "ipv6_address"):
            if not macs or not re.fullmatch(r"(?!0{12})[0-9a-f]{12}", digits(macs[0])):
                continue
            told = (words(row, "interface", "port_id", "port") or [""])[0]
            entry = (ip.lower(), digits(macs[0]), port(told))
            yield "arp", entry in found, f"{entry}"


def judge_macs(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    found = {(digits(e.mac), str(e.vlan or ""), port(e.interface)) for e in facts.mac_table}
    for row in rows:
        vlan = (words(row, "vlan_id") or [""])[0]
        names = ("destination_port", "ports", "port", "on_interface", "interface")
        for mac in words(row, "destination_address", "mac_address"):
            if not re.fullmatch(r"(?!0{12})[0-9a-f]{12}", digits(mac)):
                continue
            for name in words(row, *names) or [""]:
                for each in name.split(","):
                    entry = (digits(mac), vlan if vlan.isdigit() else "", port(each))
                    yield "mac_table", entry in found, f"{entry}"


def judge_vlans(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    found = {str(v.id): v.name for v in facts.vlans}
    for row in rows:
        for number in words(row, "vlan_id", "tag"):
            if number.isdigit():
                yield "vlan", number in found, number
                for name in words(row, "vlan_name"):
                    yield "vlan_name", found.get(number) == name, f"{name} / {found.get(number)}"


def judge_modules(facts: Facts, rows: list[Row]) -> Iterator[tuple[str, bool, str]]:
    models, serials = {m.model for m in facts.modules}, {m.serial for m in facts.modules}
    for row in rows:
        for model in words(row, "pid", "model", "device_name"):
            yield "module_model", model in models, f"{model} / {models}"
        for serial in words(row, "sn", "serial", "serial_num", "device_serial_number"):
            yield "module_serial", serial in serials, f"{serial} / {serials}"


_KINDS: tuple[tuple[str, Judge], ...] = (
    (r"local.device", judge_name),
    (r"lldp|cdp|ip neighbor print", judge_neighbors),
    (r"mac.address|bridge host", judge_macs),
    (r"\barp\b|ipv6 neighbor", judge_arp),
    (r"inventory|module|manuinfo|display device", judge_modules),
    (r"interface|ip address|ip link", judge_interfaces),
    (r"vlan", judge_vlans),
    (r"hostname|identity", judge_name),
    (r"version|system|resource|routerboard|dmidecode", judge_system),
)


def judge_of(command: str) -> Judge | None:
    """Return who judges a command's output."""
    return next((judge for pattern, judge in _KINDS if re.search(pattern, command)), None)


# --- the run ---------------------------------------------------------------------------------


def recordings(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield (platform, command, file) for what our platforms say they understand."""
    for folder in sorted(root.glob("*/*")):
        if not folder.is_dir():
            continue
        try:
            platform = platform_named(folder.parent.name)
            command = command_named(platform, folder.name)
        except InputError:
            continue
        yield from ((platform.name, command, path) for path in sorted(folder.glob("*.raw")))


def verdicts(
    platform: str, command: str, path: Path, pool: ParserPool
) -> Iterator[tuple[str, bool, str]]:
    """Yield (field, agrees, what was told) for one recording."""
    document = yaml.safe_load(path.with_suffix(".yml").read_text("utf-8"))
    rows = document["parsed_sample"]
    judge = judge_of(command)
    if not rows or judge is None:
        return
    try:
        text = path.read_text("utf-8", errors="replace")
        facts, _problem = facts_of_recording(platform, command, text, pool=pool)
    except PDSNOError as error:
        yield "read", False, str(error)
        return
    yield from judge(facts, rows)


def say(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(text + "\n")


def outputs_directory() -> Path:
    """Return where the recordings are, if they are there."""
    named = os.environ.get("PDSNO_CLI_OUTPUTS")
    data = Path(os.environ.get("DATA") or BESIDE)
    return Path(named) if named else data / "cli-outputs"


def main(arguments: Iterable[str]) -> int:
    """Print the agreement for each platform, command and field; return the exit code."""
    root = outputs_directory()
    if not root.is_dir():
        say(f"cli outputs: skipped, {root} is no directory; PDSNO_CLI_OUTPUTS names another one")
        return 0
    is_verbose = "-v" in arguments
    agreed: Counter[tuple[str, str, str]] = Counter()
    asked: Counter[tuple[str, str, str]] = Counter()
    with ParserPool(workers=1) as pool:
        for platform, command, path in recordings(root):
            for field, is_same, told in verdicts(platform, command, path, pool):
                key = (platform, command, field)
                asked[key] += 1
                agreed[key] += is_same
                if not is_same and is_verbose:
                    say(f"  {path.name}: {field}: {told}"[:400])
    for key in sorted(asked):
        share = agreed[key] / asked[key]
        say(f"{key[0]:18} {key[1]:45} {key[2]:22} {agreed[key]:5}/{asked[key]:<5} {share:7.1%}")
    total, whole = agreed.total(), asked.total()
    files = len({(p, c) for p, c, _ in asked})
    share = total / whole if whole else 0
    say(f"cli outputs: {total} of {whole} values agree ({share:.2%}), {files} commands")
    return 0 if share >= AIM else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
