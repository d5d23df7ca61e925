"""How moments are written wherever somebody outside reads them: answers, refusals, events, webhooks.

The audit trail has its own form, six decimals, because its hashes are made of it (`docs/audit.md`).
"""

from datetime import datetime


def moment(at: datetime) -> str:
    """Return a moment in UTC as RFC 3339 has it, with milliseconds and a Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
