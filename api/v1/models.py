"""What `/v1/verifications` takes and gives: Pydantic models, used at this edge and nowhere else."""

import re
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    Strict,
    StringConstraints,
)

from api.v1.moments import Instant
from domain.challenge import (
    DEFAULT_CODE_LENGTH,
    DEFAULT_TTL_S,
    GUESS_PATTERN,
    MAX_CODE_LENGTH,
    MAX_TTL_S,
    MIN_CODE_LENGTH,
    MIN_TTL_S,
)
from domain.facts import AttemptFacts, VerificationView
from domain.ids import attempt_id, verification_id
from domain.statuses import AttemptStatus, Channel, FailureClass, Purpose, ReceiptStatus, VerificationStatus
from services.checks import CheckOutcome
from services.reading import DEFAULT_PAGE, MAX_PAGE, Page
from services.sends import StartRequest

# No control, format, private or unassigned characters: nothing invisible, nothing that a log would trip over.
PRINTABLE = r"^\P{C}+$"
_Reference = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]
Brand = Annotated[str, StringConstraints(min_length=1, max_length=24, pattern=r"^[\p{L}\p{N}][\p{L}\p{N} .&'_+-]*$")]
_Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]


def _plain_address(value: object) -> object:
    """Refuse what else Python takes for an address: integers, and zones (RFC 4007), which may be any text."""
    if value is not None and (not isinstance(value, str) or "%" in value):
        raise ValueError("an IPv4 or IPv6 address, as text and without a zone, like 203.0.113.9 or 2001:db8::1")
    return value


_Address = Annotated[IPvAnyAddress, BeforeValidator(_plain_address)]


