"""Options of commands that read a NetBox: its URL, a token, its CA, and which part of it.

The token comes from a file or from NETBOX_TOKEN, never from an argument.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import click

from pdsno.cli.api_access import check_ca, checked_url, read_private
from pdsno.domain.errors import InputError
from pdsno.integrations.nib_rest import is_loopback

if TYPE_CHECKING:
    from pdsno.integrations.netbox_client import NetBoxClient
    from pdsno.integrations.netbox_scope import NetBoxScope

T = TypeVar("T")

TOKEN_VARIABLE = "NETBOX_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, kw_only=True, slots=True)
class NetBoxOptions:
    """What was said of a NetBox."""

    url: str | None
    token_file: Path | None
    ca: Path | None
    is_http_allowed: bool
    sites: tuple[str, ...]
    tags: tuple[str, ...]
    grouping: str
    regions: tuple[str, ...]
    default_region: str | None
    with_interfaces: bool

    @property
    def is_named(self) -> bool:
        """Whether a NetBox was named by option; the environment may name one for other commands."""
        context = click.get_current_context()
        source = context.get_parameter_source("netbox_url")
        return source is click.core.ParameterSource.COMMANDLINE

    def client(self) -> "NetBoxClient":
        """Return a client. Raises InputError for what is missing or cannot be."""
        from pdsno.integrations.netbox_client import NetBoxClient

        if not self.url:
            raise InputError("name the NetBox with --netbox URL or NETBOX_URL")
        try:
            url = checked_url(self.url)
        except InputError as error:
            raise InputError(
                f"{self.url!r} is no URL: write it as https://netbox.example"
            ) from error
        is_clear = urlsplit(url).scheme != "https" and not is_loopback(url)
        if is_clear and not self.is_http_allowed:
            raise InputError(
                f"{url} would carry the token in the clear: use https://, or say --allow-http"
            )
        if self.ca is not None:
            check_ca(self.ca)
        return NetBoxClient(url, self._token(), ca=self.ca)

    def _token(self) -> str:
        if self.token_file is not None:
            token, origin = read_private(self.token_file).strip(), str(self.token_file)
        else:
            token, origin = os.environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
        if not token:
            raise InputError(
                f"NetBox needs an API token: name a file with it by --netbox-token-file, or set "
                f"{TOKEN_VARIABLE}"
            )
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InputError(f"what is in {origin} is no NetBox token")
        return token

    def scope(self) -> "NetBoxScope":
        """Return which part of it is meant. Raises InputError for a mapping that is none."""
        from pdsno.domain.identifiers import check_region
        from pdsno.integrations.netbox_scope import Grouping, NetBoxScope

        regions = {}
        for text in self.regions:
            slug, equals, region = text.partition("=")
            if not (slug and equals):
                raise InputError(f"--site-region {text!r}: write SITE=REGION")
            regions[slug] = check_region(region)
        return NetBoxScope(
            sites=self.sites,
            tags=self.tags,
            grouping=Grouping(self.grouping),
            regions=regions,
            default_region=check_region(self.default_region) if self.default_region else None,
            with_interfaces=self.with_interfaces,
        )


def netbox_options(
    *token_options: str,
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Add the options; the command receives `netbox: NetBoxOptions`.

    `token_options` are other names of `--netbox-token-file`, where they mean nothing else.
    """

    def add(command: Callable[..., T]) -> Callable[..., T]:
        return _added(command, token_options)

    return add


def _added(command: Callable[..., T], token_options: Sequence[str]) -> Callable[..., T]:
    @wraps(command)
    def call(  # noqa: PLR0913 - one per option
        *,
        netbox_url: str | None,
        netbox_token_file: Path | None,
        netbox_ca: Path | None,
        allow_http: bool,
        site: tuple[str, ...],
        tag: tuple[str, ...],
        region_by: str,
        site_region: tuple[str, ...],
        default_region: str | None,
        interfaces: bool,
        **own: object,
    ) -> T:
        options = NetBoxOptions(
            url=netbox_url,
            token_file=netbox_token_file,
            ca=netbox_ca,
            is_http_allowed=allow_http,
            sites=site,
            tags=tag,
            grouping=region_by,
            regions=site_region,
            default_region=default_region,
            with_interfaces=interfaces,
        )
        return command(netbox=options, **own)

    wrapped: Callable[..., T] = call
    for option in reversed((_token_option(token_options), *_OPTIONS)):
        wrapped = option(wrapped)
    return wrapped


def _token_option(names: Sequence[str]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    return click.option(
        "--netbox-token-file",
        *names,
        "netbox_token_file",
        type=_PATH,
        metavar="FILE",
        help=f"Holds NetBox's API token (mode 0600).  [default: ${TOKEN_VARIABLE}]",
    )


_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "--netbox",
        "netbox_url",
        envvar="NETBOX_URL",
        show_envvar=True,
        metavar="URL",
        help="The NetBox to read; nothing is ever written there.",
    ),
    click.option("--netbox-ca", type=_PATH, metavar="FILE", help="CA of NetBox's certificate."),
    click.option("--allow-http", is_flag=True, help="Send NetBox's token without TLS."),
    click.option("--site", multiple=True, metavar="SLUG", help="Only this site of NetBox."),
    click.option("--tag", multiple=True, metavar="SLUG", help="Only devices with this tag."),
    click.option(
        "--region-by",
        type=click.Choice(["site", "region", "site-group"]),
        default="site",
        show_default=True,
        help="What of NetBox is a region of ours.",
    ),
    click.option(
        "--site-region",
        multiple=True,
        metavar="SLUG=REGION",
        help="Our region of a site, or of what --region-by names.",
    ),
    click.option(
        "--default-region", metavar="REGION", help="Our region of what is of no site in NetBox."
    ),
    click.option(
        "--interfaces/--no-interfaces",
        default=True,
        help="Read interfaces, addresses and cabling too.  [default: yes]",
    ),
)
