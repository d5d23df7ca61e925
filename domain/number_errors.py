"""Refusals about sender numbers, pools and routes; further children of `DomainError`.

DomainError
├── HarvestingError                403  number-harvesting
├── NumberNotFreeError             409  number-taken
├── LeaseEndedError                409  lease-ended
├── NumberQuotaError               409  number-quota
├── CountryNotAllowedError         422  country-not-allowed
├── SenderNotAllowedError          422  sender-not-allowed
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


class LeaseEndedError(DomainError):
    """The lease is over, or there is none."""

    code, status, title = "lease-ended", 409, "The lease is over"


class NumberQuotaError(DomainError):
    """The account has as many numbers as it may have."""

    code, status, title = "number-quota", 409, "The account has enough numbers"


class CountryNotAllowedError(DomainError):
    """The account's own policy says that nothing is sent to the country."""

    code, status, title = "country-not-allowed", 422, "The account does not send to this country"


class SenderNotAllowedError(DomainError):
    """The country does not take this kind of sender."""

    code, status, title = "sender-not-allowed", 422, "The country does not take this kind of sender"


class InvalidPolicyError(DomainError):
    """The policy contradicts itself, or names a pool that may not serve the country."""

    code, status, title = "invalid-policy", 422, "The route policy cannot be"


class CarrierAwayError(DomainError):
    """A carrier's inventory does not answer."""

    code, status, title = "carrier-unavailable", 503, "The carrier does not answer"
