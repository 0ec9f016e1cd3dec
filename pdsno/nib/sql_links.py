"""Links and the index of who may hear whom, inside the write transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Select, bindparam, or_, select

from pdsno.domain.entities import Device, Link
from pdsno.domain.link_marks import MarkKind, own_marks, split_mark
from pdsno.nib import codec, schema, sql_records, sql_writes
from pdsno.nib.schema_marks import HEARD, OWN, link_marks
from pdsno.nib.sql_history_transaction import SQLHistoryTransaction
from pdsno.nib.sql_reader import read_devices
from pdsno.nib.sql_session import chunks

_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_MARKED = select(link_marks.c.device_id).where(link_marks.c.mark.in_(_WANTED))
_WITH_MAC = select(schema.macs.c.device_id).where(schema.macs.c.mac.in_(_WANTED))
_WITH_IP = select(schema.addresses.c.device_id).where(schema.addresses.c.ip_key.in_(_WANTED))
_LINKS_OF = select(schema.links).where(
    or_(schema.links.c.a_device_id.in_(_WANTED), schema.links.c.b_device_id.in_(_WANTED))
)
_LINKS_BY_ID = select(schema.links).where(schema.links.c.link_id.in_(_WANTED))

_Holders: TypeAlias = Select[tuple[str]]


class SQLLinks(SQLHistoryTransaction):
    """What a report's devices do to links is found without the rest of the network."""

    def devices_by_id(self, device_ids: Iterable[str]) -> Mapping[str, Device]:
        ids = sorted(set(device_ids))
        found = {key: device for key in ids if (device := self._ahead.device(key)) is not None}
        missing = [k for k in ids if k not in found and not self._ahead.is_absent(k)]
        if missing:
            self._batch.flush()
            read = read_devices(self._session, missing)
            self._log.seen(read)
            found |= {device.device_id: device for device in read}
        return found

    def devices_marked(self, marks: Iterable[str]) -> Mapping[str, Device]:
        wanted = set(marks)
        if not wanted:
            return {}
        self._batch.flush()
        ids = self._holders(_MARKED, [f"{OWN}{mark}" for mark in wanted])
        by_kind = [split_mark(mark) for mark in wanted]
        ids |= self._holders(_WITH_MAC, [told for k, told in by_kind if k is MarkKind.CHASSIS])
        keys = [codec.ip_key(told) for kind, told in by_kind if kind is MarkKind.IP]
        ids |= self._holders(_WITH_IP, [key for key in keys if key])
        found = self.devices_by_id(ids)
        return {
            k: device for k, device in found.items() if not wanted.isdisjoint(own_marks(device))
        }

    def devices_hearing(self, marks: Iterable[str]) -> Collection[str]:
        self._batch.flush()
        return self._holders(_MARKED, [f"{HEARD}{mark}" for mark in set(marks)])

    def _holders(self, statement: _Holders, wanted: Sequence[str]) -> set[str]:
        return {
            row["device_id"]
            for chunk in chunks(sorted(set(wanted)))
            for row in self._session.rows(statement, {"wanted": chunk})
        }

    def links_of(self, device_ids: Iterable[str]) -> tuple[Link, ...]:
        found = {
            row["link_id"]: row
            for chunk in chunks(sorted(set(device_ids)))
            for row in self._session.rows(_LINKS_OF, {"wanted": chunk})
        }
        return tuple(codec.link_of(found[key]) for key in sorted(found))

    def change_links(self, gone: Iterable[str], links: Iterable[Link]) -> None:
        wanted = {link.link_id: codec.link_row(link) for link in links}
        leaving = set(gone) - wanted.keys()
        held = {
            row["link_id"]: dict(row)
            for chunk in chunks(sorted({*leaving, *wanted}))
            for row in self._session.rows(_LINKS_BY_ID, {"wanted": chunk})
        }
        changed = [row for key, row in wanted.items() if held.get(key) != row]
        self._write_links([held[key] for key in sorted(leaving & held.keys())], changed, held)

    def replace_links(self, links: Iterable[Link]) -> None:
        wanted = {link.link_id: codec.link_row(link) for link in links}
        held = {row["link_id"]: dict(row) for row in self._session.rows(sql_records.LINKS)}
        changed = [row for key, row in wanted.items() if held.get(key) != row]
        self._write_links([row for key, row in held.items() if key not in wanted], changed, held)

    def _write_links(
        self,
        gone: Sequence[Mapping[str, Any]],
        changed: Sequence[Mapping[str, Any]],
        held: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._batch.flush()
        replaced = [held[row["link_id"]] for row in changed if row["link_id"] in held]
        self._log.links(_links((*gone, *replaced)), _links(changed))
        keys = [{"key_link_id": row["link_id"]} for row in gone]
        self._session.run(sql_writes.delete_of(schema.links), keys)
        self._session.run(sql_writes.upsert(schema.links), changed)


def _links(rows: Iterable[Mapping[str, Any]]) -> dict[str, Link]:
    return {row["link_id"]: codec.link_of(row) for row in rows}
