"""The demo's stages: a lab, its controllers validated, a cycle in each region, the comparison.

Everything goes the way an operator goes: commands inside the nodes, files handed over, the REST
API read from outside.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pdsno.cli.demo_nodes import CONTROLLER_LOG, Access, DemoNodes
from pdsno.domain.errors import OperationError
from pdsno.lab.progress import Stage
from pdsno.lab.runner import Lab
from pdsno.lab.verify import LabVerdict, judge

STAGES = ("lab", "controllers", "escalation", "discovery", "verify")

_TOKEN_FILE = "/run/pdsno/join-token"  # noqa: S105 - where a token goes, not a token
_READY_S = 90.0
_CYCLE_S = 150.0
_REGIONS_AT_ONCE = 4


class View(Protocol):
    """Shows what is going on. Called from several threads; must not raise."""

    def begin(self, stage: str) -> None:
        """A stage begins."""

    def note(self, text: str) -> None:
        """Something worth a line happened in this stage."""

    def passing(self, text: str) -> None:
        """Something of the moment, worth showing only where it can be overwritten."""

    def end(self, stage: str, seconds: float) -> None:
        """A stage is done."""


@dataclass(slots=True)
class Outcome:
    """What the demo found out, filled stage by stage."""

    api: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    controllers: list[Mapping[str, Any]] = field(default_factory=list)
    devices: list[Mapping[str, Any]] = field(default_factory=list)
    links: list[Mapping[str, Any]] = field(default_factory=list)
    escalations: list[Mapping[str, Any]] = field(default_factory=list)
    local_nodes: dict[str, str] = field(default_factory=dict)
    access: Access | None = None
    warnings: list[str] = field(default_factory=list)
    memory_mib: float = 0.0
    comparison: LabVerdict | None = None

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
            "memory_mib": round(self.memory_mib, 1),
            "api": self.api,
        }


class Demo:
    """Runs the stages on one lab. Which node is what, the topology's labels say."""

    def __init__(self, lab: Lab, view: View) -> None:
        self.lab = lab
        self.outcome = Outcome()
        self._view = view
        self._stop = threading.Event()
        self._nodes = DemoNodes(lab, self._stop)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self._view.begin(name)
        yield
        self.outcome.stages[name] = time.monotonic() - started
        self._view.end(name, self.outcome.stages[name])

    def run(self) -> Outcome:
        """Run all stages; the lab is left up. Raises OperationError naming what did not come."""
        try:
            with self._stage("lab"):
                self.lab.up(self._lab_progress, owned=True)
            self.outcome.warnings += self.lab.warnings
            with self._stage("controllers"):
                self._validate_controllers()
            with self._stage("escalation"):
                self._show_refusal()
            with self._stage("discovery"):
                self._await_cycles()
            with self._stage("verify"):
                self._compare()
        finally:
            self._stop.set()
            self._nodes.close()
        return self.outcome

    def save_logs(self, directory: str) -> list[str]:
        """Keep what the controllers wrote; for when a stage failed. Returns the files' names."""
        return self._nodes.save_logs(directory, CONTROLLER_LOG)

    @property
    def _gc(self) -> str:
        return self._nodes.of_tier("global")[0]

    def _lab_progress(self, stage: Stage, node: str, detail: str) -> None:
        text = f"{stage.value}: {node + ': ' if node else ''}{detail}"
        if stage is Stage.WARNING:
            self._view.note(text)
        else:
            self._view.passing(text)

    # --- controllers -------------------------------------------------------------------------

    def _validate_controllers(self) -> None:
        """Hand each controller its join token: regions side by side, in each the RC first."""
        nodes = self._nodes
        nodes.await_up(self._gc, _READY_S)
        self.outcome.api = nodes.open_api(self._gc)
        for node in nodes.brokers():
            self._hand_token(self._gc, node, "broker", None)
            nodes.await_broker(node, _READY_S)
            self._view.note("broker validated")
        nodes.run(self._gc, "pdsno", "policy", "apply", "/etc/pdsno/policy.yml")
        regions = {nodes.region(node): node for node in nodes.of_tier("regional")}
        pool = ThreadPoolExecutor(max_workers=_REGIONS_AT_ONCE, thread_name_prefix="region")
        try:
            running = [pool.submit(self._validate_region, *item) for item in regions.items()]
            for done in as_completed(running):
                done.result()
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _validate_region(self, region: str, rc: str) -> None:
        self._admit(self._gc, rc, "regional", region)
        for node in self._nodes.of_tier("local"):
            if self._nodes.region(node) == region:
                self._admit(rc, node, "local", region)

    def _admit(self, validator: str, node: str, role: str, region: str) -> None:
        self._nodes.await_up(node, _READY_S)
        self._hand_token(validator, node, role, region)
        self._view.note(f"{self._nodes.await_validated(node, _READY_S)} validated")

    def _hand_token(self, validator: str, node: str, role: str, region: str | None) -> None:
        token = self._token(validator, role, region)
        self.lab.write_file(node, _TOKEN_FILE, token, mode=0o600)

    def _token(self, validator: str, role: str, region: str | None) -> str:
        of_region = ("--region", region) if region else ()
        return self._nodes.run(validator, "pdsno", "token", "create", "--role", role, *of_region)

    # --- what the global controller decides -----------------------------------------------------

    def _show_refusal(self) -> None:
        """Let one more local controller try to join than policy allows, and see it refused."""
        local, regional = self._nodes.of_tier("local")[0], self._nodes.of_tier("regional")[0]
        token = self._token(regional, "local", self._nodes.region(local))
        argv = ("pdsno", "controller", "join", "--settings", "/etc/pdsno/surplus.yml")
        done = self.lab.exec(local, (*argv, "--token-stdin"), input=token, timeout_s=60)
        if done.returncode == 0:
            raise OperationError("a local controller beyond the quota was admitted")
        for kind in ("ESCALATION_APPROVED", "ESCALATION_REFUSED"):
            for event in self._nodes.get(f"events?type={kind}&limit=100")["items"]:
                self.outcome.escalations.append(
                    {"decision": kind.removeprefix("ESCALATION_").lower(), **event["data"]}
                )
        for item in self.outcome.escalations:
            self._view.note(escalation_text(item))

    # --- discovery ---------------------------------------------------------------------------

    def _await_cycles(self) -> None:
        waiting = {self._nodes.region(node) for node in self._nodes.of_tier("local")}

        def has_all() -> bool:
            self._count_up(waiting)
            path = "events?type=DISCOVERY_SUMMARY_APPLIED&limit=100"
            for event in self._nodes.get(path)["items"]:
                if event["region"] in waiting:
                    waiting.discard(event["region"])
                    self._view.note(
                        f"{event['region']}: {event['data']['devices']} devices reported"
                    )
            return not waiting

        what = "a discovery cycle of each region in the global NIB"
        self._nodes.wait_for(what, has_all, _CYCLE_S, node=self._gc)

    def _count_up(self, waiting: set[str]) -> None:
        """Show how the global NIB fills."""
        devices = self._nodes.get("devices?limit=1000")["items"]
        counted = Counter(str(item.get("region")) for item in devices)
        shown = [f"{region} {count}" for region, count in sorted(counted.items())]
        text = f"{len(devices)} devices" + (f" ({', '.join(shown)})" if shown else "")
        self._view.passing(f"{text}; waiting for {', '.join(sorted(waiting)) or 'nobody'}")

    def _compare(self) -> None:
        outcome, nodes = self.outcome, self._nodes
        outcome.comparison = judge(self.lab.truth(), nodes.nib())
        outcome.devices = nodes.get("devices?limit=1000")["items"]
        outcome.links = nodes.get("links?limit=1000")["items"]
        outcome.controllers = nodes.get("controllers")["items"]
        outcome.local_nodes = {nodes.region(n): n for n in nodes.of_tier("local")}
        outcome.access = nodes.access
        outcome.memory_mib = sum(row.memory_mib for row in self.lab.status())


def escalation_text(item: Mapping[str, Any]) -> str:
    """Say in a line what a regional controller asked and the global one decided."""
    why = f": {item['detail']}" if item.get("detail") else ""
    return f"{item['by']} asked ({item['cause']}), global_cntl_1 {item['decision']}{why}"


def dump(outcome: Outcome) -> str:
    """Return the outcome as JSON text."""
    return json.dumps(outcome.to_json(), indent=2)
