"""What devices call their routing instances."""

_DEFAULT = frozenset({"default", "global", "master", "main", "base", "_public_", "0", "--"})


def vrf_named(text: str | None) -> str | None:
    """Return the name of a routing instance, or None for the default one and for nothing told."""
    name = (text or "").strip().strip('"')
    return None if not name or name.casefold() in _DEFAULT else name
