"""Every NIB backend behaves the same: makings, words, anomalies, coverage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pdsno.domain.anomalies.entities import Anomaly, Kind, Severity, Status
from pdsno.domain.constraints import Marks, Verb, Word
from pdsno.domain.errors import InputError
from pdsno.domain.makings import Account, Joined, Making, Told
from pdsno.domain.ordering import ANOMALY_ORDERS
from pdsno.domain.paging import every
from pdsno.domain.ports import Page
from pdsno.domain.record_ports import AnomalyFilter, Covered
from pdsno.nib import NIBStore
from tests.contract.nib_suite import STORED, T0, Store, device, later, name_of, put

stored = pytest.mark.parametrize("store", STORED, ids=name_of)


def making(device_id: str = "dev_1") -> Making:
    account = Account(label="snmp at 10.0.0.1", macs=("02:00:00:00:00:01",), ips=("10.0.0.1",))
    told = Told(by="lc", device_id="dev_x", lines=("+100 9 shared MACs",), accounts=(account,))
    joined = Joined(at=T0, other="dev_9", because=("same serial",), by="rc")
    return Making(device_id=device_id, told=(told,), joined=(joined,))


def word(word_id: str = "word_1", verb: Verb = Verb.APART) -> Word:
    a = Marks(namespace="zone-A", macs=("02:00:00:00:00:01",))
    b = Marks(namespace="zone-A", ips=("10.0.0.2",), serials=("x1",))
    return Word(word_id=word_id, verb=verb, a_id="dev_1", b_id="dev_2", a=a, b=b, by="alice", at=T0)


def anomaly(anomaly_id: str = "anom_1", **values: object) -> Anomaly:
    row = Anomaly(
        anomaly_id=anomaly_id,
        kind=Kind.ADDRESS_CONFLICT,
        severity=Severity.CRITICAL,
        subject="10.0.0.1",
        region="zone-A",
        found_by="lc",
        key="zone-A/10.0.0.1",
        first_seen=T0,
        opened_at=T0,
        last_seen=T0,
        evidence={"ip": "10.0.0.1", "holders": [{"mac": "02:00:00:00:00:01"}]},
    )
    return replace(row, **values)  # type: ignore[arg-type]


def test_a_making_comes_back_whole_and_goes_with_its_device(nib: NIBStore) -> None:
    put(nib, device("dev_1"), device("dev_2"))
    with nib.transaction() as tx:
        tx.put_makings([making("dev_1"), making("dev_2")])
        tx.put_makings([replace(making("dev_2"), told=())])
    assert nib.making("dev_1") == making("dev_1")
    assert list(nib.makings()) == ["dev_1", "dev_2"]
    with nib.transaction() as tx:
        tx.absorb_device("dev_2", "dev_1")
    assert nib.making("dev_2") == making("dev_1")
    assert nib.aliases("dev_1") == ("dev_2",)
    with nib.transaction() as tx:
        tx.retire_device("dev_1")
    assert nib.makings() == {}
    assert nib.making("dev_1") is None


def test_an_alias_that_was_dropped_may_be_a_device_again(nib: NIBStore) -> None:
    put(nib, device("dev_1"), device("dev_2"))
    with nib.transaction() as tx:
        tx.absorb_device("dev_2", "dev_1")
        tx.drop_alias("dev_2")
        tx.put_device(device("dev_2", name="again"), expected_version=None)
    found = nib.device("dev_2")
    assert found is not None
    assert found.name == "again"
    assert nib.aliases("dev_1") == ()


def test_words_come_back_in_order_and_can_be_lifted(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_word(word("word_2", Verb.TOGETHER))
        tx.put_word(word("word_1"))
        tx.put_word(replace(word("word_1"), note="two VMs"))
    assert [(w.word_id, w.note) for w in nib.words()] == [("word_1", "two VMs"), ("word_2", "")]
    with nib.transaction() as tx:
        tx.drop_word("word_1")
        tx.drop_word("word_9")
    assert nib.words() == (word("word_2", Verb.TOGETHER),)


def test_anomalies_are_found_by_any_condition_and_paged_in_order(nib: NIBStore) -> None:
    rows = [
        anomaly("anom_1"),
        anomaly("anom_2", kind=Kind.NEW_DEVICE, severity=Severity.WARNING, subject="dev_1"),
        anomaly("anom_3", status=Status.CLOSED, closed_at=T0, region="zone-B", found_by="rc"),
        anomaly("anom_4", status=Status.ACKNOWLEDGED, acknowledged_by="bob", region=None),
    ]
    with nib.transaction() as tx:
        tx.put_anomalies(reversed(rows))

    def found(**where: object) -> list[str]:
        return [row.anomaly_id[-1] for row in nib.anomalies(AnomalyFilter(**where)).items]  # type: ignore[arg-type]

    assert nib.anomalies().items == tuple(rows)
    assert found(kind=Kind.NEW_DEVICE) == ["2"]
    assert found(severity=Severity.CRITICAL, region="zone-A") == ["1"]
    assert found(status=Status.CLOSED) == found(is_ended=True) == found(found_by="rc") == ["3"]
    assert found(is_ended=False) == ["1", "2", "4"]
    assert found(subject="dev_1") == ["2"]
    assert nib.anomalies(limit=2, after="anom_1").items == (rows[1], rows[2])
    assert nib.anomalies_by_id(["anom_4", "anom_9"]) == {"anom_4": rows[3]}
    with pytest.raises(InputError):
        nib.anomalies(limit=0)


@pytest.mark.parametrize("sign", ["", "-"])
def test_anomalies_come_in_the_order_of_a_field(nib: NIBStore, sign: str) -> None:
    rows = [
        anomaly("anom_1", subject="b", region=None, last_seen=later(0.5)),
        anomaly("anom_2", subject="B", kind=Kind.NEW_DEVICE, opened_at=later(0.25)),
        anomaly("anom_3", subject="a", status=Status.CLOSED, closed_at=T0),
        anomaly("anom_4", subject="b", found_by="rc", last_seen=later(0.000001)),
    ]
    with nib.transaction() as tx:
        tx.put_anomalies(rows)
    for field in ANOMALY_ORDERS:

        def rank(row: Anomaly, field: str = field) -> tuple[bool, str, str]:
            value = getattr(row, field)
            is_time = isinstance(value, datetime)
            text = value.isoformat(timespec="microseconds") if is_time else str(value or "")
            return value is not None, text, row.anomaly_id

        def paged(after: str | None, field: str = field) -> Page[Anomaly]:
            return nib.anomalies(limit=1, after=after, order=sign + field)

        assert list(every(paged)) == sorted(rows, key=rank, reverse=bool(sign)), field
    lasting = AnomalyFilter(is_ended=False)
    assert nib.anomalies(lasting, order="subject").items == (rows[1], rows[0], rows[3])
    with pytest.raises(InputError, match="only by anomaly_id"):
        nib.anomalies(order="severity")


def test_what_was_closed_long_ago_is_forgotten_and_nothing_else(nib: NIBStore) -> None:
    rows = [
        anomaly("anom_1", status=Status.CLOSED, closed_at=T0),
        anomaly("anom_2", status=Status.CLOSED, closed_at=later(20)),
        anomaly("anom_3"),
    ]
    with nib.transaction() as tx:
        tx.put_anomalies(rows)
        assert tx.forget_anomalies(closed_before=later(10)) == 1
    assert [row.anomaly_id for row in nib.anomalies().items] == ["anom_2", "anom_3"]


def test_coverage_only_advances(nib: NIBStore) -> None:
    def item(subnet: str, at: datetime) -> Covered:
        return Covered(controller_id="lc", region="zone-A", subnet=subnet, at=at)

    with nib.transaction() as tx:
        tx.put_covered([item("10.1.0.0/24", later(5)), item("10.0.0.0/24", T0)])
        tx.put_covered([item("10.1.0.0/24", T0), item("10.0.0.0/24", later(9))])
    assert nib.covered() == (item("10.0.0.0/24", later(9)), item("10.1.0.0/24", later(5)))


def test_times_are_kept_in_utc(nib: NIBStore) -> None:
    there = timezone(timedelta(hours=2))
    with nib.transaction() as tx:
        tx.put_anomalies([anomaly(first_seen=T0.astimezone(there))])
    assert nib.anomalies().items[0].first_seen.tzinfo == UTC


@stored
def test_all_of_it_is_there_after_opening_again(store: Store, tmp_path: Path) -> None:
    with store.open(tmp_path) as nib:
        put(nib, device("dev_1"))
        with nib.transaction() as tx:
            tx.put_makings([making()])
            tx.put_word(word())
            tx.put_anomalies([anomaly()])
    with store.open(tmp_path) as nib:
        assert nib.making("dev_1") == making()
        assert nib.words() == (word(),)
        assert nib.anomalies().items == (anomaly(),)
