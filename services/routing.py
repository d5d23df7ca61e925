"""Why routes were taken, as an account may see it of its own verifications."""

from dataclasses import dataclass
from uuid import UUID

from domain.errors import NotFoundError
from domain.facts import AttemptFacts, Caller
from rules.routing.explanation import Explanation, of_text
from store.attempts import attempts_of, explanations_of
from store.engine import Database
from store.verifications import read_verification_of


@dataclass(frozen=True, slots=True)
class ExplainedAttempt:
    """An attempt with the choice of its route; None of those that were planned before choices were kept."""

    attempt: AttemptFacts
    explanation: Explanation | None


class Routing:
    """Answers why routes are taken."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def of_verification(self, caller: Caller, verification_id: UUID) -> tuple[ExplainedAttempt, ...]:
        """Return why each attempt of a verification took its route, the first attempt first.

        Raises:
            NotFoundError: the account has no such verification.

        """
        async with self._database.reading() as connection:
            found = await read_verification_of(
                connection, verification_id, account_id=caller.account_id, environment=caller.environment
            )
            if found is None:
                raise NotFoundError("This account has no verification with this id.")
            attempts = await attempts_of(connection, verification_id)
            kept = await explanations_of(connection, verification_id)
        return tuple(ExplainedAttempt(each, of_text(kept[each.id]) if each.id in kept else None) for each in attempts)
