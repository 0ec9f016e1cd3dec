"""The demo's end: a summary for people, on stdout."""

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pdsno.cli.demo_run import Outcome, escalation_text
from pdsno.cli.output import cell_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPE_WIDTH = 120
_COLUMNS = ("name", "type", "vendor", "platform", "management address", "found by")


def summarise(outcome: Outcome) -> None:
    """Write what was found, what was missed, and how long it took."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, markup=False, width=width)
    for region in sorted({str(d["region"] or "-") for d in outcome.devices}):
        _print_region(console, region, outcome)
    _print_links(console, outcome)
    console.print()
    for line in _verdict(outcome):
        console.print(line)


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_region(console: "Console", region: str, outcome: Outcome) -> None:
    from rich.text import Text

    devices = [d for d in outcome.devices if str(d["region"] or "-") == region]
    table = _table(*_COLUMNS)
    table.title = Text(f"\n{region}: {len(devices)} devices", style="bold")
    for item in sorted(devices, key=_order):
        table.add_row(
            *(
                Text(cell_text(value or "-"))
                for value in (
                    item["name"],
                    item["device_type"],
                    item["vendor"],
                    item["platform"],
                    item["management_ip"],
                    item["sources"],
                )
            )
        )
    console.print(table)


def _order(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """Routers and switches before hosts; hosts have no names, but addresses."""
    kind = item["device_type"]
    rank = {"router": "0", "switch": "1", "firewall": "2"}.get(kind, "3")
    return rank, item["name"] or "~", item["management_ip"] or ""


def _print_links(console: "Console", outcome: Outcome) -> None:
    from rich.text import Text

    table = _table("device", "interface", "device", "interface", "status")
    table.title = Text(f"\n{len(outcome.links)} links", style="bold")
    for item in sorted(outcome.links, key=lambda one: (_end(one["a"]), _end(one["b"]))):
        cells = (*_end(item["a"]), *_end(item["b"]), item["status"])
        table.add_row(*(Text(cell_text(cell)) for cell in cells))
    console.print(table)


def _end(end: Mapping[str, Any]) -> tuple[str, str]:
    return str(end["device"] or end["device_id"]), str(end["interface"] or "-")


def _verdict(outcome: Outcome) -> Iterator["Text"]:
    """Yield the lines that say whether all is well."""
    from rich.text import Text

    found = outcome.to_json()
    counts = (
        f"{found['devices_found']} of {found['devices_expected']} devices and "
        f"{found['links_found']} of {found['links_expected']} links of the topology found"
    )
    if outcome.is_complete:
        yield Text(f"{counts}: complete", style="bold green")
    else:
        yield Text(f"{counts}: NOT complete", style="bold red")
    for what in ("missing", "extra", "duplicated"):
        for kind in ("devices", "links"):
            for item in found.get(f"{kind}_{what}", []):
                yield Text(f"  {kind[:-1]} {what}: {cell_text(item)}", style="red")
    for warning in outcome.warnings:
        yield Text(f"  warning: {cell_text(warning)}", style="yellow")
    yield Text(f"{len(outcome.controllers)} controllers validated by key, join token and policy")
    for item in outcome.escalations:
        yield Text(f"  {escalation_text(item)}")
    stages = ", ".join(f"{name} {value:.1f} s" for name, value in outcome.stages.items())
    yield Text(f"{stages}; in all {sum(outcome.stages.values()):.1f} s")
    yield Text(f"the whole lab uses {outcome.memory_mib:.0f} MiB of memory")
