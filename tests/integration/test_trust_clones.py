"""Copied keys, rights taken back, and replies that were lost: over real TLS."""

import http.client
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.membership import Membership
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import RefusedError
from pdsno.domain.messages import DiscoveryRequest, MessageType, Status
from pdsno.domain.peers import server_name
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from tests.integration.identity_rig import (
    ANSWER,
    REGION,
    Site,
    Stranger,
    check_refused,
    site_of,
)
from tests.integration.trust_rig import Answer, post, secured
from tests.integration.waiting import wait_until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path) as made:
        yield made


# --- clones --------------------------------------------------------------------------------------


def cloned(member: MemberController, folder: Path, parent: str) -> Membership:
    """Return what a second machine with a copy of all of a controller's files has."""
    options, original = member.options, folder / "original"
    assert options.tls is not None
    shutil.copytree(options.tls.certificate_file.parent, original / "tls")
    authority = None
    if options.authority is not None:
        shutil.copytree(folder / f"rc-{REGION}" / "authority", original / "authority")
        authority = AuthorityVault(original / "authority")
    tls, verifier = TlsIdentity(original / "tls"), NIBVerifier(member.nib_store)
    http_client = ControllerHTTPClient(signer=options.key, verifier=verifier, tls=tls, retries=0)
    assert options.parent is not None
    http_client.register_controller(parent, options.parent.url, region=options.parent.region)
    return Membership(
        role=member.role,
        region=member.region,
        options=replace(options, tls=tls, authority=authority),
        verifier=verifier,
        nib=member.nib_store,
        http=http_client,
        who=lambda: member.controller_id,
    )


@pytest.mark.attack(11)
@pytest.mark.parametrize("tier", ["regional", "local"])
def test_of_two_with_one_key_both_are_locked_at_the_second_renewal(site: Site, tier: str) -> None:
    validator = site.gc if tier == "regional" else site.rc
    neighbour = site.tiers.lc(REGION, site.rc)
    member: MemberController = site.rc if tier == "regional" else neighbour
    member.parent_link()
    copy = cloned(member, site.tiers.folder, validator.controller_id)
    first = copy.renew(1)
    assert (first.is_approved, first.generation) == (True, 2)
    assert copy.renew(2).generation == 3  # one after another it may go on for ever
    second = member.membership.renew(1)
    assert (second.is_approved, second.reason) == (False, "CLONED")
    record = validator.nib_store.controller(member.controller_id)
    assert record is not None
    assert record.status is ControllerStatus.LOCKED
    (event,) = validator.nib_store.events(event_type="CONTROLLER_LOCKED", limit=10)
    assert event.subject == member.controller_id
    for membership in (copy, member.membership):
        with pytest.raises(RefusedError, match="LOCKED"):
            membership.renew(3)
    if tier == "local":  # its parent and the others go on
        other = Stranger(site.doors["regional"])
        assert other.join().is_approved


# --- rights taken back ---------------------------------------------------------------------------


@pytest.mark.attack(12)
def test_a_revoked_controller_is_refused_on_its_next_request_and_never_comes_back(
    site: Site,
) -> None:
    rc, gc, tls = site.rc, site.gc, site.tiers.tls(f"rc-{REGION}")
    assert gc.rest_server is not None
    port = gc.rest_server.port
    kind, path = MessageType.STATUS, "/messages/status"
    me = Stranger(site.doors["global"], key=site.tiers.keys[f"rc-{REGION}"])
    status = Status(state="online", role="regional", region=REGION)
    name = server_name(gc.controller_id, None)

    @contextmanager
    def live_line() -> Iterator[http.client.HTTPConnection]:
        with secured(tls.client_context(), port, name=name) as sock:
            line = http.client.HTTPConnection("127.0.0.1")
            line.sock = sock
            yield line

    def say(line: http.client.HTTPConnection) -> Answer:
        return post(line, me.sealed(kind, status, sender_id=rc.controller_id), path)

    with live_line() as line:
        assert say(line).status == 200
        assert gc.withdraw(rc.controller_id, ControllerStatus.REVOKED, by="test")
        refused = say(line)
    assert (refused.status, refused.reason) == (403, "REVOKED")
    with live_line() as line:  # TLS may be opened anew, and then nothing may be done
        assert say(line).reason == "REVOKED"
    token = site.doors["global"].mint()
    check_refused(site.doors["global"], lambda: me.join(token), reason="REVOKED", subject=me.source)
    assert Stranger(site.doors["global"]).join().is_approved


@pytest.mark.attack(12)
@pytest.mark.parametrize("is_blocked", [False, True])
def test_commands_that_wait_for_a_controller_are_dropped_with_its_rights(
    tmp_path: Path, is_blocked: bool
) -> None:
    with site_of(tmp_path, has_url=False) as site:
        name = site.rc.controller_id
        site.gc.request_discovery(DiscoveryRequest(region=REGION))
        if is_blocked:
            for status in (ControllerStatus.BLOCKED, ControllerStatus.ACTIVE):
                assert site.gc.withdraw(name, status, by="test")
        reply = site.tiers.send(
            f"rc-{REGION}", name, site.gc, MessageType.STATUS, site.rc._status()
        )
        assert reply is not None
        assert len(reply.payload["commands"]) == (0 if is_blocked else 1)


# --- lost replies --------------------------------------------------------------------------------


@pytest.mark.attack(14)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_result_that_was_lost_is_given_again_and_no_id_twice(site: Site, restarts: bool) -> None:
    door, lost = site.doors["global"], Stranger(site.doors["global"])
    token = door.mint()
    request, challenge = lost.challenged(token)
    raw = lost.sealed(ANSWER, lost.response(challenge, request))
    before = door.count("CONTROLLER_VALIDATED")
    with door.line(lost.source) as line:
        line.request("POST", f"/messages/{ANSWER.lower()}", body=raw)
        wait_until(lambda: door.count("CONTROLLER_VALIDATED") > before, "the commit")
    (committed,) = [
        r for r in door.controller.nib_store.controllers() if r.key_id == lost.key.key_id
    ]
    if restarts:
        assert site.gc.rest_server is not None
        port = site.gc.rest_server.port
        site.gc.close()
        site.gc = site.tiers.gc(port=port)
        door = site.doors["global"] = replace(door, controller=site.gc)
        lost.door = door
    again = lost.join(token)
    assert again.is_approved
    assert again.assigned_id == committed.controller_id
    assert again.payload["certificate"] == committed.certificate
    after = Stranger(door).join()
    assert after.is_approved
    assert after.assigned_id != committed.controller_id
    assert door.count("CONTROLLER_VALIDATED") == before + 2
