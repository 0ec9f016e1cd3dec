"""What the admin socket tells of the controllers that are known here."""

from collections.abc import Mapping
from datetime import datetime

from pdsno.controllers.base_controller import BaseController
from pdsno.domain.entities import ControllerRecord
from pdsno.identity.pki.roots import load_certificates


def known_controllers(controller: BaseController) -> list[Mapping[str, object]]:
    """Return all controllers in this one's NIB, itself included, in order of their IDs.

    `not_after` is the end of the certificate, null where another one issued it.
    """
    return [
        {
            "controller_id": record.controller_id,
            "role": record.role,
            "region": record.region,
            "status": record.status,
            "state": record.state,
            "url": record.url,
            "last_seen": record.last_seen,
            "not_after": _end(controller, record),
            "validated_at": record.validated_at,
            "decided_by": record.decided_by or None,
            "hostname": record.hostname or None,
        }
        for record in sorted(
            controller.nib_store.controllers(), key=lambda record: record.controller_id
        )
    ]


def _end(controller: BaseController, record: ControllerRecord) -> datetime | None:
    tls = controller.options.tls
    if record.controller_id == controller.controller_id and tls is not None:
        return tls.not_after if tls.has_certificate else None
    if not record.certificate:
        return None
    return load_certificates(record.certificate)[0].not_valid_after_utc
