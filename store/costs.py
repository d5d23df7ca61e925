"""What a verification's messages cost together, beside its own columns and without a second statement."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, String, literal_column

from domain.facts import AttemptFacts, Price
from store.attempts import LIVE

# Of messages that a carrier took, or may have taken. As text, because SQLAlchemy leaves table names out of what SQLite
# returns, in subqueries too, where they decide.
_TAKEN = "FROM attempt WHERE attempt.verification_id = verification.id AND attempt.status IN ({})".format(
    ", ".join(f"'{status}'" for status in LIVE)
)
_IS_ONE_SUM = "count(attempt.currency) = count(*) AND min(attempt.currency) = max(attempt.currency)"
_SUM = f"CASE WHEN count(*) = 0 THEN 0 WHEN {_IS_ONE_SUM} THEN CAST(sum(attempt.price_micros) AS BIGINT) END"
_CURRENCY = f"CASE WHEN {_IS_ONE_SUM} THEN min(attempt.currency) END"
COST = (
    literal_column(f"(SELECT {_SUM} {_TAKEN})", BigInteger).label("cost_micros"),
    literal_column(f"(SELECT {_CURRENCY} {_TAKEN})", String).label("cost_currency"),
)


def cost_of(row: Any) -> Price:
    """Return the cost of a row of verifications that was asked for `COST` too."""
    return Price(micros=row.cost_micros, currency=row.cost_currency)


def cost_of_attempts(attempts: Sequence[AttemptFacts]) -> Price:
    """Return the cost of a verification whose attempts are all at hand: the same as `COST` says."""
    taken = [each for each in attempts if each.status in LIVE]
    currencies = {each.currency for each in taken}
    if not taken:
        return Price(micros=0, currency=None)
    if len(currencies) > 1 or None in currencies:
        return Price(micros=None, currency=None)
    return Price(micros=sum(each.price_micros or 0 for each in taken), currency=currencies.pop())
