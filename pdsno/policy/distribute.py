"""Policy on its way down: cut to what a tier needs, never taken backwards. Pure."""

from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.messages import PolicyUpdate
from pdsno.domain.policy import Policy, check_policy


def accept(current: Policy | None, update: PolicyUpdate) -> Policy | None:
    """Return the policy to keep, or None if the update is the one we have.

    Raises RefusedError: OLD_VERSION (a replayed one; nothing changes), INVALID_POLICY.
    """
    if current is not None:
        if (update.epoch, update.version) == (current.epoch, current.version):
            return None
        _check_newer(current, update.epoch, update.version)
    regions = (update.region,) if update.region else ()
    policy = Policy(epoch=update.epoch, version=update.version, regions=regions)
    if update.policy is not None:
        policy = update.policy
    if (policy.epoch, policy.version) != (update.epoch, update.version):
        raise RefusedError(Refusal.INVALID_POLICY, "the update and its policy differ in version")
    try:
        return check_policy(policy)
    except InputError as error:
        raise RefusedError(Refusal.INVALID_POLICY, str(error)) from error


def is_news(update: PolicyUpdate, epoch: int, version: int) -> bool:
    """Tell whether an update may be new to somebody who says to have this version.

    Nobody tells which overlay he has, so one that has an overlay may always be.
    """
    if (update.epoch, update.version) == (epoch, version):
        return update.region is not None and update.region.overlay > 0
    return (update.epoch, update.version) > (epoch, version)


def _check_newer(current: Policy, epoch: int, version: int) -> None:
    if (epoch, version) <= (current.epoch, current.version):
        detail = (
            f"{epoch}.{version} is not newer than {current.epoch}.{current.version}, "
            "which is in force"
        )
        raise RefusedError(Refusal.OLD_VERSION, detail)
