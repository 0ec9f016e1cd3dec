"""Endpoints, addresses by namespace, VRFs of interfaces, and who allowed a cycle.

The ledger of before is dropped, cycles and outcomes: nobody wrote down who allowed those probes,
and the next cycle writes it anew. Addresses of before are in their device's namespace: no
interface had a VRF then. Everything else stays as it is.

A table that changes is written anew under its name and filled from the old one, so that a
database that grew is the same as one that was just made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_IP_KEY = "version and hexadecimal digits: sorts as numbers"


def upgrade() -> None:
    """Change what devices have, renew the ledger, add endpoints."""
    _interfaces()
    _addresses()
    _ledger()
    _endpoints()


def _interfaces() -> None:
    op.drop_index("ix_interfaces_mac", "interfaces")
    op.rename_table("interfaces", "old_interfaces")
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
        sa.Column("vrf", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "name"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    columns = "device_id, name, mac, oper_status, admin_status, mtu, speed_mbps, description, ips"
    op.execute(f"INSERT INTO interfaces ({columns}) SELECT {columns} FROM old_interfaces")  # noqa: S608 - a constant
    op.drop_table("old_interfaces")
    op.create_index("ix_interfaces_mac", "interfaces", ["mac"])


def _addresses() -> None:
    op.drop_index("ix_addresses_ip_key", "addresses")
    op.rename_table("addresses", "old_addresses")
    op.create_table(
        "addresses",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("namespace", _KEY, nullable=False),
        sa.Column("address", _KEY, nullable=False),
        sa.Column("ip_key", _KEY, nullable=True, comment=_IP_KEY),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "namespace", "address"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO addresses (device_id, namespace, address, ip_key) "
        "SELECT o.device_id, d.namespace, o.address, o.ip_key "
        "FROM old_addresses o JOIN devices d ON d.device_id = o.device_id"
    )
    op.drop_table("old_addresses")
    op.create_index("ix_addresses_ip_key", "addresses", ["ip_key"])


def _ledger() -> None:
    op.drop_table("probes")
    op.drop_table("cycles")
    op.create_table(
        "cycles",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("cycle_id", _KEY, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("cycle_id"),
        sqlite_strict=True,
    )
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


def _endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("endpoint_id", _KEY, nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("is_random_mac", _NUMBER, nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("local_controller", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("interface", sa.Text(), nullable=True),
        sa.Column("vlan", _NUMBER, nullable=True),
        sa.Column("first_seen", _INSTANT, nullable=False),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.Column("ips", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("sources", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("search", sa.Text(), nullable=False, comment="what q looks in, casefolded"),
        sa.PrimaryKeyConstraint("endpoint_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_endpoints_last_seen", "endpoints", ["last_seen"])
    for name in ("device_id", "local_controller", "mac", "vendor"):
        op.create_index(f"ix_endpoints_{name}", "endpoints", [name, "endpoint_id"])
    op.create_table(
        "endpoint_addresses",
        sa.Column("endpoint_id", _KEY, nullable=False),
        sa.Column("address", _KEY, nullable=False),
        sa.Column("ip_key", _KEY, nullable=True, comment=_IP_KEY),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.endpoint_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("endpoint_id", "address"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_endpoint_addresses_ip_key", "endpoint_addresses", ["ip_key"])
    op.create_table(
        "endpoint_sightings",
        sa.Column("endpoint_id", _KEY, nullable=False),
        sa.Column("ip", _KEY, nullable=False, comment="empty if none was seen"),
        sa.Column(
            "place", _KEY, nullable=False, comment="JSON of the attachment, empty if none"
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_seen", _INSTANT, nullable=False),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "ip", "place"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_endpoint_sightings_last_seen", "endpoint_sightings", ["last_seen"])
