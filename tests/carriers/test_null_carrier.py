"""The carrier for benchmarks."""

from carriers.null import NullCarrier
from carriers.protocol import Carrier
from domain.statuses import SubmissionStatus
from tests.sandbox.serving import a_message

_: type[Carrier] = NullCarrier


async def test_the_null_carrier_accepts_everything() -> None:
    carrier = NullCarrier("null")

    answer = await carrier.submit(a_message())

    assert carrier.name == "null"
    assert answer.status is SubmissionStatus.ACCEPTED
    assert answer.carrier_message_id
