"""JSON as peers must send it: what the standard parser is lenient about is refused here."""

import json
import math
import re
from typing import Any, NoReturn

from pdsno.domain.errors import RemoteProtocolError

MAX_DEPTH = 32
_MAX_INT = 2**63 - 1
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes, limit: int) -> Any:  # noqa: ANN401 - JSON is what Any is for
    """Return the value of at most `limit` bytes of JSON.

    Raises RemoteProtocolError, and nothing else, for anything that two parsers could read
    differently or that a store could choke on: other encodings than UTF-8, names given twice,
    NaN and infinities, integers beyond 64 bits, nesting deeper than 32, half surrogate pairs.
    """
    if len(data) > limit:
        raise RemoteProtocolError(f"{len(data)} bytes are too many: at most {limit}")
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
        _check_depth(value)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not acceptable JSON: {_cause(error)}") from error
    return value


def _cause(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "half a surrogate pair"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error)[:200]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is there twice")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _bounded(text: str) -> int:
    value = int(text) if len(text) <= len(str(-_MAX_INT)) else _MAX_INT + 1
    if abs(value) > _MAX_INT:
        raise ValueError("a number is too large")
    return value


def _check_depth(value: object) -> None:
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
