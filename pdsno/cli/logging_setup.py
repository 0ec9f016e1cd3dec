"""Structured logs to stderr: ours by structlog, the libraries' by the same formatter.

`controller_id` and `correlation_id` come from structlog's context variables, bound where a
message is handled; elsewhere the process's own fields fill in, if it is one controller.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import click
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pdsno.cli.options import LogFormat, LogOptions

HIDDEN = "[hidden]"
SECRET_WORDS = ("authorization", "community", "password", "passphrase", "private_key", "secret")
# Not "token": token_id and the like are what an operator looks for.
SECRET_NAMES = frozenset({"auth", "credentials", "key", "token", "join_token"})

# At our INFO and even DEBUG these would drown our own events.
NOISY_LIBRARIES = ("alembic", "asyncio", "netmiko", "nornir", "paramiko", "scapy", "urllib3")


Fields = Callable[[], Mapping[str, str | None]]
"""What every line of this process says, such as whose it is."""


class _ProcessFields:
    """Adds the process's fields to lines that lack them."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for name, value in self._fields().items():
            event.setdefault(name, value)
        return event


def configure_logging(
    options: LogOptions,
    *,
    is_service: bool = False,
    stream: TextIO | None = None,
    fields: Fields = dict,
) -> None:
    """Set up logging of this process; safe to call again, the last call counts.

    `fields` are asked for at every line and fill in what the line itself does not say.

    A command logs warnings (-v info, -vv debug). A service (`is_service`) logs info (-v debug) and
    writes JSON unless its stderr is a terminal.
    """
    target = sys.stderr if stream is None else stream
    level = log_level(options.verbosity, is_service=is_service)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _ProcessFields(fields),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        hide_secrets,
    ]
    final = renderers(options.log_format, is_service=is_service, stream=target)
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    configure_libraries(level, shared, final, target)


def configure_service_logging(fields: Fields = dict) -> None:
    """Log as a service, by the options of the current command line; for `run` commands."""
    options = click.get_current_context().find_root().obj
    options = options if isinstance(options, LogOptions) else LogOptions()
    configure_logging(options, is_service=True, fields=fields)


def log_level(verbosity: int, *, is_service: bool) -> int:
    """Return the least level that is written."""
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    return levels[min(verbosity + int(is_service), 2)]


def renderers(log_format: LogFormat, *, is_service: bool, stream: TextIO) -> list[Processor]:
    """Choose the last processors: JSON lines, or text for people."""
    is_terminal = stream.isatty()
    if log_format is LogFormat.AUTO:
        log_format = LogFormat.JSON if is_service and not is_terminal else LogFormat.CONSOLE
    if log_format is LogFormat.JSON:
        # Locals in a traceback may be secrets.
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()]
    # Rich tracebacks print local variables, and with them what they hold.
    plain: Callable[..., None] = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=plain)]


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank values whose name says secret. A second line of defence: none should be logged."""
    for name in event:
        lowered = name.lower()
        if lowered in SECRET_NAMES or any(word in lowered for word in SECRET_WORDS):
            event[name] = HIDDEN
    return event


def configure_libraries(
    level: int, shared: list[Processor], final: list[Processor], stream: TextIO
) -> None:
    """Send the standard library's logging through the same processors."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
