"""How many numbers an account may have, whether it takes and gives back too many, and which it could use at all."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import Caller
from domain.number_errors import (
    CountryNotAllowedError,
    HarvestingError,
    NumberQuotaError,
    SenderNotAllowedError,
)
from domain.statuses import MAY_SEND
from rules.routing.catalog import SenderType
from rules.routing.number_life import HARVEST_FACTOR, HARVEST_WINDOW_DAYS, is_harvesting
from services.number_limits import suspended
from store.accounts import hold_account
from store.number_leases import count_released
from store.number_views import count_open
from store.route_policies import EVERYWHERE_ELSE, find_policy


class NumberAllowance:
    """Judges whether an account may have one more number. `takes` is what each country takes as senders."""

    def __init__(self, *, quota: int, takes: Mapping[str, frozenset[SenderType]]) -> None:
        self._quota = quota
        self._takes = takes

    async def ensure_one_more(self, connection: AsyncConnection, caller: Caller, *, is_reserving: bool) -> None:
        """Let an account have one more number; others of it wait until this transaction ends, so that none slips by.

        A reservation counts until it lapses, and is not counted again when it becomes a lease.

        Raises:
            AccountSuspendedError: the account is not active.
            HarvestingError: it ended more than twice its quota of leases lately.
            NumberQuotaError: it has as many as it may.

        """
        await self.ensure_no_harvesting(connection, caller)
        leased, reserved = await count_open(connection, caller.account_id, environment=caller.environment)
        if leased + (reserved if is_reserving else 0) >= self._quota:
            raise NumberQuotaError(
                f"An account has at most {self._quota} numbers, reservations included; release one first.",
                fields={"quota": self._quota, "leased": leased, "reserved": reserved},
            )

    async def ensure_no_harvesting(self, connection: AsyncConnection, caller: Caller) -> None:
        """Let an account pass that does not take and give back too many numbers; others of it wait until then.

        Raises:
            AccountSuspendedError: the account is not active.
            HarvestingError: it ended more than twice its quota of leases lately.

        """
        account = await hold_account(connection, caller.account_id)
        if account is not None and account.status not in MAY_SEND:
            raise suspended(account)
        released = await count_released(connection, caller.account_id, environment=caller.environment)
        if is_harvesting(released=released, quota=self._quota):
            raise HarvestingError(
                f"This account gave back {released} numbers within {HARVEST_WINDOW_DAYS} days, more than "
                f"{HARVEST_FACTOR} times the {self._quota} it may have. It gets no more until fewer were given back in "
                "that time.",
                fields={"released": released, "quota": self._quota, "window_days": HARVEST_WINDOW_DAYS},
            )

    async def ensure_usable(
        self, connection: AsyncConnection, caller: Caller, *, country: str, sender_type: str
    ) -> None:
        """Let an account have a number that the country takes and that the account sends to.

        Raises:
            SenderNotAllowedError: the country does not take this kind of sender.
            CountryNotAllowedError: the account's policy forbids the country.

        """
        taken = self._takes.get(country, self._takes.get(EVERYWHERE_ELSE, frozenset()))
        if sender_type not in taken:
            listed = ", ".join(sorted(taken)) or "no kind that is known here"
            raise SenderNotAllowedError(
                f"{country} does not take a sender of type {sender_type}; it takes {listed}.",
                fields={"country": country, "types": sorted(taken)},
            )
        policy = await find_policy(connection, country, account_id=caller.account_id, environment=caller.environment)
        if policy is not None and not policy.is_allowed:
            raise CountryNotAllowedError(
                f"Your route policy for {_named(policy.country)} says that nothing is sent to {country}. Change it "
                f"first: PUT /v1/routes/policies/{country}.",
                fields={"country": country},
            )


def _named(country: str) -> str:
    return "everywhere else" if country == EVERYWHERE_ELSE else country
