"""The index of who may hear whom: see `domain.link_marks`."""

from collections.abc import Iterator

from sqlalchemy import Column, ForeignKey, Table

from pdsno.domain.entities import Device
from pdsno.domain.link_marks import heard_marks, lasting_marks
from pdsno.nib.schema import Key, metadata

OWN, HEARD = "=", "<"
"""What begins a mark: a device's own one, or one that its neighbour entries name."""

link_marks = Table(
    "link_marks",
    metadata,
    Column("device_id", Key, ForeignKey("devices.device_id", ondelete="CASCADE"), primary_key=True),
    Column("mark", Key, primary_key=True, index=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)


def mark_rows(device: Device) -> Iterator[dict[str, str]]:
    """Yield a device's rows; its MACs and addresses have indexes of their own."""
    told = [OWN + mark for mark in lasting_marks(device)]
    told += [HEARD + mark for mark in heard_marks(device)]
    return ({"device_id": device.device_id, "mark": mark} for mark in sorted(told))
