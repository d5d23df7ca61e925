"""Carriers that do as the drill has it at this moment, and say what reached a handset."""

from collections.abc import Callable
from dataclasses import dataclass

from carriers.protocol import Answer, Carrier, Message
from domain.statuses import FailureClass, SubmissionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a carrier does with a message: its answer, whether the message arrives, whether a receipt says so."""

    answer: SubmissionStatus = SubmissionStatus.ACCEPTED
    arrives: bool = True
    has_receipt: bool = True
    conversion: float = 1.0


REFUSES = Behaviour(answer=SubmissionStatus.REJECTED, arrives=False, has_receipt=False)
HANGS = Behaviour(answer=SubmissionStatus.UNKNOWN, arrives=False, has_receipt=False)
LOSES = Behaviour(arrives=False, has_receipt=False)
_FAILURES = {
    SubmissionStatus.REJECTED: FailureClass.ROUTE_TEMPORARY,
    SubmissionStatus.UNKNOWN: FailureClass.UNKNOWN,
}


@dataclass(slots=True, kw_only=True)
class ScriptedCarrier:
    """Asks the drill what to do with each message, and tells it of those that it took."""

    name: str
    behave: Callable[[str], Behaviour]
    took: Callable[[str, Message, Behaviour], None]

    async def submit(self, message: Message) -> Answer:
        """Answer as the drill has it."""
        behaviour = self.behave(self.name)
        if behaviour.answer is SubmissionStatus.ACCEPTED:
            self.took(self.name, message, behaviour)
        return Answer(status=behaviour.answer, failure_class=_FAILURES.get(behaviour.answer))


_: type[Carrier] = ScriptedCarrier
