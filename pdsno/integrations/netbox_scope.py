"""Which part of a NetBox is meant, and which of our regions each of its sites belongs to."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import check_region
from pdsno.integrations.netbox_records import Site

_LONGEST = 32


class Grouping(StrEnum):
    """What of NetBox becomes a region."""

    SITE = "site"
    REGION = "region"
    GROUP = "site-group"


@dataclass(frozen=True, kw_only=True, slots=True)
class NetBoxScope:
    """What is read of a NetBox, and how its sites become regions.

    `sites` and `tags` are slugs and narrow what is read. `regions` maps the slug of a site, or of
    what `grouping` groups by, to a region; others get the slug as region.
    """

    sites: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    grouping: Grouping = Grouping.SITE
    regions: Mapping[str, str] = field(default_factory=dict)
    default_region: str | None = None
    with_interfaces: bool = True

    def region_of(self, site: Site | None) -> str | None:
        """Return the region of a site; without one, or a group, the default one."""
        if site is None:
            return self.default_region
        key = self._key(site)
        found = self.regions.get(site.slug) or self.regions.get(key)
        return found or (as_region(key) if key else self.default_region)

    def _key(self, site: Site) -> str:
        return {
            Grouping.SITE: site.slug,
            Grouping.REGION: site.region,
            Grouping.GROUP: site.group,
        }[self.grouping]

    def check(self, sites: Iterable[Site]) -> None:
        """Refuse names that NetBox does not have: a typing error would mean an empty scope."""
        known = list(sites)
        slugs = {one.slug for one in known}
        for name in self.sites:
            if name not in slugs:
                raise InputError(f"NetBox has no site {name!r}")
        groups = slugs | {one.region for one in known} | {one.group for one in known}
        for name in self.regions:
            if name not in groups:
                raise InputError(f"NetBox has no site, region or site group {name!r}")
        self._check_apart(known)

    def _check_apart(self, sites: Iterable[Site]) -> None:
        """Refuse two slugs that would become one region without anybody having said so."""
        seen: dict[str, str] = {}
        for key in sorted({self._key(one) for one in sites} - self.regions.keys() - {""}):
            name = as_region(key).casefold()
            if name in seen:
                raise InputError(
                    f"{seen[name]!r} and {key!r} of NetBox would both be region {as_region(key)}: "
                    f"say which is which with --site-region {key}=REGION"
                )
            seen[name] = key


def as_region(slug: str) -> str:
    """Return a slug as the name of a region: inner hyphens, at most 32 characters.

    Raises InputError for one of which nothing is left.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", slug).strip("-")[:_LONGEST].strip("-")
    try:
        return check_region(name)
    except InputError as error:
        raise InputError(
            f"{slug!r} of NetBox cannot name a region: give one with --site-region {slug}=REGION"
        ) from error
