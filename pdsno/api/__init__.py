"""The operators' REST API (RFC 9457 problems, OpenAPI): reading, on every tier.

Whoever asks shows a token (`tokens`, `auth`, `gate`) and sees what it is for (`view`). Off
loopback it speaks TLS only (`listen`).
"""

from pdsno.api.actions import NO_ACTIONS, Actions
from pdsno.api.app import create_app
from pdsno.api.info import Check, ControllerInfo
from pdsno.api.listen import api_tls_context, check_listen_address
from pdsno.api.metrics import Measures, Metrics
from pdsno.api.webhook_secrets import WebhookSecrets
from pdsno.api.webhook_sender import WebhookSender

__all__ = [
    "NO_ACTIONS",
    "Actions",
    "Check",
    "ControllerInfo",
    "Measures",
    "Metrics",
    "WebhookSecrets",
    "WebhookSender",
    "api_tls_context",
    "check_listen_address",
    "create_app",
]
