"""The Ansible inventory plugin pdsno.nib.nib: by Ansible's own programs, over a real API.

PDSNO cannot be imported there: where the plugin runs, it is not installed.
"""

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdsno.domain.entities import Device, DeviceStatus, DeviceType
from pdsno.integrations.export_ansible import ansible_list
from pdsno.nib import NIBStore
from tests.unit.api.serving import TOKEN, Api, device, put, served
from tests.unit.integrations.ansible_runs import STRICT, run
from tests.unit.integrations.hostile import hostile
from tests.unit.integrations.odd_apis import breaking_off

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
COLLECTIONS = ROOT / "playbooks" / "collections"
PLUGIN = "pdsno.nib.nib"
OWNED = Path("/tmp/pdsno-owned")  # noqa: S108 - the attack's own file
DEVICES = [
    device(1, name="r1", region="zone-A", device_type=DeviceType.ROUTER, platform="cisco_ios",
           management_ip="192.0.2.1", vendor="Cisco", serial="S1"),
    device(2, name="r2", region="zone-B", device_type=DeviceType.ROUTER, platform="frr",
           management_ip="192.0.2.2", vendor="FRRouting"),
    device(3, name="old", region="zone-B", status=DeviceStatus.INACTIVE),
]  # fmt: skip


@pytest.fixture(scope="module")
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, *DEVICES)
        yield store


@pytest.fixture(scope="module")
def api(nib: NIBStore) -> Iterator[Api]:
    with served(nib) as serving:
        yield serving


