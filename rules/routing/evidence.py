"""What is known of a route's conversion: proved and unproved messages, the old ones counting less and less.

Pure. A message counts once its outcome is known: proved by its own code, or not proved within the time that nearly all
others take. Each outcome learnt for a destination ages the evidence on all of that destination's routes.
"""

from dataclasses import dataclass

# What evidence keeps of its weight per outcome learnt (`numbers_and_routing.md`): about the last hundred count.
DISCOUNT = 0.99
# A new route starts as if it had been tried this often, at this conversion rate ...
PRIOR_ATTEMPTS = 20
PRIOR_RATE = 0.5
# ... and one that was not used for long fades to this much and no further: little enough to be looked at again soon,
# enough not to be looked at all the time, and a little hopeful. `bench/outage` shows what other figures would do.
FLOOR_ATTEMPTS = 6
FLOOR_RATE = 0.65


@dataclass(frozen=True, slots=True)
class Evidence:
    """Discounted counts as they stood when the destination's outcome number `at` was learnt.

    `prior` is what is left of the attempts that a new route starts with.
    """

    proved: float = 0.0
    unproved: float = 0.0
    prior: float = PRIOR_ATTEMPTS
    at: int = 0

    def aged(self, number: int) -> "Evidence":
        """Return the evidence as it stands at a later outcome of the destination."""
        kept = DISCOUNT ** max(0, number - self.at)
        return Evidence(self.proved * kept, self.unproved * kept, self.prior * kept, max(number, self.at))

    def learnt(self, *, is_proved: bool, number: int) -> "Evidence":
        """Return the evidence with one more outcome, which is the destination's outcome `number`."""
        aged = self.aged(number)
        return Evidence(aged.proved + is_proved, aged.unproved + (not is_proved), aged.prior, aged.at)

    @property
    def alpha(self) -> float:
        """Return the first parameter of the Beta distribution of the conversion rate."""
        return self.proved + self.prior * PRIOR_RATE + self._faded_prior * FLOOR_RATE

    @property
    def beta(self) -> float:
        """Return the second parameter."""
        return self.unproved + self.prior * (1 - PRIOR_RATE) + self._faded_prior * (1 - FLOOR_RATE)

    @property
    def mean(self) -> float:
        """Return the conversion rate that is expected."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def _faded_prior(self) -> float:
        return max(0.0, FLOOR_ATTEMPTS - self.prior)
