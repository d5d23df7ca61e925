"""What to set for a country: pools, kind of sender, number of senders and timers, each with its reason.

Pure. A recommendation rests on what the instance knows: the country's sender rules and what each pool's senders did. It
says which facts those are, and how much is known, so that a reader can disagree. A foreign pool of which nothing is
known is never put before one that is known to do its work, nor before the country's own, however cheap it is.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.routing import Mode
from rules.routing.catalog import SenderType
from rules.routing.health import ATTEMPTS_AT_LEAST
from rules.routing.offers import Known, Need, Offer, Standing, cost_micros, senders_for, standing, trusted_rate
from rules.routing.timers import DEFAULT_VERIFY_WAIT_S, RECEIPT_BOUNDS_S, VERIFY_BOUNDS_S
from rules.routing.use_cases import Priority

BACKUPS = 2
# What is awaited until it is learnt. Haste sends some people two messages; who looks at the cost would rather not.
_UNLEARNT_S = {
    Priority.COST: (RECEIPT_BOUNDS_S[1], VERIFY_BOUNDS_S[1]),
    Priority.SPEED: (RECEIPT_BOUNDS_S[0], VERIFY_BOUNDS_S[0]),
    Priority.CONVERSION: (RECEIPT_BOUNDS_S[0], DEFAULT_VERIFY_WAIT_S),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to set, and why; `refused` are the offers that a rule removed, each with the rule.

    `senders` is how many the volume needs, `to_lease` how many of them the pool does not have.
    """

    primary: str
    backups: tuple[str, ...]
    known: Known
    priority: Priority
    sender_type: SenderType
    senders: int
    to_lease: int
    mode: Mode
    receipt_wait_s: int
    verify_wait_s: int
    is_resent: bool
    reasons: tuple[str, ...]
    refused: tuple[str, ...]


def recommend(need: Need, offers: Iterable[Offer]) -> Recommendation | None:
    """Return what to set for a country, or None where no pool may serve it."""
    listed = sorted(offers, key=lambda offer: (offer.pool_country, offer.sender_type))
    allowed = sorted((each for each in listed if each.is_allowed), key=lambda offer: _key(offer, need))
    if not allowed:
        return None
    best, backups = allowed[0], _backups(allowed, need)
    unlearnt_receipt_s, unlearnt_verify_s = _UNLEARNT_S[need.first]
    senders = senders_for(best, need)
    return Recommendation(
        primary=best.pool_country,
        backups=tuple(each.pool_country for each in backups),
        known=best.known,
        priority=need.first,
        sender_type=best.sender_type,
        senders=senders,
        to_lease=max(0, senders - best.senders),
        mode=Mode.BEST if need.first is Priority.CONVERSION else Mode.ADAPTIVE,
        receipt_wait_s=_bounded(best.receipt_p95_s, RECEIPT_BOUNDS_S, otherwise=unlearnt_receipt_s),
        verify_wait_s=_bounded(best.verify_p90_s, VERIFY_BOUNDS_S, otherwise=unlearnt_verify_s),
        is_resent=need.demand.is_resent and need.first is not Priority.COST,
        reasons=_reasons(best, need, of=len(allowed), backups=backups),
        refused=tuple(f"{_name(each)}: {each.rule}" for each in listed if not each.is_allowed),
    )


def _key(offer: Offer, need: Need) -> tuple[float | bool | str, ...]:
    """Order by what is known, by what matters most, then by the rest; the country's own pool first of the same."""
    cost = cost_micros(offer, need)
    slow_s = RECEIPT_BOUNDS_S[1] if offer.receipt_p95_s is None else offer.receipt_p95_s
    keys: tuple[float | bool, ...]
    match need.first:
        case Priority.COST:
            keys = (cost, slow_s)
        case Priority.SPEED:
            # Messages that stand in line are late, however quick their carrier is.
            keys = (senders_for(offer, need) > offer.senders, slow_s, cost)
        case Priority.CONVERSION:
            keys = (-trusted_rate(offer), cost)
    own_first = (offer.pool_country != need.country, offer.pool_country, offer.sender_type)
    return (standing(offer, need), *keys, *own_first)


def _backups(allowed: Sequence[Offer], need: Need) -> tuple[Offer, ...]:
    """Return the best offers of other pools that are worth falling back on; those on other carriers go first.

    Of a pool of which nothing is known only other carriers are worth anything; one that is known to be poor is not.
    """
    primary = allowed[0].pool_country
    carriers = frozenset[str]().union(*(each.carriers for each in allowed if each.pool_country == primary))
    best: dict[str, Offer] = {}
    for each in allowed:
        best.setdefault(each.pool_country, each)
    worth = [
        each
        for pool, each in best.items()
        if pool != primary
        and (standing(each, need) is Standing.PROVEN or (_is_tried_or_new(each, need, carriers=carriers)))
    ]
    return tuple(sorted(worth, key=lambda each: each.carriers <= carriers)[:BACKUPS])


def _is_tried_or_new(offer: Offer, need: Need, *, carriers: frozenset[str]) -> bool:
    return standing(offer, need) is not Standing.POOR and not offer.carriers <= carriers


def _reasons(best: Offer, need: Need, *, of: int, backups: Sequence[Offer]) -> tuple[str, ...]:
    proved = f"{best.proved.of:.0f} of {best.proved.total:.0f} messages proved"
    rate = f"trusted rate {trusted_rate(best):.0%}, {cost_micros(best, need) / 1e6:.4f} a verified code"
    senders = senders_for(best, need)
    peak = f"{need.peak_parts_per_s:.2f} parts a second at the peak, one sender carries {best.parts_per_s:g}"
    waits = "as learnt here" if best.receipt_p95_s is not None else f"nothing learnt yet, so as {need.first} has it"
    return (
        f"{_name(best)} comes first of {of} that are allowed: {proved}, {rate}",
        f"rule for {need.country}: {best.rule}",
        f"senders: {senders}, as {need.monthly_volume} messages a month are {peak}; there are {best.senders}",
        f"{need.use_case}: {need.demand.why}",
        f"waits: {waits}",
        f"how sure: {_HOW_SURE[best.known]}",
        f"order: what is known before what is not, the country's own pool before others, then by {need.first}",
        *(
            f"backup {each.pool_country}: on {', '.join(sorted(each.carriers)) or 'the same carriers'};"
            f" {_HOW_SURE[each.known]}"
            for each in backups
        ),
    )


_HOW_SURE = {
    Known.NOTHING: "nothing is known here of messages this way, so this rests on rules and prices alone",
    Known.LITTLE: f"fewer than {ATTEMPTS_AT_LEAST} messages are known of here, which is little",
    Known.ENOUGH: f"{ATTEMPTS_AT_LEAST} messages or more are known of here",
}


def _name(offer: Offer) -> str:
    return f"{offer.sender_type} of pool {offer.pool_country}"


def _bounded(learnt_s: float | None, bounds: tuple[int, int], *, otherwise: int) -> int:
    return otherwise if learnt_s is None else min(max(math.ceil(learnt_s), bounds[0]), bounds[1])
