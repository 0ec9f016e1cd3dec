"""Sweeps from the network namespace that it is started in, and prints what came of it.

Argument: JSON with `subnets`, and what `plan_targets` and `SweepOptions` take besides. Who answers
is told at once, on standard error, so that a test knows when to pull a cable. The result is the
last line of standard output.
"""

import json
import sys
import threading

from pdsno.discovery.sweep.run import SweepOptions, sweep_targets
from pdsno.discovery.targets import plan_targets
from pdsno.domain.jsonable import jsonable
from pdsno.domain.observations import Sighting


def main(order: dict[str, object]) -> None:
    targets = plan_targets(
        order["subnets"],  # type: ignore[arg-type]
        exclude=order.get("exclude", ()),  # type: ignore[arg-type]
        passive_only=order.get("passive_only", ()),  # type: ignore[arg-type]
    )

    def heard(sighting: Sighting) -> None:
        sys.stderr.write(f"heard {sighting.address}\n")

    sweeps = sweep_targets(
        targets,
        SweepOptions(rate_pps=order.get("rate_pps")),  # type: ignore[arg-type]
        stop=threading.Event(),
        on_sighting=heard,
    )
    found = jsonable([{"result": s.result, "probes": s.probes} for s in sweeps])
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
