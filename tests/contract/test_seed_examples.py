"""The founding document's configuration examples, statement by statement as printed.

They name ports, a broker at `mqtt.local` and the subnet 192.168.1.0/24. So each runs as a program
of its own in a network namespace where these exist: a mosquitto on 1883, the name in its hosts
file, and a cable to a namespace with three hosts. The test supplies only what the document leaves
undefined.
"""

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.namespaces import Site, site_with_hosts

pytestmark = pytest.mark.lab

HEADER = """
import json, time, urllib.request
from pathlib import Path
from pdsno.communication import MessageType
from pdsno.controllers import ContextManager, GlobalController, LocalController, RegionalController
from pdsno.nib import NIBStore
here = Path({folder!r})
def until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_with_hosts(tmp_path, "192.168.1.0/24", hosts=3, broker=True) as found:
        yield found


def run(site: Site, tmp_path: Path, example: str) -> dict[str, object]:
    """Run an example; what it prints last is the result."""
    program = tmp_path / "example.py"
    program.write_text(HEADER.format(folder=str(tmp_path)) + textwrap.dedent(example))
    done = site.run(sys.executable, str(program), timeout_s=120)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_global_controller_with_rest(site: Site, tmp_path: Path) -> None:
    result = run(
        site,
        tmp_path,
        """
        gc_context, nib_store = ContextManager(here / "gc.yaml"), NIBStore(here / "gc.sqlite")

        from pdsno.communication.rest_server import ControllerRESTServer

        gc = GlobalController(
            controller_id="global_cntl_1",
            context_manager=gc_context,
            nib_store=nib_store,
            enable_rest=True,
            rest_port=8001
        )

        # Start REST API
        gc.start_rest_server_background()
        # Now available at http://localhost:8001

        health = json.load(urllib.request.urlopen("http://localhost:8001/health"))
        info = json.load(urllib.request.urlopen("http://localhost:8001/info"))
        gc.close()
        print(json.dumps({"health": health, "info": info}))
        """,
    )
    assert result["info"]["controller_id"] == "global_cntl_1"  # type: ignore[index]


def test_regional_controller_with_http_and_mqtt(site: Site, tmp_path: Path) -> None:
    result = run(
        site,
        tmp_path,
        """
        rc_context, nib_store = ContextManager(here / "rc.yaml"), NIBStore(here / "rc.sqlite")
        seen = []
        def handle_discovery_report(message):
            seen.append(message.payload["devices"])

        from pdsno.communication.http_client import ControllerHTTPClient
        from pdsno.communication.mqtt_client import ControllerMQTTClient

        # HTTP for request-response with GC
        http_client = ControllerHTTPClient()
        http_client.register_controller("global_cntl_1", "http://localhost:8001")

        # MQTT for pub/sub with LC
        mqtt_client = ControllerMQTTClient(
            controller_id="regional_cntl_zone-A_1",
            broker_host="mqtt.local"
        )
        mqtt_client.connect()
        mqtt_client.subscribe(
            "pdsno/discovery/zone-A/+",
            handler=handle_discovery_report
        )

        rc = RegionalController(
            temp_id="temp-rc-zone-a-001",
            region="zone-A",
            context_manager=rc_context,
            nib_store=nib_store,
            http_client=http_client,
            enable_rest=True,
            rest_port=8002
        )

        rc.start_rest_server_background()
        other = ControllerMQTTClient(controller_id="local_cntl_1", broker_host="mqtt.local")
        other.connect()
        other.publish(
            topic="pdsno/discovery/zone-A/local_cntl_1",
            message_type=MessageType.DISCOVERY_REPORT,
            payload={"devices": 7},
        )
        until(lambda: seen)
        health = json.load(urllib.request.urlopen("http://localhost:8002/health"))
        other.disconnect(); mqtt_client.disconnect(); rc.close()
        print(json.dumps({"seen": seen, "id": rc.controller_id, "health": health}))
        """,
    )
    assert result["seen"] == [7]
    assert result["id"] == "temp-rc-zone-a-001"


def test_local_controller_with_mqtt_finds_hosts_and_publishes_its_report(
    site: Site, tmp_path: Path
) -> None:
    result = run(
        site,
        tmp_path,
        """
        lc_context, nib_store = ContextManager(here / "lc.yaml"), NIBStore(here / "lc.sqlite")

        from pdsno.communication.mqtt_client import ControllerMQTTClient
        reports = []
        watcher = ControllerMQTTClient(controller_id="watcher", broker_host="mqtt.local")
        watcher.connect()
        watcher.subscribe("pdsno/discovery/zone-A/+", handler=reports.append)

        mqtt_client = ControllerMQTTClient(
            controller_id="local_cntl_zone-a_001",
            broker_host="mqtt.local"
        )
        mqtt_client.connect()

        lc = LocalController(
            controller_id="local_cntl_zone-a_001",
            region="zone-A",
            subnet="192.168.1.0/24",
            context_manager=lc_context,
            nib_store=nib_store,
            mqtt_broker="mqtt.local"
        )

        # Discovery reports now published to MQTT
        lc.run_discovery_cycle()

        until(lambda: reports)
        found = sorted(ip for d in nib_store.all_devices() for ip in d.ips)
        reported = sorted(ip for d in reports[0].payload["devices"] for ip in d["ips"])
        topic = reports[0].topic
        lc.close(); mqtt_client.disconnect(); watcher.disconnect()
        print(json.dumps({"found": found, "reported": reported, "topic": topic}))
        """,
    )
    hosts = ["192.168.1.11", "192.168.1.12", "192.168.1.13"]
    assert result["found"] == hosts
    assert result["reported"] == hosts
    assert result["topic"] == "pdsno/discovery/zone-A/local_cntl_zone-a_001"


def test_a_local_controller_without_parent_and_broker_keeps_its_report(
    site: Site, tmp_path: Path
) -> None:
    result = run(
        site,
        tmp_path,
        """
        nib_store = NIBStore(here / "lc.sqlite")
        lc = LocalController(
            controller_id="local_cntl_zone-a_001", region="zone-A", subnet="192.168.1.0/24",
            context_manager=ContextManager(here / "lc.yaml"), nib_store=nib_store,
        )
        state = lc.run_discovery_cycle().report
        waiting = [row.seq for row in nib_store.outbox()]
        lc.close()
        print(json.dumps({"state": state, "waiting": waiting}))
        """,
    )
    assert result == {"state": "queued", "waiting": [1]}
