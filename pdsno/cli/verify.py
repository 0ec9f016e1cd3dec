"""`pdsno verify`: the network as discovered, against what people have written down."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.netbox_options import NetBoxOptions, netbox_options
from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.domain.compare import Comparison, Finding, Kind
from pdsno.domain.errors import InputError
from pdsno.domain.expectation import Expectation

if TYPE_CHECKING:
    from pdsno.cli.nib_client import NIBClient
    from pdsno.domain.compare import Picture

_COLUMNS = (
    "kind", "what", "name", "field", "expected", "found", "evidence", "told_by", "last_seen",
    "record", "place",
)  # fmt: skip
_FORMATS = ("topology", "ansible", "nornir", "expectation")

_EPILOG = """\b
Examples:
  pdsno verify --against lab/two-regions.clab.yml
  pdsno verify --against inventory/hosts.yml --only missing
  pdsno verify --against nornir/hosts.yaml --region zone-A -o csv > audit.csv
  pdsno verify --against netbox --netbox https://netbox.example.net \\
    --netbox-token-file ~/.netbox-token
  pdsno verify --against expectation.yml --ignore 'old-sw*' --ignore '*:platform'

Nothing is changed anywhere. Exit codes: 0 equal, 1 different (or failed), 2 wrong usage.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--against",
    required=True,
    metavar="SOURCE",
    help="A containerlab file, an Ansible inventory (file or folder), a Nornir hosts.yaml, a file "
    "that `pdsno netbox import --expect` wrote, or the word netbox.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(_FORMATS),
    help="What SOURCE is, if it cannot be told from its content.",
)
@click.option(
    "--only",
    type=click.Choice([kind.value for kind in Kind]),
    multiple=True,
    help="Show only these findings; they alone count for the exit code.",
)
@click.option("--region", metavar="REGION", help="Compare one region only.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="NAME[:FIELD]",
    help="Leave findings out; * stands for anything.",
)
@click.option(
    "--ignore-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Such patterns, a line each; # begins a comment.",
)
@netbox_options()
@api_options
@output_option
def verify(  # noqa: PLR0913 - one per option
    *,
    against: str,
    form: str | None,
    only: tuple[str, ...],
    region: str | None,
    ignore: tuple[str, ...],
    ignore_file: Path | None,
    netbox: NetBoxOptions,
    api: ApiTarget,
    output: OutputFormat,
) -> int:
    """Compare the NIB with what is written down: missing, unexpected, different, with evidence."""
    from pdsno.cli.nib_client import NIBClient

    patterns = [*ignore, *_patterns(ignore_file)]
    expectation = _in_region(read_source(against, form, netbox), region)
    with NIBClient(api) as client:
        found, expectation = _compared(client, expectation, region)
    findings = [
        one
        for one in found.findings
        if (not only or one.kind.value in only) and not _is_ignored(one, patterns)
    ]
    _show(found, findings, expectation, api.url, output)
    return 1 if findings else 0


def read_source(against: str, form: str | None, netbox: NetBoxOptions) -> Expectation:
    """Read what SOURCE expects. Raises InputError for one that cannot be read or told."""
    if against == "netbox" and form is None:
        from pdsno.integrations.netbox_expectation import read_netbox

        with netbox.client() as client:
            return read_netbox(client, netbox.scope())
    if netbox.is_named:
        raise InputError("--netbox goes with --against netbox only")
    path = Path(against)
    if not path.exists():
        raise InputError(
            f"{path}: there is no such file (to compare with NetBox: --against netbox)"
        )
    return _readers()[form or _form_of(path)](path)


def _readers() -> Mapping[str, Callable[[Path], Expectation]]:
    from pdsno.integrations import expectation_file, inventory_files
    from pdsno.lab.expected import read_expectation

    def expectation(path: Path) -> Expectation:
        document = expectation_file.load_yaml(path)
        if not expectation_file.is_expectation(document):
            raise InputError(f"{path}: does not begin with 'kind: {expectation_file.KIND}'")
        assert isinstance(document, dict)  # noqa: S101 - just seen
        return expectation_file.parse_expectation(document, path)

    return {
        "topology": read_expectation,
        "ansible": inventory_files.from_ansible_inventory,
        "nornir": inventory_files.from_nornir_inventory,
        "expectation": expectation,
    }


def _form_of(path: Path) -> str:
    """Tell what a file is by its content; a folder, and what is no YAML, is Ansible's."""
    from pdsno.integrations.expectation_file import is_expectation, load_yaml
    from pdsno.integrations.inventory_files import looks_like_nornir

    if path.is_dir():
        return "ansible"
    try:
        document = load_yaml(path)
    except InputError:
        return "topology" if path.name.endswith((".clab.yml", ".clab.yaml")) else "ansible"
    if not isinstance(document, dict):
        return "ansible"
    if is_expectation(document):
        return "expectation"
    if isinstance(document.get("topology"), dict):
        return "topology"
    return "nornir" if looks_like_nornir(document) else "ansible"


def _in_region(expectation: Expectation, region: str | None) -> Expectation:
    """Keep what is of a region, and what says of no region."""
    if region is None:
        return expectation
    kept = tuple(
        one
        for one in expectation.devices
        if one.region is None or one.region.casefold() == region.casefold()
    )
    names = {one.name for one in kept}
    links = expectation.links
    if links is not None:
        links = tuple(link for link in links if {end.device for end in link.ends} & names)
    return replace(expectation, devices=kept, links=links)


