"""What the composition root tells the sandbox."""

from dataclasses import dataclass, field

# The GB pool's two carriers in their order, then the US pool's.
CARRIERS = ("alpha", "bravo", "charlie", "delta")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """`receipt_url` is where receipts are posted, without the carrier's name; the secret guards both directions."""

    secret: str = field(repr=False)
    receipt_url: str
    carriers: tuple[str, ...] = CARRIERS
