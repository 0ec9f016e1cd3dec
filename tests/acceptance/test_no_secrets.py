"""No secret is where others can read it, whatever happens; no port answers without a certificate.

A whole site runs as processes at debug level, with secrets that can be recognized. It joins,
discovers a real snmpd and sshd with right and wrong credentials, refuses, is killed and starts
again. Then everything that it left is searched.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.acceptance.canaries import Canaries, ProcessWatch, files_below, is_readable_by_others
from tests.acceptance.no_loss_site import RC, REGION, Controller, Site, free_ports
from tests.acceptance.support import environment, passable_folder, pdsno_argv, until
from tests.integration.devices import V3_USER, snmpd, sshd, username

SNMP_HOST, SSH_HOST, SUBNET = "127.0.0.2", "127.0.0.3", "127.0.0.0/29"
POLICY = {
    "regions": [
        {
            "region": REGION,
            "prefixes": ["127.0.0.0/8"],
            "local_controllers": [
                {
                    "controller_id": f"local_cntl_{REGION}_1",
                    "subnets": [SUBNET],
                    "interval_s": 60,
                }
            ],
        }
    ]
}


@dataclass
class Run:
    """A site, and what was written for people to read."""

    folder: Path
    site: Site
    canaries: Canaries
    watch: ProcessWatch
    sshd_log: Path
    said: list[str] = field(default_factory=list)
    """What commands wrote, without the secrets that they were asked for."""
    told: list[bytes] = field(default_factory=list)
    """What the APIs answered."""

    def command(self, *words: str, stdin: str = "", **env: str) -> str:
        done = subprocess.run(
            pdsno_argv("-vv", *words),
            env=environment({**_places(self.folder), **env}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said.append(done.stderr)
        return done.stdout

    def admin(self, controller: Controller, *words: str) -> str:
        return self.command(*words, PDSNO_ADMIN_SOCKET=str(controller.folder / "admin.sock"))

    def ask_api(self, controller: Controller, token: str) -> int:
        port = controller.settings["api"]["port"]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status = 0
        for name in ("events", "devices", "controllers", "probes", "cycles", "policy", "nothing"):
            url = f"http://127.0.0.1:{port}/api/v1/{name}"
            answer = requests.get(url, headers=headers, timeout=20)
            self.told.append(answer.content + repr(answer.headers).encode())
            status = status or answer.status_code
        return status

    def artefacts(self) -> dict[str, bytes]:
        """Return everything that may be read by others, or will be sent to them."""
        files = files_below(self.folder)
        open_files = [file for file in files if is_readable_by_others(file, self.folder)]
        databases = [file for file in files if ".sqlite" in file.name]
        logs = [part.log for part in self.site.parts]
        return {
            **{str(file): file.read_bytes() for file in (*logs, *databases, *open_files)},
            **self.watch.seen,
            "what commands wrote": "\n".join(self.said).encode(),
            "what APIs answered": b"\n".join(self.told),
        }


def _places(folder: Path) -> dict[str, str]:
    """Return an environment in which whatever is written is written below a folder."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    names = ("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return dict.fromkeys(names, str(home))


# --- what happens --------------------------------------------------------------------------------


def _credentials(canaries: Canaries, snmp_port: int, ssh_port: int, key: Path) -> dict[str, Any]:
    plant, known = canaries.plant, canaries.texts

    def v3(name: str, auth: str, priv: str) -> dict[str, object]:
        return {
            "name": name,
            "version": "3",
            "port": snmp_port,
            "user": V3_USER,
            "auth_protocol": "SHA",
            "auth_password": auth,
            "priv_protocol": "AES",
            "priv_password": priv,
        }

    def v2(name: str, community: str) -> dict[str, object]:
        return {"name": name, "version": "2c", "port": snmp_port, "community": community}

    def ssh(name: str, **secret: str) -> dict[str, object]:
        return {"name": name, "username": username(), "port": ssh_port, **secret}

    return {
        "snmp": [
            v3("wrong-v3", plant("wrong-auth"), plant("wrong-priv")),
            v2("wrong", plant("wrong-community")),
            v3("right-v3", known["auth"].decode(), known["priv"].decode()),
            v2("right", known["community"].decode()),
        ],
        "ssh": [
            ssh("wrong-login", password=plant("wrong-ssh-password")),
            ssh("right-login", key_file=str(key)),
        ],
    }


def _prepare(run: Run, credentials: Mapping[str, Any]) -> None:
    """Give each controller an API and debug logs, and the local one credentials."""
    site = run.site
    file = site.lc.folder / "credentials.yml"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(dict(credentials)))
    site.lc.settings["credentials_file"] = str(file)
    for controller, port in zip(site.controllers, free_ports(3), strict=True):
        controller.settings["api"] = {"port": port}
        controller.settings_file.write_text(yaml.safe_dump(controller.settings))
        words = ("controller", "run", "--role", str(controller.settings["role"]), "--settings")
        controller.argv = pdsno_argv("-vv", *words, str(controller.settings_file))
    settings_file = str(site.broker.folder / "settings.yml")
    site.broker.argv = pdsno_argv("-vv", "broker", "run", "--settings", settings_file)
    for part in site.parts:
        part.env = _places(run.folder)


