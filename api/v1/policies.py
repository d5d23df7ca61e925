"""`/v1/routes/policies`: how an account's messages reach each country."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, Strict

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.number_models import CountryCode
from domain.routing import Mode, RoutePolicyFacts
from rules.routing.policies import MOST_BACKUPS, usual_carriers
from rules.routing.timers import RECEIPT_BOUNDS_S, VERIFY_BOUNDS_S
from services.route_policies import DEFAULT, PolicySource, PolicyView, destination_of

router = APIRouter(prefix="/v1", tags=["routes"], route_class=StrictRoute)
Destination = Annotated[
    str,
    Path(
        pattern=rf"^([A-Z]{{2}}|{DEFAULT})$",
        description=f"ISO 3166 alpha-2, or `{DEFAULT}` for every country without a policy of its own.",
        examples=["GB"],
    ),
]
_Number = Annotated[int, Strict()]


class PolicyIn(StrictBody):
    """How messages are to reach the country. A wait that is null is the learnt one; a cap that is null is none."""

    allowed: Annotated[bool, Strict()] = Field(default=True, description="False: nothing is sent there.")
    primary_pool: CountryCode | None = Field(default=None, description="The pool to send from.", examples=["GB"])
    backup_pools: list[CountryCode] = Field(
        default=[],
        max_length=MOST_BACKUPS,
        description="With mode `ordered`, used in this order after the primary pool; else, ranked beside it.",
    )
    mode: Mode = Field(
        default=Mode.ADAPTIVE,
        description=(
            "`ordered`: the primary pool goes first. The others rank the routes of all pools named here by what is "
            "known of them, so that a message may begin in a backup pool."
        ),
    )
    max_attempts: _Number = Field(default=3, ge=1, le=3, description="Automatic attempts for one message.")
    max_carriers: _Number | None = Field(
        default=None,
        ge=1,
        le=3,
        description="Carriers for one message. Null: 2, and 3 where backup pools are named, so that one is reached.",
    )
    cost_cap_micros: _Number | None = Field(
        default=None, ge=0, le=10**12, description="Of one verification, in millionths of the currency."
    )
    receipt_wait_s: _Number | None = Field(default=None, ge=RECEIPT_BOUNDS_S[0], le=RECEIPT_BOUNDS_S[1])
    verify_wait_s: _Number | None = Field(
        default=None,
        ge=VERIFY_BOUNDS_S[0],
        le=VERIFY_BOUNDS_S[1],
        description="How long a code is awaited before a resend is advised.",
    )
    auto_resend: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether that resend is made by itself, on the next route, within these limits and the number's.",
    )
    auto_rotate: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether a number that you have alone is replaced by another of its pool and kind, no dearer, when "
        "it is set aside for its health; never one that recipients or carriers turned against.",
    )

    def to_policy(self, destination: str) -> RoutePolicyFacts:
        """Return the policy for a country, or by default."""
        return RoutePolicyFacts(
            country=destination_of(destination),
            is_allowed=self.allowed,
            primary_pool=self.primary_pool,
            backups=tuple(self.backup_pools),
            mode=self.mode,
            max_attempts=self.max_attempts,
            max_carriers=self.max_carriers or usual_carriers(has_backups=bool(self.backup_pools)),
            cost_cap_micros=self.cost_cap_micros,
            receipt_wait_s=self.receipt_wait_s,
            verify_wait_s=self.verify_wait_s,
            is_resent=self.auto_resend,
            is_rotated=self.auto_rotate,
        )


class PolicyOut(BaseModel):
    """A policy, and whose word it is: the account's for this country, its default, or the instance's."""

    country: str
    source: PolicySource
    allowed: bool
    primary_pool: str | None
    backup_pools: list[str]
    mode: Mode
    max_attempts: int
    max_carriers: int
    cost_cap_micros: int | None
    receipt_wait_s: int | None
    verify_wait_s: int | None
    auto_resend: bool
    auto_rotate: bool

    @classmethod
    def of(cls, view: PolicyView) -> "PolicyOut":
        """Return the model of a policy."""
        policy = view.policy
        return cls.model_construct(
            country=view.destination,
            source=view.source,
            allowed=policy.is_allowed,
            primary_pool=policy.primary_pool,
            backup_pools=list(policy.backups),
            mode=policy.mode,
            max_attempts=policy.max_attempts,
            max_carriers=policy.max_carriers,
            cost_cap_micros=policy.cost_cap_micros,
            receipt_wait_s=policy.receipt_wait_s,
            verify_wait_s=policy.verify_wait_s,
            auto_resend=policy.is_resent,
            auto_rotate=policy.is_rotated,
        )


class PoliciesOut(BaseModel):
    """What the account has set, by country."""

    policies: list[PolicyOut]


@router.get("/routes/policies", response_model=PoliciesOut, responses=problems())
async def list_route_policies(caller: Caller, parts: ThisApp) -> Response:
    """List the policies that the account has set."""
    return answer(PoliciesOut(policies=[PolicyOut.of(each) for each in await parts.numbers.policies.list(caller)]))


@router.get("/routes/policies/{country}", response_model=PolicyOut, responses=problems())
async def read_route_policy(country: Destination, caller: Caller, parts: ThisApp) -> Response:
    """Read what holds for a country, and whose word it is."""
    return answer(PolicyOut.of(await parts.numbers.policies.read(caller, country)))


@router.delete("/routes/policies/{country}", response_model=PolicyOut, responses=problems())
async def delete_route_policy(country: Destination, caller: Caller, parts: ThisApp) -> Response:
    """Take back what was set for a country, or by default. The answer is what holds there now, and whose word it is."""
    return answer(PolicyOut.of(await parts.numbers.policies.take_back(caller, country)))


@router.put("/routes/policies/{country}", response_model=PolicyOut, responses=problems(400))
async def put_route_policy(country: Destination, body: PolicyIn, caller: Caller, parts: ThisApp) -> Response:
    """Set how the account's messages reach a country, or every country without a policy of its own."""
    return answer(PolicyOut.of(await parts.numbers.policies.put(caller, body.to_policy(country))))
