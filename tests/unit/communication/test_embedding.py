import pytest
from structlog.testing import capture_logs

from pdsno.communication import embedding
from pdsno.communication.codec import Draft, open_message, seal
from pdsno.communication.embedding import PinningVerifier, choose_credentials, require_loopback
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.messages import MessageType
from pdsno.signing import SigningKey


@pytest.fixture
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_PROCESS", embedding._Process())


def sealed(key: SigningKey, sender: str = "lc") -> bytes:
    draft = Draft(
        message_type=MessageType.SYSTEM_EVENT, sender_id=sender, recipient_id="*", payload={}
    )
    return seal(draft, key, with_key=True)


def test_the_first_key_of_a_sender_is_the_one_it_must_keep() -> None:
    verifier, first, second = PinningVerifier(), SigningKey.generate(), SigningKey.generate()
    for _ in range(2):
        assert open_message(sealed(first), verifier, recipient_id="x").is_trusted
    with pytest.raises(RefusedError) as caught:
        open_message(sealed(second), verifier, recipient_id="x")
    assert caught.value.reason is Refusal.IDENTITY_MISMATCH
    open_message(sealed(second, "other"), verifier, recipient_id="x")


def test_a_message_that_carries_no_key_is_refused() -> None:
    draft = Draft(
        message_type=MessageType.SYSTEM_EVENT, sender_id="lc", recipient_id="*", payload={}
    )
    with pytest.raises(RefusedError) as caught:
        open_message(seal(draft, SigningKey.generate()), PinningVerifier(), recipient_id="x")
    assert caught.value.reason is Refusal.UNKNOWN_KEY


def test_a_key_is_not_pinned_by_a_message_that_it_did_not_sign() -> None:
    verifier, honest = PinningVerifier(), SigningKey.generate()
    raw = sealed(SigningKey.generate()).replace(b'"signature":"', b'"signature":"AAAA')
    with pytest.raises(RefusedError):
        open_message(raw, verifier, recipient_id="x")
    open_message(sealed(honest), verifier, recipient_id="x")


@pytest.mark.usefixtures("_fresh_process")
def test_the_warning_comes_once_per_process() -> None:
    with capture_logs() as logs:
        pairs = [choose_credentials(None, None) for _ in range(3)]
    assert [entry["event"] for entry in logs] == ["embedding_mode"]
    assert len({id(pair.signer) for pair in pairs}) == 1


def test_signer_and_verifier_go_together() -> None:
    with pytest.raises(InputError, match="go together"):
        choose_credentials(SigningKey.generate(), None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_is_accepted(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::", "", "no.such.host.invalid"])
def test_anything_else_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="not loopback"):
        require_loopback(host)


def test_an_embedded_server_or_client_stays_on_this_machine() -> None:
    with pytest.raises(InputError, match="not loopback"):
        ControllerRESTServer("gc", 0, host="0.0.0.0")
    with pytest.raises(InputError, match="not loopback"):
        ControllerHTTPClient().register_controller("gc", "http://192.0.2.1:8001")
