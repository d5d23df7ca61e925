"""Numbers that need no set-up: the last two digits of a GB fiction number choose what the carriers do. Pure.

The range +447700900000 to +447700900999 is Ofcom's for drama: no handset has, or will have, one of these numbers.
`alpha` and `bravo` are the first two carriers of the GB pool, so a row about `alpha` shows one fail-over.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from domain.sandbox import SandboxBehaviour

_FICTION = re.compile(r"\+447700900[0-9]([0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MagicRow:
    """What the named carriers do; every carrier does it when none is named."""

    behaviour: SandboxBehaviour
    carriers: frozenset[str] = frozenset()

    def applies_to(self, carrier: str) -> bool:
        """Return whether the row is about this carrier."""
        return not self.carriers or carrier in self.carriers


def _alpha(behaviour: SandboxBehaviour) -> MagicRow:
    return MagicRow(behaviour=behaviour, carriers=frozenset({"alpha"}))


MAGIC: Mapping[str, MagicRow] = {
    "87": _alpha(SandboxBehaviour.LATE_RECEIPT),
    "88": _alpha(SandboxBehaviour.DUPLICATE_RECEIPTS),
    "89": _alpha(SandboxBehaviour.NO_RECEIPT),
    "90": _alpha(SandboxBehaviour.ACCEPT_THEN_HANG),
    "91": _alpha(SandboxBehaviour.REFUSE),
    "92": MagicRow(behaviour=SandboxBehaviour.REFUSE, carriers=frozenset({"alpha", "bravo"})),
    "93": MagicRow(behaviour=SandboxBehaviour.REFUSE),
    "94": _alpha(SandboxBehaviour.THROTTLE),
    "95": _alpha(SandboxBehaviour.UNREACHABLE),
    "96": _alpha(SandboxBehaviour.HANG),
    "97": _alpha(SandboxBehaviour.LOSE),
    "98": _alpha(SandboxBehaviour.UNDELIVERED),
    "99": MagicRow(behaviour=SandboxBehaviour.REFUSE_RECIPIENT),
}


def magic_behaviour(*, carrier: str, to: str) -> SandboxBehaviour:
    """Return what a carrier nobody gave an order does with a message to this number."""
    match = _FICTION.fullmatch(to)
    row = MAGIC.get(match[1]) if match else None
    if row is None or not row.applies_to(carrier):
        return SandboxBehaviour.ACCEPT
    return row.behaviour
