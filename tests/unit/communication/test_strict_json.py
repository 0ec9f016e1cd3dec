import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.strict_json import MAX_DEPTH, parse_json
from pdsno.domain.errors import RemoteProtocolError

LIMIT = 1_000_000
BAD = {
    "name given twice": b'{"a": 1, "a": 2}',
    "name given twice, deep inside": b'[{"x": {"a": 1, "a": 1}}]',
    "NaN": b"NaN",
    "infinity": b"[Infinity]",
    "float too large": b"1e999",
    "integer beyond 64 bits": b"9223372036854775808",
    "integer of 5000 digits": b"1" * 5000,
    "half a surrogate pair": rb'"\ud800"',
    "half a surrogate pair in a name": rb'{"\udfff": 1}',
    "nested too deeply": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "nested beyond the parser": b"[" * 200_000,
    "truncated": b'{"a":',
    "nothing": b"",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'"\xff"',
    "encoded surrogate": b'"\xed\xa0\x80"',
    "trailing text": b"{} {}",
    "control character": b'"\n"',
}


@pytest.mark.attack(21)
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_json(data, LIMIT)
    assert "\n" not in str(caught.value)


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(RemoteProtocolError, match="too many"):
        parse_json(b"[" * 11, 10)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": [1, 2.5, null, true, "\xc3\xa4"]}',
        rb'"\ud83d\ude00"',
        b"9223372036854775807",
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
    ],
)
def test_strict_json_is_read(data: bytes) -> None:
    assert parse_json(data, LIMIT) == json.loads(data)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values)
def test_every_sound_value_comes_through(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), LIMIT) == value


@pytest.mark.attack(21)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_error(data: bytes) -> None:
    try:
        parse_json(data, LIMIT)
    except RemoteProtocolError:
        return
