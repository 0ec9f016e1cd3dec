"""Examples in the OpenAPI document, made from the schemas themselves: none can be out of date."""

from collections.abc import Mapping
from typing import Any

_HINTS: Mapping[str, Any] = {
    "device_id": "dev_01980f2a-7c11-7b52-9d3e-4a0c5f6b7e21",
    "endpoint_id": "ep_5f0c2b9e41d7a638",
    "link_id": "link_8c1d4be02f6a",
    "webhook_id": "wh_3b1f6a0c9d2e4f5a8b7c6d5e4f3a2b1c",
    "controller_id": "regional_cntl_zone-A_1",
    "local_controller": "local_cntl_zone-A_1",
    "cycle_id": "cycle_01980f2a-7c11",
    "token_id": "3f1a9c0b7d5e2468",
    "message_id": "msg_42_60303ae22b998861_3b1f6a0c",
    "device": "spine1",
    "name": "spine1",
    "region": "zone-A",
    "namespace": "zone-A",
    "vendor": "FRRouting",
    "model": "FRR 8.4",
    "platform": "frr",
    "os_version": "8.4.4",
    "serial": "FOC1234X0AB",
    "mac": "00:50:56:aa:bb:01",
    "macs": "00:50:56:aa:bb:01",
    "ip": "10.1.0.1",
    "ips": "10.1.0.1",
    "address": "10.1.0.1",
    "management_ip": "10.1.0.1",
    "subnets": "10.1.0.0/24",
    "interface": "eth1",
    "local_interface": "eth1",
    "remote_interface": "eth2",
    "remote_name": "leaf1",
    "event_type": "DEVICE_APPEARED",
    "subject": "dev_01980f2a-7c11-7b52-9d3e-4a0c5f6b7e21",
    "actor": "local_cntl_zone-A_1",
    "previous_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "hash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "source": "snmp",
    "sources": "snmp",
    "url": "https://172.30.30.20:8002",
    "events": "DEVICE_*",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "state": "online",
    "version": "0.1.0",
    "hostname": "rc1",
    "vlan": 20,
    "mtu": 1500,
    "speed_mbps": 1000,
    "seq": 42,
    "oper_status": "up",
    "admin_status": "up",
    "summary": "answered ARP in 0.4 ms",
    "next_cursor": None,
}
_AT = "2026-12-01T08:30:00Z"
_PLAIN: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}
_JSON = "application/json"
_MOST_DEPTH = 12


def add_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Give each JSON answer and body of a document an example that fits its schema."""
    for operations in document["paths"].values():
        for operation in operations.values():
            told = [answer.get("content", {}) for answer in operation["responses"].values()]
            told.append(operation.get("requestBody", {}).get("content", {}))
            for content in told:
                media = content.get(_JSON)
                if media is not None and not {"example", "examples"} & media.keys():
                    media["example"] = _example(media["schema"], document)
    return document


def _example(
    schema: Mapping[str, Any], document: Mapping[str, Any], name: str = "", depth: int = 0
) -> Any:  # noqa: ANN401 - JSON
    schema = _resolved(schema, document)
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    choices = [_resolved(choice, document) for choice in schema.get("anyOf", ())]
    if choices:
        is_null = any(choice.get("type") == "null" for choice in choices)
        if is_null and name in _HINTS and _HINTS[name] is None:
            return None
        real = [choice for choice in choices if choice.get("type") != "null"]
        return _example(real[0], document, name, depth)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        item = schema.get("items", {})
        return [] if depth > _MOST_DEPTH else [_example(item, document, name, depth + 1)]
    if schema.get("type") == "object" or "properties" in schema:
        return _object(schema, document, depth)
    return _scalar(schema, name)


def _object(schema: Mapping[str, Any], document: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > _MOST_DEPTH:
        return {}
    found = {
        key: _example(value, document, key, depth + 1)
        for key, value in schema.get("properties", {}).items()
    }
    others = schema.get("additionalProperties")
    if not found and isinstance(others, dict):
        found["name"] = _example(others, document, "", depth + 1)
    return found


def _scalar(schema: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    kind = schema.get("type", "string")
    if schema.get("format") == "date-time":
        return _AT
    hint = _HINTS.get(name)
    fits: Mapping[str, type] = {"string": str, "integer": int, "number": float}
    if kind in fits and isinstance(hint, fits[kind]):
        return hint
    return _PLAIN.get(kind)


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found if isinstance(found, dict) else {}
