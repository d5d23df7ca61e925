"""Everything about the people of an instance, wired: who they are, how they sign in, what they approve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.access import Access
from rules.addresses import Network
from security.keyring import KeyRing
from security.passwords import Passwords
from services.approvals import Approvals
from services.enrolment import Enrolments
from services.operator_sessions import OperatorSessions
from services.operators import Operators
from services.refusals import Refusals
from services.second_factor import SecondFactor
from store.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The use cases of operators."""

    operators: Operators
    enrolments: Enrolments
    sessions: OperatorSessions
    approvals: Approvals


def people_of(
    *,
    database: Database,
    keys: KeyRing,
    refusals: Refusals,
    operations: Mapping[str, Access],
    allowed: Sequence[Network] = (),
) -> People:
    """Return them; `allowed` are the networks that operators may call from, none for any."""
    passwords, factor = Passwords(), SecondFactor(database=database, keys=keys, refusals=refusals)
    return People(
        operators=Operators(database=database, keys=keys),
        enrolments=Enrolments(database=database, keys=keys, passwords=passwords, factor=factor),
        sessions=OperatorSessions(
            database=database, keys=keys, passwords=passwords, factor=factor, refusals=refusals, allowed=allowed
        ),
        approvals=Approvals(database=database, keys=keys, operations=operations),
    )
