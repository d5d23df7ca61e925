"""What `/v1/numbers` takes and gives."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, Strict, StringConstraints

from api.v1.models import StrictBody
from api.v1.moments import Instant
from domain.errors import InvalidRequestError
from domain.ids import number_id, parse
from domain.inventory import InventoryNumber
from domain.routing import LeaseFacts, NumberState, NumberView, Use
from rules.routing.catalog import SenderType
from services.number_leasing import LeaseRequest
from services.number_search import Found, ReservationRequest
from services.numbers import DEFAULT_PAGE, MAX_PAGE, NumberPage, TermsRequest

CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
PeriodDays = Annotated[int, Strict(), Field(ge=1, le=365)]


class Capability(StrEnum):
    """What a number can do."""

    SMS = "sms"
    VOICE = "voice"


class AvailableQuery(StrictBody):
    """Which numbers are looked for."""

    country: CountryCode = Field(description="ISO 3166 alpha-2.", examples=["GB"])
    type: SenderType | None = None
    capability: Capability | None = None


class AvailableOut(BaseModel):
    """A number that a carrier has to give, and its terms. Prices are millionths of the currency."""

    carrier: str
    sender: str
    country: str
    type: str
    capabilities: list[str]
    price_micros: int = Field(description="A message part.")
    monthly_micros: int
    currency: str
    parts_per_s: float

    @classmethod
    def of(cls, carrier: str, number: InventoryNumber) -> "AvailableOut":
        """Return the model of a number on offer."""
        return cls.model_construct(
            carrier=carrier,
            sender=number.sender,
            country=number.country,
            type=number.sender_type,
            capabilities=sorted(number.capabilities),
            price_micros=number.price_micros,
            monthly_micros=number.monthly_micros,
            currency=number.currency,
            parts_per_s=number.parts_per_s,
        )


class AvailableNumbersOut(BaseModel):
    """The first numbers that each carrier offers; `silent_carriers` did not answer."""

    numbers: list[AvailableOut]
    silent_carriers: list[str]

    @classmethod
    def of(cls, found: Found) -> "AvailableNumbersOut":
        """Return the model of a search's result."""
        return cls.model_construct(
            numbers=[AvailableOut.of(carrier, each) for carrier, each in found.numbers],
            silent_carriers=list(found.silent),
        )


class NewReservation(StrictBody):
    """A number as the search showed it."""

    carrier: str = Field(min_length=1, max_length=32, examples=["alpha"])
    sender: str = Field(min_length=1, max_length=16, pattern=r"^\+?[0-9]+$", examples=["+447700900200"])
    country: CountryCode = Field(examples=["GB"])

    def to_request(self) -> ReservationRequest:
        """Return what the use case takes."""
        return ReservationRequest(carrier=self.carrier, sender=self.sender, country=self.country)


class LeaseOut(BaseModel):
    """The terms under which the account has a number. `price_micros` is a month's."""

    use: Use
    period_days: int
    auto_renew: bool
    price_micros: int
    currency: str
    started_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, lease: LeaseFacts) -> "LeaseOut":
        """Return the model of a lease."""
        return cls.model_construct(
            use=lease.use,
            period_days=lease.period_days,
            auto_renew=lease.is_renewed,
            price_micros=lease.price_micros,
            currency=lease.currency,
            started_at=lease.started_at,
            expires_at=lease.expires_at,
        )


class NumberOut(BaseModel):
    """A sender number. `own`: this account has reserved or leased it; otherwise it is a pool's."""

    id: str
    sender: str
    country: str
    type: str
    carrier: str
    region: str
    capabilities: list[str]
    status: NumberState
    reason: str | None = Field(description="Why it is in this status, in a word, where there is a reason.")
    until: Instant | None = Field(description="When a reservation lapses, a quarantine or a rest is over.")
    carrier_silent_since: Instant | None = Field(
        description="Since when its carrier has not answered; after 7 days an order, after 30 a return is given up."
    )
    probing: bool = Field(description="In service on trial: few messages leave with it until it has proved itself.")
    price_micros: int
    monthly_micros: int
    currency: str
    own: bool
    lease: LeaseOut | None

    @classmethod
    def of(cls, view: NumberView) -> "NumberOut":
        """Return the model of a number."""
        facts = view.number
        return cls.model_construct(
            id=number_id(facts.id),
            sender=facts.sender,
            country=facts.country,
            type=facts.sender_type,
            carrier=facts.carrier,
            region=facts.region,
            capabilities=sorted(facts.capabilities),
            status=facts.state,
            reason=facts.state_reason,
            until=facts.state_until,
            carrier_silent_since=facts.silent_since,
            probing=facts.is_probing,
            price_micros=facts.price_micros,
            monthly_micros=facts.monthly_micros,
            currency=facts.currency,
            own=view.is_own,
            lease=None if view.lease is None else LeaseOut.of(view.lease),
        )


class NumbersOut(BaseModel):
    """A page of the account's numbers, the newest first; `next_cursor` is null on the last one."""

    numbers: list[NumberOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: NumberPage) -> "NumbersOut":
        """Return the model of a page."""
        return cls.model_construct(
            numbers=[NumberOut.of(each) for each in page.items],
            next_cursor=None if page.next_cursor is None else number_id(page.next_cursor),
        )


class NumbersQuery(StrictBody):
    """Which of the account's numbers."""

    country: CountryCode | None = None
    status: NumberState | None = None
    limit: int = Field(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, max_length=64)


class NewLeaseIn(StrictBody):
    """Which number: one that you have reserved, by `number_id`; or any that the pool of `country` has of `type`."""

    number_id: str | None = Field(default=None, max_length=64, examples=["num_0190f0c1d2e3740895aabbccddeeff00"])
    country: CountryCode | None = None
    type: SenderType | None = None
    use: Use = Field(default=Use.DEDICATED, description="`pooled`: everybody who sends through its pool may use it.")
    period_days: PeriodDays = 30
    auto_renew: Annotated[bool, Strict()] = True
    capabilities: list[Capability] = Field(default=[Capability.SMS], max_length=8, description="What it must do.")

    def to_request(self) -> LeaseRequest:
        """Return what the use case takes.

        Raises:
            InvalidRequestError: the id is none of a number.

        """
        parsed = None if self.number_id is None else parse(self.number_id, prefix="num")
        if self.number_id is not None and parsed is None:
            raise InvalidRequestError("number_id: an id that begins with num_, as the reservation answered it.")
        return LeaseRequest(
            number_id=parsed,
            country=self.country,
            sender_type=self.type,
            use=self.use,
            period_days=self.period_days,
            is_renewed=self.auto_renew,
            capabilities=frozenset({Capability.SMS, *self.capabilities}),
        )


class QuarantineIn(StrictBody):
    """How long to set it aside."""

    hours: Annotated[int, Strict()] = Field(default=24, ge=1, le=720)


class ReleaseIn(StrictBody):
    """Whether what is under way with the number may end first; one that is in use is refused otherwise."""

    drain: Annotated[bool, Strict()] = False


class NumberChange(StrictBody):
    """What of the lease is to be another from its next period on; what is left out stays."""

    period_days: PeriodDays | None = None
    auto_renew: Annotated[bool, Strict()] | None = None

    def to_request(self) -> TermsRequest:
        """Return what the use case takes."""
        return TermsRequest(period_days=self.period_days, is_renewed=self.auto_renew)
