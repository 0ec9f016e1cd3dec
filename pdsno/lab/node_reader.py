"""Reads the nodes of a topology file, with inheritance: defaults, kind, group, node."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from pdsno.domain.errors import InputError
from pdsno.lab.document import Value
from pdsno.lab.images import stand_in
from pdsno.lab.topology import Bind, NodeSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HONOURED = frozenset(
    {
        "kind", "image", "group", "binds", "exec", "env", "labels", "sysctls", "cmd",
        "entrypoint", "mgmt-ipv4", "mgmt_ipv4", "network-mode", "startup-delay", "hostname",
        "startup-config", "extras",
    }
)  # fmt: skip
_WITHOUT_EFFECT = frozenset(
    {
        "SANs", "aliases", "auto-remove", "cap-add", "certificate", "components", "config",
        "cpu", "cpu-set", "credentials", "devices", "dns", "enforce-startup-config",
        "env-files", "healthcheck", "image-pull-policy", "license", "memory", "mgmt-ipv6",
        "mgmt_ipv6", "ports", "position", "publish", "restart-policy", "runtime", "shm-size",
        "stages", "suppress-startup-config", "type", "user", "wait-for", "weight",
    }
)  # fmt: skip
_FIELDS = _HONOURED | _WITHOUT_EFFECT
_COSMETIC = frozenset({"position", "image-pull-policy", "restart-policy", "weight"})
_KINDS = frozenset({"linux", "frr"})
_OTHER_RUNNERS = (
    "nokia_", "srl", "arista_", "ceos", "juniper_", "crpd", "cisco_", "vr-", "sonic", "dell_",
    "mikrotik_", "paloalto_", "fortinet_", "huawei_", "cumulus", "cvx", "aruba_", "vyosnetworks_",
    "checkpoint_", "openbsd", "freebsd", "generic_vm", "rare", "ipinfusion_", "keysight_",
)  # fmt: skip
MAX_STARTUP_DELAY_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the magic words of the format stand for."""

    topology_dir: Path
    lab_dir: Path


@dataclass(frozen=True, slots=True)
class _Layers:
    """One node's fields, from the most general layer to the node itself."""

    node: str
    layers: tuple[Value, ...]

    def last(self, *names: str) -> Value | None:
        for layer in reversed(self.layers):
            fields = layer.fields()
            for name in names:
                if name in fields and not fields[name].is_null:
                    return fields[name]
        return None

    def text(self, name: str) -> str:
        value = self.last(name)
        return value.text() if value else ""

    def merged(self, name: str) -> dict[str, str]:
        """Merge mappings; the more special layer wins."""
        merged: dict[str, str] = {}
        for layer in self.layers:
            if name in layer.fields():
                merged |= layer.fields()[name].mapping_of_text()
        return merged

    def joined(self, name: str) -> list[Value]:
        """Join lists, the most general layer first."""
        return [
            item
            for layer in self.layers
            if name in layer.fields()
            for item in layer.fields()[name].items()
        ]

    def words(self, name: str) -> tuple[str, ...]:
        value = self.last(name)
        if value is None:
            return ()
        try:
            return tuple(shlex.split(value.text()))
        except ValueError as error:
            raise value.error(f"not a command: {error}") from error


def check_name(value: Value, name: str, what: str) -> str:
    """Refuse a name that could not be part of a file or namespace name."""
    if not _NAME.fullmatch(name):
        raise value.error(
            f"'{name}' is no {what} name: letters, digits, '-', '_' and '.', "
            "beginning with a letter or digit"
        )
    return name


def _layers(topology: dict[str, Value], name: str, node: Value) -> _Layers:
    """Find what a node inherits from."""
    sections = {key: topology[key].fields() for key in ("kinds", "groups") if key in topology}
    defaults = topology.get("defaults")
    general = (defaults,) if defaults else ()
    group_name = _Layers(name, (*general, node)).last("group")
    group = sections.get("groups", {}).get(group_name.text()) if group_name else None
    special = (group, node) if group else (node,)
    kind = _Layers(name, (*general, *special)).last("kind")
    if kind is None:
        raise node.error("has no kind, and neither its group nor the defaults give one")
    kind_layer = sections.get("kinds", {}).get(kind.text())
    middle = (kind_layer,) if kind_layer else ()
    return _Layers(name, (*general, *middle, *special))


def _check_kind(layers: _Layers) -> str:
    value = layers.last("kind")
    kind = value.text() if value else ""
    if value is None or kind in _KINDS:
        return kind
    if kind in {"bridge", "ovs-bridge", "host", "ext-container", "k8s-kind"}:
        raise value.error(
            f"kind '{kind}' uses parts of the machine itself and is not supported here; "
            "make it a linux node that builds its own bridge"
        )
    if kind.startswith(_OTHER_RUNNERS):
        raise value.error(
            f"kind '{kind}' needs its vendor's image and containerlab itself; "
            f"this runner knows: {', '.join(sorted(_KINDS))}"
        )
    raise value.error(f"unknown kind '{kind}'; this runner knows: {', '.join(sorted(_KINDS))}")


def _expand(text: str, node: str, names: Names) -> str:
    return (
        text.replace("__clabNodeName__", node)
        .replace("__clabNodeDir__", str(names.lab_dir / node))
        .replace("__clabDir__", str(names.lab_dir))
        .replace("__clabTopologyDir__", str(names.topology_dir))
    )


def _source(text: str, names: Names) -> Path:
    return (names.topology_dir / Path(text).expanduser()).absolute()


