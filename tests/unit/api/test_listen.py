"""Where an API without authentication may listen."""

import pytest

from pdsno.api import check_listen_address
from pdsno.domain.errors import InputError

LAB = "172.30.30.0/24"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_is_always_allowed(host: str) -> None:
    check_listen_address(host, allow_lab_network=None)
    check_listen_address(host, allow_lab_network=LAB)


@pytest.mark.parametrize(
    ("host", "network"),
    [("172.30.30.10", LAB), ("::ffff:172.30.30.10", LAB), ("2001:db8::5", "2001:db8::/64")],
)
def test_an_address_of_the_named_lab_network_is_allowed(host: str, network: str) -> None:
    check_listen_address(host, allow_lab_network=network)


@pytest.mark.parametrize("network", [None, LAB])
@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "::ffff:0.0.0.0", "192.0.2.1", "10.1.0.1", "172.30.31.10", "2001:db8::5"],
)
def test_every_other_address_is_refused_with_the_reason(host: str, network: str | None) -> None:
    with pytest.raises(InputError, match="no authentication yet and cannot listen on"):
        check_listen_address(host, allow_lab_network=network)


@pytest.mark.parametrize("host", ["gc.example.net", "", "127.0.0.1:8080", "127.1"])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="give an IP address"):
        check_listen_address(host, allow_lab_network=LAB)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "10.0.0.0/8", "::/0"])
def test_a_lab_network_cannot_be_the_whole_world(network: str) -> None:
    with pytest.raises(InputError, match="too large"):
        check_listen_address("10.1.0.1", allow_lab_network=network)


@pytest.mark.parametrize("network", ["lab", "172.30.30.10/24", ""])
def test_a_lab_network_that_is_no_subnet_is_named(network: str) -> None:
    with pytest.raises(InputError, match="is not a subnet"):
        check_listen_address("172.30.30.10", allow_lab_network=network)
