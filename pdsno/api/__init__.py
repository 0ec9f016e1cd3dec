"""The operators' REST API (RFC 9457 problems, OpenAPI): reading, on every tier.

Whoever asks shows a token (`tokens`, `auth`, `gate`) and sees what it is for (`view`). Off
loopback it speaks TLS only (`listen`).
"""

from pdsno.api.app import create_app
from pdsno.api.info import ControllerInfo
from pdsno.api.listen import api_tls_context, check_listen_address

__all__ = ["ControllerInfo", "api_tls_context", "check_listen_address", "create_app"]