def _live(run: Run) -> None:
    """Let happen what happens in the life of a site, good and bad."""
    site, canaries = run.site, run.canaries
    site.start()
    site.gc.admin.post("/policy", POLICY)
    tokens = {}
    for controller in site.controllers:
        name = f"api-token-{controller.name}"
        made = run.admin(controller, "api-token", "create", "--name", "ops", "--role", "viewer")
        tokens[controller.name] = canaries.plant(name, made.strip())
    for word in ("Failed password", "Accepted publickey"):
        until(lambda w=word: w in run.sshd_log.read_text(), f"{word} at the sshd", 120)  # type: ignore[misc]
    for controller in (site.lc, site.rc, site.gc):
        until(
            lambda c=controller: "test-agent" in [d.name for d in c.nib.all_devices()],  # type: ignore[misc]
            f"the agent at {controller.name}",
            120,
        )
    for controller in site.controllers:
        assert run.ask_api(controller, tokens[controller.name]) == 200
        assert run.ask_api(controller, canaries.plant(f"guess-{controller.name}")) == 401
        guess = canaries.plant(f"good-guess-{controller.name}", "pdsno_" + "Ab1_" * 10 + "xyz")
        assert run.ask_api(controller, guess) in (401, 429)
        assert run.ask_api(controller, "") in (401, 429)  # by now these are too many
    _refuse(run)
    for controller in (site.rc, site.lc):
        controller.kill()
        controller.close_nib()
        controller.start()
    run.admin(site.gc, "controller", "block", RC)
    run.admin(site.gc, "controller", "unblock", RC)
    run.said.append(
        run.command("pki", "show", "--state-dir", str(site.gc.folder / "state"), "-o", "json")
    )
    for controller in site.controllers:
        assert run.ask_api(controller, tokens[controller.name]) == 200


