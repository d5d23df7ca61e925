"""What a use case asks of the messages that serve it: what matters most, how long they are, whether one may follow.

Pure. These are our own judgements, told as such in a recommendation's reasons; an account may set otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    """What matters most to the account."""

    COST = "cost"
    SPEED = "speed"
    CONVERSION = "conversion"


class UseCase(StrEnum):
    """What a proof is for: the purposes of verifications, and payments."""

    CONFIRM_CONTACT = "confirm_contact"
    AUTHENTICATE = "authenticate"
    RECOVER = "recover"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a use case asks for.

    `priority` is what matters most where the account names nothing, `parts` how many parts a message has, `is_resent`
    whether a second message may follow by itself where no code comes back.
    """

    priority: Priority
    parts: int
    is_resent: bool
    why: str


DEMANDS: Mapping[UseCase, Demand] = {
    UseCase.CONFIRM_CONTACT: Demand(
        priority=Priority.COST,
        parts=1,
        is_resent=True,
        why="nothing is at stake yet, so that what a verified code costs matters most",
    ),
    UseCase.AUTHENTICATE: Demand(
        priority=Priority.SPEED,
        parts=1,
        is_resent=True,
        why="a person waits in front of a login, so that the time matters most",
    ),
    UseCase.RECOVER: Demand(
        priority=Priority.CONVERSION,
        parts=1,
        is_resent=False,
        why="it is the last way in, so that the code must arrive; and each further code is one more for a thief",
    ),
    UseCase.TRANSACTION: Demand(
        priority=Priority.SPEED,
        parts=2,
        is_resent=False,
        why="a person waits in front of a payment; amount and payee take a second part; one code is for one payment",
    ),
}