def _with_known_regions(expectation: Expectation, picture: "Picture") -> Expectation:
    """Forget regions that the NIB does not have: another source calls its own things regions."""
    known = {one.region.casefold() for one in picture.devices}
    known |= {one.region.casefold() for one in picture.endpoints}
    strange = {
        one.region
        for one in expectation.devices
        if one.region and one.region.casefold() not in known
    }
    if not strange:
        return expectation
    devices = tuple(
        replace(one, region=None) if one.region in strange else one for one in expectation.devices
    )
    note = f"not compared, being no regions of this NIB: {', '.join(sorted(strange))}"
    return replace(expectation, devices=devices, notes=(*expectation.notes, note))


def _compared(
    client: "NIBClient", expectation: Expectation, region: str | None
) -> tuple[Comparison, Expectation]:
    """Compare twice: the second time with the provenance of what differs."""
    from pdsno.cli.nib_picture import read_picture, whole_device
    from pdsno.domain.compare import compare

    picture = read_picture(client, region=region, with_scope=True)
    expectation = _with_known_regions(expectation, picture)
    found = compare(expectation, picture)
    wanted = {one.record for one in found.findings if one.kind is Kind.DIFFERENT}
    wanted |= _ends_of_missing(found, expectation, picture)
    devices = [
        whole_device(client, one.device_id) if one.device_id in wanted else one
        for one in picture.devices
    ]
    if wanted:
        found = compare(expectation, replace(picture, devices=devices))
    return found, expectation


def _ends_of_missing(
    found: Comparison, expectation: Expectation, picture: "Picture"
) -> set[str | None]:
    """Return the records at the ends of missing links: what they hear is evidence."""
    missing = {one.name for one in found.of(Kind.MISSING, "link")}
    if not missing:
        return set()
    from pdsno.domain.compare_links import link_text

    names = {
        end.device.casefold()
        for link in expectation.links or ()
        if link_text(link.ends) in missing
        for end in link.ends
    }
    return {one.device_id for one in picture.devices if (one.name or "").casefold() in names}


def _patterns(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{file}: cannot be read: {why}") from error
    bare = (line.partition("#")[0].strip() for line in lines)
    return [line for line in bare if line]


def _is_ignored(finding: Finding, patterns: Sequence[str]) -> bool:
    """Match NAME or NAME:FIELD; a link's name has colons of its own."""
    texts = (finding.name, f"{finding.name}:{finding.field or ''}")
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns for text in texts)


def _show(
    found: Comparison,
    findings: Sequence[Finding],
    expectation: Expectation,
    url: str,
    output: OutputFormat,
) -> None:
    from pdsno.domain.jsonable import jsonable

    rows: list[dict[str, Any]] = [jsonable(one) for one in findings]
    notes = [*expectation.notes, *_not_told(found)]
    if output in {OutputFormat.JSON, OutputFormat.YAML}:
        render_one(_whole(found, rows, expectation, notes, url), fmt=output)
        return
    if output is OutputFormat.CSV or rows:
        shown = list(rows)
        if output is OutputFormat.TABLE:
            shown = [_for_table(row) for row in rows]
        render(shown, fmt=output, columns=_columns(shown, output), title="Findings")
    for note in notes:
        click.echo(f"note: {note}", err=True)
    ignored = len(found.findings) - len(findings)
    click.echo(_summary(found, rows, ignored, expectation.source), err=True)


def _columns(rows: Sequence[Mapping[str, Any]], output: OutputFormat) -> Sequence[str]:
    """Return all columns; in a table only those in which something stands."""
    if output is not OutputFormat.TABLE:
        return _COLUMNS
    return [name for name in _COLUMNS if any(row.get(name) for row in rows)]


def _for_table(row: Mapping[str, Any]) -> dict[str, Any]:
    seen = row["last_seen"]
    return {**row, "last_seen": f"{seen.partition('.')[0].removesuffix('Z')}Z" if seen else None}


def _whole(
    found: Comparison,
    rows: Sequence[Mapping[str, Any]],
    expectation: Expectation,
    notes: Sequence[str],
    url: str,
) -> dict[str, Any]:
    return {
        "against": expectation.source,
        "api": url,
        "equal": not rows,
        "devices_expected": found.devices_expected,
        "devices_found": found.devices_found,
        "links_expected": found.links_expected,
        "links_found": found.links_found,
        **{kind.value: [row for row in rows if row["kind"] == kind.value] for kind in Kind},
        "ignored": len(found.findings) - len(rows),
        "not_told": found.not_told,
        "notes": list(notes),
    }


def _not_told(found: Comparison) -> list[str]:
    if not found.not_told:
        return []
    counted = ", ".join(f"{name} {count}" for name, count in found.not_told.items())
    return [f"not compared, because nothing in the network told it: {counted}"]


def _summary(
    found: Comparison, rows: Sequence[Mapping[str, Any]], ignored: int, source: str
) -> str:
    counts = ", ".join(
        f"{sum(row['kind'] == kind.value for row in rows)} {kind.value}" for kind in Kind
    )
    links = f", {found.links_found} of {found.links_expected} links" if found.links_expected else ""
    hidden = f"; {ignored} left out" if ignored else ""
    return (
        f"{source}: {found.devices_found} of {found.devices_expected} devices{links} found; "
        f"{counts}{hidden}"
    )