def _bind(value: Value, node: str, names: Names) -> Bind:
    parts = _expand(value.text(), node, names).split(":")
    if len(parts) not in {2, 3} or not all(parts[:2]):
        raise value.error(f"a bind is SOURCE:TARGET or SOURCE:TARGET:ro, not '{value.text()}'")
    source = _source(parts[0], names)
    if not parts[1].startswith("/"):
        raise value.error(f"the bind's target '{parts[1]}' must begin with '/'")
    if not source.exists():
        raise value.error(f"the bind's source {source} does not exist")
    options = parts[2].split(",") if len(parts) > 2 else []  # noqa: PLR2004 - SOURCE:TARGET:OPTIONS
    return Bind(source=source, target=parts[1].rstrip("/") or "/", is_read_only="ro" in options)


def _binds(layers: _Layers, names: Names) -> tuple[Bind, ...]:
    found = {}
    for value in layers.joined("binds"):
        bind = _bind(value, layers.node, names)
        found[bind.target] = bind
    startup = layers.last("startup-config")
    if startup:
        source = _source(_expand(startup.text(), layers.node, names), names)
        if not source.is_file():
            raise startup.error(f"the startup-config {source} does not exist")
        target = "/etc/frr/frr.conf"
        found[target] = Bind(source=source, target=target, is_read_only=False)
    return tuple(found.values())


def _mgmt_ipv4(layers: _Layers) -> IPv4Address | None:
    value = layers.layers[-1].fields().get("mgmt-ipv4") or layers.layers[-1].fields().get(
        "mgmt_ipv4"
    )
    if value is None:
        return None
    try:
        return IPv4Address(value.text())
    except AddressValueError as error:
        raise value.error(f"'{value.text()}' is no IPv4 address") from error


def _is_on_mgmt(layers: _Layers) -> bool:
    value = layers.last("network-mode")
    if value is None or value.text() == "bridge":
        return True
    if value.text() == "none":
        return False
    raise value.error(f"network-mode '{value.text()}' is not supported, only 'none'")


def _frr_daemons(layers: _Layers) -> dict[str, str]:
    """Read `extras.frr.daemons` of kind frr."""
    extras = layers.last("extras")
    if extras is None:
        return {}
    extras.refuse_unknown(frozenset({"frr"}))
    frr = extras.fields().get("frr")
    if frr is None:
        return {}
    frr.refuse_unknown(frozenset({"daemons"}))
    daemons = frr.fields().get("daemons")
    words = [item.text() for item in daemons.items()] if daemons else []
    return {"LAB_FRR_DAEMONS": " ".join(words)} if words else {}


def _warnings(layers: _Layers) -> Iterator[str]:
    own = layers.layers[-1]
    for layer in layers.layers:
        for name, value in layer.fields().items():
            if name in _WITHOUT_EFFECT - _COSMETIC and (layer is own or name not in own.fields()):
                yield f"{value.where()}: '{name}' has no effect here"


def _read_node(name: str, layers: _Layers, names: Names) -> tuple[NodeSpec, tuple[str, ...]]:
    for layer in layers.layers:
        layer.refuse_unknown(_FIELDS)
    kind = _check_kind(layers)
    labels = layers.merged("labels")
    image = layers.text("image")
    serving = stand_in(image, kind, labels)
    warnings = list(_warnings(layers))
    if not serving.is_known:
        warnings.append(
            f"{layers.layers[-1].where()}: image '{image}' is not known here; "
            "a plain Linux host stands in for it"
        )
    on_mgmt = _is_on_mgmt(layers)
    delay = layers.last("startup-delay")
    spec = NodeSpec(
        name=name,
        role=serving.role,
        image=image,
        binds=_binds(layers, names),
        exec=tuple(_expand(item.text(), name, names) for item in layers.joined("exec")),
        env=serving.environment | _frr_daemons(layers) | layers.merged("env"),
        labels=labels,
        sysctls=layers.merged("sysctls"),
        entrypoint=layers.words("entrypoint"),
        cmd=layers.words("cmd"),
        mgmt_ipv4=_mgmt_ipv4(layers),
        startup_delay_s=delay.integer(low=0, high=MAX_STARTUP_DELAY_S) if delay else 0,
        is_on_mgmt=on_mgmt,
    )
    return spec, tuple(warnings)


def _check_exec(layers: _Layers) -> None:
    for value in layers.joined("exec"):
        try:
            words = shlex.split(value.text())
        except ValueError as error:
            raise value.error(f"not a command: {error}") from error
        if not words:
            raise value.error("an empty command")


def read_nodes(topology: Value, names: Names) -> tuple[tuple[NodeSpec, ...], tuple[str, ...]]:
    """Read every node; returns them with the warnings, each once."""
    sections = topology.fields()
    nodes = sections.get("nodes")
    if nodes is None or not nodes.fields():
        raise topology.error("has no nodes")
    specs: list[NodeSpec] = []
    warnings: dict[str, None] = {}
    taken: dict[IPv4Address, str] = {}
    for name, value in nodes.fields().items():
        check_name(value, name, "node")
        layers = _layers(sections, name, value)
        _check_exec(layers)
        spec, found = _read_node(name, layers, names)
        if spec.mgmt_ipv4 in taken and spec.mgmt_ipv4 is not None:
            raise _duplicate(value, spec.mgmt_ipv4, taken[spec.mgmt_ipv4])
        if spec.mgmt_ipv4 is not None:
            taken[spec.mgmt_ipv4] = name
        if spec.entrypoint:
            # The image's own start is replaced, so its daemons do not run either.
            spec = replace(spec, env=spec.env | {"LAB_DAEMONS": ""})
        specs.append(spec)
        warnings |= dict.fromkeys(found)
    return tuple(specs), tuple(warnings)


def _duplicate(value: Value, address: IPv4Address, other: str) -> InputError:
    place = value.fields().get("mgmt-ipv4") or value
    return place.error(f"{address} is already the management address of node '{other}'")