def _refuse(run: Run) -> None:
    """Present spent, damaged and unfit tokens, and credentials that cannot be read."""
    site, canaries = run.site, run.canaries
    spent = canaries.plant("token-spent", canaries.texts["token-local"].decode())
    unused = Site._token(site.rc, "local", REGION)
    other = run.folder / "other"
    other.mkdir()
    (other / "settings.yml").write_text(
        yaml.safe_dump(
            {
                "role": "local",
                "region": REGION,
                "state_dir": "state",
                "admin_socket": "admin.sock",
                "parent": site.lc.settings["parent"],
                "api": None,
            }
        )
    )
    words = ("controller", "join", "--settings", str(other / "settings.yml"), "--token-stdin")
    for token in (spent, unused + "x", unused[:-9], canaries.texts["token-broker"].decode()):
        run.said.append(run.command(*words, stdin=token))
    broken = other / "broken.yml"
    broken.touch(mode=0o600)
    for text in (
        f"snmp: [{{name: a, version: 2c, community: {canaries.plant('broken')}, x: 1}}]",
        f"snmp: [{{name: a, version: 9, community: {canaries.plant('broken-version')}}}]",
        f"ssh: [{{name: a, password: {canaries.plant('broken-yaml')}]",
        f"ssh: {canaries.plant('broken-type')}",
    ):
        broken.write_text(text)
        words = ("discover", "127.0.0.2/32", "--query", "--credentials", str(broken))
        run.said.append(run.command(*words))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Give a site that has lived through all of it and still runs."""
    devices = tmp_path_factory.mktemp("devices")
    canaries = Canaries()
    community, auth, priv = map(canaries.plant, ("community", "auth", "priv"))
    with ExitStack() as stack:
        snmp_port = stack.enter_context(
            snmpd(devices, address=SNMP_HOST, community=community, v3=(auth, priv))
        )
        ssh_port, key = stack.enter_context(sshd(devices, address=SSH_HOST))
        canaries.plant_key("ssh-key", key)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        mint = Site._token

        def kept(validator: Controller, role: str, region: str | None) -> str:
            return canaries.plant(f"token-{role}", mint(validator, role, region))

        patch.setattr(Site, "_token", staticmethod(kept))
        folder = stack.enter_context(passable_folder())
        site = Site(folder, has_url=True, env=None)
        stack.callback(site.stop)
        watch = stack.enter_context(ProcessWatch())
        made = Run(folder, site, canaries, watch, devices / "sshd.log")
        _prepare(made, _credentials(canaries, snmp_port, ssh_port, key))
        _live(made)
        for file in files_below(folder):
            if b" PRIVATE KEY-----" in file.read_bytes():
                canaries.plant_key(f"key-{file.relative_to(folder)}", file)
        yield made


# --- what is left --------------------------------------------------------------------------------


@pytest.mark.attack(63)
def test_no_secret_is_in_anything_that_others_may_read(run: Run) -> None:
    artefacts = run.artefacts()
    found = {name: run.canaries.found_in(data) for name, data in artefacts.items()}
    assert {name: names for name, names in found.items() if names} == {}
    size = sum(map(len, artefacts.values()))
    print(  # noqa: T201 - the figures
        f"{len(run.canaries.texts)} secrets, {len(artefacts)} artefacts of {size / 1e6:.1f} MB"
    )
    # All of it is there: a search in nothing finds nothing.
    assert len(run.canaries.texts) > 30
    for what, least in ((".sqlite", 3), ("/log", 5), ("cmdline", 5), ("environ", 5)):
        assert sum(what in name for name in artefacts) >= least, what
    logs = b"".join(part.log.read_bytes() for part in run.site.parts)
    for word in (b'"debug"', b"TOKEN_USED", b"report_taken_in"):
        assert word in logs, word


@pytest.mark.attack(63)
def test_secrets_are_in_files_of_their_owner_only_and_where_they_belong(run: Run) -> None:
    holders = run.canaries.found_in_files(run.folder)
    for file in holders:
        assert file.stat().st_mode & 0o077 == 0, file
        assert file.suffix in (".pem", ".key") or file.name in ("credentials.yml", "broken.yml")
    kept = set().union(*holders.values())
    # The search sees them there: keys and credentials are in files, tokens are in none.
    assert {"community", "auth", "priv", "wrong-ssh-password"} <= kept
    assert any("authority" in name for name in kept)
    assert not any("token" in name for name in kept)


@pytest.mark.attack(63)
def test_the_search_finds_what_is_planted(run: Run) -> None:
    secret = run.canaries.texts["community"].decode()
    planted = run.folder / "planted"
    planted.write_text(f"x{secret}y")
    log = run.site.link.log
    try:
        with log.open("ab") as out:
            out.write(secret.encode())
        with subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()", secret],
            stdin=subprocess.PIPE,
            env={**os.environ, "PLANTED": secret},
        ) as process:
            places = [f"/proc/{process.pid}/{name}" for name in ("cmdline", "environ")]
            until(lambda: _is_seen(run, places), "the process")
            process.communicate()
        artefacts = run.artefacts().items()
        found = {name for name, data in artefacts if "community" in run.canaries.found_in(data)}
        assert {str(planted), str(log)} <= found
    finally:
        planted.unlink()
        log.write_bytes(log.read_bytes().replace(secret.encode(), b""))
        run.watch.seen = {n: d for n, d in run.watch.seen.items() if secret.encode() not in d}


def _is_seen(run: Run, places: list[str]) -> bool:
    seen = list(run.watch.seen.items())
    hits = [name for name, data in seen if "community" in run.canaries.found_in(data)]
    return all(any(name.startswith(place) for name in hits) for place in places)


# --- ports ---------------------------------------------------------------------------------------


def _answer(run: Run, port: int, server: str, sends: bytes, *, has_certificate: bool) -> bytes:
    """Return what `openssl s_client` gets, with the local controller's certificate or without."""
    own = run.site.lc.folder / "state" / "tls" / "tls.pem"
    roots = next(f for f in files_below(own.parent) if b"PRIVATE" not in f.read_bytes())
    command = (
        f"openssl s_client -connect 127.0.0.1:{port} -servername {server} -CAfile {roots}"
        " -verify_return_error -quiet -ign_eof"
    )
    if has_certificate:
        command += f" -cert {own} -cert_chain {own} -key {own}"
    done = subprocess.run(
        command.split(), input=sends, capture_output=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.attack(22)
@pytest.mark.parametrize("tier", ["gc", "rc", "lc"])
def test_no_controller_answers_without_a_certificate(run: Run, tier: str) -> None:
    controller: Controller = getattr(run.site, tier)
    port = int(controller.settings["rest_port"])
    name = str(controller.status()["controller_id"]).replace("_", "-")
    server = f"{name}.{'global' if tier == 'gc' else REGION}.pdsno.internal".lower()
    asks = b"GET /health HTTP/1.0\r\n\r\n"
    refused = _answer(run, port, server, asks, has_certificate=False)
    assert b"HTTP/1" not in refused
    assert b"certificate required" in refused
    assert b'"status":"ok"' in _answer(run, port, server, asks, has_certificate=True)


@pytest.mark.attack(22)
def test_the_broker_answers_nobody_without_a_certificate(run: Run) -> None:
    port = int(run.site.gc.settings["broker"]["port"])
    server = "broker-cntl-global-1.global.pdsno.internal"
    connect = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03any"
    connack = b"\x20"
    refused = _answer(run, port, server, connect, has_certificate=False)
    assert b"certificate required" in refused
    assert not refused.startswith(connack)
    answer = _answer(run, port, server, connect + b"\xe0\x00", has_certificate=True)
    assert b"certificate required" not in answer
    assert connack in answer
