"""`pdsno nib merge`, `split`, `device --why`: who is one device, and a person's word on it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.completion import device_names
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render_one

Row = Mapping[str, Any]

_note = click.option("--note", default="", metavar="TEXT", help="Why; kept with your name.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would happen.")


@click.command(
    epilog=examples(
        "pdsno nib merge core1 core1-old --dry-run",
        'pdsno nib merge dev_0190a dev_0190b --note "new supervisor, same chassis"',
    )
)
@click.argument("device", shell_complete=device_names)
@click.argument("other", shell_complete=device_names)
@_note
@_dry_run
@output_option
@api_options
def merge(
    device: str, other: str, note: str, api: ApiTarget, output: OutputFormat, *, dry_run: bool
) -> None:
    """Say that OTHER is DEVICE. Its ID means DEVICE from then on, and discovery keeps to that.

    Each is an ID, or a name, MAC or address that it alone has. Needs the role operator.
    """
    with NIBClient(api) as client:
        keeper, absorbed = client.device(device), client.device(other)
        answer = client.post(
            f"devices/{keeper['device_id']}/merge",
            {"with": absorbed["device_id"], "note": note, "dry_run": dry_run},
            version=keeper["version"],
        )
    if output is not OutputFormat.TABLE:
        render_one(answer, fmt=output)
        return
    verb = "would be" if dry_run else "is now"
    survivor = answer["device"]
    click.echo(f"{answer['merged_id']} {verb} {survivor['device_id']} ({_called(survivor)})")
    _print_device(survivor)
    _print_lifted(answer["lifted"])


@click.command(
    epilog=examples(
        "pdsno nib device core1 --why",
        "pdsno nib split core1 --dry-run",
        'pdsno nib split core1 --keep 00:50:56:aa:bb:01 --note "two VMs of one image"',
        "pdsno nib split dev_0190a --keep local_cntl_zone-A_1",
    )
)
@click.argument("device", shell_complete=device_names)
@click.option(
    "--keep",
    multiple=True,
    metavar="WHAT",
    help="A MAC, address, serial, name or reporter that stays with DEVICE; may be repeated.",
)
@_note
@_dry_run
@output_option
@api_options
def split(
    device: str,
    keep: Sequence[str],
    note: str,
    api: ApiTarget,
    output: OutputFormat,
    *,
    dry_run: bool,
) -> None:
    """Say that DEVICE is two: what is not kept becomes another one, and stays apart for good.

    Of two parts the one with the management address is kept. Needs the role operator.
    """
    with NIBClient(api) as client:
        found = client.device(device)
        answer = client.post(
            f"devices/{found['device_id']}/split",
            {"keep": list(keep), "note": note, "dry_run": dry_run},
            version=found["version"],
        )
    if output is not OutputFormat.TABLE:
        render_one(answer, fmt=output)
        return
    kept, new = answer["kept"], answer["new"]
    click.echo(f"{kept['device_id']} ({_called(kept)}) {'would keep' if dry_run else 'keeps'}:")
    _print_parts(answer["kept_parts"])
    click.echo(f"{answer['new_id'] or 'a new device'} ({_called(new)}) {_gets(dry_run=dry_run)}:")
    _print_parts(answer["new_parts"])
    _print_lifted(answer["lifted"])


def _gets(*, dry_run: bool) -> str:
    return "would get" if dry_run else "gets"


def show_why(client: NIBClient, device: Row, output: OutputFormat) -> None:
    """Show why a device is one."""
    told = client.get(f"devices/{device['device_id']}/evidence")
    if output is not OutputFormat.TABLE:
        render_one(told, fmt=output)
        return
    click.echo(f"{device['device_id']} ({_called(device)}) is one device because:")
    _print_reasons(told["told"])
    for line in _later(told):
        click.echo(f"  {line}")
    if told["parts"]:
        click.echo("made of:")
        _print_parts(told["parts"])


def _print_reasons(told: Sequence[Row]) -> None:
    for reasons in told:
        click.echo(f"  {reasons['by']}, which calls it {reasons['device_id']}:")
        for line in reasons["lines"]:
            click.echo(f"    {line}")
    if not told:
        click.echo("  nothing is on record yet: the next discovery cycle writes it")


def _later(told: Row) -> Iterator[str]:
    """Yield what became of the device since, one line each."""
    for joined in told["joined"]:
        because = "; ".join(joined["because"]) or "no reason on record"
        yield f"{joined['at'][:19]}Z {joined['other']} became part of it: {because}"
    for word in told["words"]:
        pair = f"{word['a_id']} and {word['b_id']} are {word['verb']}"
        note = f" ({word['note']})" if word["note"] else ""
        yield f"{word['at'][:19]}Z {word['by']} said that {pair}{note}"
    if told["merged_ids"]:
        yield f"also known as {', '.join(told['merged_ids'])}"


def _called(device: Row) -> str:
    return str(device["name"] or device["management_ip"] or "nameless")


def _print_device(device: Row) -> None:
    for name in ("status", "management_ip", "macs", "ips", "serial"):
        value = device[name]
        text = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"  {name}: {text or '-'}")


def _print_parts(parts: Sequence[Row]) -> None:
    for part in parts:
        marks = [*part["macs"], *part["ips"], *part["serials"]]
        shown = ", ".join(marks[:8]) + (f" and {len(marks) - 8} more" if len(marks) > 8 else "")  # noqa: PLR2004 - a line's worth
        click.echo(f"  {part['label']}: {shown}")


def _print_lifted(words: Sequence[Row]) -> None:
    for word in words:
        click.echo(f"this lifts what {word['by']} said at {word['at'][:19]}Z: {word['verb']}")


COMMANDS: tuple[click.Command, ...] = (merge, split)
"""Of `pdsno nib`."""
