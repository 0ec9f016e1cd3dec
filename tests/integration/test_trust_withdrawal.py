"""Rights taken back and given back, over mutual TLS; a restored global controller."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import InputError, NotFoundError, RefusedError
from pdsno.domain.policy import Policy
from tests.integration.tiers import Tiers, event_types, three
from tests.integration.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def tiers(tmp_path: Path) -> Iterator[Tiers]:
    with ExitStack() as stack:
        yield Tiers(tmp_path, stack)


@pytest.mark.attack(12)
def test_a_block_from_the_top_counts_below_on_the_next_request_until_it_is_lifted(
    tiers: Tiers,
) -> None:
    gc, (rc, other), (lc, neighbour) = three(tiers, "zone-A", "zone-B")
    for controller in (rc, other):
        controller.serve()
    wait_until(lambda: gc.nib_store.controller(lc.controller_id), "the admission is known above")
    lc.connect_mqtt()
    assert lc._ask_parent() is None
    assert gc.withdraw(lc.controller_id, ControllerStatus.BLOCKED, by="alice")
    assert not gc.withdraw(lc.controller_id, ControllerStatus.BLOCKED, by="alice")

    def is_refused() -> bool:
        try:
            lc._ask_parent()
        except RefusedError as error:
            return error.reason.value == "BLOCKED"
        return False

    wait_until(is_refused, "the local controller is refused below")
    assert neighbour._ask_parent() is None
    assert "CONTROLLER_BLOCKED" in event_types(gc)
    assert gc.withdraw(lc.controller_id, ControllerStatus.ACTIVE, by="alice")
    wait_until(lambda: not is_refused(), "the local controller goes on")
    assert event_types(gc).count("CONTROLLER_UNBLOCKED") == 1


@pytest.mark.attack(12)
def test_a_region_decides_on_its_own_while_alone_and_the_top_follows(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A")
    rc.serve()
    wait_until(lambda: gc.nib_store.controller(lc.controller_id), "the admission is known above")
    with pytest.raises(InputError, match="ask the global controller"):
        rc.withdraw("global_cntl_1", ControllerStatus.BLOCKED, by="bob")
    with pytest.raises(NotFoundError, match="no controller nobody"):
        rc.withdraw("nobody", ControllerStatus.BLOCKED, by="bob")
    assert rc.withdraw(lc.controller_id, ControllerStatus.REVOKED, by="bob")
    with pytest.raises(RefusedError, match="REVOKED"):
        lc._ask_parent()

    def status_above() -> ControllerStatus | None:
        record = gc.nib_store.controller(lc.controller_id)
        return record.status if record else None

    wait_until(lambda: status_above() is ControllerStatus.REVOKED, "the top follows")
    policy = gc.nib_store.policy()
    assert policy is not None
    assert [w.controller_id for w in policy.withdrawn] == [lc.controller_id]
    with pytest.raises(InputError, match="revoked for good"):
        gc.withdraw(lc.controller_id, ControllerStatus.ACTIVE, by="alice")


def test_a_policy_file_gives_nobody_his_rights_back(tiers: Tiers) -> None:
    gc, (rc,), _ = three(tiers, "zone-A")
    assert gc.withdraw(rc.controller_id, ControllerStatus.BLOCKED, by="alice")
    before = gc.nib_store.policy()
    assert before is not None
    applied = gc.apply_policy(Policy(regions=(replace(before.regions[0], local_quota=7),)))
    assert [w.controller_id for w in applied.withdrawn] == [rc.controller_id]
    assert applied.regions[0].local_quota == 7


def test_a_restored_global_controller_numbers_its_policy_past_what_it_had_given_out(
    tiers: Tiers,
) -> None:
    gc, (rc,), _ = three(tiers, "zone-A")
    rc.serve()
    newer = rc.nib_store.policy()
    assert newer is not None
    with rc.nib_store.transaction() as tx:
        tx.put_policy(replace(newer, version=newer.version + 7))  # from before the restore
    wait_until(lambda: "POLICY_RENUMBERED" in event_types(gc), "the global controller notices")
    own = gc.nib_store.policy()
    assert own is not None
    assert (own.epoch, own.version) == (newer.epoch + 1, 1)

    def has_it() -> bool:
        held = rc.nib_store.policy()
        return held is not None and (held.epoch, held.version) == (own.epoch, own.version)

    wait_until(has_it, "the region takes the new number")
    assert event_types(gc).count("POLICY_RENUMBERED") == 1
