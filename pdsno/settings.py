"""Operators' settings of one controller: a YAML file, strictly read, never written.

Policy (what the network's owners want) and the context (what a controller knows of itself) are
other files with other owners.
"""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import Role, check_controller_id, check_region
from pdsno.domain.policy import check_subnet
from pdsno.nib.place import MEMORY, check_place, file_of, has_password, is_postgres
from pdsno.strict_yaml import StrictYamlError, load_strict

Port = Annotated[int, Field(ge=1, le=65535)]


def _check_url(text: str) -> str:
    """Return the URL of a controller: scheme, host and perhaps a port, nothing else."""
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is no controller's URL: write it as https://192.0.2.1:8001")
    return text


ControllerUrl = Annotated[str, AfterValidator(_check_url)]

_DEFAULT_PORTS = {Role.GLOBAL: 8001, Role.REGIONAL: 8002, Role.LOCAL: 8003}
_JOIN_OFFSET = 10
"""The join listener's port is the ordinary one and ten: 8011 and 8012."""
_HIGHEST_PORT = 65535
_MQTT_TLS = 8883
_MQTT_PLAIN = 1883
_HTTPS = 443


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParentSettings(_Strict):
    """The controller above: its assigned ID, and where it listens.

    `join_url` is where it admits: by default the same host, ten ports further up.
    """

    id: str
    url: ControllerUrl
    join_url: ControllerUrl | None = None

    @property
    def joining(self) -> str:
        """Where to join, and to renew after a certificate has ended."""
        if self.join_url is not None:
            return self.join_url
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"https://{host}:{join_port_of(parts.port or _HTTPS)}"


class BrokerSettings(_Strict):
    """The MQTT broker: with `id`, over TLS, and that is whose certificate it must show.

    Without, it speaks no TLS and must be on loopback.
    """

    host: str
    port: Port | None = None
    id: str | None = None
    region: str | None = None

    @property
    def number(self) -> int:
        """The port."""
        return self.port or (_MQTT_TLS if self.id else _MQTT_PLAIN)

    @model_validator(mode="after")
    def _consistent(self) -> "BrokerSettings":
        if self.id is None and not is_loopback(self.host):
            msg = (
                f"`broker: {{host: {self.host}}}` is not loopback: name the broker's certificate "
                "with `id: broker_cntl_global_1`, so that it is spoken to over TLS"
            )
            raise ValueError(msg)
        try:
            check_controller_id(self.id or "none")
            check_region(self.region or "none")
        except InputError as error:
            raise ValueError(str(error)) from error
        return self


class ApiSettings(_Strict):
    """The operators' REST API. Off loopback it speaks TLS.

    It shows `certificate` with `key` (PEM files), or else the controller's own certificate, which
    clients check against PDSNO's root.
    """

    listen: str = "127.0.0.1"
    port: Port = 8080
    names: tuple[str, ...] = ()
    requests_per_min: Annotated[int, Field(ge=1, le=1_000_000)] = 6000
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "ApiSettings":
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("`certificate` and `key` go together: give both files, or neither")
        return self


class NibSettings(_Strict):
    """Where the NIB is kept, if not in `state_dir`: a path, or a database on PostgreSQL.

    `password_file` holds the database's password alone. Without it libpq's own ways hold:
    PGPASSFILE, ~/.pgpass, the peer's user on a Unix socket, a client certificate.
    """

    url: str
    password_file: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "NibSettings":
        try:
            check_place(self.url)
            if has_password(self.url):
                raise ValueError(
                    "the URL holds a password, which logs and lists of processes may show: leave "
                    "it out and name a file with `password_file`"
                )
        except InputError as error:
            raise ValueError(str(error)) from error
        if self.url in MEMORY:
            raise ValueError("a controller forgets nothing: its NIB cannot be kept in memory")
        if self.password_file is not None and not is_postgres(self.url):
            raise ValueError("`password_file` is for a URL of PostgreSQL: leave it out")
        return self

    def below(self, base: Path) -> "NibSettings":
        """Return it with relative paths taken from a folder."""
        url = self.url
        if not is_postgres(url):
            url = str(base / file_of(url))
        file = self.password_file
        return NibSettings(url=url, password_file=None if file is None else base / file)


