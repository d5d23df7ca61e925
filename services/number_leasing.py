"""Leasing a number: one that was reserved, which is then ordered from its carrier, or one that its pool can spare."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope
from domain.errors import InvalidRequestError
from domain.facts import Caller
from domain.ids import new_id
from domain.number_errors import (
    CapabilityMissingError,
    NumberChangedError,
    PoolEmptyError,
    SenderNotAllowedError,
)
from domain.phone import ensure_country
from domain.routing import NumberState, NumberView, Use
from rules.access import insufficient_scope
from rules.routing.catalog import SenderType
from services.idempotency import Idempotency, Repeatable, RepeatedError, StoredAnswer
from services.number_allowance import NumberAllowance
from services.number_changes import by_caller, number_in_sight, wrong_state
from services.number_workflows import NumberKeepers, wake_if_there
from store.engine import Database
from store.number_leases import NewLease, take_number, take_reserved, write_lease
from store.number_news import tell_moved, tell_started


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """A reserved number by its id, or any of a country and kind; for what use, how long, renewed or not."""

    number_id: UUID | None = None
    country: str | None = None
    sender_type: SenderType | None = None
    use: Use = Use.DEDICATED
    period_days: int = 30
    is_renewed: bool = True
    capabilities: frozenset[str] = field(default=frozenset({"sms"}))


class NumberLeasing:
    """Leases numbers, each request once."""

    def __init__(
        self, *, database: Database, allowance: NumberAllowance, idempotency: Idempotency, keepers: NumberKeepers
    ) -> None:
        self._database = database
        self._allowance = allowance
        self._idempotency = idempotency
        self._keepers = keepers

    async def lease(
        self, caller: Caller, request: LeaseRequest, *, repeatable: Repeatable | None = None
    ) -> NumberView | StoredAnswer:
        """Lease a number. A reserved one is ordered then; its first period begins when its carrier has activated it.

        Raises:
            InvalidRequestError: neither a reserved number nor a country and kind is named, or both are.
            InsufficientScopeError: it is to be a pool's, and the account does not administer accounts.
            AccountSuspendedError, HarvestingError, NumberQuotaError: the account gets no more numbers.
            UnknownCountryError, CountryNotAllowedError, SenderNotAllowedError, CapabilityMissingError: of no use.
            NotFoundError, NumberStateError: no such number, or it is not reserved any more.
            PoolEmptyError: the pool has none to spare.

        """
        _ensure_whole(request)
        if request.use is Use.POOLED and not caller.administers_accounts:
            raise insufficient_scope(frozenset({Scope.ACCOUNTS}))
        try:
            async with self._database.transaction() as connection:
                view = await self._write(connection, caller, request, repeatable)
        except RepeatedError:
            return await self._answer_again(caller, repeatable)
        await wake_if_there(self._keepers, view.number)
        await self._idempotency.keep(caller, repeatable, status=201, view=view)
        return view

    async def _write(
        self, connection: AsyncConnection, caller: Caller, request: LeaseRequest, repeatable: Repeatable | None
    ) -> NumberView:
        await self._idempotency.claim(connection, caller, repeatable, verification_id=request.number_id or new_id())
        await self._allowance.ensure_one_more(connection, caller, is_reserving=False)
        taken = self._take_reserved if request.number_id is not None else self._take_of_pool
        view = await taken(connection, caller, request)
        number = view.number
        await self._allowance.ensure_usable(connection, caller, country=number.country, sender_type=number.sender_type)
        if missing := request.capabilities - number.capabilities:
            raise CapabilityMissingError(
                f"The number cannot do {', '.join(sorted(missing))}.",
                fields={"capabilities": sorted(number.capabilities)},
            )
        await self._idempotency.attach(connection, caller, repeatable, verification_id=number.id)
        before = NumberState.RESERVED if request.number_id is not None else NumberState.AVAILABLE
        await tell_moved(connection, number, before=before, by=by_caller(caller), use=request.use.value)
        if view.lease is not None and request.number_id is None:
            # One that is ordered first begins its period when it is there.
            await tell_started(connection, number, view.lease, by=by_caller(caller))
        return view

    async def _take_reserved(self, connection: AsyncConnection, caller: Caller, request: LeaseRequest) -> NumberView:
        assert request.number_id is not None  # noqa: S101 - looked at by the caller
        number = await take_reserved(
            connection, request.number_id, account_id=caller.account_id, environment=caller.environment
        )
        if number is None:
            seen = await number_in_sight(connection, caller, request.number_id)
            if seen.number.state is NumberState.RESERVED:
                raise wrong_state(seen.number, "The reservation is over; reserve the number again.")
            raise wrong_state(seen.number, "Only a number that you have reserved is leased by its id.")
        new = _new(caller, replace(request, country=number.country, sender_type=SenderType(number.sender_type)))
        return NumberView(number=number, lease=await write_lease(connection, new, number), is_own=True)

    async def _take_of_pool(self, connection: AsyncConnection, caller: Caller, request: LeaseRequest) -> NumberView:
        taken = await take_number(connection, _new(caller, request))
        if taken is None:
            raise PoolEmptyError(
                f"The pool of {request.country} has no {request.sender_type} to spare; search for available numbers "
                "and reserve one.",
                fields={"country": request.country, "sender_type": request.sender_type},
            )
        number, lease = taken
        return NumberView(number=number, lease=lease, is_own=True)

    async def _answer_again(self, caller: Caller, repeatable: Repeatable | None) -> NumberView | StoredAnswer:
        assert repeatable is not None  # noqa: S101 - only a request with a key can have been claimed before
        answer = await self._idempotency.answer_again(caller, repeatable)
        if isinstance(answer, StoredAnswer):
            return answer
        async with self._database.reading() as connection:
            return await number_in_sight(connection, caller, answer)


def _ensure_whole(request: LeaseRequest) -> None:
    is_any = request.country is not None and request.sender_type is not None
    is_partly = request.country is not None or request.sender_type is not None
    if (request.number_id is None) != is_any or (request.number_id is not None and is_partly):
        raise InvalidRequestError(
            "Name a number that you have reserved by number_id; or country and type, for any of them."
        )
    if request.number_id is None and request.use is Use.POOLED:
        raise InvalidRequestError(
            "use: a number that is a pool's already is not leased for its pool; reserve another one."
        )
    if request.country is not None:
        ensure_country(request.country)
    if request.sender_type is SenderType.ALPHANUMERIC:
        raise SenderNotAllowedError(
            "A name is everybody's who sends through its pool and is not leased.",
            fields={"country": request.country, "types": sorted(set(SenderType) - {SenderType.ALPHANUMERIC})},
        )


def _new(caller: Caller, request: LeaseRequest) -> NewLease:
    if request.country is None or request.sender_type is None:
        raise NumberChangedError("The number was changed meanwhile; try again.")
    return NewLease(
        id=new_id(),
        account_id=caller.account_id,
        environment=caller.environment,
        country=request.country,
        sender_type=request.sender_type.value,
        period_days=request.period_days,
        is_renewed=request.is_renewed,
        use=request.use,
    )
