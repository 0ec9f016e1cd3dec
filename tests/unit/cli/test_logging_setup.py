import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from pdsno.cli.logging_setup import HIDDEN, configure_logging
from pdsno.cli.options import LogFormat, LogOptions


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _root_logger_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_service_logs_json_lines_with_the_ids_of_its_context() -> None:
    stream = io.StringIO()
    configure_logging(LogOptions(), is_service=True, stream=stream)
    with structlog.contextvars.bound_contextvars(controller_id="regional_cntl_zone-A_1"):
        structlog.get_logger().info("report_applied", correlation_id="c1", devices=3)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "report_applied",
        "level": "info",
        "controller_id": "regional_cntl_zone-A_1",
        "correlation_id": "c1",
        "devices": 3,
    }


def test_a_terminal_gets_text_with_colour() -> None:
    stream = Terminal()
    configure_logging(LogOptions(), is_service=True, stream=stream)
    structlog.get_logger().info("started", port=8001)
    assert "started" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


def test_text_in_a_file_has_no_colour() -> None:
    stream = io.StringIO()
    configure_logging(LogOptions(log_format=LogFormat.CONSOLE), stream=stream)
    structlog.get_logger().warning("broker_unreachable", port=1883)
    assert "broker_unreachable" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("verbosity", "is_service", "written"),
    [
        (0, False, ["warning"]),
        (1, False, ["info", "warning"]),
        (2, False, ["debug", "info", "warning"]),
        (0, True, ["info", "warning"]),
        (1, True, ["debug", "info", "warning"]),
        (9, True, ["debug", "info", "warning"]),
    ],
)
def test_verbosity_chooses_the_least_level(
    verbosity: int, is_service: bool, written: list[str]
) -> None:
    stream = io.StringIO()
    options = LogOptions(log_format=LogFormat.JSON, verbosity=verbosity)
    configure_logging(options, is_service=is_service, stream=stream)
    for level in ("debug", "info", "warning"):
        getattr(structlog.get_logger(), level)("event")
    assert [line["level"] for line in lines(stream)] == written


@pytest.mark.parametrize("name", ["ssh_password", "community", "Authorization", "token", "key"])
def test_a_value_named_like_a_secret_is_hidden(name: str) -> None:
    stream = io.StringIO()
    configure_logging(LogOptions(log_format=LogFormat.JSON), stream=stream)
    structlog.get_logger().warning("login", **{name: "s3cr3t"}, token_id="t1")
    (line,) = lines(stream)
    assert line[name] == HIDDEN
    assert line["token_id"] == "t1"


def test_libraries_log_through_the_same_lines() -> None:
    stream = io.StringIO()
    configure_logging(LogOptions(log_format=LogFormat.JSON), stream=stream)
    logging.getLogger("uvicorn.error").error("port %d taken", 8001)
    logging.getLogger("paramiko.transport").info("chatter")
    (line,) = lines(stream)
    assert line["event"] == "port 8001 taken"
    assert line["logger"] == "uvicorn.error"
    assert line["level"] == "error"


def test_configuring_twice_writes_each_line_once() -> None:
    stream = io.StringIO()
    for _ in range(2):
        configure_logging(LogOptions(log_format=LogFormat.JSON), stream=stream)
    logging.getLogger("x").warning("once")
    structlog.get_logger().warning("twice")
    assert [line["event"] for line in lines(stream)] == ["once", "twice"]


def test_an_exception_is_part_of_its_line() -> None:
    stream = io.StringIO()
    configure_logging(LogOptions(log_format=LogFormat.JSON), stream=stream)
    try:
        int("bad")
    except ValueError:
        structlog.get_logger().exception("cycle_failed")
    (line,) = lines(stream)
    assert line["exception"][0]["exc_type"] == "ValueError"
