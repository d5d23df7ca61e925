"""A carrier that accepts everything and remembers nothing: for benchmarks, where the carrier must cost nothing."""

from carriers.protocol import Answer, Message
from domain.ids import attempt_id
from domain.statuses import SubmissionStatus


class NullCarrier:
    """Accepts at once. No receipt follows."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Return the carrier's name."""
        return self._name

    async def submit(self, message: Message) -> Answer:
        """Accept the message and drop it."""
        return Answer(status=SubmissionStatus.ACCEPTED, carrier_message_id=attempt_id(message.attempt_id))
