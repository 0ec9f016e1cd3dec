"""A local controller's report at its regional one: merged, and told upwards, in one transaction."""

from pdsno.controllers.parenting import Parenting
from pdsno.domain.messages import DiscoveryReport, Message, MessageType, Reply
from pdsno.domain.ports import NIBTransaction
from pdsno.domain.reports import may_jump, queue_report
from pdsno.intake.reports import ReportIntake


def take_report(
    parenting: Parenting, message: Message, report: DiscoveryReport, *, own_id: str
) -> Reply:
    """Apply a report once and in order; what it changed here is queued for the tier above."""
    intake = ReportIntake(own_id)

    def apply(tx: NIBTransaction) -> None:
        summary = intake.apply(tx, message.sender_id, report).summary(report)
        queue_report(
            tx, MessageType.DISCOVERY_SUMMARY, summary, correlation_id=message.correlation_id
        )

    return parenting.take_in(message, apply, is_snapshot=may_jump(report))
