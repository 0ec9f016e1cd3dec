"""Tables of what is kept beside the devices: why they are one, people's words, anomalies."""

from sqlalchemy import Column, Index, Table, Text

from pdsno.domain.ordering import ANOMALY_ORDERS
from pdsno.nib.schema import Instant, Key, metadata

makings = Table(
    "makings",
    metadata,
    Column("device_id", Key, primary_key=True),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

words = Table(
    "words",
    metadata,
    Column("word_id", Key, primary_key=True),
    Column("verb", Text, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

anomalies = Table(
    "anomalies",
    metadata,
    Column("anomaly_id", Key, primary_key=True),
    Column("kind", Key, nullable=False),
    Column("status", Key, nullable=False),
    Column("severity", Text, nullable=False),
    Column("region", Key),
    Column("subject", Key, nullable=False),
    Column("found_by", Key, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("document", Text, nullable=False),
    *(
        Index(f"ix_anomalies_{name}", name, "anomaly_id")
        for name in ANOMALY_ORDERS
        if name != "anomaly_id"
    ),
    sqlite_strict=True,
)

covered = Table(
    "covered",
    metadata,
    Column("controller_id", Key, primary_key=True),
    Column("subnet", Key, primary_key=True),
    Column("region", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_strict=True,
)
