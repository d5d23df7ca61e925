"""How long a message's receipt and its code's return are awaited, as learnt for a route and a country.

Pure. Too short a wait sends people two codes, too long a one leaves them without; so what is learnt is kept in bounds.
"""

import math

from rules.routing.sketch import Sketch

# The share of receipts, and of codes, that has come by then (`numbers_and_routing.md`).
RECEIPT_SHARE, VERIFY_SHARE = 0.95, 0.90
RECEIPT_BOUNDS_S = (8, 30)
VERIFY_BOUNDS_S = (20, 60)
# Until it is learnt: as long as the first gap between two messages to a number (`rules/protection/sends.py`).
DEFAULT_VERIFY_WAIT_S = 30
# Fewer teach nothing about the slowest in twenty.
LEARNT_FROM = 40
# A route that gives a receipt for fewer of its messages does not normally give one: its silence says nothing.
RECEIPTS_NORMAL = 0.8


def receipt_wait_s(receipts: Sketch, *, accepted: float, default_s: int) -> int:
    """Return how long to wait for a receipt before the next route is tried; 0: silence says nothing here.

    Args:
        receipts: from acceptance to the first final receipt.
        accepted: how many messages these receipts were for; as old as the sketch.
        default_s: until enough is learnt.

    """
    if accepted < LEARNT_FROM:
        return default_s
    if receipts.total < RECEIPTS_NORMAL * accepted:
        return 0
    return _within(receipts.quantile(RECEIPT_SHARE), bounds=RECEIPT_BOUNDS_S)


def verify_wait_s(proofs: Sketch, *, default_s: int) -> int:
    """Return how long to wait for a code before a resend is offered; `proofs`: from acceptance to the right code."""
    if proofs.total < LEARNT_FROM:
        return default_s
    return _within(proofs.quantile(VERIFY_SHARE), bounds=VERIFY_BOUNDS_S)


def _within(learnt_s: float | None, *, bounds: tuple[int, int]) -> int:
    shortest, longest = bounds
    return min(max(math.ceil(learnt_s or longest), shortest), longest)
