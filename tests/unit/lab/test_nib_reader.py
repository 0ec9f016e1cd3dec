"""`pdsno lab verify` reads the API as any operator does: with a token, over verified TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.api import api_tls_context
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.errors import OperationError
from pdsno.lab.nib_reader import read_nib
from pdsno.nib import NIBStore
from tests.unit.api.certificates import certificate
from tests.unit.api.serving import TOKEN, Api, app_of, device, endpoint, put, served


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, device(1, name="spine1"))
        with store.transaction() as change:
            change.put_endpoints([endpoint(1)])
        yield store


@pytest.fixture
def api(nib: NIBStore) -> Iterator[Api]:
    with served(nib) as running:
        yield running


def test_a_nib_is_read_with_a_token(api: Api) -> None:
    devices, links = read_nib(f"{api.url}/", token=TOKEN)
    assert [seen.name for seen in devices] == ["spine1", ""]
    assert links == []


@pytest.mark.parametrize("token", [None, "pdsno_" + "u" * 43])
def test_without_a_good_token_the_line_says_how_to_get_one(api: Api, token: str | None) -> None:
    with pytest.raises(OperationError, match="it needs a good token") as error:
        read_nib(api.url, token=token)
    assert (token or "pdsno_u") not in str(error.value)


def test_the_certificate_is_verified(nib: NIBStore, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = api_tls_context(cert, key)
    runner = RestRunner(app_of(nib), host="127.0.0.1", port=0, tls_context=context)
    runner.start()
    try:
        url = f"https://127.0.0.1:{runner.port}"
        with pytest.raises(OperationError, match="certificate cannot be verified"):
            read_nib(url, token=TOKEN)
        devices, _ = read_nib(url, token=TOKEN, ca=cert)
        assert devices[0].name == "spine1"
    finally:
        runner.stop()
