"""`pdsno broker`: mosquitto, with a generated configuration and supervised."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pdsno.cli.logging_setup import configure_service_logging

if TYPE_CHECKING:
    from pdsno.communication.broker import MosquittoSettings

_SETTINGS = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The broker's settings file (YAML): listen, port, state_dir.",
)


@click.group()
def broker() -> None:
    """Run the MQTT broker, or print its configuration."""


@broker.command()
@_SETTINGS
def run(settings_file: Path) -> None:
    """Run mosquitto in the foreground until SIGINT or SIGTERM; it is restarted when it dies."""
    from pdsno.communication.broker import Mosquitto

    configure_service_logging()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    mosquitto = Mosquitto(_settings(settings_file))
    mosquitto.start()
    try:
        stop.wait()
    finally:
        mosquitto.stop()


@broker.command()
@_SETTINGS
def config(settings_file: Path) -> None:
    """Print the mosquitto configuration that `broker run` would use."""
    from pdsno.communication.broker import render_configuration

    click.echo(render_configuration(_settings(settings_file)), nl=False)


def _settings(path: Path) -> "MosquittoSettings":
    from pdsno.communication.broker import MosquittoSettings
    from pdsno.settings import load_broker_settings

    settings = load_broker_settings(path)
    return MosquittoSettings(
        listen=settings.listen, port=settings.port, state_dir=settings.state_dir
    )
