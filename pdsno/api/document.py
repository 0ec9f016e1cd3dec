"""The OpenAPI document, without a controller behind it."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pdsno
from pdsno.api.app import create_app
from pdsno.api.info import ControllerInfo
from pdsno.api.webhook_secrets import WebhookSecrets
from pdsno.api.webhook_sender import WebhookSender
from pdsno.domain.identifiers import Role
from pdsno.nib import NIBStore


def document() -> dict[str, Any]:
    """Return the document of this release: all that any controller may serve."""

    def nobody() -> ControllerInfo:
        return ControllerInfo(
            controller_id="none",
            role=Role.GLOBAL,
            region=None,
            version=pdsno.__version__,
            started_at=datetime.now(UTC),
        )

    with NIBStore("memory://") as nib:
        nowhere = WebhookSecrets(Path(tempfile.gettempdir()) / "nowhere")
        sender = WebhookSender(nib, nowhere, controller_id=lambda: "none")
        found = create_app(nib, controller=nobody, webhook_sender=sender).openapi()
        sender.close()
    return found
