"""A broker with its agent beside the three tiers, in one process and over TLS."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pdsno.controllers.base_controller import BrokerIdentity, Options
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.local_controller import LocalController
from pdsno.controllers.parent_link import Parent
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain import topics
from pdsno.domain.errors import PDSNOError, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import MessageType
from pdsno.identity.pki.authority import Lifetimes
from pdsno.node.broker_agent import BrokerAgent
from pdsno.settings import BrokerNodeSettings, ParentSettings
from tests.integration.broker_rig import free_port, open_directory
from tests.integration.tiers import Tiers, policy, url_of
from tests.integration.waiting import wait_until

BROKER = "broker_cntl_global_1"


@dataclass
class BrokeredTiers(Tiers):
    """Tiers whose broker speaks TLS."""

    publish_events: bool = False

    def options(
        self, name: str, role: Role, *, parent: Parent | None = None, url: str | None = None
    ) -> Options:
        options = super().options(name, role, parent=parent, url=url)
        broker = BrokerIdentity(controller_id=BROKER)
        return replace(options, broker=broker, publish_events=self.publish_events)


class Running:
    """An agent that runs in a thread."""

    def __init__(self, settings: BrokerNodeSettings) -> None:
        self.agent = BrokerAgent(settings, certificate_check_s=0.2)
        self.error: PDSNOError | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.agent.run()
        except PDSNOError as error:
            self.error = error

    @property
    def pid(self) -> int | None:
        return self.agent.mosquitto.pid

    def stop(self) -> None:
        self.agent.request_stop()
        self._thread.join(30)
        assert not self._thread.is_alive()


@dataclass
class Site:
    """A global controller, a broker that joins it, and who connects to the broker."""

    tiers: BrokeredTiers
    gc: GlobalController
    settings: BrokerNodeSettings
    stack: ExitStack

    def run_broker(self) -> Running:
        running = Running(self.settings)
        self.stack.callback(running.stop)
        return running

    def hand_over_token(self) -> None:
        assert self.settings.join_token_file is not None
        self.settings.join_token_file.touch(0o600)
        token = self.gc.admissions.mint_token(Role.BROKER, None, None)
        self.settings.join_token_file.write_text(token)

    def joined_broker(self) -> Running:
        self.hand_over_token()
        running = self.run_broker()
        wait_until(lambda: running.pid and running.agent.controller.rights.subjects, "the broker")
        return running

    def connected(self) -> tuple[RegionalController, LocalController]:
        """Return controllers that joined and are connected, with rights at the broker."""
        rc = self.tiers.rc("zone-A", self.gc)
        rc.serve()
        lc = self.tiers.lc("zone-A", rc)
        lc.serve()
        clients = [member.mqtt_client for member in (self.gc, rc, lc)]
        wait_until(lambda: all(client and client.is_connected for client in clients), "MQTT")
        wait_until(lambda: may_publish(lc), "the LC's right")
        return rc, lc


def may_publish(lc: LocalController, topic: str | None = None) -> bool:
    """Tell whether the broker takes something from a live session."""
    assert lc.mqtt_client is not None
    try:
        lc.mqtt_client.publish(
            topic or topics.status(lc.controller_id),
            MessageType.STATUS,
            {"state": "online", "role": "local"},
        )
    except RefusedError:
        return False
    return True


@contextmanager
def brokered_site(
    folder: Path, *, lifetimes: Lifetimes | None = None, publish_events: bool = False
) -> Iterator[Site]:
    """Give a global controller, and settings of a broker that may join it."""
    with open_directory() as directory, ExitStack() as stack:
        port = free_port()
        tiers = BrokeredTiers(
            folder=folder,
            stack=stack,
            broker_port=port,
            lifetimes=lifetimes,
            check_s=0.2,
            publish_events=publish_events,
        )
        gc = tiers.gc()
        gc.apply_policy(policy("zone-A"))
        settings = BrokerNodeSettings(
            port=port,
            state_dir=directory / "state",
            join_token_file=folder / "token",
            parent=ParentSettings(
                id=gc.controller_id,
                url=url_of(gc.rest_server.port if gc.rest_server else 0),
                join_url=url_of(tiers.join_ports["gc"]),
            ),
        )
        yield Site(tiers=tiers, gc=gc, settings=settings, stack=stack)
