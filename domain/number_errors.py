"""Refusals about sender numbers, pools and routes; further children of `DomainError`.

DomainError
├── HarvestingError                403  number-harvesting
├── NumberNotFreeError             409  number-taken
├── NumberInUseError               409  number-in-use
├── NumberStateError               409  number-state
├── NumberChangedError             409  number-changed
├── LeaseEndedError                409  lease-ended
├── LeaseTooLongError              409  lease-too-long
├── QuarantineHoldsError           409  quarantine-holds
├── PoolEmptyError                 409  pool-empty
├── NumberQuotaError               409  number-quota
├── CountryNotAllowedError         422  country-not-allowed
├── SenderNotAllowedError          422  sender-not-allowed
├── CapabilityMissingError         422  capability-missing
├── InvalidPolicyError             422  invalid-policy
└── CarrierAwayError               503  carrier-unavailable
"""

from domain.errors import DomainError


class HarvestingError(DomainError):
    """The account takes numbers and gives them back too often to be using them."""

    code, status, title = "number-harvesting", 403, "Too many numbers were taken and given back"


class NumberNotFreeError(DomainError):
    """The number is somebody's, or the carrier does not offer it any more."""

    code, status, title = "number-taken", 409, "The number is not free"


class NumberInUseError(DomainError):
    """Verifications are under way whose messages came from the number."""

    code, status, title = "number-in-use", 409, "The number is in use"


class NumberStateError(DomainError):
    """What was asked for does not fit the state that the number is in."""

    code, status, title = "number-state", 409, "The number's state does not allow it"


class NumberChangedError(DomainError):
    """Somebody else changed the number, or its lease, at the same moment."""

    code, status, title = "number-changed", 409, "The number was changed meanwhile"


class LeaseEndedError(DomainError):
    """The lease is over, or there is none."""

    code, status, title = "lease-ended", 409, "The lease is over"


class LeaseTooLongError(DomainError):
    """The lease is paid for as far ahead as one may be."""

    code, status, title = "lease-too-long", 409, "The lease lasts long enough"


class QuarantineHoldsError(DomainError):
    """The number was set aside for what it did, not by hand, and comes back through probes."""

    code, status, title = "quarantine-holds", 409, "The number is set aside for its health"


class PoolEmptyError(DomainError):
    """The pool has no number that could be taken, or none that could take the place of another."""

    code, status, title = "pool-empty", 409, "The pool has no such number to give"


class NumberQuotaError(DomainError):
    """The account has as many numbers as it may have."""

    code, status, title = "number-quota", 409, "The account has enough numbers"


class CountryNotAllowedError(DomainError):
    """The account's own policy says that nothing is sent to the country."""

    code, status, title = "country-not-allowed", 422, "The account does not send to this country"


class SenderNotAllowedError(DomainError):
    """The country does not take this kind of sender."""

    code, status, title = "sender-not-allowed", 422, "The country does not take this kind of sender"


class CapabilityMissingError(DomainError):
    """The number cannot do what is asked of it."""

    code, status, title = "capability-missing", 422, "The number cannot do this"


class InvalidPolicyError(DomainError):
    """The policy contradicts itself, or names a pool that may not serve the country."""

    code, status, title = "invalid-policy", 422, "The route policy cannot be"


class CarrierAwayError(DomainError):
    """A carrier's inventory does not answer."""

    code, status, title = "carrier-unavailable", 503, "The carrier does not answer"
