import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.communication import broker_launch
from pdsno.communication.broker import (
    Bridge,
    BrokerTls,
    Mosquitto,
    MosquittoSettings,
    render_configuration,
)
from pdsno.domain.errors import InputError, OperationError

TLS = BrokerTls(certificate_file=Path("/tls/tls.pem"), roots_file=Path("/tls/roots.pem"))
SECURE = MosquittoSettings(listen="10.0.0.1", port=8883, state_dir=Path("/var/lib/x"), tls=TLS)


def lines_of(settings: MosquittoSettings) -> list[str]:
    return render_configuration(settings).splitlines()


def test_the_configuration_bounds_queues_by_bytes_and_saves_often() -> None:
    lines = lines_of(MosquittoSettings(port=1884, state_dir=Path("/var/lib/x")))
    assert "listener 1884 127.0.0.1" in lines
    assert "persistence_location /var/lib/x/" in lines
    assert "autosave_interval 5" in lines
    assert "max_keepalive 60" in lines
    assert "max_queued_bytes 67108864" in lines
    assert not [line for line in lines if line.startswith("user ")]
    assert "allow_anonymous true" in lines


def test_with_tls_the_whole_subject_of_a_certificate_is_who_somebody_is() -> None:
    lines = lines_of(SECURE)
    for wanted in (
        "listener 8883 10.0.0.1",
        "allow_anonymous false",
        "require_certificate true",
        "use_subject_as_username true",
        "use_username_as_clientid true",
        "tls_version tlsv1.3",
        "acl_file /var/lib/x/mosquitto.acl",
    ):
        assert wanted in lines
    assert "allow_anonymous true" not in lines
    assert not [line for line in lines if "use_identity_as_username" in line or "crl" in line]
    assert not [line for line in lines if line.startswith(("connection ", "topic "))]


def test_a_bridge_takes_policy_down_and_status_and_events_up() -> None:
    bridge = Bridge(host="192.0.2.7", port=8884, region="zone-A")
    lines = lines_of(replace(SECURE, bridge=bridge))
    assert [line for line in lines if line.startswith("topic ")] == [
        "topic pdsno/policy/global in 1",
        "topic pdsno/events/system in 1",
        "topic pdsno/status/# out 1",
        "topic pdsno/events/zone-A out 1",
        "topic pdsno/nib/zone-A/events out 1",
    ]
    assert "address 192.0.2.7:8884" in lines
    assert "bridge_insecure false" in lines
    assert "bridge_tls_version tlsv1.3" in lines


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tls": None}, r"10\.0\.0\.1 needs TLS.*`join_token_file`"),
        ({"tls": None, "listen": "0.0.0.0"}, r"0\.0\.0\.0 needs TLS"),
        ({"tls": None, "listen": "no-such-name.invalid"}, "needs TLS"),
        ({"listen": "10.0.0.1\nallow_anonymous true"}, "white space"),
        ({"state_dir": Path("/x/a\nuser root")}, "white space"),
        ({"bridge": Bridge(host="x y", region="zone-A")}, "white space"),
        ({"bridge": Bridge(host="2001:db8::1", region="zone-A")}, "IPv4"),
        ({"bridge": Bridge(host="192.0.2.7", region="zone/+")}, "cannot name a region"),
        (
            {"listen": "127.0.0.1", "tls": None, "bridge": Bridge(host="x", region="zone-A")},
            "a bridge .* needs TLS",
        ),
    ],
)
def test_what_must_not_run_is_refused_with_the_remedy(change: dict[str, object], says: str) -> None:
    Mosquitto(SECURE)
    with pytest.raises(InputError, match=says):
        Mosquitto(replace(SECURE, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_without_tls_loopback_is_fine(listen: str, tmp_path: Path) -> None:
    Mosquitto(MosquittoSettings(listen=listen, state_dir=tmp_path))


def test_without_mosquitto_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_launch, "run_as", lambda _settings: None)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(OperationError, match="apt install mosquitto"):
        Mosquitto(MosquittoSettings(state_dir=tmp_path, port=1)).start()
