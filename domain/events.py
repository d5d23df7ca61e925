"""An event: what an account is told of, with a place in the order in which things happened.

Written in the transaction of the change, so that there is never one without the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from domain.event_types import KINDS, EventType
from domain.ids import event_id, verification_id
from domain.moments import moment
from domain.statuses import Environment

Value: TypeAlias = str | int | bool | None


class UndeclaredFieldsError(ValueError):
    """An event was made with other fields than its type has: a mistake of ours, to be found by a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to get its row.

    `to` is the masked number, needed for the first event of a verification only. `once` names what may be told one time
    only: of several events with the same word, the first is kept. `id` is there where somebody must know it beforehand.
    """

    type: EventType
    account_id: UUID
    environment: Environment
    data: Mapping[str, Value]
    verification_id: UUID | None = None
    to: str | None = None
    once: str | None = None
    id: UUID | None = None

    def __post_init__(self) -> None:
        """Refuse fields that the type does not declare, and a verification's event without its verification."""
        kind = KINDS[self.type]
        if self.data.keys() != kind.fields.keys():
            raise UndeclaredFieldsError(f"{self.type}: {sorted(self.data.keys() ^ kind.fields.keys())}")
        if kind.of_verification != (self.verification_id is not None):
            raise UndeclaredFieldsError(f"{self.type}: verification_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the order in which events may be read: whoever has read up to it has missed none before it."""

    transaction: int
    number: int


# Before the first event, of any transaction.
BEGINNING = Position(transaction=-(2**63), number=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as stored. `sequence` counts the events of its verification from 1, without gaps."""

    id: UUID
    position: Position
    account_id: UUID
    environment: Environment
    type: str
    version: int
    verification_id: UUID | None
    sequence: int | None
    to: str | None
    data: Mapping[str, Value]
    occurred_at: datetime

    def as_told(self) -> dict[str, Any]:
        """Return the event as an account is told it, the same in webhooks, lists and streams."""
        about = {} if self.verification_id is None else {"verification_id": verification_id(self.verification_id)}
        masked = {} if self.verification_id is None else {"to": self.to}
        return {
            "id": event_id(self.id),
            "type": self.type,
            "version": self.version,
            "timestamp": moment(self.occurred_at),
            "environment": self.environment.value,
            "sequence": self.sequence,
            "data": {**about, **masked, **self.data},
        }

    def body(self) -> bytes:
        """Return the bytes that a webhook carries: the same for every try."""
        return json.dumps(self.as_told(), ensure_ascii=False, separators=(",", ":")).encode()


def of_account(
    event_type: EventType, *, account_id: UUID, data: Mapping[str, Value], once: str | None = None
) -> tuple[NewEvent, ...]:
    """Return the events that tell of something that concerns an account in all its environments."""
    return tuple(
        NewEvent(
            type=event_type,
            account_id=account_id,
            environment=environment,
            data=data,
            once=None if once is None else f"{environment}/{once}",
        )
        for environment in Environment
    )