class StrictBody(BaseModel):
    """A body that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")


class NewVerification(StrictBody):
    """Which number to verify; everything but `to` has a default."""

    to: str = Field(
        description="The number in E.164: +, country code, number.", examples=["+447700900123"], max_length=1024
    )
    channel: Channel = Channel.SMS
    purpose: Purpose = Purpose.CONFIRM_CONTACT
    locale: _Locale = Field(default="en", description="Language of the message, as in BCP 47.", examples=["en"])
    brand: Brand | None = Field(default=None, description="Whose code it is; the account's name by default.")
    ttl_s: Annotated[int, Strict()] = Field(
        default=DEFAULT_TTL_S, ge=MIN_TTL_S, le=MAX_TTL_S, description="How long the codes live, in seconds."
    )
    code_length: Annotated[int, Strict()] = Field(
        default=DEFAULT_CODE_LENGTH,
        ge=MIN_CODE_LENGTH,
        le=MAX_CODE_LENGTH,
        description="Digits of a code; under six is easier to guess, and is noted on the account.",
    )
    client_ip: _Address | None = Field(default=None, description="Your user's address; kept as a keyed hash only.")
    reference: _Reference | None = Field(default=None, description="Your own word for it, given back in every answer.")

    def to_request(self) -> StartRequest:
        """Return what the use case takes."""
        ip = self.client_ip
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        return StartRequest(
            to=self.to,
            channel=self.channel,
            purpose=self.purpose,
            locale=self.locale,
            brand=self.brand,
            ttl_s=self.ttl_s,
            code_length=self.code_length,
            client_ip=None if ip is None else str(mapped or ip),
            reference=self.reference,
        )


class NewCheck(StrictBody):
    """The code that the user typed."""

    code: str = Field(pattern=GUESS_PATTERN, description="4 to 10 digits.", examples=["123456"], max_length=10)


class AttemptOut(BaseModel):
    """One message on one route. `number` counts attempts, `send` the messages that were asked for, both from 1."""

    id: str
    number: int = Field(description="1 for the first attempt.")
    send: int
    channel: Channel
    carrier: str
    region: str
    pool_country: str
    sender: str
    status: AttemptStatus
    failure_class: FailureClass | None
    carrier_code: str | None
    reason: str = Field(description="Why this route was taken.")
    planned_at: Instant
    expected_at: Instant | None = Field(
        description="Set while the sender has more messages to send than it may at once: when this one's turn comes."
    )
    submitted_at: Instant | None
    answered_at: Instant | None
    receipt: ReceiptStatus | None
    receipt_at: Instant | None
    proved: bool = Field(description="Whether this attempt's code was typed: the route that really delivered.")

    @classmethod
    def of(cls, facts: AttemptFacts) -> "AttemptOut":
        """Return the model of an attempt."""
        return cls.model_construct(
            id=attempt_id(facts.id),
            number=facts.sequence + 1,
            send=facts.send,
            channel=facts.channel,
            carrier=facts.carrier,
            region=facts.region,
            pool_country=facts.pool_country,
            sender=facts.sender,
            status=facts.status,
            failure_class=facts.failure_class,
            carrier_code=facts.carrier_code,
            reason=facts.reason,
            planned_at=facts.planned_at,
            expected_at=facts.waits_until if facts.status is AttemptStatus.PLANNED else None,
            submitted_at=facts.submitting_at,
            answered_at=facts.answered_at,
            receipt=facts.receipt_status,
            receipt_at=facts.receipt_at,
            proved=facts.proved_at is not None,
        )


class VerificationOut(BaseModel):
    """A verification, its number masked."""

    id: str
    status: VerificationStatus
    reason: str | None
    to: str = Field(examples=["+44••••••0123"])
    country: str
    channel: Channel
    purpose: Purpose
    reference: str | None
    created_at: Instant
    expires_at: Instant
    finished_at: Instant | None
    checks_left: int
    sends_left: int
    next_send_at: Instant | None
    resend_advised_at: Instant | None = Field(
        description="From when offering the person another message makes sense: most codes that come back have by then."
    )
    next_check_at: Instant | None = Field(description="Set when the number has failed so often that it must wait.")
    attempts: list[AttemptOut]

    @classmethod
    def of(cls, view: VerificationView) -> "VerificationOut":
        """Return the model of a verification."""
        facts = view.facts
        return cls.model_construct(
            id=verification_id(facts.id),
            status=facts.status_now,
            reason="deadline_passed" if facts.is_overdue else facts.reason,
            to=view.to,
            country=facts.country,
            channel=facts.channel,
            purpose=facts.purpose,
            reference=facts.reference,
            created_at=facts.created_at,
            expires_at=facts.expires_at,
            finished_at=facts.ended_at,
            checks_left=view.checks_left,
            sends_left=view.sends_left,
            next_send_at=view.next_send_at,
            resend_advised_at=view.resend_advised_at,
            next_check_at=facts.next_check_at if view.checks_left else None,
            attempts=[AttemptOut.of(each) for each in view.attempts],
        )


class CheckOut(BaseModel):
    """The verdict on a code."""

    valid: bool
    status: VerificationStatus
    checks_left: int
    verification: VerificationOut

    @classmethod
    def of(cls, outcome: CheckOutcome) -> "CheckOut":
        """Return the model of a verdict."""
        return cls.model_construct(
            valid=outcome.valid,
            status=outcome.view.facts.status_now,
            checks_left=outcome.view.checks_left,
            verification=VerificationOut.of(outcome.view),
        )


class PageOut(BaseModel):
    """A page of verifications, newest first; `next_cursor` is null on the last one."""

    verifications: list[VerificationOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page) -> "PageOut":
        """Return the model of a page."""
        return cls.model_construct(
            verifications=[VerificationOut.of(each) for each in page.items], next_cursor=page.next_cursor
        )


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; the first and the last day of the calendar may not have it there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment is outside of the calendar") from None


def _written_out(value: Any) -> Any:
    """Refuse a number, which would be taken for seconds since 1970, or for milliseconds, as its size has it."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError("a moment with a time zone, like 2026-11-22T12:00:00Z; in a URL write a plus as %2B")
    return value


_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?")
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(in_utc)]


class ListQuery(StrictBody):
    """Which verifications to list."""

    status: VerificationStatus | None = None
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", description="ISO 3166 alpha-2.")
    created_after: Moment | None = None
    limit: int = Field(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, max_length=200)


class NumberIn(StrictBody):
    """A number, named in a body because URLs end up in logs."""

    to: str = Field(description="The number in E.164.", max_length=1024)


class UnlockedOut(BaseModel):
    """Whether anything was known of the number."""

    unlocked: bool
