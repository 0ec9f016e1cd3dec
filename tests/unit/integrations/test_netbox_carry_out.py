"""The lines of docs/how-to/netbox.md carry an export out, once, on a NetBox that checks bodies."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pdsno.integrations.export_netbox import netbox_requests
from tests.unit.api.serving import device
from tests.unit.integrations.fake_netbox import TOKEN, Answer, FakeNetBox, plain, running
from tests.unit.integrations.hostile import cabled, hostile
from tests.unit.integrations.netbox_schemas import writing

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "netbox.md"


@dataclass
class WritableNetBox(FakeNetBox):
    """Takes what its published schema allows, and finds it again."""

    def answer(self, method: str, target: str, authorization: str) -> Answer:
        parts = urlsplit(target)
        self.asked.append((method, target))
        resource = parts.path.removeprefix("/api/").strip("/")
        body = json.loads(self.sent) if self.sent else {}
        if authorization != f"Token {TOKEN}":
            return plain(403, {"detail": "Invalid token"})
        if method == "PATCH":
            resource, _, number = resource.rpartition("/")
            known = next(one for one in self.data[resource] if one["id"] == int(number))
            known["body"] |= body
            writing("4.6", resource).validate(known["body"])
            return plain(200, {"id": known["id"]})
        items = self.data.setdefault(resource, [])
        if method == "POST":
            writing("4.6", resource).validate(body)
            items.append({"id": len(items) + 1, "body": body})
            return plain(201, {"id": len(items)})
        query = dict(parse_qsl(parts.query))
        found = [one for one in items if self.has(one["body"], query)]
        return plain(200, {"results": found, "next": None})

    def has(self, body: dict[str, Any], query: dict[str, str]) -> bool:
        """Tell whether an object is what a query asks for, as NetBox's filters do."""
        sites = {one["id"]: one["body"]["slug"] for one in self.data.get("dcim/sites", [])}
        end = (body.get("a_terminations") or [{}])[0]
        told = {
            **body,
            "device_id": body.get("device"),
            "vrf_id": body.get("vrf") or "null",
            "interface_id": body.get("assigned_object_id"),
            "site": sites.get(body.get("site", 0)),
            "termination_a_type": end.get("object_type"),
            "termination_a_id": end.get("object_id"),
        }
        return all(str(told.get(key)) == value for key, value in query.items())


def test_the_lines_of_the_page_carry_an_export_out_and_a_second_run_adds_nothing(
    tmp_path: Path,
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    script, file = tmp_path / "carry_out.py", tmp_path / "netbox.jsonl"
    script.write_text(code)
    devices = [*hostile()[:6], device(7, name="ap", management_ip="10.9.0.1")]
    found = netbox_requests(devices, [cabled("dev_0001", "dev_0002")]).requests
    file.write_text("".join(json.dumps(one.to_json()) + "\n" for one in found))
    with running(WritableNetBox()) as netbox:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, str(script), netbox.url, str(file)],
                env={**os.environ, "NETBOX_TOKEN": TOKEN, "NO_PROXY": "*"},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            counts = {resource: len(items) for resource, items in netbox.data.items()}
            assert counts["dcim/devices"] == len(devices)
            assert counts["dcim/interfaces"] == 3 * 6
            assert counts["dcim/mac-addresses"] == 6
            assert counts["dcim/cables"] == 1
        primary = [one["body"].get("primary_ip4") for one in netbox.data["dcim/devices"]]
        assert primary.count(None) == 1
