"""Where the facts come from that a recommendation rests on, so that a reader can look at each and disagree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.statuses import Environment

_MADE_UP = {Environment.SANDBOX: "; those of the sandbox are made up", Environment.PRODUCTION: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A fact, and where it is to be found; `as_of` and `sureness` are there where it was looked up elsewhere."""

    fact: str
    source: str
    as_of: str | None = None
    sureness: str | None = None


class Sources:
    """Names sources. `rules` is the reference of sender rules, as it was read."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._as_of = str(rules["as_of"])
        self._sureness = {each["iso"]: str(each["conf"]) for each in rules["countries"]}

    def of(self, country: str, *, environment: Environment) -> tuple[Source, ...]:
        """Return where the facts about a country come from."""
        return (
            self._of_rules(country),
            Source(
                fact=f"which senders are authorised for {country}, their prices and their pace",
                source=f"this instance's numbers: GET /v1/pools{_MADE_UP[environment]}",
            ),
            Source(
                fact="how many codes came back, how long receipts and codes took",
                source=f"this instance's messages: GET /v1/routes/health?country={country}",
            ),
            Source(
                fact="what the use case asks for, and the peak as ten times the average",
                source="this product's judgement: docs/routing.md",
            ),
        )

    def _of_rules(self, country: str) -> Source:
        fact = f"which kinds of sender {country} takes"
        if country not in self._sureness:
            return Source(fact=fact, source="no rule of its own is known here: what countries without one have")
        return Source(
            fact=fact, source="reference data: GET /v1/countries", as_of=self._as_of, sureness=self._sureness[country]
        )
