"""Entity tags of single things (RFC 9110): what a writer names to say which version it read.

A tag is `"VERSION.TIME"`: the time moves when a device is seen unchanged, which makes no version.
"""

from pdsno.domain.entities import Device

ANY = "*"
_MOST_DIGITS = 19


def device_etag(device: Device) -> str:
    """Return the tag of a device as it is answered."""
    seen = int(device.last_seen.timestamp() * 1_000_000)
    return f'"{device.version}.{seen:x}"'


def is_current(header: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match names this tag: then the answer is known already."""
    return header is not None and (
        header.strip() == ANY or etag in {_bare(tag) for tag in header.split(",")}
    )


def versions_in(header: str | None) -> frozenset[int] | None:
    """Return the versions that an If-Match allows, None if it allows any.

    Only the version counts: that a device was seen once more stands in nobody's way. A tag that
    is none of ours allows nothing.
    """
    if header is None or header.strip() == ANY:
        return None
    texts = (tag.strip().strip('"').partition(".")[0] for tag in header.split(","))
    return frozenset(
        int(text)
        for text in texts
        if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS
    )


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/")
