"""A route that might be taken, with what is known of it at this moment.

Pure: frozen facts, read from the store by whoever asks for a choice.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.statuses import Channel
from rules.routing.catalog import Route, SenderType
from rules.routing.evidence import Evidence
from rules.routing.timers import DEFAULT_VERIFY_WAIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """From when until when a sender may be used towards a destination through a carrier; None is without an end."""

    since: datetime
    until: datetime | None = None

    def covers(self, moment: datetime) -> bool:
        """Say whether the sender may be used at a moment."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One route and its facts. `place` is its position in the account's own order: the primary pool's routes first.

    `probes` says that the route is out of use for its health, and that this message may find out whether it is back.
    `proves`: its number is on trial, and this message is one of the few that try it before others of its group.
    `number_id` and `fence` name the routing lease under which a message leaves; None where the sender is in no pool.
    `verify_wait_s` is how long a code that comes back over this route usually takes at most.
    """

    route: Route
    place: int
    price_micros: int
    authorisation: Authorisation | None
    is_in_service: bool = True
    is_template_registered: bool = True
    has_capacity: bool = True
    is_breaker_open: bool = False
    is_quarantined: bool = False
    probes: bool = False
    proves: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    number_id: UUID | None = None
    fence: int | None = None
    currency: str | None = None
    verify_wait_s: int = DEFAULT_VERIFY_WAIT_S

    @property
    def id(self) -> str:
        """Return the words that name this route and no other."""
        route = self.route
        # Half the time of an f-string, for words that are enums.
        return "/".join((route.carrier, route.pool_country, route.sender, route.channel))  # noqa: FLY002

    @property
    def group(self) -> str:
        """Return the words that name the routes whose evidence is kept together: all but the sender."""
        route = self.route
        return "/".join((route.carrier, route.pool_country, route.sender_type, route.channel))  # noqa: FLY002


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the destination, the account and the instance allow now."""

    country: str
    now: datetime
    is_country_permitted: bool
    sender_types: frozenset[SenderType]
    channels: frozenset[Channel]
    carriers: frozenset[str]
    regions: frozenset[str]
    ceiling_micros: int | None = None
