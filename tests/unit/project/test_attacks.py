"""The table of attacks is what the tests say, and no class is forgotten."""

from pathlib import Path

import pytest

from tools.attacks import DOCUMENT, GROUPS, covered, document


def test_the_table_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == document(covered()), "run python tools/attacks.py"


def test_all_64_classes_are_there() -> None:
    assert [number for group in GROUPS.values() for number in group] == list(range(1, 65))


def test_a_class_without_a_test_and_without_a_reason_is_named() -> None:
    tests = covered()
    del tests[1]
    with pytest.raises(ValueError, match="class 1 "):
        document(tests)


def test_a_class_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="65"):
        document(covered() | {65: ["tests/test_x.py::test_y"]})


def test_marks_are_found_on_tests_and_on_modules(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(
        "pytestmark = [pytest.mark.lab, pytest.mark.attack(3)]\n"
        "@pytest.mark.attack(1, 2)\n@other\ndef test_y(): ...\n"
        "@pytest.mark.slow(4)\ndef test_z(): ...\n"
    )
    assert covered(tmp_path) == {
        1: ["tests/test_x.py::test_y"],
        2: ["tests/test_x.py::test_y"],
        3: ["tests/test_x.py"],
    }
