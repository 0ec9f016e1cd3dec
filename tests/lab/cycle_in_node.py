"""One discovery cycle by a local controller, as a process of its own in a node's network.

Arguments: FOLDER, in which `order.json` says what policy allows. Prints what came of it.
"""

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter

from pdsno.controllers import ContextManager, LocalController
from pdsno.domain.jsonable import jsonable
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy
from pdsno.nib import NIBStore
from pdsno.southbound.credentials import load_credentials

REGION = "campus"
LOCAL = TypeAdapter(LocalPolicy)


def main(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    nib = NIBStore(folder / "nib.db")
    local = LOCAL.validate_python(order)
    kept = nib.policy()
    if kept is None or kept.regions[0].local_controllers != (local,):
        with nib.transaction() as tx:
            tx.put_policy(
                Policy(
                    version=kept.version + 1 if kept else 1,
                    regions=(RegionPolicy(region=REGION, local_controllers=(local,)),),
                )
            )
    controller = LocalController(
        local.controller_id,
        REGION,
        local.subnets,
        ContextManager(folder / "state.yml"),
        nib,
        credentials=load_credentials(folder / "credentials.yml"),
    )
    try:
        result = controller.run_discovery_cycle()
        sys.stdout.write(json.dumps(jsonable(result)))
    finally:
        controller.close()
        nib.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
