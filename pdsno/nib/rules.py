"""When a write is refused: the same rules and the same words for every backend."""

from pdsno.domain.errors import ConflictError, LocalProtocolError, NotFoundError
from pdsno.domain.policy import Policy


def next_version(
    what: str, held: int | None, expected: int | None, *, merged_into: str | None = None
) -> int:
    """Return the version that a write gives, else raise ConflictError.

    `held` is the version in the NIB (None: not there), `expected` the one that the writer read.
    """
    if merged_into is not None:
        raise ConflictError(f"{what} was merged into {merged_into}")
    if held != expected:
        if expected is None:
            raise ConflictError(f"{what} exists already, with version {held}")
        if held is None:
            raise ConflictError(f"{what} does not exist, version {expected} was expected")
        raise ConflictError(f"{what} has version {held}, not {expected}: it was changed meanwhile")
    return (held or 0) + 1


def check_absorb(absorbed_id: str, into_id: str, known: set[str]) -> None:
    """Raise NotFoundError unless both are devices, LocalProtocolError if they are one."""
    if absorbed_id == into_id:
        raise LocalProtocolError(f"device {absorbed_id} cannot be merged into itself")
    for device_id in (absorbed_id, into_id):
        if device_id not in known:
            raise NotFoundError(f"there is no device {device_id}")


def check_retire(device_id: str, *, is_known: bool) -> None:
    """Raise NotFoundError unless the device is there."""
    if not is_known:
        raise NotFoundError(f"there is no device {device_id}")


def check_newer(policy: Policy, newest: Policy | None) -> None:
    """Raise ConflictError unless (epoch, version) is higher than the newest."""
    if newest and (policy.epoch, policy.version) <= (newest.epoch, newest.version):
        raise ConflictError(
            f"policy {policy.epoch}.{policy.version} is not newer than "
            f"{newest.epoch}.{newest.version}"
        )


def check_next(sender: str, stream_id: str, applied: int, seq: int) -> None:
    """Raise ConflictError unless `seq` is exactly the next one of the stream."""
    if seq != applied + 1:
        raise ConflictError(
            f"stream {stream_id} of {sender} is applied up to {applied}: {seq} is not next"
        )


def check_restart(sender: str, stream_id: str, applied: int, seq: int) -> None:
    """Raise ConflictError if a snapshot would take the stream back."""
    if seq < applied:
        raise ConflictError(
            f"stream {stream_id} of {sender} is applied up to {applied}: {seq} lies behind"
        )


def check_keep(keep_cycles: int) -> None:
    """Raise LocalProtocolError unless at least the newest cycle is kept."""
    if keep_cycles < 1:
        raise LocalProtocolError(f"keep_cycles must be at least 1, not {keep_cycles}")


def check_most(most: int) -> None:
    """Raise LocalProtocolError unless at least the latest sighting is kept."""
    if most < 1:
        raise LocalProtocolError(f"most must be at least 1, not {most}")
