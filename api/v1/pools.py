"""`/v1/pools`: the senders of each country, what they can carry, and how they fare."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.number_models import NumberOut
from rules.routing.breaker import BreakerState
from services.country_pools import GroupHealth, PoolSummary, PoolView

router = APIRouter(prefix="/v1/pools", tags=["pools"], route_class=StrictRoute)
PoolCountry = Annotated[
    str, Path(pattern=r"^[A-Z]{2}$", description="ISO 3166 alpha-2 of the pool's country.", examples=["GB"])
]


class PoolOut(BaseModel):
    """A pool. `parts_per_s` is what its senders in service can carry together."""

    country: str
    members: int
    in_service: int
    set_aside: int = Field(description="How many are in quarantine.")
    probing: int = Field(description="How many are in service on trial, after a quarantine.")
    types: list[str]
    carriers: list[str]
    parts_per_s: float

    @classmethod
    def of(cls, summary: PoolSummary) -> "PoolOut":
        """Return the model of a pool."""
        return cls.model_construct(
            country=summary.country,
            members=summary.members,
            in_service=summary.in_service,
            set_aside=summary.set_aside,
            probing=summary.probing,
            types=list(summary.types),
            carriers=list(summary.carriers),
            parts_per_s=summary.parts_per_s,
        )


class PoolsOut(BaseModel):
    """Every pool, by country."""

    pools: list[PoolOut]


class MemberOut(BaseModel):
    """A number of a pool. `parts_per_s` is null where it has no limit of its own."""

    number: NumberOut
    parts_per_s: float | None


class GroupOut(BaseModel):
    """How a carrier's senders of one kind fare towards their own country; old messages count less and less."""

    carrier: str
    type: str
    proved: float
    unproved: float
    conversion: float = Field(description="The share of codes that is expected to come back.")
    breaker: BreakerState
    demoted: bool
    reason: str | None

    @classmethod
    def of(cls, group: GroupHealth) -> "GroupOut":
        """Return the model of a group's health."""
        return cls.model_construct(
            carrier=group.carrier,
            type=group.sender_type,
            proved=group.proved,
            unproved=group.unproved,
            conversion=group.conversion,
            breaker=group.breaker,
            demoted=group.is_demoted,
            reason=group.reason,
        )


class WholePoolOut(BaseModel):
    """A pool with its members and its health; nothing is known of a group that nothing was sent with."""

    pool: PoolOut
    numbers: list[MemberOut]
    health: list[GroupOut]

    @classmethod
    def of(cls, view: PoolView) -> "WholePoolOut":
        """Return the model of a pool."""
        return cls.model_construct(
            pool=PoolOut.of(view.summary),
            numbers=[
                MemberOut.model_construct(number=NumberOut.of(each), parts_per_s=rate)
                for each, rate in zip(view.members, view.rates, strict=True)
            ],
            health=[GroupOut.of(each) for each in view.health],
        )


@router.get("", response_model=PoolsOut, responses=problems())
async def list_pools(caller: Caller, parts: ThisApp) -> Response:
    """List the pools of this environment."""
    return answer(PoolsOut(pools=[PoolOut.of(each) for each in await parts.numbers.pools.list(caller)]))


@router.get("/{country}", response_model=WholePoolOut, responses=problems())
async def read_pool(country: PoolCountry, caller: Caller, parts: ThisApp) -> Response:
    """Read a pool: its numbers, what they can carry, and how they fare."""
    return answer(WholePoolOut.of(await parts.numbers.pools.read(caller, country)))


@router.post("/{country}/rotate", response_model=NumberOut, responses=problems(409))
async def rotate_pool(country: PoolCountry, caller: Caller, parts: ThisApp) -> Response:
    """Set the number of a pool aside that has been in service longest, for a day. The answer is that number."""
    return answer(NumberOut.of(await parts.numbers.operations.rotate_pool(caller, country)))
