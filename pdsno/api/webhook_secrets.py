"""Where the secrets of webhooks are: one private file each, and nowhere else."""

import base64
import re
import secrets
from pathlib import Path

from pdsno.domain.errors import OperationError
from pdsno.domain.webhooks import SECRET_PREFIX
from pdsno.identity.private_files import read_private, replace_private

_BYTES = 32
_ID = re.compile(r"wh_[0-9a-f]{32}", re.ASCII)


def new_secret() -> str:
    """Return a secret as Standard Webhooks has it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


class WebhookSecrets:
    """Secrets by webhook in a folder (0700) of files (0600)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, webhook_id: str, secret: str) -> None:
        """Keep a secret; from then on it is read by the sender only. Raises OperationError."""
        try:
            replace_private(self._path(webhook_id), secret.encode())
        except OSError as error:
            raise OperationError(
                f"cannot keep the secret in {self._folder}: {error.strerror}"
            ) from error

    def get(self, webhook_id: str) -> str:
        """Return a secret. Raises OperationError, also if it is not there any more."""
        path = self._path(webhook_id)
        try:
            return read_private(path, what="the secret of a webhook").decode()
        except FileNotFoundError as error:
            raise OperationError(
                f"{path} is gone: remove the webhook and add it again, with a new secret"
            ) from error

    def drop(self, webhook_id: str) -> None:
        """Forget a secret, if it is there."""
        self._path(webhook_id).unlink(missing_ok=True)

    def _path(self, webhook_id: str) -> Path:
        if not _ID.fullmatch(webhook_id):
            raise OperationError(f"{webhook_id[:50]!r} is no ID of a webhook")
        return self._folder / f"{webhook_id}.secret"
