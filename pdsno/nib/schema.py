"""The one definition of the stored NIB: SQLAlchemy Core tables for every SQL backend.

Columns are what somebody filters, sorts or joins by; whatever else an entity has is JSON in
`document`. What only one dialect has hangs on a variant or on a `sqlite_` option, which the
others ignore. A change here needs a migration beside it in `migrations/versions`.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from pdsno.nib import append_only

metadata = MetaData()

Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is ordered by code point, as Python and SQLite order it."""

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit integer; SQLite's INTEGER is one, and only so may be a rowid."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime: a timestamp in PostgreSQL, in SQLite RFC 3339 text of one width.

    The text sorts as the time does, to the microsecond, and a person can read it.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None or dialect.name == "postgresql":
            return value
        return instant_text(value)

    def process_result_value(
        self,
        value: datetime | str | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if value is not None else None


def instant_text(at: datetime) -> str:
    """Return the stored form of a time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


sequences = Table(
    "sequences",
    metadata,
    Column("name", Key, primary_key=True),
    Column("value", Number, nullable=False),
    sqlite_strict=True,
)

devices = Table(
    "devices",
    metadata,
    Column("device_id", Key, primary_key=True),
    Column("version", Number, nullable=False),
    Column("name", Key),
    Column("status", Key, nullable=False),
    Column("device_type", Key, nullable=False),
    Column("vendor", Key),
    Column("platform", Key),
    Column("serial", Key),
    Column("region", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("local_controller", Key, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("missed", Number, nullable=False),
    Column("search", Text, nullable=False, comment="what q looks in, casefolded"),
    Column("document", Text, nullable=False),
    # The key rides along, so that a filtered page is read in order and without sorting.
    *(
        Index(f"ix_devices_{name}", name, "device_id")
        for name in (
            "region",
            "namespace",
            "status",
            "device_type",
            "vendor",
            "platform",
            "name",
            "serial",
            "local_controller",
        )
    ),
    sqlite_strict=True,
)


def _of_device() -> Column[str]:
    return Column(
        "device_id",
        Key,
        ForeignKey("devices.device_id", ondelete="CASCADE"),
        primary_key=True,
    )


device_items = Table(
    "device_items",
    metadata,
    # A table of its own: that a device was seen again moves its row, and nothing else of it.
    _of_device(),
    Column("item", Text, nullable=False, comment="JSON of a list, with a line feed for last_seen"),
    sqlite_strict=True,
)

interfaces = Table(
    "interfaces",
    metadata,
    _of_device(),
    Column("name", Key, primary_key=True),
    Column("mac", Text, index=True),
    Column("oper_status", Text),
    Column("admin_status", Text),
    Column("mtu", Number),
    Column("speed_mbps", Number),
    Column("description", Text),
    Column("ips", Text, nullable=False, comment="JSON list of address/prefixlen"),
    Column("vrf", Text),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

macs = Table(
    "macs",
    metadata,
    _of_device(),
    Column("mac", Key, primary_key=True, index=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

addresses = Table(
    "addresses",
    metadata,
    _of_device(),
    Column("namespace", Key, primary_key=True),
    Column("address", Key, primary_key=True),
    Column("ip_key", Key, index=True, comment="version and hexadecimal digits: sorts as numbers"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("endpoint_id", Key, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("mac", Key),
    Column("vendor", Key),
    Column("is_random_mac", Number, nullable=False),
    Column("region", Text, nullable=False),
    Column("local_controller", Key, nullable=False),
    Column("device_id", Text),
    Column("device", Text),
    Column("interface", Text),
    Column("vlan", Number),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False, index=True),
    Column("ips", Text, nullable=False, comment="JSON list"),
    Column("sources", Text, nullable=False, comment="JSON list"),
    Column("search", Text, nullable=False, comment="what q looks in, casefolded"),
    # They come by the ten thousand: an index where a filter finds few of them, and nowhere else.
    *(
        Index(f"ix_endpoints_{name}", name, "endpoint_id")
        for name in ("mac", "vendor", "device_id", "local_controller")
    ),
    sqlite_strict=True,
)

endpoint_addresses = Table(
    "endpoint_addresses",
    metadata,
    Column(
        "endpoint_id",
        Key,
        ForeignKey("endpoints.endpoint_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("address", Key, primary_key=True),
    Column("ip_key", Key, index=True, comment="version and hexadecimal digits: sorts as numbers"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

endpoint_sightings = Table(
    "endpoint_sightings",
    metadata,
    Column("endpoint_id", Key, primary_key=True),
    Column("ip", Key, primary_key=True, comment="empty if none was seen"),
    Column("place", Key, primary_key=True, comment="JSON of the attachment, empty if none"),
    Column("source", Text, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False, index=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

aliases = Table(
    "aliases",
    metadata,
    Column("alias_id", Key, primary_key=True),
    Column("device_id", Key, nullable=False, index=True),
    sqlite_strict=True,
)

claims = Table(
    "claims",
    metadata,
    Column("reporter", Key, primary_key=True),
    Column("their_id", Key, primary_key=True),
    Column("device_id", Key, nullable=False, index=True),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

links = Table(
    "links",
    metadata,
    Column("link_id", Key, primary_key=True),
    Column("a_device_id", Key, index=True),
    Column("a_device", Text),
    Column("a_interface", Text),
    Column("b_device_id", Key, index=True),
    Column("b_device", Text),
    Column("b_interface", Text),
    Column("source", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("last_seen", Instant, nullable=False),
    sqlite_strict=True,
)

controllers = Table(
    "controllers",
    metadata,
    Column("controller_id", Key, primary_key=True),
    Column("version", Number, nullable=False),
    Column("role", Text, nullable=False),
    Column("region", Text),
    Column("status", Text, nullable=False),
    Column("key_id", Text, nullable=False, index=True),
    Column("validated_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

join_tokens = Table(
    "join_tokens",
    metadata,
    Column("jti_sha256", Key, primary_key=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_sha256", Key, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

seen_messages = Table(
    "seen_messages",
    metadata,
    Column("sender_id", Key, primary_key=True),
    Column("message_id", Key, primary_key=True),
    Column("timestamp", Instant, nullable=False, index=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

policies = Table(
    "policies",
    metadata,
    Column("epoch", Number, primary_key=True, autoincrement=False),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

events = Table(
    "events",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("event_type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("region", Text),
    Column("data", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_events_event_type", "event_type", "seq"),
    Index("ix_events_subject", "subject", "seq"),
    Index("ix_events_region", "region", "seq"),
    sqlite_strict=True,
)

event_checkpoints = Table(
    "event_checkpoints",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False, comment="of the last event that was removed"),
    Column("at", Instant, nullable=False),
    sqlite_strict=True,
)

streams = Table(
    "streams",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("stream_id", Key, nullable=False, unique=True),
    Column("last_seq", Number, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_strict=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("stream_id", Key, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("message_id", Text, nullable=False),
    Column("message_type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("correlation_id", Text),
    sqlite_strict=True,
)

inbox = Table(
    "inbox",
    metadata,
    Column("sender", Key, primary_key=True),
    Column("stream_id", Key, primary_key=True),
    Column("seq", Number, nullable=False),
    sqlite_strict=True,
)

cycles = Table(
    "cycles",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("cycle_id", Key, nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

probes = Table(
    "probes",
    metadata,
    Column("cycle", Number, ForeignKey("cycles.number", ondelete="CASCADE"), primary_key=True),
    Column("ip_key", Key, primary_key=True),
    Column("namespace", Key, primary_key=True),
    Column("address", Key, primary_key=True),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

append_only.guard(events, event_checkpoints)

# The rest of the tables; they need the names above.
from pdsno.nib import schema_marks, schema_records  # noqa: E402, F401
