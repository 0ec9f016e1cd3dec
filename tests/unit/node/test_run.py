"""How a controller's process ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pdsno.controllers.global_controller import GlobalController
from pdsno.domain.errors import OperationError
from pdsno.domain.identifiers import Role
from pdsno.node.run import Node
from pdsno.settings import NodeSettings
from tests.integration.tiers import free_port


@contextmanager
def started(folder: Path) -> Iterator[Node]:
    settings = NodeSettings(
        role=Role.GLOBAL,
        state_dir=folder / "state",
        admin_socket=folder / "admin.sock",
        rest_port=free_port(),
        join_port=free_port(),
        api=None,
    )
    node = Node(settings)
    node.start()
    try:
        yield node
    finally:
        node.close()


@pytest.mark.parametrize(
    ("why", "told"),
    [(OperationError("the broker's CA is gone"), "broker's CA"), (ValueError("x"), "a defect")],
)
def test_a_controller_that_cannot_serve_ends_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: Exception, told: str
) -> None:
    def fail(_: GlobalController) -> None:
        raise why

    monkeypatch.setattr(GlobalController, "serve", fail)
    with started(tmp_path) as node, pytest.raises(OperationError, match=told):
        node.wait()


def test_a_controller_that_was_asked_to_stop_ends_in_peace(tmp_path: Path) -> None:
    with started(tmp_path) as node:
        node.request_stop()
        node.wait()
