"""What there is to route with: senders in pools, and for each destination country the pools to use.

Pure: built from parsed reference data, read by a composition root.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.statuses import Channel


class SenderType(StrEnum):
    """What kind of sender a handset shows."""

    ALPHANUMERIC = "alphanumeric"
    LONG_CODE = "long_code"
    SHORT_CODE = "short_code"
    TOLL_FREE = "toll_free"
    TEN_DLC = "10dlc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Carrier, pool and sender towards a destination. `receipt_wait_s`: how long its receipts usually take at most."""

    pool_country: str
    carrier: str
    region: str
    sender: str
    sender_type: SenderType
    receipt_wait_s: int
    channel: Channel = Channel.SMS


@dataclass(frozen=True, slots=True)
class Policy:
    """Which pools serve a destination: one first, the others after it, in order."""

    primary: str
    backups: tuple[str, ...] = ()


# Of a carrier that the routes file does not name, until it is learnt.
RECEIPT_WAIT_S = 8
# Where a country's rule says one of these, an alphanumeric sender may be used without a registration there.
_ALPHANUMERIC_ALLOWED = frozenset({"allowed", "allowed_operator_dependent"})


class Catalog:
    """The senders of an instance and the policies by which destinations use them."""

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        policies: Mapping[str, Policy],
        everywhere_else: Policy,
        alphanumeric_rules: Mapping[str, str],
        configured: Iterable[str] | None = None,
    ) -> None:
        """Take what there is. `configured`: the carriers that the instance has; those of the routes by default."""
        self.routes = tuple(routes)
        self.configured = frozenset(self.carriers if configured is None else configured)
        self._policies = dict(policies)
        self._everywhere_else = everywhere_else
        self._alphanumeric = frozenset(
            country for country, rule in alphanumeric_rules.items() if rule in _ALPHANUMERIC_ALLOWED
        )

    @property
    def carriers(self) -> tuple[str, ...]:
        """Return the names of all carriers, each once, in the order in which they first appear."""
        return tuple(dict.fromkeys(route.carrier for route in self.routes))

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the regions that some carrier is near to."""
        return tuple(sorted({route.region for route in self.routes}))

    def policy_of(self, country: str) -> Policy:
        """Return the pools that serve a destination."""
        return self._policies.get(country, self._everywhere_else)

    def receipt_wait_s(self, carrier: str) -> int:
        """Return how long a carrier's receipts are awaited until it is learnt how long they take."""
        waits = [each.receipt_wait_s for each in self.routes if each.carrier == carrier]
        return max(waits, default=RECEIPT_WAIT_S)

    def routes_to(self, country: str) -> list[Route]:
        """Return the routes towards a country, best first: the primary pool in order, then the backups in order.

        A carrier appears once in a pool, with the first of its senders that the country allows.
        """
        return self.routes_in(self.policy_of(country), country)

    def routes_in(self, policy: Policy, country: str) -> list[Route]:
        """Return the routes of a policy's pools towards a country, in the same order."""
        allowed = [route for route in self.routes if self._is_sender_allowed(route, country)]
        chosen: dict[tuple[str, str], Route] = {}
        for pool in (policy.primary, *policy.backups):
            for route in allowed:
                if route.pool_country == pool:
                    chosen.setdefault((pool, route.carrier), route)
        return list(chosen.values())

    def usable_in(self, country: str) -> list[Route]:
        """Return the routes of every pool whose sender a country allows."""
        return [route for route in self.routes if self._is_sender_allowed(route, country)]

    def _is_sender_allowed(self, route: Route, country: str) -> bool:
        return route.sender_type is not SenderType.ALPHANUMERIC or country in self._alphanumeric


def catalog_of(routes: Mapping[str, Any], countries: Sequence[Mapping[str, Any]]) -> Catalog:
    """Return the catalog that the reference data describe.

    Raises:
        KeyError, ValueError: the data lack a field or hold a word that is not known.

    """
    return Catalog(
        routes=[
            Route(
                pool_country=each["pool"],
                carrier=each["carrier"],
                region=each["region"],
                sender=each["sender"],
                sender_type=SenderType(each["type"]),
                receipt_wait_s=each["receipt_wait_s"],
            )
            for each in routes["senders"]
        ],
        policies={country: _policy(each) for country, each in routes["policies"].items()},
        everywhere_else=_policy(routes["everywhere_else"]),
        alphanumeric_rules={each["iso"]: each["alpha"] for each in countries},
        configured=routes.get("carriers"),
    )


def _policy(data: Mapping[str, Any]) -> Policy:
    return Policy(primary=data["primary"], backups=tuple(data["backups"]))
