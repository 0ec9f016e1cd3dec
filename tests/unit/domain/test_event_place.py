from dataclasses import replace

import pytest

from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError
from pdsno.domain.event_place import START, Place, is_cut, place_from, place_of, resumed
from tests.unit.domain.builders import NOW


def event(seq: int, digest: str = "aaaaaaaa") -> Event:
    return Event(
        seq=seq,
        event_type="NIB_RESTORED",
        subject="x",
        actor="y",
        at=NOW,
        region=None,
        data={},
        previous_hash="",
        hash=digest.ljust(64, "0"),
    )


def test_a_cursor_names_the_place_that_it_came_from() -> None:
    place = place_of(event(41))
    assert place.cursor == "41-aaaaaaaa"
    assert place_from(place.cursor) == place
    assert place_from("41") == Place(seq=41)
    for wrong in ("", "x", "-1", "41-", "41-AAAAAAAA", "9" * 19):
        with pytest.raises(InputError):
            place_from(wrong)


def test_in_the_same_log_one_goes_on_where_one_was() -> None:
    place = place_of(event(41))
    assert resumed(place, event(41), None) == place
    assert resumed(place, event(41), event(12)) == place
    assert resumed(START, None, None) == START


def test_what_was_pruned_does_not_make_it_another_log() -> None:
    place = place_of(event(41))
    assert resumed(place, event(42), None) == place
    assert resumed(place, event(90), None) == place
    assert [is_cut(place, event(seq)) for seq in (42, 43)] == [False, True]


@pytest.mark.parametrize("following", [None, event(41, "bbbbbbbb")])
def test_in_a_restored_log_one_goes_on_with_the_restore(following: Event | None) -> None:
    place = place_of(event(41))
    assert resumed(place, following, event(30)) == Place(seq=29)
    assert resumed(place, following, None) == START


def test_a_bare_number_is_of_any_log() -> None:
    assert resumed(Place(seq=41), event(41), None) == Place(seq=41)
    assert not Place(seq=41).is_of(replace(event(41), seq=42))
