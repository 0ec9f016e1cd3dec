"""The three tiers in one process, on loopback and without a broker; the network is made up."""

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.controllers.base_controller import BaseController, Options
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.local_controller import LocalController
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.parent_link import Parent
from pdsno.controllers.regional_controller import RegionalController
from pdsno.discovery.observe import Observations
from pdsno.discovery.targets import Target
from pdsno.domain.coverage import coverage_of
from pdsno.domain.entities import DeviceStatus
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import Message, MessageType
from pdsno.domain.observations import Method, Sighting
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.pki.authority import Lifetimes
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey

SUBNET = "192.0.2.0/24"
STATUS_S = 0.2


def policy(*regions: str, interval_s: int = 3600, subnet: str = SUBNET) -> Policy:
    return Policy(
        regions=tuple(
            RegionPolicy(
                region=region,
                prefixes=(SUBNET,),
                local_controllers=(
                    LocalPolicy(
                        controller_id=f"local_cntl_{region}_1",
                        subnets=(subnet,),
                        interval_s=interval_s,
                        miss_limit=1,
                    ),
                ),
            )
            for region in regions
        )
    )


@dataclass
class Tiers:
    """Controllers by name, with what they stand on; everything is closed at the end."""

    folder: Path
    stack: ExitStack
    hosts: dict[str, str] = field(default_factory=dict)
    """Addresses that answer, with their MACs."""
    keys: dict[str, SigningKey] = field(default_factory=dict)
    stores: dict[str, NIBStore] = field(default_factory=dict)
    looks: list[tuple[str, ...]] = field(default_factory=list)
    """The subnets of each look at the network."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """What each look was told besides."""
    status_s: float = STATUS_S
    check_s: float = 60.0
    validation_limit: int = 1000
    lifetimes: Lifetimes | None = None
    join_ports: dict[str, int] = field(default_factory=dict)
    identities: dict[str, TlsIdentity] = field(default_factory=dict)
    broker_port: int | None = None
    looking: threading.Event | None = None
    """If set here, a look is set when it has begun, and goes on until it is stopped."""

    def observe(
        self,
        targets: Sequence[Target],
        *,
        namespace: str,
        stop: threading.Event,
        **told: Any,  # noqa: ANN401 - whatever a look is told
    ) -> Observations:
        now, subnets = datetime.now(UTC), tuple(target.subnet for target in targets)
        self.looks.append(subnets)
        self.told.append(told)
        if self.looking is not None:
            self.looking.set()
            stop.wait(30)
        is_cut = stop.is_set()
        return Observations(
            sightings=tuple(
                Sighting(address=address, mac=mac, method=Method.ARP, at=now)
                for address, mac in self.hosts.items()
                if not is_cut
            ),
            facts=(),
            outcomes=(),
            coverage=coverage_of(namespace, () if is_cut else subnets),
            notes=(),
            started_at=now,
            finished_at=now,
            is_complete=not is_cut,
        )

    def options(
        self, name: str, role: Role, *, parent: Parent | None = None, url: str | None = None
    ) -> Options:
        key = self.keys.setdefault(name, SigningKey.generate())
        vault = AuthorityVault(self.folder / name / "authority", lifetimes=self.lifetimes)
        return Options(
            key=key,
            tls=self.tls(name),
            authority=None if role is Role.LOCAL else vault,
            parent=parent,
            url=url,
            join_port=self.join_ports.setdefault(name, free_port()),
            validation_limit=self.validation_limit,
            status_interval_s=self.status_s,
            certificate_check_s=self.check_s,
            mqtt_port=self.broker_port or 1883,
        )

    def tls(self, name: str) -> TlsIdentity:
        if name not in self.identities:
            self.identities[name] = TlsIdentity(self.folder / name / "tls")
        return self.identities[name]

    def parent(self, name: str, controller: BaseController, region: str | None) -> Parent:
        """Return a started controller as somebody's parent."""
        assert controller.rest_server is not None
        return Parent(
            controller_id=controller.controller_id,
            url=url_of(controller.rest_server.port),
            region=region,
            join_url=url_of(self.join_ports[name]),
        )

    @property
    def broker(self) -> str | None:
        return "127.0.0.1" if self.broker_port else None

    def context(self, name: str) -> ContextManager:
        return ContextManager(self.folder / name / "context.yaml")

    def nib(self, name: str) -> NIBStore:
        if name not in self.stores:
            self.stores[name] = self.stack.enter_context(NIBStore("memory://"))
        return self.stores[name]

    def keep(self, name: str, controller: BaseController) -> None:
        self.stack.callback(controller.close)
        if controller.rest_server is not None and self.tls(name).has_certificate:
            controller.start_rest_server_background()

    def gc(self, *, port: int | None = None) -> GlobalController:
        port = port or free_port()
        gc = GlobalController(
            controller_id="global_cntl_1",
            context_manager=self.context("gc"),
            nib_store=self.nib("gc"),
            rest_port=port,
            mqtt_broker=self.broker,
            options=self.options("gc", Role.GLOBAL, url=url_of(port)),
        )
        self.keep("gc", gc)
        gc.serve()
        return gc

    def rc(
        self,
        region: str,
        gc: GlobalController,
        *,
        has_url: bool = True,
        port: int | None = None,
    ) -> RegionalController:
        port = port or free_port()
        name = f"rc-{region}"
        parent = self.parent("gc", gc, None)
        rc = RegionalController(
            temp_id=f"temp-{region}",
            region=region,
            context_manager=self.context(name),
            nib_store=self.nib(name),
            rest_port=port,
            mqtt_broker=self.broker,
            options=self.options(
                name, Role.REGIONAL, parent=parent, url=url_of(port) if has_url else None
            ),
        )
        self.keep(name, rc)
        self._join(rc, lambda: gc.admissions.mint_token(Role.REGIONAL, region, None))
        return rc

    def lc(self, region: str, rc: RegionalController, *, has_url: bool = False) -> LocalController:
        port = free_port()
        name = f"lc-{region}"
        parent = self.parent(f"rc-{region}", rc, region)
        lc = LocalController(
            f"temp-local-{region}",
            region,
            SUBNET,
            self.context(name),
            self.nib(name),
            enable_rest=has_url,
            rest_port=port,
            mqtt_broker=self.broker,
            options=self.options(
                name, Role.LOCAL, parent=parent, url=url_of(port) if has_url else None
            ),
        )
        self.keep(name, lc)
        self._join(lc, lambda: rc.admissions.mint_token(Role.LOCAL, region, None))
        return lc

    @staticmethod
    def _join(member: MemberController, mint: Callable[[], str]) -> None:
        if not member.is_validated:
            assert member.join(mint()).is_approved
        if member.rest_server is not None:
            member.start_rest_server_background()

    def send(
        self,
        name: str,
        sender_id: str,
        to: BaseController,
        message_type: MessageType,
        payload: object,
        *,
        seq: int | None = None,
    ) -> Message | None:
        """Send a message with the key of one of the controllers."""
        client = ControllerHTTPClient(
            signer=self.keys[name],
            verifier=NIBVerifier(self.nib(name)),
            tls=self.tls(name),
            retries=0,
        )
        assert to.rest_server is not None
        client.register_controller(to.controller_id, url_of(to.rest_server.port), region=to.region)
        try:
            return client.send(
                sender_id=sender_id,
                recipient_id=to.controller_id,
                message_type=message_type,
                payload=jsonable(payload),
                stream_id="made-up" if seq else None,
                seq=seq,
            )
        finally:
            client.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def url_of(port: int) -> str:
    return f"https://127.0.0.1:{port}"


def addresses(controller: BaseController, *, active: bool = True) -> list[str]:
    return sorted(
        ip
        for device in controller.nib_store.all_devices()
        if not active or device.status is DeviceStatus.ACTIVE
        for ip in device.ips
    )


def event_types(controller: BaseController) -> list[str]:
    return [event.event_type for event in controller.nib_store.events(limit=10_000)]


def three(
    tiers: Tiers, *regions: str, has_url: bool = False
) -> tuple[GlobalController, list[RegionalController], list[LocalController]]:
    """Build the tiers, validated; regional and local controllers do not serve yet."""
    gc = tiers.gc()
    gc.apply_policy(policy(*regions))
    rcs = [tiers.rc(region, gc) for region in regions]
    lcs = [tiers.lc(region, rc, has_url=has_url) for region, rc in zip(regions, rcs, strict=True)]
    return gc, rcs, lcs
