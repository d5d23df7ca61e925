"""The pools that come with the product: senders, what each country takes, and which sender may be used where.

Pure: built from parsed reference data, read by a composition root. A sender that its own country's rules forbid is a
mistake in the data and is refused, so that no pool holds what may never be used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.routing.catalog import SenderType

# What a country's rule says of names as senders, and on what ground one may be used there.
_NAME_GROUNDS: Mapping[str, str] = {
    "allowed": "names are allowed here without registration",
    "allowed_operator_dependent": "names are allowed here, as far as the operator takes them",
    "registered_only": "registered for this country (made up in the sandbox)",
}
_FREELY = frozenset({"allowed", "allowed_operator_dependent"})
_VOICE_TOO = frozenset({SenderType.LONG_CODE, SenderType.TOLL_FREE, SenderType.TEN_DLC})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSender:
    """One sender of a country's pool."""

    country: str
    carrier: str
    region: str
    sender: str
    sender_type: SenderType
    price_micros: int
    monthly_micros: int
    parts_per_s: float

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what it can do."""
        return frozenset({"sms", "voice"}) if self.sender_type in _VOICE_TOO else frozenset({"sms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """That a sender may be used towards a country through its carrier, and why."""

    country: str
    sender: str
    carrier: str
    ground: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBook:
    """All pools. `sender_types` is what each country takes at all; `**` is every country that has no entry."""

    currency: str
    senders: tuple[PoolSender, ...]
    grants: tuple[Grant, ...]
    sender_types: Mapping[str, frozenset[SenderType]]


def pool_book_of(pools: Mapping[str, Any], countries: Sequence[Mapping[str, Any]]) -> PoolBook:
    """Return the pools that the reference data describe, by the countries' rules.

    Raises:
        KeyError, ValueError: the data lack a field, hold a word that is not known, or a sender that is forbidden.

    """
    names = {each["iso"]: str(each["alpha"]) for each in countries}
    senders = tuple(_sender(country, each) for country, pool in pools["pools"].items() for each in pool["senders"])
    takes = {
        country: _numeric(pool) | ({SenderType.ALPHANUMERIC} if names[country] in _NAME_GROUNDS else set())
        for country, pool in pools["pools"].items()
    }
    for sender in senders:
        if sender.sender_type not in takes[sender.country]:
            raise ValueError(f"{sender.country} does not take a sender of type {sender.sender_type}: {sender.sender}")
    also = [(each, _matching(senders, each)) for each in pools["also_authorised"]]
    for each, granted in also:
        for country in each["countries"]:
            takes[country] = takes.get(country, set()) | {sender.sender_type for sender in granted}
    return PoolBook(
        currency=pools["currency"],
        senders=senders,
        grants=tuple(
            dict.fromkeys(
                [
                    *(grant for sender in senders for grant in _own(sender, names)),
                    *(
                        _grant(sender, country, each["ground"])
                        for each, granted in also
                        for sender in granted
                        for country in each["countries"]
                    ),
                ]
            )
        ),
        sender_types={country: frozenset(types) for country, types in takes.items()},
    )


def _own(sender: PoolSender, names: Mapping[str, str]) -> Iterator[Grant]:
    """Yield where a sender may be used by the rules alone: at home, and a name wherever names need no registration."""
    if sender.sender_type is not SenderType.ALPHANUMERIC:
        yield _grant(sender, sender.country, f"a number of {sender.country}")
        return
    yield _grant(sender, sender.country, _NAME_GROUNDS[names[sender.country]])
    for country, rule in names.items():
        if rule in _FREELY and country != sender.country:
            yield _grant(sender, country, _NAME_GROUNDS[rule])


def _grant(sender: PoolSender, country: str, ground: str) -> Grant:
    return Grant(country=country, sender=sender.sender, carrier=sender.carrier, ground=ground)


def _matching(senders: Sequence[PoolSender], also: Mapping[str, Any]) -> list[PoolSender]:
    types = {SenderType(each) for each in also["types"]}
    return [each for each in senders if each.country == also["pool"] and each.sender_type in types]


def _numeric(pool: Mapping[str, Any]) -> set[SenderType]:
    return {SenderType(each) for each in pool["numeric"]} - {SenderType.ALPHANUMERIC}


def _sender(country: str, data: Mapping[str, Any]) -> PoolSender:
    return PoolSender(
        country=country,
        carrier=data["carrier"],
        region=data["region"],
        sender=data["sender"],
        sender_type=SenderType(data["type"]),
        price_micros=data["price_micros"],
        monthly_micros=data["monthly_micros"],
        parts_per_s=data["parts_per_s"],
    )
