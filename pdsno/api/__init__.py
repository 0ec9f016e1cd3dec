"""The operators' REST API (RFC 9457 problems, OpenAPI): reading, on every tier.

It has no authentication yet. Until then `check_listen_address` keeps it on loopback and on a
lab's management network.
"""

from pdsno.api.app import create_app
from pdsno.api.info import ControllerInfo
from pdsno.api.listen import check_listen_address

__all__ = ["ControllerInfo", "check_listen_address", "create_app"]
