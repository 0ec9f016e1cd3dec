"""Readers on the admin socket: who may be certified, and where that is of no use."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pdsno.controllers.base_controller import BrokerIdentity, Options
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.global_controller import GlobalController
from pdsno.domain.errors import InputError, NotFoundError, OperationError
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.nib import NIBStore
from pdsno.node.admin_calls import admin_calls
from pdsno.signing import SigningKey

Calls = Mapping[str, Callable[[Mapping[str, Any]], Any]]


def calls_of(folder: Path, broker: BrokerIdentity | None, *, is_embedded: bool = False) -> Calls:
    """Return the calls of a global controller that has a broker at 192.0.2.5."""
    with_key = Options(
        key=SigningKey.generate(),
        tls=TlsIdentity(folder / "tls"),
        authority=AuthorityVault(folder / "authority"),
        broker=broker,
    )
    controller = GlobalController(
        "global_cntl_1",
        ContextManager(folder / "context.yaml"),
        NIBStore("memory://"),
        enable_rest=False,
        options=Options() if is_embedded else with_key,
    )
    client: Any = SimpleNamespace(broker="192.0.2.5:8883", is_connected=True)
    controller.mqtt_client = client
    return admin_calls(controller)


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return calls_of(tmp_path, BrokerIdentity(controller_id="broker_cntl_global_1"))


def asked(**changed: object) -> dict[str, Any]:
    return {"name": "noc", "csr": make_request(new_key()), "region": None, "days": 90} | changed


def test_a_reader_is_told_all_that_it_needs(calls: Calls) -> None:
    made = calls["POST /readers"](asked(region="zone-A"))
    assert (made["broker"], made["topic"]) == ("192.0.2.5:8883", "pdsno/nib/zone-A/events")
    assert made["certificate"].count("BEGIN CERTIFICATE") == 2
    assert made["ca"].count("BEGIN CERTIFICATE") == 1
    assert calls["POST /readers"](asked(name="all"))["topic"] == "pdsno/nib/global/events"
    assert [one.name for one in calls["GET /readers"]({})["items"]] == ["all", "noc"]
    assert set(calls["GET /status"]({})["readers"]) == {"all", "noc"}
    assert calls["POST /readers/remove"]({"name": "all"}) == {"removed": "all"}
    with pytest.raises(NotFoundError):
        calls["POST /readers/remove"]({"name": "all"})


@pytest.mark.parametrize(
    "wrong",
    [{"name": 7}, {"csr": None}, {"region": 7}, {"days": "90"}, {"days": 0}, {"days": None}],
)
def test_what_is_no_request_is_refused(calls: Calls, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        calls["POST /readers"](asked(**wrong))
    assert calls["GET /readers"]({})["items"] == ()


def test_a_broker_without_tls_needs_no_readers_and_says_how_to_listen(tmp_path: Path) -> None:
    calls = calls_of(tmp_path, None)
    with pytest.raises(OperationError, match=r"mosquitto_sub -h 192\.0\.2\.5 -p 8883"):
        calls["POST /readers"](asked())


def test_without_an_authority_there_are_no_readers(tmp_path: Path) -> None:
    assert "POST /readers" not in calls_of(tmp_path, None, is_embedded=True)
