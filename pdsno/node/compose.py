"""From settings to a controller with everything it stands on."""

import socket
from collections.abc import Callable
from pathlib import Path

from pdsno.controllers.base_controller import BaseController, BrokerIdentity, Options
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.parent_link import Parent
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.identifiers import Role
from pdsno.identity.keys import load_or_create_key
from pdsno.identity.pki.authority import Lifetimes
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.nib import NIBStore
from pdsno.settings import NibSettings, NodeSettings

GLOBAL_ID = "global_cntl_1"
_LOOPBACK = ("127.0.0.1", "::1")
"""The global controller certifies itself: its API may be reached through a tunnel as well."""


def nib_place(directory: Path, nib: NibSettings | None) -> NibSettings:
    """Return where a controller's NIB is kept: in its state directory unless settings say else."""
    return nib or NibSettings(url=str(directory / "nib.sqlite"))


def open_state(directory: Path, nib: NibSettings | None = None) -> tuple[ContextManager, NIBStore]:
    """Open, or create with mode 0700, a controller's state. Raises OperationError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        msg = f"cannot use the state directory {directory}: {error.strerror}"
        raise OperationError(msg) from error
    place = nib_place(directory, nib)
    return (
        ContextManager(directory / "context.yaml"),
        NIBStore(place.url, password_file=place.password_file),
    )


def build_controller(settings: NodeSettings, lifetimes: Lifetimes | None = None) -> BaseController:
    """Return the controller that the settings describe, not yet serving."""
    context, nib = open_state(settings.state_dir, settings.nib)
    broker = settings.broker
    options = Options(
        key=load_or_create_key(settings.state_dir / "key.pem"),
        tls=TlsIdentity(settings.state_dir / "tls"),
        authority=(
            AuthorityVault(settings.state_dir / "authority", lifetimes=lifetimes)
            if settings.role is not Role.LOCAL
            else None
        ),
        parent=_parent(settings),
        url=settings.url,
        rest_host=settings.listen,
        join_port=settings.joining_port,
        addresses=(*settings.addresses, *(_LOOPBACK if settings.role is Role.GLOBAL else ())),
        mqtt_port=broker.number if broker else 1883,
        broker=(
            BrokerIdentity(controller_id=broker.id, region=broker.region)
            if broker and broker.id
            else None
        ),
        publish_events=settings.publish_events,
    )
    build = _BUILDERS[settings.role]
    return build(settings, context, nib, options)


def _parent(settings: NodeSettings) -> Parent | None:
    parent = settings.parent
    if parent is None:
        return None
    return Parent(
        controller_id=parent.id,
        url=parent.url,
        region=settings.region if settings.role is Role.LOCAL else None,
        join_url=parent.joining,
    )


def _global(
    settings: NodeSettings, context: ContextManager, nib: NIBStore, options: Options
) -> BaseController:
    from pdsno.controllers.global_controller import GlobalController  # noqa: PLC0415 - only this tier

    return GlobalController(
        controller_id=settings.controller_id or GLOBAL_ID,
        context_manager=context,
        nib_store=nib,
        rest_port=settings.port,
        mqtt_broker=settings.broker.host if settings.broker else None,
        options=options,
    )


def _regional(
    settings: NodeSettings, context: ContextManager, nib: NIBStore, options: Options
) -> BaseController:
    from pdsno.controllers.regional_controller import RegionalController  # noqa: PLC0415 - only this tier

    return RegionalController(
        temp_id=settings.controller_id or _temporary_id(settings),
        region=settings.region or "",
        context_manager=context,
        nib_store=nib,
        rest_port=settings.port,
        mqtt_broker=settings.broker.host if settings.broker else None,
        options=options,
    )


def _local(
    settings: NodeSettings, context: ContextManager, nib: NIBStore, options: Options
) -> BaseController:
    from pdsno.controllers.local_controller import LocalController  # noqa: PLC0415 - only this tier
    from pdsno.southbound.credentials import load_credentials  # noqa: PLC0415 - only this tier

    return LocalController(
        controller_id=settings.controller_id or _temporary_id(settings),
        region=settings.region or "",
        subnet=settings.subnets,
        context_manager=context,
        nib_store=nib,
        mqtt_broker=settings.broker.host if settings.broker else None,
        enable_rest=settings.url is not None,
        rest_port=settings.port,
        credentials=(
            load_credentials(settings.credentials_file) if settings.credentials_file else None
        ),
        options=options,
    )


_BUILDERS: dict[
    Role, Callable[[NodeSettings, ContextManager, NIBStore, Options], BaseController]
] = {Role.GLOBAL: _global, Role.REGIONAL: _regional, Role.LOCAL: _local}


def _temporary_id(settings: NodeSettings) -> str:
    """Return a provisional ID: good until validation, for people who read logs."""
    host = "".join(c if c.isalnum() else "-" for c in socket.gethostname().split(".")[0])
    return f"temp-{settings.role.value}-{settings.region}-{host}"[:95]


def check_role(settings: NodeSettings, role: Role) -> None:
    """Refuse to run another role than the command line names."""
    if settings.role is not role:
        msg = f"the settings are for role {settings.role.value}, not {role.value}"
        raise InputError(msg)
