"""Baseline: the tables of the first release.

Frozen: this file says what databases of that release look like, whatever the schema became since.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

_APPEND_ONLY = (
    """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
    """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
    """CREATE TRIGGER events_next_only BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
)


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "aliases",
        sa.Column("alias_id", _KEY, nullable=False),
        sa.Column("device_id", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("alias_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_aliases_device_id", "aliases", ["device_id"])
    op.create_table(
        "claims",
        sa.Column("reporter", _KEY, nullable=False),
        sa.Column("their_id", _KEY, nullable=False),
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reporter", "their_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_claims_device_id", "claims", ["device_id"])
    op.create_table(
        "controllers",
        sa.Column("controller_id", _KEY, nullable=False),
        sa.Column("version", _NUMBER, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("validated_at", _INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("controller_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_controllers_key_id", "controllers", ["key_id"])
    op.create_table(
        "cycles",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("cycle_id", _KEY, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("cycle_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "devices",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("version", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("device_type", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("local_controller", sa.Text(), nullable=False),
        sa.Column("first_seen", _INSTANT, nullable=False),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.Column("missed", _NUMBER, nullable=False),
        sa.Column("search", sa.Text(), nullable=False, comment="what q looks in, casefolded"),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_devices_device_type", "devices", ["device_type", "device_id"])
    op.create_index("ix_devices_local_controller", "devices", ["local_controller", "device_id"])
    op.create_index("ix_devices_name", "devices", ["name", "device_id"])
    op.create_index("ix_devices_namespace", "devices", ["namespace", "device_id"])
    op.create_index("ix_devices_platform", "devices", ["platform", "device_id"])
    op.create_index("ix_devices_region", "devices", ["region", "device_id"])
    op.create_index("ix_devices_serial", "devices", ["serial", "device_id"])
    op.create_index("ix_devices_status", "devices", ["status", "device_id"])
    op.create_index("ix_devices_vendor", "devices", ["vendor", "device_id"])
    op.create_table(
        "events",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_strict=True,
    )
    op.create_index("ix_events_event_type", "events", ["event_type", "seq"])
    op.create_index("ix_events_region", "events", ["region", "seq"])
    op.create_index("ix_events_subject", "events", ["subject", "seq"])
    op.create_table(
        "inbox",
        sa.Column("sender", _KEY, nullable=False),
        sa.Column("stream_id", _KEY, nullable=False),
        sa.Column("seq", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("sender", "stream_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "join_tokens",
        sa.Column("jti_sha256", _KEY, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("jti_sha256"),
        sqlite_strict=True,
    )
    op.create_index("ix_join_tokens_created_at", "join_tokens", ["created_at"])
    op.create_table(
        "links",
        sa.Column("link_id", _KEY, nullable=False),
        sa.Column("a_device_id", _KEY, nullable=True),
        sa.Column("a_device", sa.Text(), nullable=True),
        sa.Column("a_interface", sa.Text(), nullable=True),
        sa.Column("b_device_id", _KEY, nullable=True),
        sa.Column("b_device", sa.Text(), nullable=True),
        sa.Column("b_interface", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("link_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_links_a_device_id", "links", ["a_device_id"])
    op.create_index("ix_links_b_device_id", "links", ["b_device_id"])
    op.create_index("ix_links_status", "links", ["status"])
    op.create_table(
        "outbox",
        sa.Column("stream_id", _KEY, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("stream_id", "seq"),
        sqlite_strict=True,
    )
    op.create_table(
        "policies",
        sa.Column("epoch", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("version", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "version"),
        sqlite_strict=True,
    )
    op.create_table(
        "sequences",
        sa.Column("name", _KEY, nullable=False),
        sa.Column("value", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
    )
    op.create_table(
        "streams",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("stream_id", _KEY, nullable=False),
        sa.Column("last_seq", _NUMBER, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("stream_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "addresses",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("address", _KEY, nullable=False),
        sa.Column(
            "ip_key",
            _KEY,
            nullable=True,
            comment="version and hexadecimal digits: sorts as numbers",
        ),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "address"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_addresses_ip_key", "addresses", ["ip_key"])
    op.create_table(
        "interfaces",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("name", _KEY, nullable=False),
        sa.Column("mac", sa.Text(), nullable=True),
        sa.Column("oper_status", sa.Text(), nullable=True),
        sa.Column("admin_status", sa.Text(), nullable=True),
        sa.Column("mtu", _NUMBER, nullable=True),
        sa.Column("speed_mbps", _NUMBER, nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("ips", sa.Text(), nullable=False, comment="JSON list of address/prefixlen"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "name"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_interfaces_mac", "interfaces", ["mac"])
    op.create_table(
        "macs",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("mac", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "mac"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_macs_mac", "macs", ["mac"])
    op.create_table(
        "probes",
        sa.Column("cycle", _NUMBER, nullable=False),
        sa.Column("ip_key", _KEY, nullable=False),
        sa.Column("namespace", _KEY, nullable=False),
        sa.Column("address", _KEY, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cycle", "ip_key", "namespace", "address"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    if op.get_bind().dialect.name == "sqlite":
        for trigger in _APPEND_ONLY:
            op.execute(trigger)
