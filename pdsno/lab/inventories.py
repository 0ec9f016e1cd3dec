"""Writes the files that containerlab writes beside a lab: two inventories and its data."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from pdsno.lab.state import LabState

FILES = ("ansible-inventory.yml", "nornir-simple-inventory.yml", "topology-data.json")


def _ansible(state: LabState) -> dict[str, Any]:
    hosts = {
        node.long_name: {"ansible_host": node.mgmt_ipv4} for node in state.nodes if node.mgmt_ipv4
    }
    return {"all": {"children": {"linux": {"hosts": hosts}}}}


def _nornir(state: LabState) -> dict[str, Any]:
    return {
        node.name: {"hostname": node.mgmt_ipv4, "platform": "linux", "groups": [node.role.value]}
        for node in state.nodes
        if node.mgmt_ipv4
    }


def _topology_data(state: LabState) -> dict[str, Any]:
    nodes = {
        node.name: {
            "index": str(index),
            "shortname": node.name,
            "longname": node.long_name,
            "fqdn": f"{node.name}.{state.name}.io",
            "group": "",
            "labdir": str(Path(state.lab_dir) / node.name),
            "kind": "linux",
            "image": node.image,
            "mgmt-ipv4-address": node.mgmt_ipv4 or "",
            "labels": node.labels,
        }
        for index, node in enumerate(state.nodes)
    }
    links = [
        {
            "endpoints": {
                side: {
                    "node": end.node,
                    "interface": end.interface,
                    "mac": end.mac,
                    "peer": "z" if side == "a" else "a",
                }
                for side, end in (("a", link.a), ("z", link.b))
            }
        }
        for link in state.links
    ]
    mgmt = {
        "network": state.network,
        "bridge": state.bridge,
        "ipv4-subnet": state.subnet,
        "ipv4-gw": state.gateway,
    }
    return {
        "name": state.name,
        "type": "clab",
        "clab": {"config": {"mgmt": mgmt}},
        "nodes": nodes,
        "links": links,
    }


def write(state: LabState) -> None:
    """Write the files into the lab's directory, readable by everybody."""
    directory = Path(state.lab_dir)
    directory.mkdir(parents=True, exist_ok=True)
    texts = (
        yaml.safe_dump(_ansible(state), sort_keys=False),
        yaml.safe_dump(_nornir(state), sort_keys=False),
        json.dumps(_topology_data(state), indent=2) + "\n",
    )
    for name, text in zip(FILES, texts, strict=True):
        (directory / name).write_text(text)


def remove(state: LabState) -> None:
    """Remove what `write` wrote; the directory only if nothing else is in it."""
    directory = Path(state.lab_dir)
    for name in FILES:
        with suppress(OSError):
            (directory / name).unlink()
    with suppress(OSError):
        directory.rmdir()
