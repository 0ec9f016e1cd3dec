"""Cursors and Host headers as values."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pdsno.api.cursor import cursor_of, place_of
from pdsno.api.guard import host_name
from pdsno.domain.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(place=TEXT, query=TEXT)
def test_a_cursor_gives_back_its_place_and_needs_no_escaping_in_a_url(
    place: str, query: str
) -> None:
    cursor = cursor_of(place, query)
    assert place_of(cursor, query) == place
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")


@given(place=TEXT, query=TEXT, other=TEXT)
def test_a_cursor_of_another_query_is_refused(place: str, query: str, other: str) -> None:
    assume(query != other)
    with pytest.raises(InputError):
        place_of(cursor_of(place, query), other)


@given(cursor=TEXT)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InputError):
        place_of(cursor, "query")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("example.net", "example.net"),
        ("Example.NET.:8080", "example.net"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("[::1]:8080", "::1"),
        ("example.net:", "example.net"),
        ("example.net:http", None),
        ("example.net:8080:8080", None),
        ("2001:db8::1", None),
        ("[example.net]", None),
        ("[192.0.2.1]", None),
        (":80", None),
        ("", None),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str | None) -> None:
    assert host_name(header) == name
