"""The demo's stages: a lab, its controllers validated, a cycle in each region, the comparison.

Everything goes the way an operator goes: commands inside the nodes, files handed over, the REST
API read from outside.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from pdsno.domain.errors import OperationError
from pdsno.lab.nib_reader import read_nib
from pdsno.lab.progress import Stage
from pdsno.lab.runner import Lab
from pdsno.lab.verify import Comparison, compare

_POLL_S = 0.25
_TOKEN_FILE = "/run/pdsno/join-token"  # noqa: S105 - where a token goes, not a token
_READY_S = 60.0
_CYCLE_S = 120.0

Say = Callable[[str], None]
"""Tells the person what is going on, a short line at a time."""


@dataclass(slots=True)
class Outcome:
    """What the demo found out, filled stage by stage."""

    api: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    controllers: list[Mapping[str, Any]] = field(default_factory=list)
    devices: list[Mapping[str, Any]] = field(default_factory=list)
    escalations: list[Mapping[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    comparison: Comparison | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the NIB says exactly what the topology says."""
        return self.comparison is not None and self.comparison.is_equal

    def to_json(self) -> dict[str, Any]:
        """Return the contract's fields, and who was admitted and refused."""
        compared = self.comparison.to_json() if self.comparison else {}
        return {
            **compared,
            "stages": {name: round(value, 2) for name, value in self.stages.items()},
            "controllers": [c["controller_id"] for c in self.controllers],
            "escalations": self.escalations,
            "warnings": self.warnings,
            "api": self.api,
        }


