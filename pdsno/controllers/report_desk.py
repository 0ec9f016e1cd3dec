"""A local controller's report at its regional one: merged, and told upwards, in one transaction."""

from pdsno.controllers.parenting import Parenting
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import DiscoveryReport, Message, MessageType, Reply
from pdsno.domain.ports import NIBTransaction
from pdsno.domain.reports import as_snapshot, in_parts, is_first_of_stream, may_jump
from pdsno.intake.reports import ReportIntake


def take_report(
    parenting: Parenting, message: Message, report: DiscoveryReport, *, own_id: str
) -> Reply:
    """Apply a report once and in order; what it changed here is queued for the tier above."""
    intake = ReportIntake(own_id)

    def apply(tx: NIBTransaction) -> None:
        summary = intake.apply(tx, message.sender_id, report).summary(report)
        if is_first_of_stream(tx):
            summary = as_snapshot(tx, summary)
        for part in in_parts(summary):
            tx.enqueue(
                MessageType.DISCOVERY_SUMMARY,
                jsonable(part),
                correlation_id=message.correlation_id,
            )

    return parenting.take_in(message, apply, is_snapshot=may_jump(report))
