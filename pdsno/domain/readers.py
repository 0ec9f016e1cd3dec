"""Readers: clients of the broker that may read events and nothing else. They are no controllers."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pdsno.domain.errors import InputError
from pdsno.domain.peers import subject_of

DEFAULT_DAYS = 90
MOST_READERS = 100
ENDS_SOON = timedelta(days=14)
"""So long before its end a reader's certificate is worth a word."""

UNIT = "reader"
"""In the place of the role in a reader's subject: no role is called so."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """One reader: it hears of one region, or of all (`region` None), until its certificate ends.

    `key_sha256` is of its public key, whose fingerprint is in the certificate's subject: by that
    the broker tells it from an earlier reader of the same name.
    """

    name: str
    region: str | None = None
    key_sha256: str
    certificate_sha256: str
    not_after: datetime
    created_at: datetime
    created_by: str = ""

    @property
    def subject(self) -> str:
        """The subject of its certificate as RFC 4514 text: its user name at the broker."""
        return subject_of(common_name(self.name, self.key_sha256), UNIT, self.region)


def check_reader_name(name: str) -> str:
    """Return `name` if it may name a reader, else raise InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:50]!r} cannot name a reader: 1-31 lower-case letters, digits, inner hyphens"
        )
    return name


def common_name(name: str, key_sha256: str) -> str:
    """Return what names a reader and its key: a name and 128 bits, at most 64 characters."""
    return f"{check_reader_name(name)}.{key_sha256[:32]}"