class Demo:
    """Runs the stages on one lab. Which node is what, the topology's labels say."""

    def __init__(self, lab: Lab, say: Say) -> None:
        self.lab = lab
        self.outcome = Outcome()
        self._say = say

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self._say(f"{name} …")
        yield
        self.outcome.stages[name] = time.monotonic() - started
        self._say(f"{name} done in {self.outcome.stages[name]:.1f} s")

    def run(self) -> Outcome:
        """Run all stages; the lab is left up. Raises OperationError naming what did not come."""
        with self._stage("lab"):
            self.lab.up(self._lab_progress, owned=True)
        self.outcome.warnings += self.lab.warnings
        self.outcome.api = f"http://{self._address(self._nodes('global')[0])}:8080"
        with self._stage("controllers"):
            self._validate_controllers()
        with self._stage("escalation"):
            self._show_refusal()
        with self._stage("discovery"):
            self._await_cycles()
        with self._stage("verify"):
            self._compare()
        return self.outcome

    # --- the lab -----------------------------------------------------------------------------

    def _lab_progress(self, stage: Stage, node: str, detail: str) -> None:
        self._say(f"  {stage.value}: {node + ': ' if node else ''}{detail}")

    def _nodes(self, role: str) -> list[str]:
        """Return the nodes that run a controller of this role."""
        found = [n.name for n in self.lab.state().nodes if n.labels.get("pdsno.tier") == role]
        if not found:
            raise OperationError(f"the topology has no node with the label pdsno.tier={role}")
        return found

    def _address(self, node: str) -> str:
        return str(self.lab.node(node).mgmt_ipv4)

    def _run_in(self, node: str, *argv: str, stdin: str | None = None) -> str:
        done = self.lab.exec(node, argv, input=stdin, timeout_s=60)
        if done.returncode != 0:
            raise OperationError(f"{node}: {' '.join(argv[:3])}: {done.stderr.strip()[-300:]}")
        return done.stdout

    # --- controllers -------------------------------------------------------------------------

    def _validate_controllers(self) -> None:
        gc = self._nodes("global")[0]
        for node in (gc, *self._nodes("regional"), *self._nodes("local")):
            self._await_health(node)
        self._run_in(gc, "pdsno", "policy", "apply", "/etc/pdsno/policy.yml")
        validators = {}
        for node in self._nodes("regional"):
            region = str(self.lab.node(node).labels["pdsno.region"])
            self._hand_token(gc, node, "regional", region)
            validators[region] = node
        for node in self._nodes("regional"):
            self._await_validated(node)
        for node in self._nodes("local"):
            region = str(self.lab.node(node).labels["pdsno.region"])
            self._hand_token(validators[region], node, "local", region)
        for node in self._nodes("local"):
            self._await_validated(node)

    def _hand_token(self, validator: str, node: str, role: str, region: str) -> None:
        token = self._token(validator, role, region)
        self.lab.write_file(node, _TOKEN_FILE, token, mode=0o600)

    def _token(self, validator: str, role: str, region: str) -> str:
        argv = ("pdsno", "token", "create", "--role", role, "--region", region)
        return self._run_in(validator, *argv)

    def _get(self, node: str, path: str) -> dict[str, Any]:
        url = f"http://{self._address(node)}:8080/api/v1/{path}"
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, timeout=5)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def _await_health(self, node: str) -> None:
        self._await(f"{node} to serve its API", lambda: bool(self._get(node, "health")), _READY_S)

    def _await_validated(self, node: str) -> None:
        def is_validated() -> bool:
            return bool(self._get(node, "health").get("health", {}).get("validated"))

        self._await(f"{node} to be validated", is_validated, _READY_S)
        self._say(f"  {self._get(node, 'health')['controller_id']} validated")

    def _await(self, what: str, is_there: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if is_there():
                    return
                cause = "not yet"
            except requests.RequestException as error:
                cause = type(error).__name__
            if time.monotonic() > deadline:
                raise OperationError(
                    f"waited {timeout_s:.0f} s in vain for {what} ({cause}); "
                    f"see: pdsno lab logs {self.lab.name}"
                )
            time.sleep(_POLL_S)

    # --- what the global controller decides -----------------------------------------------------

    def _show_refusal(self) -> None:
        """Let one more local controller try to join than policy allows, and see it refused."""
        local, regional = self._nodes("local")[0], self._nodes("regional")[0]
        region = str(self.lab.node(local).labels["pdsno.region"])
        token = self._token(regional, "local", region)
        argv = ("pdsno", "controller", "join", "--settings", "/etc/pdsno/surplus.yml")
        done = self.lab.exec(local, (*argv, "--token-stdin"), input=token, timeout_s=60)
        if done.returncode == 0:
            raise OperationError("a local controller beyond the quota was admitted")
        gc = self._nodes("global")[0]
        for kind in ("ESCALATION_APPROVED", "ESCALATION_REFUSED"):
            for event in self._get(gc, f"events?type={kind}&limit=100")["items"]:
                self.outcome.escalations.append(
                    {"decision": kind.removeprefix("ESCALATION_").lower(), **event["data"]}
                )
        for item in self.outcome.escalations:
            why = f": {item['reason']}" if item.get("reason") else ""
            self._say(f"  escalated ({item['cause']}), {item['decision']}{why}")

    # --- discovery ---------------------------------------------------------------------------

    def _await_cycles(self) -> None:
        gc = self._nodes("global")[0]
        waiting = {str(self.lab.node(n).labels["pdsno.region"]) for n in self._nodes("local")}

        def has_all() -> bool:
            events = self._get(gc, "events?type=DISCOVERY_SUMMARY_APPLIED&limit=100")["items"]
            for event in events:
                if event["region"] in waiting:
                    waiting.discard(event["region"])
                    self._say(f"  {event['region']}: {event['data']['devices']} devices reported")
            return not waiting

        self._await("a discovery cycle of each region in the global NIB", has_all, _CYCLE_S)

    def _compare(self) -> None:
        devices, links = read_nib(self.outcome.api)
        self.outcome.comparison = compare(self.lab.truth(), devices, links)
        gc = self._nodes("global")[0]
        self.outcome.devices = self._get(gc, "devices?limit=1000")["items"]
        self.outcome.controllers = self._get(gc, "controllers")["items"]


def dump(outcome: Outcome) -> str:
    """Return the outcome as JSON text."""
    return json.dumps(outcome.to_json(), indent=2)
