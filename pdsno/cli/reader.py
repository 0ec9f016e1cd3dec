"""`pdsno reader`: who may hear events at the broker, and nothing else."""

from pathlib import Path
from typing import Any

import click

from pdsno.cli.admin_client import AdminClient, socket_option
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render
from pdsno.cli.text_files import make_folder, write_text
from pdsno.domain.errors import InputError
from pdsno.domain.readers import DEFAULT_DAYS

_MOST_CSR_CHARACTERS = 4097
_PEM = "-----BEGIN CERTIFICATE-----"


@click.group(
    epilog=examples(
        "pdsno reader add grafana --csr grafana.csr",
        "pdsno reader add noc-a --csr noc-a.csr --region zone-A --days 30",
        "pdsno reader list",
        "pdsno reader remove grafana",
    ),
    context_settings={"max_content_width": 100},
)
def reader() -> None:
    """Clients of the broker that hear events, and may do nothing else. At the global controller."""


@reader.command(
    epilog=examples(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-subj /CN=grafana -keyout grafana.key -out grafana.csr",
        "pdsno reader add grafana --csr grafana.csr",
        "pdsno reader add noc-a --csr noc-a.csr --region zone-A --out /etc/noc",
    )
)
@click.argument("name")
@click.option(
    "--csr",
    type=click.Path(path_type=Path, allow_dash=True),
    required=True,
    metavar="FILE",
    help="A certificate request for a P-256 key in PEM, - for stdin; its key stays where it is.",
)
@click.option("--region", help="Events of this region's controller only.  [default: all]")
@click.option(
    "--days",
    type=click.IntRange(1, 3653),
    default=DEFAULT_DAYS,
    show_default=True,
    metavar="N",
    help="How long the certificate holds; never longer than the issuing CA's.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where to write NAME.crt and NAME-ca.crt.  [default: here]",
)
@socket_option
def add(name: str, csr: Path, region: str | None, days: int, out: Path, socket_path: Path) -> None:
    """Certify a reader, write its certificate and the roots, and print how to listen.

    The same name again with a new key replaces it: the certificate of before loses its rights at
    once. With the same key it is a renewal, and what the broker keeps for it stays.
    """
    make_folder(out)
    body = {"name": name, "csr": _request(csr), "region": region, "days": days}
    made = AdminClient(socket_path).post("/readers", body)
    certificate, roots = out / f"{name}.crt", out / f"{name}-ca.crt"
    write_text(certificate, made["certificate"], is_forced=False, mark=_PEM)
    write_text(roots, made["ca"], is_forced=False, mark=_PEM)
    until = made["reader"]["not_after"][:16].replace("T", " ")
    click.echo(f"wrote {certificate} (until {until} UTC) and {roots}", err=True)
    click.echo(_how(made, name, certificate, roots))


def _how(made: dict[str, Any], name: str, certificate: Path, roots: Path) -> str:
    host, _, port = made["broker"].rpartition(":")
    return (
        f"mosquitto_sub -h {host} -p {port} --cafile {roots} --cert {certificate} "
        f"--key {name}.key -i {name} -c -q 1 -t '{made['topic']}'"
    )


@reader.command("list", epilog=examples("pdsno reader list", "pdsno reader list -o json"))
@output_option
@socket_option
def list_readers(output: OutputFormat, socket_path: Path) -> None:
    """List readers, and until when their certificates hold."""
    columns = ("name", "region", "not_after", "created_at", "created_by", "key_sha256")
    rows = AdminClient(socket_path).get("/readers")["items"]
    if output is OutputFormat.TABLE:
        rows = [{**row, "key_sha256": row["key_sha256"][:16]} for row in rows]
    render(rows, fmt=output, columns=columns, title="Readers")


@reader.command(epilog=examples("pdsno reader remove grafana"))
@click.argument("name")
@socket_option
def remove(name: str, socket_path: Path) -> None:
    """Take a reader's rights back: within two seconds it hears nothing more."""
    answer = AdminClient(socket_path).post("/readers/remove", {"name": name})
    click.echo(f"removed {answer['removed']}", err=True)


def _request(file: Path) -> str:
    try:
        with click.open_file(str(file), encoding="ascii") as stream:
            return str(stream.read(_MOST_CSR_CHARACTERS))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the certificate request {file}: {error}") from error
