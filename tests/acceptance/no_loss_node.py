"""`pdsno controller run`, and beside it what the test wants: `no_loss_node.py ROLE SETTINGS`.

A local controller makes the reports that the file `wanted` beside its settings asks for: through
the real cycle, in this process, so that a kill hits it in the middle of one. 1,500 sweeps would
take hours; the look at the network is made up. Every controller writes down what it counted.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from pdsno.cli.main import main
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.local_controller import LocalController
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.regional_controller import RegionalController
from pdsno.discovery import cycle
from tests.acceptance import made_up_reports

_POLL_S = 0.1


def _count(controller: BaseController, file: Path) -> None:
    """Keep the counts of this process in a file of its own: a kill loses at most the last 0.1 s."""
    draft = file.with_suffix(".draft")
    while True:
        counts = {
            "out": controller.streams_out if isinstance(controller, MemberController) else {},
            "in": (
                controller.streams_in
                if isinstance(controller, GlobalController | RegionalController)
                else {}
            ),
        }
        draft.write_text(json.dumps(counts))
        draft.replace(file)
        time.sleep(_POLL_S)


def _produce(controller: LocalController, wanted: Path) -> None:
    done = made_up_reports.recorded(controller.nib_store)
    while True:
        goal = int(wanted.read_text()) if wanted.exists() else 0
        if done >= goal:
            time.sleep(_POLL_S)
            continue
        done += 1
        made_up_reports.record(
            controller.nib_store,
            done,
            region=controller.region or "",
            local_controller=controller.controller_id,
        )
        if controller._relay is not None:
            controller._relay.wake()


def _beside(folder: Path) -> None:
    """Start what the test wants when a controller begins to serve."""
    serve = BaseController.serve

    def serve_and_count(self: BaseController) -> None:
        serve(self)
        counts = (self, folder / f"counts-{os.getpid()}.json")
        threading.Thread(target=_count, args=counts, daemon=True).start()
        if isinstance(self, LocalController):
            wanted = (self, folder / "wanted")
            threading.Thread(target=_produce, args=wanted, daemon=True).start()

    BaseController.serve = serve_and_count  # type: ignore[method-assign]
    # It asks `ip` each time, which takes longer than all the rest of a made-up cycle.
    cycle.local_addresses = lambda: ()  # type: ignore[attr-defined]


if __name__ == "__main__":
    role, settings = sys.argv[1:]
    _beside(Path(settings).parent)
    sys.argv = ["pdsno", "controller", "run", "--role", role, "--settings", settings]
    sys.exit(main())