@pytest.fixture(scope="module")
def without_pdsno(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder in which `import pdsno` fails."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "pdsno.py").write_text("raise ImportError('PDSNO is not installed here')\n")
    return folder


class Control:
    """A folder with a `pdsno.yml`, on a machine where the collection is and PDSNO is not."""

    def __init__(self, folder: Path, blocked: Path, url: str) -> None:
        self.folder, self.file = folder, "pdsno.yml"
        self._env = {
            **STRICT, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "PYTHONPATH": str(blocked),
            "PDSNO_API": url, "PDSNO_API_TOKEN": TOKEN,
        }  # fmt: skip

    def asks(
        self, *args: str, env: Mapping[str, str] | None = None, **options: object
    ) -> "subprocess.CompletedProcess[str]":
        text = yaml.safe_dump({"plugin": PLUGIN, **options})
        (self.folder / self.file).write_text(text)
        words = ("-i", self.file, *(args or ("--list",)))
        return run(self.folder, "ansible-inventory", *words, env={**self._env, **(env or {})})

    def gets(self, env: Mapping[str, str] | None = None, **options: object) -> dict[str, Any]:
        done = self.asks(env=env, **options)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def is_refused(self, env: Mapping[str, str] | None = None, **options: object) -> str:
        """Return what Ansible said when it failed."""
        done = self.asks(env=env, **options)
        assert done.returncode != 0, done.stdout
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert TOKEN not in done.stderr
        return done.stderr


@pytest.fixture
def control(tmp_path: Path, without_pdsno: Path, api: Api) -> Control:
    return Control(tmp_path, without_pdsno, api.url)


def hosts_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return the variables by host; Ansible marks what it will not take for a template."""
    hosts: dict[str, Any] = unmarked(found["_meta"]["hostvars"])
    return hosts


def unmarked(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return [unmarked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__ansible_unsafe"}:
        return value["__ansible_unsafe"]
    return {key: unmarked(one) for key, one in value.items()}


def test_active_devices_are_hosts_in_groups_as_the_export_has_them(control: Control) -> None:
    found = control.gets()
    wanted = ansible_list(DEVICES[:2])
    assert hosts_of(found) == wanted["_meta"]["hostvars"]
    assert {name: found[name]["hosts"] for name in found.keys() - {"_meta", "all"}} == {
        "region_zone_a": ["r1"], "region_zone_b": ["r2"], "type_router": ["r1", "r2"],
        "platform_cisco_ios": ["r1"], "platform_frr": ["r2"], "status_active": ["r1", "r2"],
    }  # fmt: skip
    assert hosts_of(found)["r1"]["ansible_network_os"] == "cisco.ios.ios"
    assert hosts_of(found)["r1"]["pdsno_serial"] == "S1"


def test_filters_narrow_and_a_graph_is_drawn(control: Control) -> None:
    assert hosts_of(control.gets(region="zone-B", status="any")).keys() == {"r2", "old"}
    done = control.asks("--graph", device_type="router", platform="frr")
    assert (done.returncode, done.stderr) == (0, "")
    assert "|--@platform_frr:\n  |  |--r2" in done.stdout
    assert "r1" not in done.stdout


def test_groups_and_variables_are_composed_and_strict_counts(control: Control) -> None:
    found = control.gets(
        keyed_groups=[{"key": "pdsno_vendor", "prefix": "vendor"}],
        groups={"ours": "pdsno_region == 'zone-A'"},
        compose={"site": "pdsno_region | lower"},
        strict=True,
    )
    assert found["vendor_Cisco"]["hosts"] == ["r1"]
    assert found["ours"]["hosts"] == ["r1"]
    assert hosts_of(found)["r2"]["site"] == "zone-b"
    wrong = {"compose": {"site": "no_such_variable | lower"}}
    assert "site" not in hosts_of(control.gets(**wrong))["r1"]
    assert "no_such_variable" in control.is_refused(strict=True, **wrong)


def test_the_cache_answers_the_same_question_and_no_other(control: Control) -> None:
    cache: dict[str, Any] = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": "cache"}
    first = control.gets(**cache)
    away = {"PDSNO_API_TOKEN": "pdsno_" + "x" * 43}
    assert control.gets(env=away, **cache) == first
    assert "refused the token" in control.is_refused(env=away, **cache, region="zone-A")
    done = control.asks("--list", "--flush-cache", env=away, **cache)
    assert done.returncode != 0
    kept = "".join(path.read_text() for path in (control.folder / "cache").iterdir())
    assert TOKEN not in kept


@pytest.mark.parametrize("form", ["token_file", "token"])
def test_a_token_may_stand_in_a_file_beside_ours_or_in_the_options(
    control: Control, form: str
) -> None:
    file = control.folder / "site" / "inventory.token"
    file.parent.mkdir()
    file.write_text(TOKEN)
    file.chmod(0o600)
    options: dict[str, Any] = {"token_file": file.name, "token": TOKEN}
    control.file = "site/pdsno.yml"
    assert hosts_of(control.gets(env={"PDSNO_API_TOKEN": ""}, **{form: options[form]}))


def test_an_api_that_is_not_there_is_an_error_not_an_empty_inventory(control: Control) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    said = control.is_refused(url=f"http://127.0.0.1:{port}")
    assert f"cannot reach the API at http://127.0.0.1:{port} " in said
    said = control.is_refused(url=f"https://127.0.0.1:{port}")
    assert "Connection refused" in said


def test_an_api_that_says_nothing_is_an_error_in_time(control: Control) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = control.is_refused(url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1)
    assert "timed out" in said


def test_an_api_that_breaks_off_is_an_error(control: Control) -> None:
    with breaking_off() as there:
        said = control.is_refused(url=there)
    assert "broke off" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token": "pdsno_" + "x" * 43}, "refused the token given as token"),
        ({"token": "secret"}, "is no API token"),
        ({"region": "nowhere"}, "no device to show (region nowhere, status active)"),
        ({"zone": "zone-A"}, "has no option 'zone'"),
        ({"device_type": "tea"}, "tea"),
        ({"url": "http://192.0.2.1"}, "would carry the token in the clear"),
        ({"ca": "/none.pem"}, "cannot read the CA /none.pem"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(
    control: Control, options: dict[str, Any], said: str
) -> None:
    assert said in control.is_refused(**options)


def test_without_a_token_the_error_says_where_to_get_one(control: Control) -> None:
    said = control.is_refused(env={"PDSNO_API_TOKEN": ""})
    assert "pdsno api-token create --name inventory --role viewer" in said


def test_a_file_of_another_name_is_not_ours(control: Control) -> None:
    control.asks()
    (control.folder / "pdsno.yml").rename(control.folder / "hosts.yml")
    done = run(
        control.folder, "ansible-inventory", "-i", "hosts.yml", "--list",
        env={**STRICT, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
    )  # fmt: skip
    assert done.returncode != 0


def test_nothing_that_a_device_says_is_run(
    control: Control, tmp_path: Path, without_pdsno: Path
) -> None:
    devices: list[Device] = hostile()
    with NIBStore("memory://") as nib:
        put(nib, *devices)
        with served(nib) as api:
            found = Control(tmp_path, without_pdsno, api.url).gets(
                keyed_groups=[{"key": "pdsno_model", "prefix": "model"}],
                compose={"again": "pdsno_os_version", "named": "pdsno_name | default('')"},
            )
    assert hosts_of(found).keys() == hosts_of(ansible_list(devices)).keys()
    assert not OWNED.exists()
    assert control.folder == tmp_path


def test_the_documentation_is_complete_and_shown(control: Control) -> None:
    env = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    done = run(control.folder, "ansible-doc", "-t", "inventory", "-j", PLUGIN, env=env)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)[PLUGIN]
    options = told["doc"]["options"]
    assert {"url", "token", "token_file", "ca", "region", "status", "cache", "compose"} <= set(
        options
    )
    assert all(one["description"] for one in options.values())
    examples = list(yaml.safe_load_all(told["examples"]))
    assert len(examples) == 3
    for given in examples:
        assert given.pop("plugin") == PLUGIN
        assert given.keys() <= options.keys()
