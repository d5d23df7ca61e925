"""`/v1/countries/{country}/recommendation`: how an account's messages had better reach a country, and why."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.policies import PolicyOut
from domain.routing import Mode
from rules.routing.offers import Known, Need, Offer, trusted_rate
from rules.routing.use_cases import Priority, UseCase
from services.fact_sources import Source
from services.recommendations import Recommended

router = APIRouter(prefix="/v1", tags=["routes"], route_class=StrictRoute)
Country = Annotated[str, Path(pattern=r"^[A-Z]{2}$", description="ISO 3166 alpha-2.", examples=["GB"])]


class RecommendationQuery(StrictBody):
    """What is to be sent there, and what matters most."""

    use_case: UseCase = UseCase.CONFIRM_CONTACT
    monthly_volume: int = Field(default=1_000, ge=1, le=10**9, description="Messages a month.")
    priority: Priority | None = Field(default=None, description="What matters most; the use case's own by default.")

    def to_need(self, country: str) -> Need:
        """Return what is needed in a country."""
        return Need(country=country, monthly_volume=self.monthly_volume, use_case=self.use_case, priority=self.priority)


class OfferOut(BaseModel):
    """What one kind of sender of one pool would be: the facts that a recommendation rests on."""

    pool: str
    type: str
    allowed: bool
    rule: str
    senders: int = Field(description="How many may be used towards this country now.")
    carriers: list[str]
    price_micros: int = Field(description="Of one part.")
    monthly_micros: int = Field(description="Of one sender.")
    parts_per_s: float
    messages: float = Field(description="How many are known of; old ones count less.")
    known: Known
    trusted_conversion: float = Field(description="What its conversion can be trusted to be, at least.")
    receipt_p95_s: float | None
    verify_p90_s: float | None

    @classmethod
    def of(cls, offer: Offer) -> "OfferOut":
        """Return the model of an offer."""
        return cls.model_construct(
            pool=offer.pool_country,
            type=offer.sender_type,
            allowed=offer.is_allowed,
            rule=offer.rule,
            senders=offer.senders,
            carriers=sorted(offer.carriers),
            price_micros=offer.price_micros,
            monthly_micros=offer.monthly_micros,
            parts_per_s=round(offer.parts_per_s, 3),
            messages=round(offer.proved.total, 3),
            known=offer.known,
            trusted_conversion=round(trusted_rate(offer), 4),
            receipt_p95_s=offer.receipt_p95_s,
            verify_p90_s=offer.verify_p90_s,
        )


class SourceOut(BaseModel):
    """Where a fact comes from; `sureness` is H, M or L, with words where it differs by fact."""

    fact: str
    source: str
    as_of: str | None
    sureness: str | None

    @classmethod
    def of(cls, source: Source) -> "SourceOut":
        """Return the model of a source."""
        return cls.model_construct(fact=source.fact, source=source.source, as_of=source.as_of, sureness=source.sureness)


class RecommendationOut(BaseModel):
    """What to set, why, the facts that this rests on with their sources, and what is set now."""

    country: str
    use_case: UseCase
    priority: Priority
    known: Known = Field(description="How much is known here of messages this way; `nothing`: trust it little.")
    primary_pool: str
    backup_pools: list[str]
    sender_type: str
    senders: int = Field(description="How many the peak of this volume needs.")
    senders_to_lease: int = Field(description="How many of them the pool does not have.")
    mode: Mode
    receipt_wait_s: int
    verify_wait_s: int
    auto_resend: bool
    reasons: list[str]
    refused: list[str]
    facts: list[OfferOut]
    sources: list[SourceOut]
    current: PolicyOut

    @classmethod
    def of(cls, need: Need, found: Recommended) -> "RecommendationOut":
        """Return the model of a recommendation."""
        best = found.recommendation
        return cls.model_construct(
            country=need.country,
            use_case=need.use_case,
            priority=best.priority,
            known=best.known,
            primary_pool=best.primary,
            backup_pools=list(best.backups),
            sender_type=best.sender_type,
            senders=best.senders,
            senders_to_lease=best.to_lease,
            mode=best.mode,
            receipt_wait_s=best.receipt_wait_s,
            verify_wait_s=best.verify_wait_s,
            auto_resend=best.is_resent,
            reasons=list(best.reasons),
            refused=list(best.refused),
            facts=[OfferOut.of(each) for each in found.offers],
            sources=[SourceOut.of(each) for each in found.sources],
            current=PolicyOut.of(found.current),
        )


@router.get("/countries/{country}/recommendation", response_model=RecommendationOut, responses=problems())
async def recommend_routes(
    country: Country, query: Annotated[RecommendationQuery, Query()], caller: Caller, parts: ThisApp
) -> Response:
    """Recommend pools, kind and number of senders, and timers for a country, with reasons."""
    need = query.to_need(country)
    return answer(RecommendationOut.of(need, await parts.numbers.recommendations.recommend(caller, need)))
