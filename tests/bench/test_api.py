"""How fast operators are answered, on each database, beside a bare application's same bytes.

Rivals run interleaved in the same process: ratios count, absolutes do not. `PDSNO_BENCH_DEVICES`
is how many devices there are (100,000 unless it says less).
"""

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import text

from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.identifiers import new_device_id
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore
from pdsno.nib.place import open_database
from tests.bench.calling import Speed, cpu_of, speed
from tests.bench.test_nib import device, put_all, timed
from tests.contract.nib_suite import POSTGRES, SQLITE, Store, name_of
from tests.postgres import postgres
from tests.unit.api.serving import TOKEN, Api, served

DEVICES = int(os.environ.get("PDSNO_BENCH_DEVICES", "100000"))
AT_ONCE = 5000
ASKED = 200
ROUNDS = 3
CONNECTIONS = 4
TARGET = 0.15
LEAST = 0.03
"""Below this something is wrong, however busy the machine is."""
STORES = (SQLITE, POSTGRES)
FILTERS = DeviceFilter(region="zone-A", device_type="switch")  # type: ignore[arg-type]

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(autouse=True)
def _empty_databases() -> Iterator[None]:
    yield
    postgres().release()


def fill(nib: NIBStore) -> None:
    for start in range(0, DEVICES, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, DEVICES))
        put_all(nib, [device(n, device_id=new_device_id()) for n in numbers], None)


def analyse(place: str) -> None:
    """Let the server count what there is, as it does itself within a minute."""
    database = open_database(place)
    with closing(database.writer()) as connection, connection.begin():
        connection.execute(text("ANALYZE"))
    database.close()


def get(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )


def by_mac(number: int) -> str:
    mac = f"02:00:{number.to_bytes(4, 'big').hex(':')}"
    return f"/api/v1/devices?{urlencode({'mac': mac})}"


PAGE = f"/api/v1/devices?{urlencode({'region': 'zone-A', 'device_type': 'switch', 'limit': 100})}"
ONES = [by_mac(number * max(1, DEVICES // ASKED)) for number in range(ASKED)]


@contextmanager
def bare(size: int) -> Iterator[int]:
    """Serve an application that answers so many bytes, with nothing between; gives the port."""
    body = b"x" * size
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    runner = RestRunner(app, host="127.0.0.1", port=0)
    runner.start()
    yield runner.port
    runner.stop()


def compare(api: Api, what: str, paths: Sequence[str]) -> float:
    """Print how fast we answer, and return what part of the bare application's speed that is."""
    size = len(api.ask(paths[0]).content)
    requests = [get(path) for path in paths]
    ours, theirs = list[Speed](), list[Speed]()
    port = urlsplit(api.url).port or 0
    with bare(size) as rival:
        one = speed(port, requests, connections=1)
        for _ in range(ROUNDS):
            theirs.append(speed(rival, requests, connections=CONNECTIONS))
            ours.append(speed(port, requests, connections=CONNECTIONS))
    ratio = cpu_of(theirs) / cpu_of(ours)
    print(f"  {what}, {size} bytes: one at a time {one.percentiles}")
    for name, speeds in (("ours", ours), ("bare uvicorn", theirs)):
        per_s = statistics.median(speed.per_s for speed in speeds)
        print(f"    {name}: {per_s:.0f}/s, {cpu_of(speeds):.0f} us of CPU each")
    print(f"    ratio by CPU {ratio:.2f}")
    return ratio


@pytest.mark.parametrize("store", STORES, ids=name_of)
def test_pages_and_devices_through_the_api(store: Store, tmp_path: Path) -> None:
    with store.open(tmp_path) as nib:
        fill(nib)
        if store is POSTGRES:
            analyse(store.place(tmp_path))
        print(f"\n{store.name}, {DEVICES} devices:")
        pages = [timed(partial(nib.device_items, FILTERS, limit=100)) for _ in range(ASKED)]
        print(f"  the store alone, a page of 100: {shown(pages)}")
        with served(nib) as api:
            compare(api, "one device by MAC", ONES)
            compare(api, "page after page of 100 filtered", walk(api))
            ratio = compare(api, "one page of 100 filtered again and again", [PAGE] * ASKED)
    print(f"  target for a page on SQLite: {TARGET}")
    assert ratio >= LEAST


def walk(api: Api) -> list[str]:
    """Return the paths of one page after another, of which none comes twice if there are enough."""
    paths, following = [PAGE], str(api.get(f"{PAGE}&fields=device_id")["next_cursor"])
    while len(paths) < ASKED and following != "None":
        paths.append(f"{PAGE}&{urlencode({'cursor': following})}")
        following = str(api.get(f"{paths[-1]}&fields=device_id")["next_cursor"])
    return paths


def shown(took_s: Sequence[float]) -> str:
    low, high = statistics.median(took_s), sorted(took_s)[int(len(took_s) * 0.99)]
    return f"p50 {low * 1000:.2f} ms, p99 {high * 1000:.2f} ms"