class NodeSettings(_Strict):
    """One controller process. Relative paths are relative to the settings file.

    A global or regional controller with a broker publishes its events there, for readers, unless
    `publish_events` says no.
    """

    role: Literal[Role.GLOBAL, Role.REGIONAL, Role.LOCAL]
    region: str | None = None
    controller_id: str | None = None
    state_dir: Path = Path("/var/lib/pdsno")
    admin_socket: Path = Path("/run/pdsno/admin.sock")
    listen: str = "127.0.0.1"
    rest_port: Port | None = None
    join_port: Port | None = None
    url: ControllerUrl | None = None
    parent: ParentSettings | None = None
    broker: BrokerSettings | None = None
    publish_events: bool = True
    join_token_file: Path | None = None
    subnets: tuple[str, ...] = ()
    credentials_file: Path | None = None
    nib: NibSettings | None = None
    api: ApiSettings | None = ApiSettings()

    @property
    def port(self) -> int:
        """The port for other controllers."""
        return self.rest_port or _DEFAULT_PORTS[self.role]

    @property
    def joining_port(self) -> int:
        """The port for those who have no certificate yet."""
        return self.join_port or join_port_of(self.port)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of ours that a certificate may name."""
        hosts = [self.listen, *([self.api.listen] if self.api else [])]
        return tuple(dict.fromkeys(host for host in hosts if _is_one_address(host)))

    @model_validator(mode="after")
    def _consistent(self) -> "NodeSettings":
        if self.role is not Role.GLOBAL:
            if self.region is None:
                msg = f"a {self.role} controller needs `region`"
                raise ValueError(msg)
            if self.parent is None:
                msg = f"a {self.role} controller needs `parent: {{id, url}}`"
                raise ValueError(msg)
        try:
            check_region(self.region or "none")
            check_controller_id(self.controller_id or "none")
            for subnet in self.subnets:
                check_subnet(subnet)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self


def is_loopback(host: str) -> bool:
    """Tell whether an address, or `localhost`, is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_one_address(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def join_port_of(port: int) -> int:
    """Return the join listener's port, by the ordinary one's."""
    return port + _JOIN_OFFSET if port + _JOIN_OFFSET <= _HIGHEST_PORT else port - _JOIN_OFFSET


class BridgeSettings(_Strict):
    """The broker above that a regional broker exchanges policy, status and events with."""

    host: str
    port: Port = _MQTT_TLS
    id: str = "broker_cntl_global_1"


class BrokerNodeSettings(_Strict):
    """The broker's agent: where mosquitto listens and keeps its state, and who admits it.

    Without `parent` it is plain, has no rights to keep, and must be on loopback. `region` is for
    the broker of one region.
    """

    listen: str = "127.0.0.1"
    port: Port | None = None
    state_dir: Path = Path("/var/lib/pdsno-broker")
    parent: ParentSettings | None = None
    join_token_file: Path | None = None
    region: str | None = None
    bridge: BridgeSettings | None = None

    @property
    def number(self) -> int:
        """The port."""
        return self.port or (_MQTT_TLS if self.parent else _MQTT_PLAIN)

    @model_validator(mode="after")
    def _consistent(self) -> "BrokerNodeSettings":
        if self.parent is None and not is_loopback(self.listen):
            msg = (
                f"`listen: {self.listen}` is not loopback, and only with a certificate may a "
                "broker listen there: set `parent: {id, url}` and `join_token_file`"
            )
            raise ValueError(msg)
        if self.bridge is not None and self.parent is None:
            raise ValueError("`bridge` needs `parent`: brokers speak TLS to each other")
        try:
            check_region(self.region or "none")
        except InputError as error:
            raise ValueError(str(error)) from error
        return self


def _read(path: Path) -> dict[str, object]:
    try:
        values, _ = load_strict(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read settings {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"settings {path}: not UTF-8 text") from error
    except StrictYamlError as error:
        raise InputError(f"settings {path}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"settings {path} must be a mapping of names to values")
    return values


def _invalid(path: Path, error: ValidationError, model: type[BaseModel]) -> InputError:
    """Turn the first of pydantic's complaints into a line for operators."""
    first: Mapping[str, Any] = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    where = f" `{place}`" if place else ""
    return InputError(f"settings {path}:{where} {_complaint(first, model)}")


def _complaint(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    given = fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(str(fault["loc"][-1]), model.model_fields, n=1)
            return "is no setting" + (f"; did you mean `{near[0]}`?" if near else "")
        case "missing":
            return "is missing"
        case "literal_error":
            return f"must be global, regional or local, not {given!r}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"must be a whole number, not {given!r}"
    text = str(fault["msg"]).removeprefix("Value error, ")
    return text.replace("Input should be", "must be").replace("a valid tuple", "a list")


def load_settings(path: Path) -> NodeSettings:
    """Return a controller's settings. Raises InputError naming the file, the place, the remedy."""
    try:
        settings = NodeSettings.model_validate(_read(path))
    except ValidationError as error:
        raise _invalid(path, error, NodeSettings) from error
    base = path.resolve().parent
    paths: dict[str, object] = {
        name: base / value
        for name in (
            "state_dir",
            "admin_socket",
            "join_token_file",
            "credentials_file",
        )
        if (value := getattr(settings, name)) is not None
    }
    if settings.api is not None:
        files = {
            name: base / value
            for name in ("certificate", "key")
            if (value := getattr(settings.api, name)) is not None
        }
        paths["api"] = settings.api.model_copy(update=files)
    if settings.nib is not None:
        paths["nib"] = settings.nib.below(base)
    return settings.model_copy(update=paths)


def load_broker_settings(path: Path) -> BrokerNodeSettings:
    """Return the broker's settings; errors as for `load_settings`."""
    try:
        settings = BrokerNodeSettings.model_validate(_read(path))
    except ValidationError as error:
        raise _invalid(path, error, BrokerNodeSettings) from error
    base = path.resolve().parent
    paths = {"state_dir": base / settings.state_dir}
    if settings.join_token_file is not None:
        paths["join_token_file"] = base / settings.join_token_file
    return settings.model_copy(update=paths)


def load_any_settings(path: Path) -> NodeSettings | BrokerNodeSettings:
    """Return the settings of a broker, where the file can be nothing else, or of a controller."""
    given = _read(path).keys()
    is_broker = given.isdisjoint(_OF_CONTROLLERS) and not given.isdisjoint(_OF_BROKERS)
    return load_broker_settings(path) if is_broker else load_settings(path)


_OF_CONTROLLERS = NodeSettings.model_fields.keys() - BrokerNodeSettings.model_fields.keys()
_OF_BROKERS = frozenset({"port", "bridge", "parent"})


def default_state_dir() -> Path:
    """Return where an all-in-one installation keeps its state."""
    if os.geteuid() == 0:
        return Path("/var/lib/pdsno/site")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "pdsno"
