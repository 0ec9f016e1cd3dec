"""`pdsno completion`: scripts by which shells complete commands, options and devices' names."""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from pdsno.domain.errors import PDSNOError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VARIABLE = "_PDSNO_COMPLETE"
"""Set by the scripts: click answers what may come next instead of running a command."""
_MOST_NAMES = 50


@click.command(
    epilog="""\b
Examples:
  eval "$(pdsno completion bash)"                             in ~/.bashrc
  eval "$(pdsno completion zsh)"                              in ~/.zshrc, after compinit
  pdsno completion fish > ~/.config/fish/completions/pdsno.fish
  pdsno completion bash > /etc/bash_completion.d/pdsno        for everybody here""",
    context_settings={"max_content_width": 100},
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete pdsno with the Tab key.

    Commands, options and their values are completed, and names of devices where a command wants
    one: these are asked of the NIB.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"this click has no completion for {shell}")
    click.echo(made(ctx.find_root().command, {}, "pdsno", VARIABLE).source())


def device_names(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - click's signature
    incomplete: str,
) -> "list[CompletionItem]":
    """Return the devices whose name begins so; none if the NIB cannot be asked: no time to tell."""
    from click.shell_completion import CompletionItem

    from pdsno.cli.api_access import default_api, look_up
    from pdsno.cli.nib_client import NIBClient

    given = ctx.params
    filters = {"q": incomplete} if incomplete else {}
    names: dict[str, str] = {}
    with suppress(PDSNOError):
        url = given.get("api") or default_api()
        target = look_up(url, token_file=given.get("token_file"), ca=given.get("ca"))
        with NIBClient(target) as client:
            for device in client.items("devices", filters, limit=_MOST_NAMES):
                name = device["name"] or ""
                if name.isprintable() and name.casefold().startswith(incomplete.casefold()):
                    names.setdefault(name, device["device_type"])
    return [CompletionItem(name, help=kind) for name, kind in names.items() if name]
