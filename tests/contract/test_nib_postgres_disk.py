"""PostgreSQL's disk is full: the message says what to do, and nothing acknowledged is lost.

With the tables on a disk of their own the server refuses the change. Where its log of writes has
no room either it ends itself, and comes back once there is room.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.domain.entities import Device
from pdsno.domain.errors import TransientError
from pdsno.nib import NIBStore
from pdsno.nib.check import faults
from tests.contract.nib_suite import device, event, put
from tests.disks import filled, small_disk
from tests.integration.waiting import wait_until
from tests.postgres import PostgresRig, owner_of_servers, postgres

pytestmark = [pytest.mark.integration, pytest.mark.lab]

ROOM = 1 << 20
MANY = tuple(device(f"lost_{n}", model="x" * 1000) for n in range(4000))


def ids(nib: NIBStore) -> list[str]:
    return sorted(found.device_id for found in nib.all_devices())


@pytest.fixture
def url() -> Iterator[tuple[Path, str]]:
    """A NIB whose tables are on a small disk, and that disk."""
    rig = postgres()
    folder = rig.folder / "small"
    folder.mkdir()
    with small_disk(folder, "32m") as disk:
        shutil.chown(disk, *owner_of_servers())
        rig.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        name = rig.new_database("TABLESPACE small")
        yield disk, rig.url(name)
        rig.execute(f"DROP DATABASE {name} WITH (FORCE)")
        rig.execute("DROP TABLESPACE small")
    folder.rmdir()


@pytest.mark.attack(34)
def test_a_full_disk_is_one_clear_line_and_loses_nothing(url: tuple[Path, str]) -> None:
    disk, place = url
    with NIBStore(place) as nib:
        put(nib, device("dev_before"))
        with filled(disk, but_bytes=ROOM):
            with pytest.raises(TransientError, match="disk of the server is full") as error:
                put(nib, *MANY)
            text = str(error.value)
            assert "free some space" in text
            assert "\n" not in text
            assert ids(nib) == ["dev_before"]
        put(nib, device("dev_after"))
        assert ids(nib) == ["dev_after", "dev_before"]
        assert faults(nib) == ()


@pytest.fixture
def rig() -> Iterator[tuple[Path, PostgresRig]]:
    """A server whose log of writes is on a small disk, and that disk."""
    folder = Path(tempfile.mkdtemp(prefix="pdsno-pg-"))
    (folder / "wal").mkdir()
    with small_disk(folder / "wal", "24m") as disk:
        shutil.chown(disk, *owner_of_servers())
        server = PostgresRig(folder, f"--waldir={disk / 'own'}", "--wal-segsize=1")
        yield disk, server
        server.stop(gently=False)
    server.close()


def write_until_refused(nib: NIBStore, devices: tuple[Device, ...]) -> tuple[set[str], str]:
    """Write device by device; return those acknowledged, and what is said of the next."""
    kept: set[str] = set()
    for one in devices:
        try:
            with nib.transaction() as tx:
                tx.put_device(one, expected_version=None)
                tx.append_event(event(one.device_id))
        except TransientError as error:
            return kept, str(error)
        kept.add(one.device_id)
    pytest.fail("the disk never was full: the test shows nothing")


@pytest.mark.attack(31, 34)
def test_a_server_that_its_full_disk_ends_comes_back_with_all_that_it_acknowledged(
    rig: tuple[Path, PostgresRig],
) -> None:
    disk, server = rig
    with NIBStore(server.url(server.new_database())) as nib:
        with filled(disk, but_bytes=ROOM):
            kept, text = write_until_refused(nib, MANY)
            assert kept
            assert "free some space, start the server if it ended itself, and try again" in text
            assert "\n" not in text
            wait_until(lambda: not server.is_running)
            with pytest.raises(TransientError, match="is PostgreSQL running there"):
                nib.all_devices()
        server.start()
        held = set(ids(nib))
        assert kept <= held
        # What broke in the middle of its commit may be there; then it is there as a whole.
        assert held == {found.subject for found in nib.events(limit=len(MANY))}
        put(nib, device("dev_after"))
        assert faults(nib) == ()
