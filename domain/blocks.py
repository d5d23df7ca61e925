"""Blocks: what is not allowed for a while, to a number or an account, and the events that tell of it.

Each has a rule that made it, a reason, an end or somebody who ends it, and a way to have it lifted before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.event_types import EventType
from domain.events import NewEvent, Value
from domain.ids import block_id
from domain.moments import moment
from domain.statuses import AccountStatus, BlockRule, Environment, LiftedBy

# What somebody who is blocked can do about it, told with the block.
APPEALS: Mapping[BlockRule, str] = {
    BlockRule.FAILURES_IN_A_ROW: (
        "If you know that the person is who they say, POST /v1/verifications/unlock with the number."
    ),
    BlockRule.ACCOUNT_STATUS: "Ask the operators of this instance; a person decides, and the account is told.",
}
# An account that is closed is not blocked: it is over.
BLOCKED = (AccountStatus.RESTRICTED, AccountStatus.SUSPENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block as stored. `to` is the number, masked, where it is a number's; `until` None: until somebody lifts it."""

    id: UUID
    account_id: UUID
    environment: Environment
    rule: BlockRule
    reason: str
    country: str | None
    to: str | None
    until: datetime | None


def created(block: Block) -> NewEvent:
    """Return the event of a block that begins."""
    return _event(EventType.BLOCK_CREATED, block, {"appeal": APPEALS[block.rule]})


def lifted(block: Block, *, by: LiftedBy) -> NewEvent:
    """Return the event of a block that has ended."""
    return _event(EventType.BLOCK_LIFTED, block, {"lifted_by": by.value})


def _event(event_type: EventType, block: Block, more: Mapping[str, Value]) -> NewEvent:
    until = None if block.until is None else moment(block.until)
    return NewEvent(
        type=event_type,
        account_id=block.account_id,
        environment=block.environment,
        data={
            "block_id": block_id(block.id),
            "rule": block.rule.value,
            "reason": block.reason,
            "country": block.country,
            "to": block.to,
            "until": until,
            **more,
        },
    )
