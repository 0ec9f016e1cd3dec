"""`pdsno broker`: mosquitto, with generated configuration and rights, supervised."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pdsno.cli.logging_setup import configure_service_logging
from pdsno.cli.options import examples

if TYPE_CHECKING:
    from pdsno.communication.broker import MosquittoSettings
    from pdsno.settings import BrokerNodeSettings

_SETTINGS = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The broker's settings file (YAML).",
)


@click.group(
    epilog=examples(
        "pdsno broker run --settings /etc/pdsno/broker.yml",
        "pdsno broker config --settings /etc/pdsno/broker.yml",
    )
)
def broker() -> None:
    """Run the MQTT broker, or print its configuration."""


@broker.command(
    epilog="""\b
Example (on the global controller's host, for a broker on the host mq1):
  pdsno token create --role broker |
    ssh mq1 'umask 077; cat >/etc/pdsno/broker.token'
  ssh mq1 pdsno broker run --settings /etc/pdsno/broker.yml
"""
)
@_SETTINGS
def run(settings_file: Path) -> None:
    """Run mosquitto in the foreground until SIGINT or SIGTERM; it is restarted when it dies.

    With a parent in its settings it joins like a controller, waiting for the token in the file
    that they name (join_token_file, mode 0600), and keeps the rights that the global controller
    gives. Without one it speaks no TLS, lets everybody in, and listens on loopback only.
    """
    from pdsno.settings import load_broker_settings

    settings = load_broker_settings(settings_file)
    configure_service_logging()
    if settings.parent is None:
        _run_plain(settings)
    else:
        _run_agent(settings)


def _run_agent(settings: "BrokerNodeSettings") -> None:
    from pdsno.node.broker_agent import BrokerAgent

    agent = BrokerAgent(settings)
    configure_service_logging(lambda: {"controller_id": agent.controller.controller_id})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: agent.request_stop())
    agent.run()


def _run_plain(settings: "BrokerNodeSettings") -> None:
    from pdsno.communication.broker import Mosquitto

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    mosquitto = Mosquitto(mosquitto_of(settings))
    mosquitto.start()
    try:
        stop.wait()
    finally:
        mosquitto.stop()


def mosquitto_of(settings: "BrokerNodeSettings") -> "MosquittoSettings":
    """Return what mosquitto is to do by an agent's settings."""
    from pdsno.communication.broker import MosquittoSettings

    if settings.parent is None:
        return MosquittoSettings(
            listen=settings.listen, port=settings.number, state_dir=settings.state_dir
        )
    from pdsno.node.broker_agent import mosquitto_settings, tls_identity

    return mosquitto_settings(settings, tls_identity(settings))


@broker.command(epilog=examples("pdsno broker config --settings /etc/pdsno/broker.yml"))
@_SETTINGS
def config(settings_file: Path) -> None:
    """Print the mosquitto configuration that `broker run` would use."""
    from pdsno.communication.broker import render_configuration
    from pdsno.settings import load_broker_settings

    wanted = mosquitto_of(load_broker_settings(settings_file))
    click.echo(render_configuration(wanted), nl=False)
