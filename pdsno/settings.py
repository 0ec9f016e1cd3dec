"""Operators' settings of one controller: a YAML file, strictly read, never written.

Policy (what the network's owners want) and the context (what a controller knows of itself) are
other files with other owners.
"""

import difflib
import ipaddress
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
from pdsno.strict_yaml import StrictYamlError, load_strict

Port = Annotated[int, Field(ge=1, le=65535)]


def _check_url(text: str) -> str:
    """Return the URL of a controller: scheme, host and perhaps a port, nothing else."""
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is no controller's URL: write it as http://192.0.2.1:8001")
    return text


ControllerUrl = Annotated[str, AfterValidator(_check_url)]

_DEFAULT_PORTS = {Role.GLOBAL: 8001, Role.REGIONAL: 8002, Role.LOCAL: 8003}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParentSettings(_Strict):
    """The controller above: its assigned ID, and where it listens."""

    id: str
    url: ControllerUrl


class BrokerSettings(_Strict):
    """The MQTT broker."""

    host: str
    port: Port = 1883


class ApiSettings(_Strict):
    """The operators' REST API. It has no authentication yet: loopback, or a lab's network."""

    listen: str = "127.0.0.1"
    port: Port = 8080
    lab_network: str | None = None
    names: tuple[str, ...] = ()


class NodeSettings(_Strict):
    """One controller process. Relative paths are relative to the settings file."""

    role: Literal[Role.GLOBAL, Role.REGIONAL, Role.LOCAL]
    region: str | None = None
    controller_id: str | None = None
    state_dir: Path = Path("/var/lib/pdsno")
    admin_socket: Path = Path("/run/pdsno/admin.sock")
    listen: str = "127.0.0.1"
    rest_port: Port | None = None
    url: ControllerUrl | None = None
    plain_transport: bool = False
    parent: ParentSettings | None = None
    broker: BrokerSettings | None = None
    join_token_file: Path | None = None
    subnets: tuple[str, ...] = ()
    credentials_file: Path | None = None
    api: ApiSettings | None = ApiSettings()

    @property
    def port(self) -> int:
        """The port for other controllers."""
        return self.rest_port or _DEFAULT_PORTS[self.role]

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
        if not self.plain_transport and not _is_loopback(self.listen):
            msg = (
                f"`listen: {self.listen}` is not loopback and transport is not encrypted yet: "
                "set `plain_transport: true` if you accept that on this network"
            )
            raise ValueError(msg)
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class BrokerNodeSettings(_Strict):
    """The broker process: where mosquitto listens and keeps its state."""

    listen: str = "127.0.0.1"
    port: Port = 1883
    state_dir: Path = Path("/var/lib/pdsno-broker")
    plain_transport: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "BrokerNodeSettings":
        if not self.plain_transport and not _is_loopback(self.listen):
            msg = f"`listen: {self.listen}` needs `plain_transport: true`"
            raise ValueError(msg)
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
    paths = {
        name: base / value
        for name in (
            "state_dir",
            "admin_socket",
            "join_token_file",
            "credentials_file",
        )
        if (value := getattr(settings, name)) is not None
    }
    return settings.model_copy(update=paths)


def load_broker_settings(path: Path) -> BrokerNodeSettings:
    """Return the broker's settings; errors as for `load_settings`."""
    try:
        settings = BrokerNodeSettings.model_validate(_read(path))
    except ValidationError as error:
        raise _invalid(path, error, BrokerNodeSettings) from error
    return settings.model_copy(update={"state_dir": path.resolve().parent / settings.state_dir})
