"""`pdsno openapi`: the document of the operators' API, without a controller."""

import click

_EPILOG = """\b
Examples:
  pdsno openapi > openapi.json
  pdsno openapi --indent 0 | jq '.paths | keys'"""


@click.command(epilog=_EPILOG)
@click.option(
    "--indent",
    type=click.IntRange(0, 8),
    default=2,
    show_default=True,
    metavar="N",
    help="Spaces a level; 0: all on one line.",
)
def openapi(indent: int) -> None:
    """Print the OpenAPI document of the operators' API of this release, as JSON.

    A running controller serves the same at /openapi.json.
    """
    import json

    from pdsno.api.document import document

    click.echo(json.dumps(document(), indent=indent or None, ensure_ascii=False))
