"""Reads what real devices said: `recordings/NAME/*.txt` (first line: the command) and snmp.json."""

import json
from pathlib import Path

from pdsno.southbound.mibs.varbinds import Value

RECORDINGS = Path(__file__).parent / "recordings"


def recorded_outputs(name: str) -> dict[str, str]:
    outputs = {}
    for path in sorted((RECORDINGS / name).glob("*.txt")):
        head, _, output = path.read_text().partition("\n")
        outputs[head.removeprefix("# ")] = output
    return outputs


def recorded_varbinds(name: str) -> dict[str, Value]:
    document = json.loads((RECORDINGS / name / "snmp.json").read_text())
    return {
        oid: bytes.fromhex(value[1]) if isinstance(value, list) else value
        for oid, value in document.items()
    }
