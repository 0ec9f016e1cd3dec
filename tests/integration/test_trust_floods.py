"""Floods, races and hostile names at the join listeners: bounded, exact, and nobody else waits."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.jsonable import jsonable
from pdsno.identity.challenges import MOST_PENDING, MOST_PENDING_PER_KEY
from pdsno.identity.clock import Clock
from tests.integration.identity_rig import (
    ANSWER,
    ASK,
    REGION,
    Door,
    Said,
    Site,
    Stranger,
    ago,
    next_source,
    roomy_policy,
    site_of,
)
from tests.integration.waiting import wait_until

ROOT = Path(__file__).parents[2]


def rss_mib() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def pending(door: Door) -> int:
    return len(door.controller.admissions._validator._open.pending)


# --- floods --------------------------------------------------------------------------------------


@pytest.mark.attack(8, 64)
@pytest.mark.parametrize(("sources", "each"), [(1, 2000), (200, 15)])
def test_a_flood_is_cut_off_by_source_and_an_honest_join_does_not_wait(
    tmp_path: Path, sources: int, each: int
) -> None:
    with site_of(tmp_path, validation_limit=5) as site:
        door = site.doors["global"]
        flooder = Stranger(door)
        names = [next_source() for _ in range(sources)]
        roots = tmp_path / "roots.pem"
        roots.write_bytes(site.gc.admissions.roots())
        assert Stranger(door).join().is_approved  # whatever is loaded once is loaded
        before, memory = door.standing()[0], rss_mib()
        joins: list[float] = []
        target = (str(door.port), door.name, str(roots), str(each))
        with subprocess.Popen(
            [sys.executable, "-m", "tests.integration.flooder", *target, *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        ) as flood:
            assert flood.stdin is not None
            assert flood.stdout is not None
            flood.stdin.write(flooder.sealed(ASK, flooder.request("no.token.atall")))
            flood.stdin.close()
            wait_until(lambda: door.count("VALIDATION_FLOOD"), "the flood", timeout_s=60)
            while flood.poll() is None or not joins:
                token, started = door.mint(), time.monotonic()
                assert Stranger(door).join(token).is_approved
                joins.append(time.monotonic() - started)
            statuses = {int(code): n for code, n in json.load(flood.stdout).items()}
        grown = rss_mib() - memory
        most = sorted(joins)[int(len(joins) * 0.9)]  # a busy machine may be late once
        print(  # noqa: T201 - the figures
            f"{sources} sources: {statuses}, {len(joins)} joins, 90 % within {most:.2f} s, "
            f"memory +{grown:.1f} MiB"
        )
        assert statuses.pop(0, 0) == 0
        assert sum(statuses.values()) == sources * each
        assert statuses[429] >= sources * (each - 5) - each  # a token comes back each 12 s
        assert len(door.standing()[0]) == len(before) + len(joins)  # type: ignore[arg-type]
        assert most < 2
        assert grown < 50
        assert 1 <= door.count("VALIDATION_FLOOD") <= 60
        assert door.count("MESSAGE_REFUSED") + door.count("VALIDATION_REFUSED") <= 400


@pytest.mark.attack(8)
def test_open_challenges_are_bounded_even_for_holders_of_many_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_of(tmp_path) as site:
        door = site.doors["global"]
        validator = door.controller.admissions._validator
        answers: list[Said] = []
        for _ in range(MOST_PENDING // MOST_PENDING_PER_KEY + 1):
            insider, token = Stranger(door), door.mint()
            for _ in range(MOST_PENDING_PER_KEY + 1):
                insider.source = next_source()
                answers.append(insider.ask(insider.request(token)))
        assert [answer.status for answer in answers].count(200) == MOST_PENDING
        assert pending(door) == MOST_PENDING
        assert {answer.status for answer in answers} == {200, 503}
        honest = Stranger(door)
        token = door.mint()
        assert honest.join(token).status == 503
        # Half a minute later there is room again, and nothing is kept for ever.
        clock = validator._clock
        for after_s, left in ((31, MOST_PENDING), (91, 0)):
            moved = Clock(now=clock.now, monotonic=lambda s=after_s: clock.monotonic() + s)  # type: ignore[misc]
            monkeypatch.setattr(validator, "_clock", moved)
            assert honest.join(token).is_approved
            assert pending(door) == left


# --- races ---------------------------------------------------------------------------------------


@pytest.mark.attack(15)
@pytest.mark.parametrize("tier", ["global", "regional"])
def test_of_fifty_who_want_the_last_seat_one_gets_it(tmp_path: Path, tier: str) -> None:
    with site_of(tmp_path) as site:
        door = site.doors[tier]
        assert Stranger(door).join().is_approved
        taken = _seats(door)
        narrow = {"regional_quota": taken + 1, "local_quota": taken + 1, "local_ceiling": taken + 1}
        site.gc.apply_policy(roomy_policy(REGION, **narrow))
        site.rc._ask_parent()
        strangers = [Stranger(door) for _ in range(50)]
        tokens = [door.mint() for _ in strangers]
        barrier = Barrier(len(strangers))

        def join(stranger: Stranger, token: str) -> Said:
            barrier.wait(timeout=30)
            return stranger.join(token)

        with ThreadPoolExecutor(len(strangers)) as pool:
            answers = list(pool.map(join, strangers, tokens))
        assert sum(answer.is_approved for answer in answers) == 1
        assert {a.why for a in answers if not a.is_approved} == {"QUOTA_EXCEEDED"}
        assert _seats(door) == taken + 1
        assert [r for s in strangers for r in door.refusals(subject=s.temp_id)] == (
            ["QUOTA_EXCEEDED"] * 49
        )
        # The others' tokens are good as soon as policy has a seat for them.
        site.gc.apply_policy(roomy_policy(REGION))
        site.rc._ask_parent()
        loser = next(i for i, answer in enumerate(answers) if not answer.is_approved)
        assert strangers[loser].join(tokens[loser]).is_approved


def _seats(door: Door) -> int:
    nib = door.controller.nib_store
    found = nib.controllers(role=door.role, region=REGION)
    return sum(record.status is ControllerStatus.ACTIVE for record in found)


# --- hostile names -------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.sampled_from(
        [
            "+",
            "#",
            "/",
            "..",
            "../../etc/passwd",
            "$SYS/broker",
            "%u",
            "\0",
            "zone-A\n",
            "zone-\u0410",
            "\uff5aone-A",
            "zone-\u00b2",
            "zone-A,OU=global",
            "CN=x",
            "x" * 300,
            "'; DROP TABLE controllers; --",
            "\ud800",
            "",
            " zone-A",
            "zone-A ",
            "-zone",
            "zone_A",
            "global",
        ]
    ),
    st.text(alphabet=st.characters(), max_size=80),
)


FIELDS = ["temp_id", "sender_id", "region", "role", "url", "subnets", "message_id"]


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site")) as made:
        yield made


def _is_plain(field: str, text: str) -> bool:
    """Tell whether a text is one that may stand in a field: those are not hostile."""
    ascii_word = text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()
    return ascii_word and field in ("temp_id", "sender_id", "region", "message_id")


@pytest.mark.attack(16, 29, 30)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tier=st.sampled_from(["global", "regional"]),
    field=st.sampled_from(
        ["temp_id", "sender_id", "region", "role", "url", "subnets", "message_id"]
    ),
    text=HOSTILE,
)
def test_a_hostile_name_is_refused_and_reaches_nothing(
    hostile_site: Site, tier: str, field: str, text: str
) -> None:
    door = hostile_site.doors[tier]
    stranger = Stranger(door)
    token = door.mint()
    before = door.standing()
    header: dict[str, Any] = {
        "message_id": f"m{time.monotonic_ns()}",
        "message_type": ASK.value,
        "sender_id": stranger.temp_id,
        "recipient_id": door.validator_id,
        "timestamp": jsonable(ago(0)),
        "schema_version": "1.0",
    }
    body = dict(jsonable(stranger.request(token)))
    value: object = [text] if field == "subnets" else text
    (header if field in header else body)[field] = value
    raw = stranger.key.sign(
        {"typ": "pdsno+jws", **header}, json.dumps(body).encode(), with_key=True
    )
    answer = stranger.post(ASK, raw)
    if _is_plain(field, text) and answer.status == 200:
        return
    assert answer.status in (400, 401, 403), (field, text, answer)
    assert door.standing() == before


@pytest.mark.attack(16)
def test_after_all_of_that_honest_names_are_admitted(hostile_site: Site) -> None:
    with hostile_site.unharmed():
        door = hostile_site.doors["global"]
        stranger = replace(Stranger(door), temp_id="temp-1")
        request = stranger.request(door.mint(), url="https://rc.example:8002", hostname="rc")
        challenge = stranger.ask(request).challenge()
        raw = stranger.sealed(ANSWER, stranger.response(challenge, request))
        assert stranger.post(ANSWER, raw).is_approved
